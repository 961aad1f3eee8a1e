"""What people read, held as text: at 60, 80 and 140 columns, piped, in a terminal, and without colour."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from rich.cells import cell_len
from typer.testing import CliRunner

from ordernotify import cli, provision, render
from ordernotify.cli import app
from ordernotify.executor import Event, Plan
from ordernotify.orders.bulk import Rejected, Summary
from ordernotify.orders.items import OrderCount
from ordernotify.orders.newest import Newest
from ordernotify.render import listing, orders, plans, setup, subscribers, top
from ordernotify.render.hints import begin_command
from ordernotify.render.logs import LinePrinter
from ordernotify.render.status import show_status
from ordernotify.resources.filter_policy import Scope
from ordernotify.resources.subscriber import Subscriber
from ordernotify.settings.model import Settings
from ordernotify.stack.health import AlarmState, ErrorLine, Health, LastErrors
from ordernotify.stack.report import Report, report
from ordernotify.watch.served import Rates
from ordernotify.watch.watcher import Snapshot
from tests.logs_fakes import event
from tests.provision_support import Account, ManualClock
from tests.screens import COLOUR, SNAPSHOTS, WIDTHS, assert_as_kept, plain, shown

for _module in pkgutil.iter_modules(cli.__path__, "ordernotify.cli."):
    importlib.import_module(_module.name)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ID = "0b8f7a52-3c1d-4e5f-8a9b-1c2d3e4f5a6b"
HELP = ("", "setup", "send-order", "list-orders", "logs")
WRONG = (
    "--stack dev status",
    "status --json=x",
    "setup --emial you@example.com",
    "setup --email nobody",
    "setup --api soap",
    "setup --memory",
    "setup --stack Ünfug",
    "send-order",
    "send-order --customer A --product B --quantity x",
    "list-orders --since soon",
    "list-orders --sort createdAt --unsorted",
    "list-orders --limit -1",
    "get-order",
    "logs --follow --until 5m",
    "redrive --older-than old",
    "status --profile work",
    "statu",
)


@pytest.fixture(autouse=True, scope="module")
def utc() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def typed(words: str, width: int) -> str:
    begin_command({}, {})
    given = CliRunner().invoke(app, words.split(), env={"COLUMNS": str(width)}, prog_name="ordernotify")
    return f"$ ordernotify {words}".rstrip() + f"\n{given.output}[{given.exit_code}]\n"


ORDERS: tuple[Mapping[str, Any], ...] = (
    {
        "orderId": ID,
        "createdAt": "2026-03-01T11:58:30.123Z",
        "customerName": "Ana Müller-Lüdenscheidt von der Hohen Warte",
        "productName": "高品質ワイヤレスマウス 高品質ワイヤレスマウス",
        "quantity": Decimal(12),
        "notification": "pending",
    },
    {
        "orderId": "5f0c2f1e-8e0f-4b6e-9d5c-3b1f0a9e7d21",
        "createdAt": "2026-03-01T09:00:00.000Z",
        "customerName": "John Doe",
        "productName": "Wireless Mouse",
        "quantity": Decimal(1),
        "notification": "sent",
    },
    {"orderId": "of-another-program-and-therefore-long", "customerName": "\x1b[31mforged\n  sent"},
)


def list_of_orders() -> None:
    listing.show_orders(ORDERS)
    listing.show_looked_at(Newest([dict(order) for order in ORDERS], 62, 62, 0.2, complete=True))
    listing.show_looked_at(Newest([dict(order) for order in ORDERS], 99_000, 100_000, 4.2, complete=False))
    listing.show_orders(ORDERS[:2], ("orderId", "productName"))


def log_lines() -> None:
    printer = LinePrinter(as_json=False, raw=False, following=False, now=lambda: NOON)
    request = {"level": "INFO", "event": "request", "requestId": "r", "method": "POST", "path": "/orders"}
    response = {"level": "INFO", "event": "response", "orderId": ID, "status": 201, "durationMs": 18.6}
    error = {"step": "publish", "code": "NotFound", "message": "Topic does not exist"}
    faults = [
        {"field": "customerName", "message": "is required"},
        {"field": "quantity", "message": "is no number"},
    ]
    access = {"requestId": "a", "method": "POST", "path": "/prod/orders", "status": "403", "latencyMs": "3"}
    for fields in (
        {**request, "body": ORDERS[1], "headers": {"host": "x" * 200}},
        {**response, "message": "Order received", "coldStart": True},
        {**request, "body": ORDERS[0]},
        {
            **response,
            "level": "ERROR",
            "status": 202,
            "message": "Order received; its notification is delayed",
            "error": error,
        },
        {
            **response,
            "level": "WARNING",
            "orderId": "",
            "status": 400,
            "message": "The order is not valid",
            "body": {"errors": faults},
        },
    ):
        printer.show(event(json.dumps(fields, default=int), 1_772_366_400_123))
    printer.show(event(json.dumps({**access, "error": "Forbidden"}), 1_772_366_400_123, source="api"))
    printer.show(
        event("[ERROR] KeyError: 'x'\nTraceback (most recent call last):\n  File \"x.py\"", 1_772_280_000_000)
    )
    printer.show(event("REPORT RequestId: 1\tDuration: 26 ms", 1_772_366_400_123))


def bulk() -> None:
    summary = Summary(
        sent=998, accepted=990, rejected=6, failed=4, malformed=2, replayed=3, retries=7, seconds=12.34,
        answers=Counter({201: 987, 200: 3, 400: 4}), p50=0.0182, p95=0.0441, p99=0.1203,
    )  # fmt: skip
    orders.show_summary(summary)
    orders.show_rejects([Rejected(17, 400, "customerName: is required", ""), Rejected(18, 0, "no JSON", "x")])
    orders.show_summary_notes(summary, from_file=True, rejects="")


def subscriber_table() -> None:
    subscribers.show_list(SUBSCRIBERS)


SUBSCRIBERS = (
    Subscriber(
        "email",
        "jane@example.com",
        "arn:1",
        False,
        {"quantity": [{"numeric": [">=", 10]}]},
        Scope.BODY,
        False,
    ),
    Subscriber("sms", "+4915112345678", "arn:2", False, {}, Scope.ATTRIBUTES, False),
    Subscriber(
        "https",
        "https://hooks.example.com/a/rather/long/path/to/orders",
        None,
        True,
        {},
        Scope.ATTRIBUTES,
        False,
    ),
)


def live_figures() -> None:
    alarms = (
        AlarmState("processFileUpload-errors", "OK", ""),
        AlarmState("processFileUpload-api-5xx", "ALARM", ""),
    )
    counted = OrderCount(1234, 2, complete=True)
    rates = Rates(per_minute=7, kinds={"stored": 61, "pending": 2}, p50=12.3, p95=45.6, p99=120.0)
    top.show_once(
        Snapshot(counted=counted, rates=rates, alarms=alarms, newest=tuple(map(dict, ORDERS[:2]))), "default"
    )


SCREENS: Mapping[str, Callable[[], None]] = {
    "list-orders": list_of_orders,
    "get-order": lambda: orders.show_each(ORDERS[:2]),
    "logs": log_lines,
    "bulk": bulk,
    "list-subscriptions": subscriber_table,
    "top": live_figures,
}
"""What is shown without an account."""
COLOURED = ("logs", "bulk", "list-subscriptions", "top")
OF_A_STACK = ("setup", "plan", "status")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_reads_as_it_was_reviewed(name: str, width: int) -> None:
    compare(name, SCREENS[name], width)


def compare(name: str, show: Callable[[], object], width: int) -> None:
    piped = shown(show, width)
    assert piped == plain(piped), "a blank at the end of a line, or an escape"
    assert_as_kept(f"{name}-{width}", piped)
    coloured = shown(show, width, FORCE_COLOR="1")
    without = shown(show, width, FORCE_COLOR="1", NO_COLOR="1")
    assert (plain(coloured), plain(without)) == (piped, piped)
    assert COLOUR.search(without) is None
    assert (COLOUR.search(coloured) is not None) == (name in COLOURED)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("command", HELP, ids=lambda command: command or "root")
def test_help_reads_as_it_was_reviewed(command: str, width: int) -> None:
    text = plain(typed(f"{command} --help".strip(), width))
    assert max(map(cell_len, text.splitlines())) <= width
    assert_as_kept(f"help-{command or 'root'}-{width}", text)


def test_errors_read_as_they_were_reviewed() -> None:
    """At every width alike: an error is one line and a hint another, which the terminal wraps."""
    assert_as_kept("errors", "\n".join(typed(words, 60) for words in WRONG))


class Stack:
    """A stack in an account in memory: how it was made, and how it is after somebody changed it by hand."""

    def __init__(self, account: Account) -> None:
        cloud, settings = account.cloud(), Settings(emails=("you@example.com",), tags={"team": "shop"})
        resources = provision.declare(settings, cloud)
        self.made = provision.plan(resources)
        applied = provision.apply(resources, self.made, ManualClock())
        places = [item.key for item in self.made.items]
        self.events: list[Event] = sorted(applied, key=lambda event: places.index(event.item.key))
        live = {event.item.key: event.live for event in self.events if event.live}
        self.after: Report = report(settings, cloud, self.made, live)
        account.client("lambda").update_function_configuration(
            FunctionName="processFileUpload", MemorySize=128
        )
        account.client("logs").delete_log_group(logGroupName="/aws/lambda/processFileUpload")
        changed = Settings(
            emails=("you@example.com", "jane@example.com"), tags={"team": "sales"}, cors_origins=("*",)
        )
        self.planned: Plan = provision.plan(provision.declare(changed, cloud))
        self.differing: Report = report(changed, cloud, self.planned)


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with Account() as account:
        yield Stack(account)


HEALTH = Health(
    alarms=(
        AlarmState("processFileUpload-errors", "ALARM", "x"),
        AlarmState("processFileUpload-throttles", "OK", ""),
    ),
    orders=OrderCount(1234, 2, complete=True),
    errors=LastErrors((ErrorLine("2026-03-01T01:07:23.000Z", "publish failed: Topic does not exist", ID),)),
)


def of_stack(stack: Stack, name: str) -> None:
    if name == "plan":
        plans.show_plan(stack.planned, to_stdout=True)
    elif name == "status":
        show_status(stack.differing, HEALTH)
    else:
        render.note("Stack default (AWS), account 123456789012, us-east-1")
        plans.show_progress(stack.events, stack.made, lambda _event: None)
        render.note("The URL answers, after 0.3 s.")
        setup.show_setup_result(stack.after, 0.6)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", OF_A_STACK)
def test_a_stack_reads_as_it_was_reviewed(stack: Stack, name: str, width: int) -> None:
    def fixed(text: str) -> str:
        # Ids and times differ from run to run.
        text = re.sub(r"\b[a-z0-9]{10}(?=\.execute-api)", "a1b2c3d4e5", text)
        return re.sub(r"\d+\.\d s", "0.3 s", text)

    piped = fixed(shown(lambda: of_stack(stack, name), width))
    assert piped == plain(piped)
    assert_as_kept(f"{name}-{width}", piped)


def test_setup_fits_on_24_lines(stack: Stack) -> None:
    text = shown(lambda: of_stack(stack, "setup"), 80)
    assert sum(max(1, -(-cell_len(line) // 80)) for line in text.splitlines()) < 24, "and the prompt"


def test_no_snapshot_is_left_over() -> None:
    names = [*SCREENS, *OF_A_STACK, *(f"help-{command or 'root'}" for command in HELP)]
    expected = {f"{name}-{width}.txt" for name in names for width in WIDTHS} | {"errors.txt"}
    assert {file.name for file in SNAPSHOTS.iterdir()} == expected
