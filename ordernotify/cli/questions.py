"""The questions that a person at a terminal is asked; scripts never meet one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ordernotify.errors import CancelledError, OrderNotifyError, UsageError
from ordernotify.settings.names import Target

if TYPE_CHECKING:
    from ordernotify.aws.session import Cloud
    from ordernotify.executor import Plan
    from ordernotify.settings.model import Settings

Answer = TypeVar("Answer")


class OrdersFate(StrEnum):
    """What becomes of the orders of a stack that is removed."""

    KEEP = "keep"
    EXPORT = "export"
    DELETE = "delete"


def at_terminal() -> bool:
    """Whether somebody sees a question and can answer it."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str, read: Callable[[str], Answer]) -> Answer:
    """Ask until `read` makes an answer of the line; where it raises UsageError, the reason is shown.

    Raises CancelledError at Ctrl-C, and OrderNotifyError at the end of the input.
    """
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

        note("`ordernotify setup --dry-run` lists them, `ordernotify cost` what they cost.")
        number = len(planned.changes)
        confirm(f"Create {number} resources in account {cloud.account}, {cloud.region}?")


def _is_new(planned: Plan) -> bool:
    return not any(item.live is not None and item.live.owned for item in planned.items)


def ask_teardown(cloud: Cloud, settings: Settings, planned: Plan, *, ask_fate: bool) -> OrdersFate:
    """Ask once whether to go on, and (`ask_fate`) what becomes of the orders.

    Raises OrderNotifyError where nothing is to be removed.
    """
    from ordernotify.orders.items import count_orders
    from ordernotify.render import note

    if not at_terminal():
        raise OrderNotifyError("there is no terminal to ask at", "Read the plan above, then add --yes.")
    counted = count_orders(cloud, settings.names)
    if not ask_fate or counted is None or not any(item.keeps_orders for item in planned.items):
        confirm(f"Remove this of the stack {settings.stack}?")
        return OrdersFate.KEEP
    number = f"{counted.orders}" if counted.complete else f"at least {counted.orders}"
    table = settings.names.table
    note(f"The table {table} holds {number} orders, {counted.pending} of them not announced yet.")
    note(f"  keep: they stay in the table; export: they go to {export_file(settings)} and are deleted;")
    note("  delete: they are deleted; Enter: nothing is removed.")
    return ask(f"Remove the stack {settings.stack}, and its orders? [keep/export/delete]", _fate)


def _fate(line: str) -> OrdersFate:
    if not line:
        raise _stopped()
    if line not in set(OrdersFate):
        raise UsageError(f"{line!r} is none of the three", "Type one of the words; Enter removes nothing.")
    return OrdersFate(line)


def export_file(settings: Settings) -> Path:
    """Name a file that does not exist yet."""
    names = (f"orders-{settings.stack}{number}.jsonl" for number in ("", *range(2, 1000)))
    return next(path for path in map(Path, names) if not path.exists())
