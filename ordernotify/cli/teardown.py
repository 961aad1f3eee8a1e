"""`teardown`: the end of a stack."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ordernotify.cli import app
from ordernotify.cli.run import JsonOption, Run, command
from ordernotify.cli.stack import YesOption, apply_plan
from ordernotify.errors import OrderNotifyError
from ordernotify.settings.model import Settings
from ordernotify.settings.names import STACK_TAG, Names, Target

if TYPE_CHECKING:
    from ordernotify.aws.session import Cloud
    from ordernotify.executor import Plan


@command(app, "teardown")
def teardown(
    run: Run,
    delete_orders: Annotated[
        bool | None,
        typer.Option(
            "--delete-orders/--keep-orders",
            help="Delete the table with all its orders, or keep it; otherwise you are asked, or it is kept.",
            show_default=False,
        ),
    ] = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Remove exactly what setup made; the orders are kept unless told.

    It ends with the exit status 1, and says what to do, where something else carries the stack's tag.

    Example: ordernotify teardown --yes --delete-orders
    """
    cloud, names = run.open()
    from ordernotify import provision
    from ordernotify.render import json_document, note, plans
    from ordernotify.stack.discovery import recorded_settings, with_own_role
    from ordernotify.stack.former import find_former
    from ordernotify.stack.left import left_over

    names = with_own_role(cloud, names, run.stack)
    settings = Settings(run.stack, names, **recorded_settings(cloud, names, run.stack))
    former = find_former(cloud, names, run.stack)
    if former.unread:
        note(former.unread)
    resources = provision.declare(settings, cloud, former.names)
    planned = provision.plan_teardown(resources, delete_orders=bool(delete_orders))
    provision.check_not_managed_elsewhere(planned, run.stack)
    left = left_over(cloud, resources, planned, former.tagged)
    if planned.changes:
        plans.show_plan(replace(planned, items=(*planned.items, *left)))
        fate = OrdersFate.KEEP if yes else _ask(cloud, settings, planned, ask=delete_orders is None)
        if fate is OrdersFate.DELETE:
            planned = provision.plan_teardown(resources, delete_orders=True)
        apply_plan(resources, planned)
        if fate is OrdersFate.EXPORT:
            # Only now: nobody can store an order any more that the files would not hold.
            _export(cloud, run.stack, _tables(settings, planned))
            rest = provision.plan_teardown(resources, delete_orders=True)
            apply_plan(resources, rest)
            planned = replace(rest, items=(*planned.changes, *rest.items))
    if json:
        json_document(plans.teardown_document(planned, left))
    else:
        plans.show_teardown_result(planned, left)
    _stop_unused_cloud(cloud)
    if left:
        raise OrderNotifyError(
            f"what is left carries the tag of the stack {run.stack}, and is nothing that setup makes",
            f"Remove it by hand; or take its tag {STACK_TAG} away, if it is not the stack's. "
            "AWS may list for some minutes what is gone already.",
        )


class OrdersFate(StrEnum):
    """What becomes of the orders of a stack that is removed."""

    KEEP = "keep"
    EXPORT = "export"
    DELETE = "delete"


def _ask(cloud: Cloud, settings: Settings, planned: Plan, *, ask: bool) -> OrdersFate:
    """Ask once whether to go on, and (`ask`) what becomes of the orders; any other answer changes nothing."""
    from ordernotify.orders.items import count_orders
    from ordernotify.render import note
    from ordernotify.render.orders import orders_held

    if not sys.stdin.isatty():
        raise OrderNotifyError("there is no terminal to ask at", "Read the plan above, then add --yes.")
    tables = _tables(settings, planned)
    counted = [(names.table, count_orders(cloud, names)) for names in tables]
    holding = [(table, count) for table, count in counted if count is not None]
    if not ask or not holding:
        typer.confirm(f"Remove this of the stack {settings.stack}?", abort=True, err=True)
        return OrdersFate.KEEP
    for table, count in holding:
        note(f"The table {table} holds {orders_held(count)}.")
    files = ", ".join(map(str, islice(_export_files(settings.stack), len(holding))))
    note(f"  keep: they stay where they are; export: they go to {files} and are deleted;")
    note("  delete: they are deleted; Enter: nothing is removed.")
    question = f"Remove the stack {settings.stack}, and its orders? [keep/export/delete]"
    answer = typer.prompt(question, default="", show_default=False, err=True)
    if answer not in set(OrdersFate):
        raise typer.Abort
    return OrdersFate(answer)


def _tables(settings: Settings, planned: Plan) -> list[Names]:
    """List the tables that the plan keeps for their orders, each as the stack's names with that table."""
    return [replace(settings.names, table=item.name) for item in planned.items if item.keeps_orders]


def _export_files(stack: str) -> Iterator[Path]:
    """Name files that do not exist yet."""
    names = (f"orders-{stack}{number}.jsonl" for number in ("", *range(2, 1000)))
    return (path for path in map(Path, names) if not path.exists())


def _export(cloud: Cloud, stack: str, tables: Iterable[Names]) -> None:
    from ordernotify.orders.export import export_orders
    from ordernotify.orders.files import Format
    from ordernotify.render.orders import show_exported
    from ordernotify.render.progress import counting

    for names in tables:
        file = str(next(_export_files(stack)))
        with counting("exporting") as tick:
            count = export_orders(cloud, names, file, Format.JSONL, progress=tick)
        show_exported(count, file)


def _stop_unused_cloud(cloud: Cloud) -> None:
    """Stop the embedded cloud if nothing is left in it and nobody else is at work in it."""
    if cloud.target is Target.LOCAL:
        from ordernotify.local.unused import stop_if_unused

        stop_if_unused()
