"""One order's story, from its item and its log lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from ordernotify.aws.session import Cloud
from ordernotify.errors import StackNotFoundError
from ordernotify.logs.events import LogEvent
from ordernotify.logs.trace import (
    TraceStep,
    tell_story,
    trace_order,
)
from ordernotify.settings.names import Names
from tests.logs_fakes import event

AT = 1_772_366_400_000
"""2026-03-01T12:00:00Z"""
ORDER = "08b0a94b"
ITEM = {
    "FileName": ORDER,
    "createdAt": "2026-03-01T12:00:00.011Z",
    "notification": "sent",
    "messageId": "m-1",
}
NO_LINES = (
    "No log line names the order: the lines may not have arrived yet (it can take some minutes), "
    "their retention may be over, or they are older than --since."
)


def logged(at: float, **fields: Any) -> LogEvent:
    own_time = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")
    # CloudWatch's time is later than the line's own, as when a worker sends its lines at the end.
    return event(json.dumps({"timestamp": own_time, **fields}), int(at) + 500)


def a_request(began: float, request: str = "r-1", **answer: Any) -> list[LogEvent]:
    duration = answer.get("durationMs", 50.0)
    return [
        event(f"START RequestId: {request}", int(began)),
        logged(began + 1, event="request", requestId=request),
        logged(began + duration, event="response", requestId=request, **answer),
        event('{"requestId": "api"}', int(began), source="api"),
    ]


def complete(**changes: Any) -> dict[str, Any]:
    steps = {"validated": 1.5, "stored": 10.0, "published": 30.0, "marked": 45.0}
    return {"status": 201, "durationMs": 50.0, "messageId": "m-1", "steps": steps} | changes


def test_the_story_of_an_order_that_went_well() -> None:
    story = tell_story(ORDER, ITEM, a_request(AT, **complete()))

    assert story.steps == (
        TraceStep("received", AT, "request r-1"),
        TraceStep("validated", AT + 1.5),
        TraceStep("stored", AT + 10),
        TraceStep("published", AT + 30, "message m-1"),
        TraceStep("marked", AT + 45, "as sent"),
        TraceStep("answered", AT + 50, "status 201 in 50 ms"),
    )
    assert (story.requests, len(story.events), story.missing, story.hint, story.known) == (
        ("r-1",),
        4,
        (),
        "",
        True,
    )


def test_a_repeat_of_the_request_is_told_as_one() -> None:
    first = a_request(AT, **complete())
    steps = {"validated": 1.0, "stored": 5.0}
    repeat = a_request(AT + 9000, "r-2", status=200, durationMs=8.0, replayed=True, steps=steps)

    story = tell_story(ORDER, ITEM, [*first, *repeat])

    assert story.requests == ("r-1", "r-2")
    assert story.steps[6:] == (
        TraceStep("received again", AT + 9000, "request r-2"),
        TraceStep("validated again", AT + 9001),
        TraceStep("answered again", AT + 9008, "status 200 in 8 ms, a repeat: nothing new was stored"),
    )


def test_a_failed_publish_is_told_with_its_reason_and_what_to_do() -> None:
    answer: dict[str, Any] = {
        "status": 202,
        "durationMs": 40.0,
        "steps": {"validated": 1.0, "stored": 10.0},
        "error": {"step": "publish", "code": "Throttled", "message": "slow down"},
    }
    story = tell_story(ORDER, {**ITEM, "notification": "pending", "messageId": None}, a_request(AT, **answer))

    assert story.steps[3:] == (
        TraceStep("publish failed", AT + 40, "Throttled: slow down"),
        TraceStep("answered", AT + 40, "status 202 in 40 ms"),
    )
    assert story.missing == (
        "The notification is not out yet: the order is stored and its notification is pending.",
    )
    assert story.hint == "Run `ordernotify redrive` to send the pending notifications."


def test_without_log_lines_the_item_tells_what_it_can() -> None:
    story = tell_story(ORDER, ITEM, [])

    assert story.steps == (
        TraceStep("stored", AT + 11, "by the item's createdAt"),
        TraceStep("published", None, "message m-1"),
    )
    assert (story.missing, story.known) == ((NO_LINES,), True)


def test_an_order_that_nobody_knows() -> None:
    story = tell_story("nope", None, [])

    assert (story.steps, story.known) == ((), False)
    assert story.missing == (
        "The table does not hold the order nope: it was never stored, or was deleted.",
        NO_LINES,
    )


def test_a_deleted_order_is_still_told_by_the_logs() -> None:
    story = tell_story(ORDER, None, a_request(AT, **complete()))

    assert story.known
    assert [step.name for step in story.steps][-1] == "answered"


def test_a_request_without_an_answer_is_said() -> None:
    lines = a_request(AT, **complete())[:2]

    story = tell_story(ORDER, ITEM, lines)

    assert story.steps[0] == TraceStep("received", AT + 1, "request r-1")
    assert story.missing == (
        "The response is not logged (yet): the function is running, or failed before it answered.",
    )


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"steps": 1},
        {"steps": {"stored": "x"}},
        {"timestamp": 1},
        {"timestamp": "x"},
        {"durationMs": None},
    ],
)
def test_lines_with_odd_fields_do_no_harm(fields: dict[str, Any]) -> None:
    odd = event(json.dumps({"event": "response", "requestId": "r", "status": 500, **fields}), AT)

    assert tell_story(ORDER, None, [odd]).steps[-1] == TraceStep("answered", AT, "status 500")


def put(cloud: Cloud) -> None:
    names = Names()
    cloud.dynamodb.create_table(
        TableName=names.table,
        KeySchema=[{"AttributeName": "FileName", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "FileName", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    item = {name: {"S": value} for name, value in ITEM.items()}
    cloud.dynamodb.put_item(TableName=names.table, Item={**item, "quantity": {"N": "2.50"}})


def no_events(_order_id: str, _since: int) -> Sequence[LogEvent]:
    return []


def test_an_order_with_every_type_of_attribute_is_told(cloud: Cloud) -> None:
    put(cloud)
    kinds: dict[str, Any] = {
        "big": {"N": "1" * 38 + "e-130"},
        "picture": {"B": b"\x00\xff"},
        "tags": {"SS": ["b", "a"]},
        "sizes": {"NS": ["1.50", "2"]},
        "pictures": {"BS": [b"\x01"]},
        "nested": {"M": {"list": {"L": [{"NULL": True}, {"BOOL": False}]}}},
    }
    item = {"FileName": {"S": ORDER}, "createdAt": {"S": ITEM["createdAt"]}, **kinds}
    cloud.dynamodb.put_item(TableName=Names().table, Item=item)

    story = trace_order(cloud, Names(), ORDER, no_events, None, default_since=7)

    assert story.item == {
        "FileName": ORDER,
        "createdAt": ITEM["createdAt"],
        "big": Decimal("1" * 38 + "e-130"),
        "picture": "AP8=",
        "tags": {"a", "b"},
        "sizes": {Decimal("1.5"), Decimal(2)},
        "pictures": {"AQ=="},
        "nested": {"list": [None, False]},
    }


def test_without_a_table_there_is_no_stack(cloud: Cloud) -> None:
    with pytest.raises(StackNotFoundError, match="there is no orders' table FileMetadata"):
        trace_order(cloud, Names(), ORDER, no_events, None, default_since=7)


@pytest.mark.parametrize(
    ("order", "since", "asked"),
    [(ORDER, None, AT + 11 - 60_000), (ORDER, 5, 5), ("nope", None, 7), ("nope", 5, 5)],
)
def test_the_logs_are_read_from_a_minute_before_the_order(
    cloud: Cloud, order: str, since: int | None, asked: int
) -> None:
    put(cloud)
    asked_for: list[tuple[str, int]] = []

    def find(order_id: str, start: int) -> Sequence[LogEvent]:
        asked_for.append((order_id, start))
        return []

    trace_order(cloud, Names(), order, find, since, default_since=7)

    assert asked_for == [(order, asked)]


def test_logs_that_do_not_exist_are_said_and_the_item_is_told(cloud: Cloud) -> None:
    put(cloud)

    def find(order_id: str, start: int) -> Sequence[LogEvent]:
        raise StackNotFoundError("the stack default has no log group", "Run `ordernotify setup` first.")

    story = trace_order(cloud, Names(), ORDER, find, None, default_since=7)

    assert story.known
    assert story.missing == ("The logs cannot be read: the stack default has no log group.",)
