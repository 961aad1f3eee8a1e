"""Choosing lines: by text, by error, by order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordernotify.logs.events import LogEvent
from ordernotify.logs.filters import (
    PENDING_EVENTS,
    REQUEST_PATTERNS,
    ErrorLines,
    OrderLines,
    chosen,
    find_order_events,
    is_error,
    mentions,
    request_ids,
)
from tests.logs_fakes import event

ORDER = "08b0a94b-1396-87df-ad78-7fea0a8bb209"
REQUEST = "84030486-11dc-4d4e-ba4e-dfa543f8b046"
OTHER_REQUEST = "4dfcf6c5-cd03-45e8-b306-504c4a60d951"


def line(at: int, source: str = "function", **fields: Any) -> LogEvent:
    return event(json.dumps(fields), at, source=source)


def request_lines(
    at: int, request: str, order: str | None, api_request: str, status: int = 201
) -> list[LogEvent]:
    """What one request leaves in the two logs."""
    return [
        event(f"START RequestId: {request} Version: $LATEST", at),
        line(at + 1, event="request", requestId=request, apiRequestId=api_request),
        line(at + 2, event="response", requestId=request, orderId=order, status=status),
        event(f"END RequestId: {request}", at + 3),
        event(f"REPORT RequestId: {request}\tDuration: 3 ms", at + 3),
        line(at + 4, "api", requestId=api_request, status=str(status)),
    ]


def fed(events: Iterable[LogEvent], chooser: ErrorLines | OrderLines) -> list[LogEvent]:
    return [one for each in events for one in chooser.feed(each)]


@pytest.mark.parametrize(
    ("message", "found"), [("a Straße b", True), ("STRASSE", True), ("street", False), ("Str.*e", False)]
)
def test_a_text_is_found_in_any_case_and_is_no_pattern(message: str, found: bool) -> None:
    assert bool(list(chosen(iter([event(message)]), text="straSSe"))) is found


@pytest.mark.parametrize(
    "message",
    [
        '{"level": "ERROR"}',
        '{"level": "critical", "status": null}',
        '{"status": 503}',
        '{"status": "502"}',
        '{"errorType": "KeyError"}',
        '{"type": "platform.runtimeDone", "record": {"status": "timeout"}}',
        "[ERROR] KeyError: 'x'",
        "2026-03-01T12:00:00Z 84030486 Task timed out after 3.00 seconds",
        "RequestId: 84030486 Error: Runtime exited with error: signal: killed",
        "2026-03-01T12:00:00 ERROR it failed",
    ],
)
def test_these_are_errors(message: str) -> None:
    assert is_error(event(message))


@pytest.mark.parametrize(
    "message",
    [
        '{"level": "INFO", "message": "ERROR"}',
        '{"status": 404, "level": "WARNING"}',
        '{"status": "-"}',
        '{"record": 1}',
        "no errors here",
        "TERRORS",
    ],
)
def test_these_are_none(message: str) -> None:
    assert not is_error(event(message))


def test_a_traceback_of_several_events_is_chosen_whole_within_its_stream() -> None:
    events = [
        event("before"),
        event("Traceback (most recent call last):"),
        event("other stream", stream="other"),
        event('  File "x.py", line 1'),
        event("KeyError: 'x'"),
        event("after"),
    ]

    assert [each.message for each in fed(events, ErrorLines())] == [
        "Traceback (most recent call last):",
        '  File "x.py", line 1',
        "KeyError: 'x'",
    ]


@pytest.mark.parametrize(
    ("logged", "ids"),
    [
        (event(f"START RequestId: {REQUEST} Version: 1"), {REQUEST}),
        (event(f"[INFO]\t2026-03-01T12:00:00Z\t{REQUEST}\ttext {OTHER_REQUEST}"), {REQUEST}),
        (line(0, requestId=REQUEST, apiRequestId="api"), {REQUEST}),
        (line(0, type="platform.report", record={"requestId": REQUEST}), {REQUEST}),
        (line(0, "api", requestId="api", integrationRequestId=REQUEST), {"api", REQUEST}),
        (line(0, "api", requestId="-", integrationRequestId=""), set()),
        (line(0, requestId=7), set()),
        (event("text"), set()),
    ],
)
def test_the_request_ids_of_a_line(logged: LogEvent, ids: set[str]) -> None:
    assert request_ids(logged) == ids


@pytest.mark.parametrize(
    ("message", "named"),
    [(f'"{ORDER}"', True), (f"{ORDER}.", True), (f"x{ORDER}", False), (f"{ORDER}-1", False)],
)
def test_an_id_within_a_longer_one_is_no_mention(message: str, named: bool) -> None:
    assert mentions(ORDER)(event(message)) is named


def a_log() -> tuple[list[LogEvent], list[LogEvent]]:
    """A log, and its lines that belong to ORDER. The console's test events all have the same API id."""
    first = request_lines(100, REQUEST, ORDER, "api-1")
    replay = request_lines(300, OTHER_REQUEST, ORDER, "console", 200)[:5]
    other = request_lines(200, "712890ae-0d0e-4378-9a59-4c9cbe58c317", "other-order", "api-2")
    console = request_lines(400, "9352a203-85fc-44cf-b6c0-ad49b321d940", None, "console", 400)[:5]
    return [*first, *other, *replay, *console], [*first, *replay]


def test_following_an_order_shows_all_lines_of_its_requests_and_no_others() -> None:
    log, expected = a_log()

    assert fed(log, OrderLines(ORDER)) == expected


@given(st.permutations(range(22)))
def test_following_an_order_finds_its_lines_in_any_sequence(sequence: list[int]) -> None:
    log, expected = a_log()

    found = fed([log[place] for place in sequence], OrderLines(ORDER))

    assert sorted(found, key=lambda each: each.event_id) == sorted(expected, key=lambda each: each.event_id)


def test_the_lines_that_are_held_are_bounded() -> None:
    chooser = OrderLines(ORDER)
    held = event(f"START RequestId: {REQUEST}", 0)
    chooser.feed(held)
    for number in range(PENDING_EVENTS):
        chooser.feed(event(f"START RequestId: 00000000-0000-0000-0000-{number:012}", number))

    named = line(1, requestId=REQUEST, orderId=ORDER)

    assert chooser.feed(named) == [named]


class Log:
    """A log that CloudWatch searches."""

    def __init__(self, events: list[LogEvent]) -> None:
        self._events = events
        self.searches: list[tuple[int, int | None, str]] = []

    def read(self, start: int, end: int | None = None, pattern: str = "") -> Iterator[LogEvent]:
        self.searches.append((start, end, pattern))
        for each in self._events:
            within = start <= each.timestamp <= (each.timestamp if end is None else end)
            if within and json.loads(pattern or '""') in each.message:
                yield each


def test_a_search_for_an_order_finds_all_lines_of_its_requests_and_no_others() -> None:
    events, expected = a_log()

    assert find_order_events(Log(events).read, ORDER, 0, None) == expected


def test_a_search_shows_requests_whole_that_lie_across_the_ends_of_the_range() -> None:
    events, expected = a_log()

    assert find_order_events(Log(events).read, ORDER, 102, 302) == expected


def test_lines_of_one_millisecond_stay_in_the_order_of_the_log() -> None:
    # As MiniStack logs: all lines of an invocation have one time.
    events = [
        event(each.message, 100, source=each.source) for each in request_lines(0, REQUEST, ORDER, "api-1")
    ]

    assert find_order_events(Log(events).read, ORDER, 0, None) == events


def test_the_search_is_left_to_cloudwatch() -> None:
    log = Log(request_lines(1_000_000, REQUEST, ORDER, "api-1"))

    find_order_events(log.read, ORDER, 5, 2_000_000)

    assert log.searches == [
        (5, 2_000_000, f'"{ORDER}"'),
        (100_002, 1_900_002, f'"{REQUEST}"'),
        (100_002, 1_900_002, '"api-1"'),
    ]


def test_many_requests_are_found_in_one_reading() -> None:
    requests = [f"00000000-0000-0000-0000-{number:012}" for number in range(REQUEST_PATTERNS + 1)]
    events = [
        each
        for number, request in enumerate(requests)
        for each in request_lines(10 * number, request, ORDER, "console")[:5]
    ]
    log = Log(events)

    assert find_order_events(log.read, ORDER, 0, None) == events
    assert [pattern for _, _, pattern in log.searches] == [f'"{ORDER}"', "", '"console"']


def test_an_order_that_no_line_names_is_searched_once() -> None:
    log = Log(a_log()[0])

    assert find_order_events(log.read, 'a"b\\', 0, None) == []
    assert log.searches == [(0, None, '"a\\"b\\\\"')]
