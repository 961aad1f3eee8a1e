"""Many orders: tables of them, or each by itself where a table has no room."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from ordernotify.render import clean, json_text, note, out, short_id, show_table

if TYPE_CHECKING:
    from ordernotify.orders.newest import Newest

COLUMNS = ("orderId", "createdAt", "customerName", "productName", "quantity", "notification")
"""What a table of orders shows unless it is told otherwise."""

_HEADINGS = {
    "orderId": "Order",
    "createdAt": "Created",
    "customerName": "Customer",
    "productName": "Product",
    "quantity": "Qty",
    "notification": "Notice",
}
_ROWS_AT_ONCE = 200
_WIDE = 100
_NARROW = 60
"""With fewer columns, a table of orders would show hardly anything of the names."""
_LONGEST_CELL = 60
_NEVER_CUT = ("createdAt", "quantity", "notification")


def show_orders(orders: Iterable[Mapping[str, Any]], columns: Sequence[str] = ()) -> int:
    """Print orders, as they come, in tables of up to 200 rows; return how many there were.

    Without `columns` it shows COLUMNS, with the ids shortened as in mails. Where there is no room for a
    table, each order is shown by itself.
    """
    count, narrow = 0, out.width < max(_NARROW, 10 * len(columns))
    nowhere = set(columns)
    for rows in _chunks(iter(orders)):
        nowhere = nowhere.difference(*rows)
        if narrow:
            for number, row in enumerate(rows, count):
                if number:
                    out.print()
                show_table(_record(row, columns))
        else:
            # The console does not wrap by itself (long lines of logs must stay whole); a table has to.
            show_table(order_table(rows, columns))
        count += len(rows)
    if count and nowhere:
        note(f"No order here has {', '.join(sorted(nowhere))}; `ordernotify get-order ID` shows all fields.")
    return count


def _chunks(orders: Iterator[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    while rows := list(islice(orders, _ROWS_AT_ONCE)):
        yield rows


def order_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> Table:
    """Make a table of orders that fits: the texts that customers wrote are cut, and nothing else."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for column in columns or COLUMNS:
        numbers = all(isinstance(row.get(column, Decimal()), Decimal) for row in rows)
        table.add_column(
            Text(_HEADINGS.get(column, clean(column)), no_wrap=True),
            no_wrap=column in _NEVER_CUT or (column == "orderId" and bool(columns)),
            justify="right" if numbers else "left",
        )
    for row in rows:
        table.add_row(*(Text(cell, no_wrap=True, overflow="ellipsis") for cell in _cells(row, columns)))
    return table


def _record(row: Mapping[str, Any], columns: Sequence[str]) -> Table:
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for column, cell in zip(columns or COLUMNS, _cells(row, columns), strict=True):
        grid.add_row(Text(_HEADINGS.get(column, clean(column))), Text(cell))
    return grid


def _cells(order: Mapping[str, Any], columns: Sequence[str]) -> Iterator[str]:
    for column in columns or COLUMNS:
        text = _cell(column, order)
        # Who asks for the id gets all of it.
        yield short_id(text) if column == "orderId" and not columns else text


def _cell(column: str, order: Mapping[str, Any]) -> str:
    value = order.get(column, "")
    if column == "createdAt":
        return _short_time(str(value))
    text = " ".join(clean(value if isinstance(value, str) else json_text(value)).split())
    return text if len(text) <= _LONGEST_CELL else text[: _LONGEST_CELL - 1] + "…"


def _short_time(text: str) -> str:
    """Give a stored time as local time to the minute, without the year where there is little room."""
    try:
        local = datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        return clean(text)
    return local.strftime("%Y-%m-%d %H:%M" if out.width >= _WIDE else "%m-%d %H:%M")


def show_limit_reached(limit: int, *, ordered: bool) -> None:
    """Say that a list ended at its limit."""
    note(f"The first {limit}{'' if ordered else ', in no order'}; --limit 0 shows all.")


def show_looked_at(newest: Newest) -> None:
    """Say how many more orders there are than the newest, or may be where not all were looked at."""
    shown = len(newest.orders)
    if not newest.complete:
        what = "These are the newest of" if shown else "No order was found among"
        note(
            f"{what} the {newest.looked_at:,} orders that were looked at in {newest.seconds:.0f} s; there "
            "may be newer ones. --sort -createdAt reads the whole table."
        )
    elif not shown:
        note("No orders.")
    elif newest.matching > shown:
        note(f"The newest {shown} of {newest.matching:,}; --limit 0 shows all, in no order.")
