"""`list-orders`: the newest orders, or those that are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

from ordernotify.cli import app
from ordernotify.cli.options import JsonOption, option
from ordernotify.cli.run import Run, command
from ordernotify.errors import UsageError

if TYPE_CHECKING:
    from ordernotify.orders.query import OrderQuery

TABLE_LIMIT = 50


class Notification(StrEnum):
    """Whether an order's notification is out."""

    PENDING = "pending"
    SENT = "sent"


FindCustomerOption = Annotated[
    str, option("--customer", help="A part of the customer's name, in any case.", metavar="TEXT")
]
FindProductOption = Annotated[
    str, option("--product", help="A part of the product's name, in any case.", metavar="TEXT")
]
NotificationOption = Annotated[
    Notification | None,
    option("--notification", help="Only with this state: pending or sent.", metavar="STATE"),
]
CreatedSinceOption = Annotated[
    str | None,
    option(
        "--since",
        help="Created from then on: 10m, 2h30m, 1d (ago), or ISO 8601; without a zone it is local.",
        metavar="TIME",
    ),
]
CreatedUntilOption = Annotated[str | None, option("--until", help="Created before then.", metavar="TIME")]
WhereOption = Annotated[
    list[str] | None,
    option("--where", help="Only where this field has this value; repeatable.", metavar="K=V"),
]
SortOption = Annotated[
    str,
    option(
        "--sort",
        help="Sort by a field; -FIELD for descending. Reads the whole table.",
        metavar="FIELD",
        show_default="newest first",
    ),
]
UnsortedOption = Annotated[bool, option("--unsorted", help="In no order: reads no further than the limit.")]
LimitOption = Annotated[
    int | None,
    option(
        "--limit",
        "-n",
        help="How many at most; 0 for all, in no order.",
        metavar="N",
        show_default="50; all with --json",
        min=0,
    ),
]
ColumnsOption = Annotated[str, option("--columns", help="The fields to show.", metavar="A,B,C")]


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
    unsorted: UnsortedOption = False,
    limit: LimitOption = None,
    columns: ColumnsOption = "",
    json: JsonOption = False,
) -> None:
    """List orders, the newest first: a table, or with --json one JSON object per line.

    The table in DynamoDB has no order, so that it is read for the newest: after 100,000 orders or 10 s the
    list says how much it looked at. All orders (--limit 0, and --json without --limit) come in no order, as
    they are read. Ids are shortened as in mails; --columns orderId shows them whole.

    Example: ordernotify list-orders --customer doe --since 1d
    """
    if unsorted and sort:
        raise UsageError("--unsorted and --sort exclude each other", "Leave one of them out.")
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
    if query.limit and not sort and not unsorted:
        _list_newest(run, query, _column_names(columns), json=json)
    else:
        _list(run, query, _column_names(columns), json=json)


def _list(run: Run, query: OrderQuery, columns: tuple[str, ...], *, json: bool) -> None:
    cloud, names = run.open()
    from ordernotify import render
    from ordernotify.orders import query as reading
    from ordernotify.render import listing as screen

    found = reading.list_orders(cloud, names, query)
    if json:
        render.json_lines(_only(order, columns) for order in found)
        return
    count = screen.show_orders(found, columns)
    if not count:
        render.note("No orders.")
    elif count == query.limit:
        screen.show_limit_reached(count, ordered=bool(query.sort))


def _list_newest(run: Run, query: OrderQuery, columns: tuple[str, ...], *, json: bool) -> None:
    cloud, names = run.open()
    from ordernotify import render
    from ordernotify.orders.newest import read_newest
    from ordernotify.render import listing as screen
    from ordernotify.render.progress import counting

    with counting("looking at orders:") as tick:
        newest = read_newest(cloud, names, query, progress=tick)
    if json:
        render.json_lines(_only(order, columns) for order in newest.orders)
    else:
        screen.show_orders(newest.orders, columns)
    screen.show_looked_at(newest)


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
