"""`send-order`: one order, the same order many times, or the orders of a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ordernotify.cli import app
from ordernotify.cli.access import KeyFileOption, find_access
from ordernotify.cli.options import JsonOption, option, refuse_without_effect
from ordernotify.cli.run import Run, command
from ordernotify.errors import EXIT_FAILED, EXIT_INTERRUPTED, CancelledError, UsageError

if TYPE_CHECKING:
    from ordernotify.orders.bulk import Rejected, Summary
    from ordernotify.orders.source import Record

SHOWN_REJECTS = 3
"""How many of the orders that were not taken are shown with their reasons."""
BULK_CONCURRENCY = 8
"""Below the 10 that a new AWS account's functions may run at the same time."""

CustomerOption = Annotated[str | None, option("--customer", help="The customer's name.", metavar="NAME")]
ProductOption = Annotated[str | None, option("--product", help="The product's name.", metavar="NAME")]
QuantityOption = Annotated[int | None, option("--quantity", help="How many.", metavar="N", show_default="1")]
_FIELD_HELP = "A further field; JSON (5, true, [1, 2]) is taken as that, all else as text; repeatable."
FieldOption = Annotated[list[str] | None, option("--field", help=_FIELD_HELP, metavar="K=V")]
_KEY_HELP = "The same key and order again make no second order."
IdempotencyKeyOption = Annotated[
    str | None, option("--idempotency-key", help=_KEY_HELP, metavar="KEY", show_default="a new one")
]
_FILE_HELP = "Send the orders of a JSON lines or CSV file; - for stdin."
FileOption = Annotated[str | None, option("--file", "-f", help=_FILE_HELP, metavar="FILE")]
_FORMAT_HELP = "The file's format: jsonl or csv."
FormatOption = Annotated[
    str, option("--format", help=_FORMAT_HELP, metavar="FORM", show_default="its suffix; jsonl for stdin")
]
CountOption = Annotated[
    int | None, option("--count", help="Send the same order this many times.", metavar="N", min=1)
]
_AT_ONCE: Any = {"metavar": "N", "min": 1, "max": 256, "show_default": f"{BULK_CONCURRENCY}"}
ConcurrencyOption = Annotated[
    int | None, option("--concurrency", help="How many at the same time.", **_AT_ONCE)
]
SendRateOption = Annotated[
    float | None, option("--rate", help="Orders per second at most; 0 for no limit.", metavar="N", min=0)
]
RejectsOption = Annotated[
    str, option("--rejects", help="Write what was not taken to this file.", metavar="FILE")
]
_IMPORT_HELP = "A part of every key of --file: another one makes the same lines new orders."
ImportIdOption = Annotated[str, option("--import-id", help=_IMPORT_HELP, metavar="TEXT")]


@dataclass(frozen=True, slots=True)
class _Bulk:
    """How to send many: orders per second (0: as fast as it goes), side by side, and where rejects go."""

    concurrency: int
    rate: float
    rejects: str
    import_id: str
    api_key_file: Path | None
    json: bool


@command(app, "send-order")
def send_order(
    run: Run,
    customer: CustomerOption = None,
    product: ProductOption = None,
    quantity: QuantityOption = None,
    field: FieldOption = None,
    idempotency_key: IdempotencyKeyOption = None,
    file: FileOption = None,
    form: FormatOption = "",
    count: CountOption = None,
    concurrency: ConcurrencyOption = None,
    rate: SendRateOption = None,
    rejects: RejectsOption = "",
    import_id: ImportIdOption = "",
    api_key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Send an order, or many; each is tried again safely, so that none is made twice.

    A file whose sending was cut off is sent with the same command again: each order's key comes from its
    line and its text. So is a list of rejects, once it is mended. Ctrl-C waits for running requests, shows
    the summary and ends with status 130.

    Example: ordernotify send-order --customer Ann --product Mouse

    Example: ordernotify send-order -f orders.csv --rejects bad.jsonl
    """
    of_file = {"--rejects": rejects, "--import-id": import_id, "--format": form}
    of_many = {"--concurrency": concurrency, "--rate": rate}
    if file is None:
        refuse_without_effect(of_file, "--file")
        if count is None:
            refuse_without_effect(of_many, "--file or --count")
    bulk = _Bulk(concurrency or BULK_CONCURRENCY, rate or 0.0, rejects, import_id, api_key_file, json)
    if file is not None:
        given = (customer, product, quantity, field, idempotency_key, count)
        if any(value is not None for value in given):
            raise UsageError("--file brings its own orders", "Leave out --count and the options of an order.")
        _send_file(run, file, form, bulk)
        return
    body = _order(customer, product, quantity, field or [])
    if count is None:
        _send_one(run, body, idempotency_key, api_key_file, json=json)
        return
    if idempotency_key is not None:
        raise UsageError("--idempotency-key would make all orders one", "Leave out one of the two.")
    from ordernotify.orders.source import repeated

    _send_all(run, repeated(body, count), bulk, total=count)


def _order(customer: str | None, product: str | None, quantity: int | None, fields: list[str]) -> bytes:
    from ordernotify.orders.source import order_body

    if customer is None or product is None:
        raise UsageError(
            "an order needs --customer and --product",
            'For example: `ordernotify send-order --customer "John Doe" --product "Wireless Mouse"`',
        )
    pairs = [text.partition("=") for text in fields]
    for name, equals, _ in pairs:
        if not (name and equals):
            raise UsageError(
                f"--field {name} has no value", "Give NAME=VALUE; for example: --field colour=black"
            )
    return order_body(customer, product, quantity, {name: value for name, _, value in pairs})


def _send_one(run: Run, body: bytes, given_key: str | None, api_key_file: Path | None, *, json: bool) -> None:
    from ordernotify.orders.post import Draft, OrderClient
    from ordernotify.orders.source import check_key, random_key

    key = random_key() if given_key is None else given_key
    check_key(key)
    access = find_access(run, *run.open(), api_key_file)
    from ordernotify import render
    from ordernotify.render import orders as screen

    client = OrderClient(
        access.url,
        road=access.road,
        sign=access.sign,
        tell=lambda reason: render.note(f"{reason}; trying again"),
    )
    try:
        answer = client.send(Draft(body, key))
    except KeyboardInterrupt:
        raise CancelledError(
            "interrupted: it is not known whether the order was stored", screen.send_again(key)
        ) from None
    if json:
        screen.show_answer_json(answer, key)
    if not (json and answer.accepted):
        screen.show_answer(answer, key)
    if not answer.accepted:
        raise typer.Exit(EXIT_FAILED)


def _send_file(run: Run, file: str, form: str, bulk: _Bulk) -> None:
    from ordernotify.orders.files import check_rejects, format_of, open_orders
    from ordernotify.orders.source import Source

    chosen = format_of(file, form)
    if bulk.rejects:
        check_rejects(file, bulk.rejects)
    with open_orders(file) as (opened, size):
        source = Source(opened, chosen, import_id=bulk.import_id)
        _send_all(run, source, bulk, total=size, position=lambda: source.position)


def _send_all(
    run: Run,
    records: Iterable[Record],
    bulk: _Bulk,
    *,
    total: int,
    position: Callable[[], int] | None = None,
) -> None:
    from ordernotify.aws.waiting import SystemClock
    from ordernotify.orders.bulk import BulkRun
    from ordernotify.orders.files import Rejects
    from ordernotify.orders.pace import careful_pace, sent_a_second
    from ordernotify.orders.post import OrderClient

    clock = SystemClock()
    cloud, names = run.open()
    access = find_access(run, cloud, names, bulk.api_key_file)
    careful = careful_pace(cloud, names, sent_a_second(access.rate), clock)
    client = OrderClient(
        access.url,
        road=access.road,
        connections=bulk.concurrency,
        sign=access.sign,
        clock=clock,
        pace=careful.pace if careful else nullcontext,
    )
    from ordernotify.render import note
    from ordernotify.render.progress import sending

    if careful:
        note(f"At most {careful.most} orders a second: {careful.reason}")
    first: list[Rejected] = []

    def refuse(rejected: Rejected) -> None:
        if len(first) < SHOWN_REJECTS:
            first.append(rejected)
        if rejects is not None:
            rejects.add(rejected)

    opened = closing(Rejects(bulk.rejects)) if bulk.rejects else nullcontext()
    with opened as rejects, sending(total, position) as tick:
        sender = BulkRun(
            records, client.send, concurrency=bulk.concurrency, rate=bulk.rate, reject=refuse, clock=clock
        )
        summary = sender.run(tick)
    _show(summary, first, bulk, from_file=position is not None)


def _show(summary: Summary, first: Sequence[Rejected], bulk: _Bulk, *, from_file: bool) -> None:
    from ordernotify.render import orders as screen

    if bulk.json:
        screen.show_summary_json(summary)
    else:
        screen.show_summary(summary)
    screen.show_rejects(sorted(first, key=lambda rejected: rejected.line))
    screen.show_summary_notes(summary, from_file=from_file, rejects=bulk.rejects)
    if summary.interrupted:
        raise typer.Exit(EXIT_INTERRUPTED)
    if not summary.complete:
        raise typer.Exit(EXIT_FAILED)
