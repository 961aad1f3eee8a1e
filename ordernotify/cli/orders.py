"""`get-order`, `export-orders` and `import-orders`: orders by their ids, and all of them."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from ordernotify.cli import app
from ordernotify.cli.options import JsonOption, option
from ordernotify.cli.run import Run, command
from ordernotify.errors import EXIT_FAILED, OrderNotifyError, UsageError

if TYPE_CHECKING:
    from ordernotify.orders.files import Format

FileFormatOption = Annotated[
    str,
    option(
        "--format",
        help="The file's format: jsonl or csv.",
        metavar="FORM",
        show_default="its suffix; jsonl for -",
    ),
]


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
    form: FileFormatOption = "",
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
        raise UsageError("--json and the orders cannot both go to stdout", "Leave one of them out.")
    cloud, names = run.open()
    from ordernotify import render
    from ordernotify.render import orders as screen
    from ordernotify.render.progress import counting

    # A terminal obeys control characters; a file and a pipe get the values as they are.
    shown = render.json_safe if chosen is Format.JSONL else render.clean
    visible = shown if file == STDIO and sys.stdout.isatty() else None
    with counting("exporting", hidden=visible is not None) as tick:
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
    form: FileFormatOption = "",
    json: JsonOption = False,
) -> None:
    """Bring orders back from a file of export-orders; ends with status 1 if a line could not be read.

    Ids, times and states are those of the file. Orders that exist are left as they are, and nothing is
    announced again. It may be cut off and run again. A set comes back as a list, and binary data as text.

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
