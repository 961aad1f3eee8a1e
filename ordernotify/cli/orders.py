"""`get-order`, `export-orders`, `import-orders` and `redrive`; `listing` and `sending` have the others."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from itertools import chain
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from ordernotify.cli import (
    app,
    listing,  # noqa: F401 - these two register their commands
    sending,  # noqa: F401
)
from ordernotify.cli.run import JsonOption, Run, command
from ordernotify.errors import EXIT_FAILED, OrderNotifyError, UsageError

if TYPE_CHECKING:
    from datetime import timedelta

    from ordernotify.aws.session import Cloud
    from ordernotify.orders.files import Format
    from ordernotify.settings.names import Names

REDRIVEN_AT_ONCE = 16


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


OlderThanOption = Annotated[
    str,
    typer.Option(
        "--older-than",
        help="Only orders of this age. Keep it above the function's timeout, or an order that is being "
        "worked on is notified twice.",
        metavar="AGE",
    ),
]
RedriveConcurrencyOption = Annotated[
    int | None,
    typer.Option(
        "--concurrency",
        help="How many at the same time.",
        metavar="N",
        min=1,
        max=64,
        show_default=str(REDRIVEN_AT_ONCE),
    ),
]


@command(app, "redrive")
def redrive(
    run: Run,
    older_than: OlderThanOption = "1m",
    concurrency: RedriveConcurrencyOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the orders and send nothing.")] = False,
    json: JsonOption = False,
) -> None:
    """Send the notifications that are still pending; ends with status 1 if one of them could not be sent.

    It may run twice at once or be killed: every notification goes out at least once.

    Example: ordernotify redrive --older-than 5m
    """
    if dry_run and concurrency is not None:
        raise UsageError("--dry-run sends nothing, so --concurrency has no effect", "Leave one of them away.")
    age = _age(older_than)
    cloud, names = run.open()
    from ordernotify.stack.former import former_tables

    # Former tables too: their orders were answered with 2xx.
    tables = (names, *former_tables(cloud, names, run.stack))
    if dry_run:
        from ordernotify.orders.redrive import find_pending
        from ordernotify.render.orders import show_pending

        show_pending(chain.from_iterable(find_pending(cloud, one, age) for one in tables), json=json)
        return
    _redrive(cloud, tables, age, concurrency or REDRIVEN_AT_ONCE, json=json)


def _redrive(cloud: Cloud, tables: Sequence[Names], age: timedelta, at_once: int, *, json: bool) -> None:
    from ordernotify.aws.waiting import SystemClock
    from ordernotify.orders import redrive as sender
    from ordernotify.orders.pace import PUBLISHED_A_SECOND, careful_pace
    from ordernotify.render import note
    from ordernotify.render import orders as screen
    from ordernotify.render.progress import counting

    careful = careful_pace(cloud, tables[0], PUBLISHED_A_SECOND, SystemClock())
    if careful:
        note(f"At most {careful.most} notifications a second: {careful.reason}")
    pace = careful.pace if careful else nullcontext
    counts: Counter[str] = Counter()
    redriven = chain.from_iterable(
        sender.redrive(cloud, one, age, concurrency=at_once, pace=pace) for one in tables
    )
    try:
        with counting("redriven") as tick:
            for done in redriven:
                counts[done.fate] += 1
                tick(counts.total())
                if done.fate is sender.Fate.FAILED:
                    screen.show_failure(done)
    except (KeyboardInterrupt, OrderNotifyError):
        if counts:
            screen.show_redriven(counts, json=json)
        raise
    screen.show_redriven(counts, json=json)
    if counts[sender.Fate.FAILED]:
        raise typer.Exit(EXIT_FAILED)


def _age(text: str) -> timedelta:
    from ordernotify.times import parse_duration

    age = parse_duration(text)
    if age is None:
        raise UsageError(f"--older-than {text} is not an age", "Give a duration such as 90s, 10m or 2h.")
    return age
