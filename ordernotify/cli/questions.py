"""The questions that a person at a terminal is asked; scripts never meet one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ordernotify.errors import CancelledError, OrderNotifyError, UsageError
from ordernotify.settings.names import Names, Target

if TYPE_CHECKING:
    from ordernotify.aws.session import Cloud
    from ordernotify.executor import Plan

Answer = TypeVar("Answer")


class OrdersFate(StrEnum):
    """What becomes of the orders of a stack that is removed."""

    KEEP = "keep"
    EXPORT = "export"
    DELETE = "delete"


def at_terminal() -> bool:
    """Whether somebody can see a question and answer it."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str, read: Callable[[str], Answer]) -> Answer:
    """Ask until `read` accepts the line; if it raises UsageError, the reason is shown."""
    from ordernotify.render import end_line, error, prompt

    while True:
        try:
            prompt(question)
            return read(input().strip())
        except UsageError as refused:
            error(refused.message, refused.hint)
        except UnicodeDecodeError:
            error("that is not text in the terminal's encoding")
        except KeyboardInterrupt:
            end_line()
            raise CancelledError("interrupted at the question", "Nothing was changed.") from None
        except EOFError:
            end_line()
            raise _stopped() from None


def confirm(question: str) -> None:
    """Ask and return if the answer is yes; Enter is no, which raises OrderNotifyError."""
    if not ask(f"{question} [y/N]", _yes):
        raise _stopped()


def _yes(line: str) -> bool:
    if line.lower() not in ("y", "yes", "n", "no", ""):
        raise UsageError(f"{line!r} is neither yes nor no", "Type y or n; Enter is no.")
    return line.lower() in ("y", "yes")


def _stopped() -> OrderNotifyError:
    return OrderNotifyError("stopped at the question", "Nothing was changed.")


def confirm_changes(planned: Plan, cloud: Cloud) -> None:
    """Ask before anything that exists is changed, and before the first resource of a stack in an account.

    A change takes a terminal or --yes. Making a stack does not: scripts have always made them unattended.
    """
    from ordernotify.executor import Action

    changes = [item for item in planned.changes if item.action is not Action.CREATE]
    if changes:
        if not at_terminal():
            raise OrderNotifyError(
                "the plan changes resources that exist, and there is no terminal to ask at",
                "Read the plan with --dry-run, then add --yes.",
            )
        confirm("Change what exists?")
    elif cloud.target is Target.AWS and at_terminal() and _is_new(planned):
        from ordernotify.render import note

        note("`ordernotify setup --dry-run` lists what is made, `ordernotify cost` what it costs.")
        number = len(planned.changes)
        confirm(f"Create {number} resources in account {cloud.account}, {cloud.region}?")


def _is_new(planned: Plan) -> bool:
    return not any(item.live is not None and item.live.owned for item in planned.items)


def ask_teardown(cloud: Cloud, stack: str, tables: Sequence[Names], *, ask_fate: bool) -> OrdersFate:
    """Ask once whether to go on, and (`ask_fate`) what becomes of the orders in `tables`.

    Raises OrderNotifyError where nothing is to be removed.
    """
    from ordernotify.orders.items import count_orders
    from ordernotify.render import note
    from ordernotify.render.orders import orders_held

    if not at_terminal():
        raise OrderNotifyError("there is no terminal to ask at", "Read the plan above, then add --yes.")
    counted = [(names.table, count_orders(cloud, names)) for names in tables]
    holding = [(table, count) for table, count in counted if count is not None]
    if not ask_fate or not holding:
        confirm(f"Remove this of the stack {stack}?")
        return OrdersFate.KEEP
    for table, count in holding:
        note(f"The table {table} holds {orders_held(count)}.")
    files = ", ".join(map(str, islice(export_files(stack), len(holding))))
    note(f"  keep: they stay where they are; export: they go to {files} and are deleted;")
    note("  delete: they are deleted; Enter: nothing is removed.")
    return ask(f"Remove the stack {stack}, and its orders? [keep/export/delete]", _fate)


def _fate(line: str) -> OrdersFate:
    if not line:
        raise _stopped()
    if line not in set(OrdersFate):
        raise UsageError(f"{line!r} is none of the three", "Type one of the words; Enter removes nothing.")
    return OrdersFate(line)


def export_files(stack: str) -> Iterator[Path]:
    """Name files that do not exist yet."""
    names = (f"orders-{stack}{number}.jsonl" for number in ("", *range(2, 1000)))
    return (path for path in map(Path, names) if not path.exists())
