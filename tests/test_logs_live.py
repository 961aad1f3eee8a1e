"""The live tail, and the query that completes it."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from ordernotify.logs import LiveTail, LogEvent, follow_live
from ordernotify.logs.follow import POLL_SECONDS
from ordernotify.logs.live import MAX_RECONCILE_SECONDS, TICK_SECONDS, LiveBatch, _pause
from tests.logs_fakes import (
    FakeClock,
    FakeLogs,
    Stored,
    client_error,
    follower,
    late_events,
    ms,
    until_time_is_up,
)

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient


@dataclass
class FakeTail:
    """Brings what became visible since the last look, without ids, and leaves some of it out."""

    clock: FakeClock
    stored: list[Stored]
    left_out: Callable[[Stored], bool] = lambda stored: False
    is_complete: Callable[[float], bool] = lambda seconds: True
    looked: float = -1.0
    closed: bool = False

    def drain(self) -> LiveBatch:
        since, self.looked = self.looked, self.clock.seconds
        new = [
            each for each in self.stored if since < each.visible <= self.looked and not self.left_out(each)
        ]
        return LiveBatch(
            tuple(self._event(each) for each in new if not self.left_out(each)),
            self.is_complete(self.clock.seconds),
        )

    def _event(self, stored: Stored) -> LogEvent:
        at = ms(stored.at)
        return LogEvent("function", stored.stream, at, ms(stored.visible), stored.message, "live")

    def close(self) -> None:
        self.closed = True


def contents(stored: list[Stored]) -> Counter[tuple[int, str, str]]:
    return Counter((ms(each.at), each.stream, each.message) for each in stored)


def test_what_the_live_tail_leaves_out_is_shown_too_and_nothing_twice() -> None:
    clock = FakeClock(until=200)
    stored = late_events(2_000, seconds=100, latest=60)
    chance = random.Random(3)
    lost = {each.event_id for each in stored if chance.random() < 0.4}
    tail = FakeTail(clock, stored, lambda each: each.event_id in lost, lambda seconds: False)
    fake = FakeLogs(clock, stored, trouble=random.Random(2))

    shown = until_time_is_up(follow_live(follower(fake), tail, clock), clock)

    found = Counter((each.event.timestamp, each.event.stream, each.event.message) for each in shown)
    assert found == contents(stored)
    assert tail.closed


def test_events_of_the_live_tail_are_shown_at_the_next_tick() -> None:
    clock = FakeClock(until=20)
    stored = [Stored(at, at + 0.05, f"{at}", f"{at}") for at in range(15)]

    shown = until_time_is_up(
        follow_live(follower(FakeLogs(clock, stored)), FakeTail(clock, stored), clock), clock
    )

    assert len(shown) == 15
    assert max(each.at - (index + 0.05) for index, each in enumerate(shown)) <= TICK_SECONDS


def test_what_only_the_query_has_is_shown_within_two_seconds() -> None:
    clock = FakeClock(until=60)
    stored = late_events(300, seconds=40, latest=10)
    tail = FakeTail(clock, stored, lambda each: True)

    shown = until_time_is_up(follow_live(follower(FakeLogs(clock, stored)), tail, clock), clock)

    visible = {str(each.event_id): each.visible for each in stored}
    assert max(each.at - visible[each.event.event_id] for each in shown) <= 2
    assert len(shown) == 300


def test_a_long_poll_is_made_less_often_while_the_live_tail_is_complete() -> None:
    assert [_pause(0.01, True), _pause(1, True), _pause(60, True), _pause(60, False)] == [
        POLL_SECONDS,
        4,
        MAX_RECONCILE_SECONDS,
        POLL_SECONDS,
    ]


def test_an_incomplete_live_tail_is_completed_every_second_until_it_is_complete_again() -> None:
    clock = FakeClock(until=80)
    fake = FakeLogs(clock, takes=2)
    tail = FakeTail(clock, [])
    tail.is_complete = lambda seconds: not 34 < seconds < 50

    until_time_is_up(follow_live(follower(fake), tail, clock), clock)

    asked = [request["asked"] for request in fake.requests]
    rests = [round(after - before - fake.takes) for before, after in pairwise(asked)]
    assert rests == [8, 8, 8, 3, 1, 1, 1, 1, 1, 1, 8, 8]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([1.0, 1.5, 2.0]),
            st.floats(0, 10),
            st.sampled_from(["a", "b"]),
            st.booleans(),
            st.booleans(),
        ),
        max_size=30,
    )
)
def test_any_equal_lines_are_shown_as_often_as_they_were_logged(
    lines: list[tuple[float, float, str, bool, bool]],
) -> None:
    clock = FakeClock(until=20)
    stored = [
        Stored(at, at + late, text, f"id-{number}" if with_id else None, stream=f"{with_id}")
        for number, (at, late, text, with_id, _) in enumerate(lines)
    ]
    lost = {id(each) for each, (*_, is_lost) in zip(stored, lines, strict=True) if is_lost}
    tail = FakeTail(clock, stored, lambda each: id(each) in lost)

    shown = until_time_is_up(follow_live(follower(FakeLogs(clock, stored)), tail, clock), clock)

    found = Counter((each.event.timestamp, each.event.stream, each.event.message) for each in shown)
    assert found == contents(stored)


def test_closing_the_follower_ends_the_live_tail() -> None:
    clock = FakeClock()
    stored = [Stored(0, 0, "line", "id")]
    tail = FakeTail(clock, stored)
    events = follow_live(follower(FakeLogs(clock, stored)), tail, clock)

    next(events)
    events.close()  # type: ignore[attr-defined]

    assert tail.closed


GROUPS = {"function": "/aws/lambda/f", "api": "/aws/vendedlogs/apigateway/a"}
ARN = "arn:aws:logs:us-east-1:000000000000:log-group:"
START = {"sessionStart": {"sessionId": "s"}}


def update(*messages: str, group: str = "/aws/lambda/f", sampled: bool = False) -> dict[str, Any]:
    results = [
        {
            "logStreamName": "stream",
            "logGroupIdentifier": f"000000000000:{group}",
            "message": f"{message}\n",
            "timestamp": 5,
            "ingestionTime": 6,
        }
        for message in messages
    ]
    return {"sessionUpdate": {"sessionMetadata": {"sampled": sampled}, "sessionResults": results}}


@dataclass
class FakeLiveClient:
    """Opens the sessions given, one after the other: lists of parts and errors. The last one waits."""

    sessions: list[list[dict[str, Any] | Exception]]
    groups: tuple[str, ...] = tuple(GROUPS.values())
    endpoint_url: str = "http://127.0.0.1:4566"
    opened: list[list[str]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    finish: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.meta = SimpleNamespace(endpoint_url=self.endpoint_url, config=Config())

    def get_paginator(self, operation: str) -> Any:
        assert operation == "describe_log_groups"

        def paginate(logGroupNamePrefix: str) -> list[dict[str, Any]]:  # noqa: N803 - AWS's name
            found = [each for each in self.groups if each.startswith(logGroupNamePrefix)]
            described = [{"logGroupName": each, "arn": f"{ARN}{each}:*"} for each in found]
            return [{"logGroups": []}, {"logGroups": described}]

        return SimpleNamespace(paginate=paginate)

    def start_live_tail(self, logGroupIdentifiers: list[str]) -> Any:  # noqa: N803 - AWS's name
        self.opened.append(logGroupIdentifiers)
        return {"responseStream": FakeStream(self.sessions.pop(0), self)}


@dataclass
class FakeStream:
    parts: list[dict[str, Any] | Exception]
    client: FakeLiveClient

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for part in self.parts:
            if isinstance(part, Exception):
                raise part
            yield part
        if not self.client.sessions:
            self.client.over.set()
            self.client.finish.wait(10)

    def close(self) -> None:
        pass


def tail_of(client: FakeLiveClient, told: list[str] | None = None) -> LiveTail:
    tell = told.append if told is not None else (lambda message: None)
    return LiveTail(cast("CloudWatchLogsClient", client), GROUPS, FakeClock(), tell)


def test_a_session_that_ends_is_opened_again() -> None:
    ended = ClientError({"Error": {"Code": "SessionTimeoutException", "Message": "3 h"}}, "StartLiveTail")
    client = FakeLiveClient(
        [
            [START, update("one"), ended],
            [START, OSError("cut off")],
            [START, update("two"), update("three", group="/aws/vendedlogs/apigateway/a")],
        ]
    )
    tail = tail_of(client).start()
    assert client.over.wait(10)

    batch = tail.drain()
    tail.close()
    client.finish.set()

    assert [(each.source, each.message, each.timestamp, each.ingestion) for each in batch.events] == [
        ("function", "one", 5, 6),
        ("function", "two", 5, 6),
        ("api", "three", 5, 6),
    ]
    assert batch.complete
    assert client.opened == [[f"{ARN}{group}" for group in GROUPS.values()]] * 3


def test_a_sampled_update_is_incomplete_until_the_next_look() -> None:
    client = FakeLiveClient([[START, update("one", sampled=True)]])
    tail = tail_of(client).start()
    assert client.over.wait(10)

    looks = [tail.drain().complete, tail.drain().complete]
    tail.close()
    client.finish.set()

    assert looks == [False, True]


def test_a_group_that_does_not_exist_yet_makes_it_incomplete() -> None:
    # The name of another group begins like that of the API's, which does not exist.
    groups = ("/aws/lambda/f", "/aws/vendedlogs/apigateway/another")
    client = FakeLiveClient([[START, update("one")]], groups=groups)
    tail = tail_of(client).start()
    assert client.over.wait(10)

    batch = tail.drain()
    tail.close()
    client.finish.set()

    assert ([each.message for each in batch.events], batch.complete) == (["one"], False)
    assert client.opened == [[f"{ARN}/aws/lambda/f"]]


def test_a_live_tail_that_is_not_allowed_is_told_and_given_up() -> None:
    told: list[str] = []
    client = FakeLiveClient([[client_error("AccessDeniedException")]])
    tail = tail_of(client, told)

    tail._listen()

    assert told == [
        "could not start the live tail: your user or role may not call FilterLogEvents; "
        "asking every second instead"
    ]
    assert tail.drain() == LiveBatch((), complete=False)


@pytest.mark.parametrize(
    ("endpoint", "prefix"),
    [
        ("http://127.0.0.1:4566", False),
        ("https://amazonaws.com.example", False),
        ("https://logs.us-east-1.amazonaws.com", True),
        ("https://logs.cn-north-1.amazonaws.com.cn", True),
    ],
)
def test_only_aws_is_asked_at_the_host_for_streams(endpoint: str, prefix: bool) -> None:
    client = FakeLiveClient([], endpoint_url=endpoint)

    tail_of(client)

    assert bool(client.meta.config.inject_host_prefix) is prefix
