"""`list-orders`, `get-order`, `export-orders` and `redrive`; `send-order` is in `sending`."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from ordernotify.cli import (
    app,
    redrive,  # noqa: F401 - it registers its command
    sending,  # noqa: F401 - it registers its command
)
from ordernotify.cli.run import JsonOption, Run, command
from ordernotify.errors import EXIT_FAILED, OrderNotifyError, UsageError

if TYPE_CHECKING:
    from ordernotify.orders.files import Format
    from ordernotify.orders.query import OrderQuery

TABLE_LIMIT = 50


class Notification(StrEnum):
    """Whether an order's notification is out."""

    PENDING = "pending"
    SENT = "sent"


FindCustomerOption = Annotated[
    str,
    typer.Option(
        "--customer",
        help="A part of the customer's name, in any case.",
        metavar="TEXT",
        show_default=False,
    ),
]
FindProductOption = Annotated[
    str,
    typer.Option(
        "--product", help="A part of the product's name, in any case.", metavar="TEXT", show_default=False
    ),
]
NotificationOption = Annotated[
    Notification | None,
    typer.Option(
        "--notification", help="Only with this state: pending or sent.", metavar="STATE", show_default=False
    ),
]
CreatedSinceOption = Annotated[
    str | None,
    typer.Option(
        "--since",
        help="Created from then on: 10m, 2h30m, 1d (ago), or ISO 8601; without a zone it is local.",
        metavar="TIME",
        show_default=False,
    ),
]
CreatedUntilOption = Annotated[
    str | None, typer.Option("--until", help="Created before then.", metavar="TIME", show_default=False)
]
WhereOption = Annotated[
    list[str] | None,
    typer.Option(
        "--where", help="Only where this field has this value; repeatable.", metavar="K=V", show_default=False
    ),
]
SortOption = Annotated[
    str,
    typer.Option(
        "--sort", help="Sort by a field; -FIELD for descending.", metavar="FIELD", show_default=False
    ),
]
LimitOption = Annotated[
    int | None,
    typer.Option(
        "--limit",
        "-n",
        help="How many at most; 0 for all.",
        metavar="N",
        show_default="50; all with --json",
        min=0,
    ),
]
ColumnsOption = Annotated[
    str, typer.Option("--columns", help="The fields to show.", metavar="A,B,C", show_default=False)
]


@command(app, "list-orders")
def list_orders(
    run: Run,
    customer: FindCustomerOption = "",
    product: FindProductOption = "",
    notification: NotificationOption = None,
    since: CreatedSinceOption = None,
    until: CreatedUntilOption = None,
    where: WhereOption = None,
    sort: SortOption = "",
    limit: LimitOption = None,
    columns: ColumnsOption = "",
    json: JsonOption = False,
) -> None:
    """List orders: a table, or with --json one JSON object per line.

    Example: ordernotify list-orders --customer doe --since 1d
    """
    from ordernotify import times
    from ordernotify.orders.query import OrderQuery

    first, last = times.parse_range(since, until, times.now())
    shown = 0 if json else TABLE_LIMIT
    query = OrderQuery(
        customer=customer,
        product=product,
        notification=notification or "",
        since=first,
        until=last,
        where=tuple(_condition(text) for text in where or ()),
        sort=sort,
        limit=shown if limit is None else limit,
    )
    _list(run, query, _column_names(columns), json=json, by_default=limit is None)


def _list(run: Run, query: OrderQuery, columns: tuple[str, ...], *, json: bool, by_default: bool) -> None:
    cloud, names = run.open()
    from ordernotify import render
    from ordernotify.orders import query as reading
    from ordernotify.render import orders as screen

    found = reading.list_orders(cloud, names, query)
    if json:
        render.json_lines(_only(order, columns) for order in found)
        return
    count = screen.show_orders(found, columns or screen.COLUMNS)
    if not count:
        render.note("No orders.")
    elif count == query.limit and by_default:
        screen.show_limit_reached(count, ordered=bool(query.sort))


def _only(order: Mapping[str, Any], columns: tuple[str, ...]) -> Mapping[str, Any]:
    return {name: order[name] for name in columns if name in order} if columns else order


def _condition(text: str) -> tuple[str, str]:
    field, equals, value = text.partition("=")
    if not equals or not field:
        raise UsageError(
            f"--where {text} is not a condition", "Give FIELD=VALUE; for example: --where colour=black"
        )
    return field, value


def _column_names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


@command(app, "get-order")
def get_order(
    run: Run,
    order_ids: Annotated[
        list[str],
        typer.Argument(
            metavar="ID...", help="The orders' ids, or their first 8 characters.", show_default=False
        ),
    ],
    json: JsonOption = False,
) -> None:
    """Show orders by their ids; ends with status 1 if one of them does not exist.

    Example: ordernotify get-order 0b8f7a52
    """
    cloud, names = run.open()
    from ordernotify import render
    from ordernotify.orders import query as reading
    from ordernotify.render import orders as screen

    found = reading.get_orders(cloud, names, order_ids)
    known = [order for order in found if order is not None]
    if json:
        render.json_lines(known)
    else:
        screen.show_each(known)
    unknown = [order_id for order_id, order in zip(order_ids, found, strict=True) if order is None]
    if unknown:
        screen.show_unknown(unknown, names.table)
        raise typer.Exit(EXIT_FAILED)


@command(app, "export-orders")
def export_orders(
    run: Run,
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="A name with .jsonl or .csv; - for stdout.", show_default=False),
    ],
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="The file's format: jsonl or csv.",
            metavar="FORM",
            show_default="its suffix; jsonl for -",
        ),
    ] = "",
    json: JsonOption = False,
) -> None:
    """Write all orders to a file, complete or not at all; an existing file is replaced.

    JSON lines keep every value exactly. CSV has a column for each field and opens in a spreadsheet without
    executing anything: a text that looks like a formula gets an apostrophe in front.

    Example: ordernotify export-orders orders.csv
    """
    from ordernotify.orders import export
    from ordernotify.orders.files import STDIO, Format, format_of

    chosen = format_of(file, form)
    if json and file == STDIO:
        raise UsageError("--json and the orders cannot both go to stdout", "Leave one of them away.")
    cloud, names = run.open()
    from ordernotify import render
    from ordernotify.render import orders as screen
    from ordernotify.render.progress import counting

    # A terminal obeys control characters; a file and a pipe get the values as they are.
    shown = render.json_safe if chosen is Format.JSONL else render.clean
    visible = shown if file == STDIO and sys.stdout.isatty() else None
    with counting("exporting") as tick:
        count = export.export_orders(cloud, names, file, chosen, progress=tick, visible=visible)
    if json:
        render.json_document({"exported": count, "file": file, "format": chosen.value})
    else:
        screen.show_exported(count, file)


@command(app, "import-orders")
def import_orders(
    run: Run,
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="A file of export-orders; - for stdin.", show_default=False),
    ],
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="The file's format: jsonl or csv.",
            metavar="FORM",
            show_default="its suffix; jsonl for -",
        ),
    ] = "",
    json: JsonOption = False,
) -> None:
    """Bring orders back from a file of export-orders; ends with status 1 if a line could not be read.

    Ids, times and states are those of the file. Orders that exist are left as they are, and nothing is
    announced again. It may be cut off and run again. A list stands for a set, and text for binary data.

    Example: ordernotify import-orders orders.jsonl
    """
    from ordernotify.orders.files import format_of, open_orders

    chosen = format_of(file, form)
    with open_orders(file) as (opened, _):
        counts = _restore(run, opened, file, chosen, json=json)
    if counts["refused"]:
        raise typer.Exit(EXIT_FAILED)


def _restore(run: Run, opened: BinaryIO, file: str, form: Format, *, json: bool) -> Counter[str]:
    cloud, names = run.open()
    from ordernotify.orders import restore
    from ordernotify.render import orders as screen
    from ordernotify.render.progress import counting

    counts: Counter[str] = Counter()
    try:
        with counting("brought back") as tick:
            for done in restore.restore_orders(cloud, names, opened, form):
                counts[done.result] += 1
                tick(counts.total())
                if done.result is restore.Restoration.REFUSED:
                    screen.show_refused(done)
    except (KeyboardInterrupt, OrderNotifyError):
        if counts:
            screen.show_restored(counts, file, json=json)
        raise
    screen.show_restored(counts, file, json=json)
    return counts
