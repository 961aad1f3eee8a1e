"""Log lines and stories as a person sees them."""

from __future__ import annotations

import io
import json
import re
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from ordernotify.logs.events import LogEvent
from ordernotify.logs.trace import Trace, TraceStep
from ordernotify.render import json_text
from ordernotify.render import logs as rendering
from ordernotify.render.log_lines import event_json, event_line
from ordernotify.render.logs import LinePrinter, show_trace, trace_json
from tests.logs_fakes import event

AT = 1_772_366_400_123
"""2026-03-01T12:00:00.123Z"""
TODAY = date(2026, 3, 1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
OBEYED = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""What a terminal obeys, or cannot be written."""


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def shown(logged: LogEvent, *, today: date = TODAY, short: bool = False) -> str:
    return "".join(text for text, _ in event_line(logged, today, short=short))


def own(**fields: Any) -> LogEvent:
    return event(json.dumps(fields), AT)


RESPONSE = {
    "timestamp": "2026-03-01T12:00:00.123Z",
    "level": "INFO",
    "event": "response",
    "requestId": "84030486",
    "status": 201,
    "durationMs": 18.6,
    "coldStart": True,
    "orderId": "08b0a94b",
    "message": "Order received",
    "steps": {"validated": 0.2, "stored": 10.7},
    "_aws": {
        "CloudWatchMetrics": [
            {"Dimensions": [["stack"]], "Metrics": [{"Name": "Latency"}, {"Name": "Orders"}]}
        ]
    },
    "stack": "default",
    "Latency": 18.6,
    "Orders": 1,
    "messageId": "m-1",
}


def test_a_response_is_one_readable_line_without_the_metrics() -> None:
    assert shown(own(**RESPONSE)) == (
        "12:00:00.123 INFO    response 08b0a94b 201 18.6 ms Order received (cold start) "
        "(validated 0.2, stored 10.7 ms) requestId=84030486 messageId=m-1"
    )


REQUEST = {"level": "INFO", "event": "request", "requestId": "r", "method": "POST", "path": "/orders"}
ID = "0b8f7a52-3c1d-4e5f-8a9b-1c2d3e4f5a6b"


def test_a_request_says_what_is_ordered_and_with_all_fields_everything() -> None:
    body = {"customerName": "Ann", "productName": "Lamp", "quantity": 2}
    logged = own(**REQUEST, headers={}, body=body)

    assert shown(logged, short=True) == "12:00:00.123 INFO    request  POST /orders 2 x Lamp for Ann"
    assert shown(logged) == (
        "12:00:00.123 INFO    request  POST /orders requestId=r headers={} "
        'body={"customerName": "Ann", "productName": "Lamp", "quantity": 2}'
    )


def test_a_response_that_went_well_is_short() -> None:
    logged = own(**{**RESPONSE, "orderId": ID})

    assert shown(logged, short=True) == (
        "12:00:00.123 INFO    response 0b8f7a52 201 18.6 ms Order received (cold start)"
    )


@pytest.mark.parametrize("body", [None, "text", [], {}, {"productName": None}, {"errors": [1, {}]}])
def test_a_request_and_a_response_with_any_body_have_one_line(body: Any) -> None:
    for event_name in ("request", "response"):
        assert shown(own(**{**REQUEST, "event": event_name, "body": body}), short=True).startswith("12:00")


@given(st.text(max_size=300), st.text(max_size=300))
def test_a_line_of_an_order_that_went_well_reads_at_100_columns(customer: str, product: str) -> None:
    body = {"customerName": customer, "productName": product, "quantity": 1_000_000}
    for logged in (own(**REQUEST, body=body), own(**{**RESPONSE, "orderId": ID, "body": body})):
        line = shown(logged, short=True)
        assert cell_len(line) <= 100
        assert "\n" not in line


def test_what_went_wrong_is_told_whole() -> None:
    faults = [{"field": "customerName", "message": "is required"}, {"field": "quantity", "message": "x" * 99}]
    refused = own(**{**RESPONSE, "status": 400, "message": "No", "body": {"message": "No", "errors": faults}})
    failed = own(**RESPONSE, error={"step": "publish", "code": "NotFound", "message": "Topic does not exist"})

    assert shown(refused, short=True).endswith(
        f" No (cold start) (customerName is required, quantity {'x' * 99})"
    )
    assert shown(failed, short=True).endswith(" (publish failed: Topic does not exist)")


def test_another_json_line_keeps_its_fields_and_long_values_are_cut() -> None:
    logged = own(level="INFO", message="hello", requestId="r", colour="x" * 101)

    assert shown(logged, short=True) == f"12:00:00.123 INFO    hello colour={'x' * 100}…"
    assert shown(logged) == f"12:00:00.123 INFO    hello requestId=r colour={'x' * 101}"


def test_a_line_of_the_api_says_so_and_leaves_out_what_it_does_not_have() -> None:
    fields = {"requestId": "a", "method": "POST", "path": "/prod/orders", "status": "201"}
    logged = event(json.dumps({**fields, "latencyMs": "25", "error": "-"}), AT, source="api")

    assert shown(logged) == "12:00:00.123 api POST /prod/orders 201 25 ms requestId=a"
    assert shown(logged, short=True) == "12:00:00.123 api POST /prod/orders 201 25 ms"
    failed = event(json.dumps({**fields, "error": "Forbidden", "errorType": "-"}), AT, source="api")
    assert shown(failed, short=True) == "12:00:00.123 api POST /prod/orders 201 error=Forbidden"


@pytest.mark.parametrize(
    "fields", [{}, {"level": None}, {"steps": []}, {"_aws": 1}, {"_aws": {"CloudWatchMetrics": [1]}}]
)
def test_odd_fields_do_no_harm(fields: dict[str, Any]) -> None:
    assert shown(own(**fields)).startswith("12:00:00.123")


def test_a_day_that_is_not_today_has_its_date() -> None:
    assert shown(event("text", AT), today=date(2026, 3, 2)) == "2026-03-01 12:00:00.123 text"


@pytest.mark.parametrize("separator", ["\n", "\r", "\r\n"])
def test_the_lines_of_a_traceback_are_indented_below_the_first(separator: str) -> None:
    message = separator.join(["[ERROR] KeyError: 'x'", "Traceback", '  File "x.py"'])

    assert shown(event(message, AT)).split("\n") == [
        "12:00:00.123 [ERROR] KeyError: 'x'",
        "             Traceback",
        '               File "x.py"',
    ]


@pytest.mark.parametrize(
    ("message", "style"),
    [
        ("START RequestId: 1", "dim"),
        ("REPORT RequestId: 1", "dim"),
        ('{"type": "platform.start", "record": {}}', "dim"),
        ("[ERROR] x", "red"),
        ("STARTED", ""),
    ],
)
def test_lines_of_the_platform_are_dim(message: str, style: str) -> None:
    assert event_line(event(message, AT), TODAY, short=False)[1:] == [(message, style)]


@pytest.mark.parametrize(
    ("fields", "segment"),
    [
        ({"level": "ERROR"}, ("ERROR  ", "bold red")),
        ({"level": "WARNING"}, ("WARNING", "yellow")),
        ({"status": 201}, ("201", "green")),
        ({"status": 503}, ("503", "bold red")),
        ({"orderId": "id"}, ("id", "bold")),
    ],
)
def test_levels_and_statuses_have_their_colours(fields: dict[str, Any], segment: tuple[str, str]) -> None:
    assert segment in event_line(own(**fields), TODAY, short=False)


HOSTILE = st.text(
    alphabet=st.sampled_from("a\x1b[31m\x07\x9b\x85\u202e\u2028\r\n\t\x00\ud800\x7f"), max_size=30
)


@given(HOSTILE, HOSTILE)
def test_no_text_in_a_log_reaches_the_terminal_as_a_command(name: str, text: str) -> None:
    nested = {"level": text, "status": text, "body": {name: [text]}, name: text, "steps": {name: text}}
    names = {"productName": text, "customerName": text, "errors": [{"field": text, "message": text}]}
    order = {**REQUEST, "orderId": text, "body": names, "error": {"step": text, "message": text}}

    for logged in (
        event(text, AT),
        own(**nested),
        own(**order),
        own(**{**RESPONSE, "message": text, "orderId": text}),
    ):
        assert not OBEYED.search(shown(logged))
        assert not OBEYED.search(shown(logged, short=True))
        document = json_text(event_json(logged))
        assert not OBEYED.search(document)
        assert "\n" not in document
        assert json.loads(document) == event_json(logged)


@given(HOSTILE)
def test_a_text_of_a_customer_cannot_forge_a_line(text: str) -> None:
    for short in (False, True):
        assert "\n" not in shown(own(message=text, body={"customerName": text}), short=short)
        assert "\n" not in shown(own(**REQUEST, body={"productName": text}), short=short)
    assert all(line.startswith(" " * 13) for line in shown(event(text, AT)).split("\n")[1:])


def test_json_of_our_own_lines_has_their_fields_and_of_others_the_text() -> None:
    assert event_json(own(timestamp="own", level="INFO", message="hello", eventId="forged")) == {
        "timestamp": "2026-03-01T12:00:00.123Z",
        "source": "function",
        "eventId": own(timestamp="own", level="INFO", message="hello", eventId="forged").event_id,
        "level": "INFO",
        "message": "hello",
    }
    assert event_json(event("text", AT, event_id="id", source="api")) == {
        "timestamp": "2026-03-01T12:00:00.123Z",
        "source": "api",
        "eventId": "id",
        "message": "text",
    }


class Output(io.StringIO):
    """Standard output that counts how often it was flushed, and may be a terminal."""

    def __init__(self, terminal: bool = False) -> None:
        super().__init__()
        self.terminal = terminal
        self.flushes = 0

    def isatty(self) -> bool:
        return self.terminal

    def flush(self) -> None:
        self.flushes += 1


@pytest.mark.parametrize(("terminal", "printed"), [(False, "a\x1b[31mb\n"), (True, "a\\x1b[31mb\n")])
def test_raw_lines_are_exact_except_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, printed: str
) -> None:
    output = Output(terminal)
    monkeypatch.setattr(sys, "stdout", output)

    LinePrinter(as_json=False, raw=True, following=False, now=lambda: NOON).show(event("a\x1b[31mb", AT))

    assert (output.getvalue(), output.flushes) == (printed, 0)


def test_while_following_each_line_is_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    output = Output()
    monkeypatch.setattr(sys, "stdout", output)
    printer = LinePrinter(as_json=True, raw=False, following=True, now=lambda: NOON)

    printer.show(event("one", AT))
    printer.show(event("two", AT))

    assert (len(output.getvalue().splitlines()), output.flushes) == (2, 2)


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    for terminal in (True, False):
        output = Output(terminal)
        console = Console(
            file=output,
            force_terminal=terminal,
            soft_wrap=True,
            color_system="standard" if terminal else None,
            _environ={},
        )
        monkeypatch.setattr(rendering, "out", console)
        monkeypatch.setattr(sys, "stdout", output)
        LinePrinter(as_json=False, raw=False, following=False, now=lambda: NOON).show(own(level="ERROR"))
        written.append(output.getvalue().rstrip())

    assert ["\x1b[1;31mERROR" in each for each in written] == [True, False]
    assert written[1].endswith(" ERROR")


STORY = Trace(
    order_id="08b0a94b",
    item={"customerName": "Zo\u00eb\x1b", "productName": "Mouse", "quantity": 2, "notification": "pending"},
    steps=(
        TraceStep("received", AT, "request 8403"),
        TraceStep("stored", AT + 10),
        TraceStep("publish failed", AT + 20, "Throttled: slow"),
        TraceStep("published", None, "message m-1"),
    ),
    requests=("8403",),
    events=[LogEvent("function", "s", 0, 0, "line", "e")] * 5,
    missing=("The notification is not out yet.",),
    hint="Run `ordernotify redrive`.",
)


def test_a_story_fits_one_screen(capsys: pytest.CaptureFixture[str]) -> None:
    show_trace(STORY, NOON)

    printed = capsys.readouterr()
    assert printed.err == "Run `ordernotify redrive`.\n"
    assert printed.out.splitlines() == [
        "Order 08b0a94b",
        "2 x Mouse for Zo\u00eb\\x1b, notification pending",
        "  12:00:00.123    received        request 8403",
        "  12:00:00.133    stored",
        "  12:00:00.143    publish failed  Throttled: slow",
        "  (time unknown)  published       message m-1",
        "Missing: The notification is not out yet.",
    ]


def test_a_story_as_json() -> None:
    assert trace_json(STORY) == {
        "orderId": "08b0a94b",
        "found": True,
        "notification": "pending",
        "messageId": None,
        "steps": [
            {"name": "received", "at": "2026-03-01T12:00:00.123Z", "detail": "request 8403"},
            {"name": "stored", "at": "2026-03-01T12:00:00.133Z", "detail": ""},
            {"name": "publish failed", "at": "2026-03-01T12:00:00.143Z", "detail": "Throttled: slow"},
            {"name": "published", "at": None, "detail": "message m-1"},
        ],
        "requests": ["8403"],
        "logLines": 5,
        "missing": ["The notification is not out yet."],
        "hint": "Run `ordernotify redrive`.",
        "order": STORY.item,
    }
