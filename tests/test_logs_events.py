"""Reading: every page, in order, each event once, with or without ids and tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import pytest
from botocore.exceptions import EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from ordernotify.errors import AwsError, StackNotFoundError
from ordernotify.logs.events import LogEvent, log_groups
from ordernotify.logs.ranges import LogReader
from ordernotify.logs.reader import (
    FULL_PAGE,
    GIVE_UP_SECONDS,
    BackOff,
    GroupReader,
    LogPage,
    is_transient,
    is_transient_or_offline,
)
from ordernotify.logs.seen import in_order
from ordernotify.settings.names import Names
from tests.logs_fakes import FakeClock, FakeLogs, OnePage, Stored, client_error, event, ms

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient


def read(*fakes: FakeLogs, start: float = 0, end: float | None = None) -> list[LogEvent]:
    sources = ("function", "api")
    readers = [fake.reader(source, following=False) for fake, source in zip(fakes, sources, strict=False)]
    return list(LogReader(readers, "dev").read(ms(start), None if end is None else ms(end)))


def texts(events: Sequence[LogEvent]) -> list[str]:
    return [each.message for each in events]


def test_the_groups_are_those_of_the_stack() -> None:
    assert log_groups(Names().for_stack("dev")) == {
        "function": "/aws/lambda/processFileUpload-dev",
        "api": "/aws/vendedlogs/apigateway/order-api-dev",
    }


def test_an_event_has_everything_that_cloudwatch_tells() -> None:
    fake = FakeLogs(FakeClock(), [Stored(1, 0, '{"level": "INFO"}', "id-1", "stream-1")])

    (found,) = read(fake)

    assert found == LogEvent("function", "stream-1", ms(1), ms(0), '{"level": "INFO"}', "id-1")
    assert found.fields == {"level": "INFO"}


@pytest.mark.parametrize(
    "message",
    ["", "text", "[1]", "{", '{"a": NaN}', "{" + '"a": {' * 100_000, '{"a": ' + "1" * 5000 + "}", "1"],
)
def test_what_is_no_json_object_has_no_fields(message: str) -> None:
    assert event(message).fields is None


def test_all_pages_are_read_the_empty_ones_too() -> None:
    clock = FakeClock()
    fake = FakeLogs(clock, [Stored(at, 0, f"{at}", f"{at}") for at in range(5)], page_size=2)
    answers = iter([fake._answer([], "0/x"), fake._answer([], "0/y")])
    original = fake.filter_log_events
    fake.filter_log_events = lambda **request: next(answers, None) or original(**request)  # type: ignore[method-assign]

    assert texts(read(fake)) == ["0", "1", "2", "3", "4"]


def test_both_ends_of_the_range_belong_to_it() -> None:
    fake = FakeLogs(FakeClock(), [Stored(at, 0, f"{at}", f"{at}") for at in range(5)])

    assert texts(read(fake, start=1, end=3)) == ["1", "2", "3"]


def test_sources_are_merged_by_timestamp_then_ingestion() -> None:
    clock = FakeClock(seconds=100)
    function = FakeLogs(clock, [Stored(1, 50, "b", "1"), Stored(3, 3, "d", "2")])
    api = FakeLogs(clock, [Stored(1, 40, "a", "1"), Stored(2, 2, "c", "2")])

    assert [(each.source, each.message) for each in read(function, api)] == [
        ("api", "a"),
        ("function", "b"),
        ("api", "c"),
        ("function", "d"),
    ]


def test_a_source_without_a_group_has_no_events() -> None:
    clock = FakeClock()
    fakes = FakeLogs(clock, [Stored(0, 0, "line", "id")]), FakeLogs(clock, exists_from=1)

    assert texts(read(*fakes)) == ["line"]


def test_a_stack_without_any_group_is_not_found() -> None:
    clock = FakeClock()

    with pytest.raises(StackNotFoundError) as raised:
        read(FakeLogs(clock, exists_from=1), FakeLogs(clock, exists_from=1))

    assert (raised.value.message, raised.value.hint) == (
        "the stack dev has no log group",
        "Run `ordernotify setup` first.",
    )


@pytest.mark.parametrize("with_ids", [True, False])
@pytest.mark.parametrize("beyond", [-1, 0, 1, 700])
def test_a_full_page_without_a_token_is_read_on_from_without_loss_or_repeat(
    beyond: int, with_ids: bool
) -> None:
    # Three equal lines in each millisecond: the page ends in the middle of them.
    count = FULL_PAGE + beyond
    stored = [
        Stored(number // 3 / 1000, 0, "same", f"{number}" if with_ids else None) for number in range(count)
    ]
    fake = FakeLogs(FakeClock(), stored, tokens=False)

    found = read(fake)

    assert len(found) == count
    assert len({each.event_id for each in found}) == count


def test_a_full_page_of_one_millisecond_ends() -> None:
    stored = [Stored(0, 0, f"{number}", f"{number}") for number in range(FULL_PAGE)] + [
        Stored(1, 0, "z", "z")
    ]

    found = read(FakeLogs(FakeClock(), stored, tokens=False))

    assert len(found) == FULL_PAGE + 1


def test_ids_that_are_made_stay_the_same_at_every_reading() -> None:
    stored = [Stored(1, 0, "same", None), Stored(1, 0, "same", None), Stored(1, 0, "same", None, "other")]
    fake = FakeLogs(FakeClock(), stored)

    first, second = read(fake), read(fake)

    assert first == second
    assert len({each.event_id for each in first}) == 3


def test_repeated_ids_on_later_pages_are_dropped() -> None:
    line = event("line", 5)
    source = OnePage((LogPage((line,)), LogPage(()), LogPage((line, event("next", 6)))))

    assert texts(list(LogReader([source]).read(0))) == ["line", "next"]


def test_reading_bears_with_throttling_for_a_minute() -> None:
    clock = FakeClock()
    fake = FakeLogs(clock, [Stored(0, 0, "line", "id")], errors=[client_error("ThrottlingException")] * 3)

    assert texts(read(fake)) == ["line"]
    assert clock.slept == [1, 2, 4]


def test_reading_gives_up_when_the_throttling_does_not_end() -> None:
    clock = FakeClock()
    fake = FakeLogs(clock, errors=[client_error("ThrottlingException")] * 100)

    with pytest.raises(AwsError) as raised:
        read(fake)

    assert (raised.value.code, raised.value.hint) == (
        "ThrottlingException",
        "AWS is asking for slower calls; wait a minute and run the same command again.",
    )
    assert GIVE_UP_SECONDS <= sum(clock.slept) <= GIVE_UP_SECONDS + 15


def test_a_lost_connection_is_borne_while_following_only() -> None:
    lost = EndpointConnectionError(endpoint_url="https://logs")

    assert is_transient_or_offline(lost)
    assert not is_transient(lost)
    assert is_transient(client_error("InternalFailure", 500))
    assert not is_transient_or_offline(client_error("LimitExceededException", 429))


def test_a_lost_connection_ends_a_reading_with_our_error() -> None:
    class Lost:
        def filter_log_events(self, **request: object) -> None:
            raise EndpointConnectionError(endpoint_url="https://logs")

    reader = GroupReader(cast("CloudWatchLogsClient", Lost()), "function", "/g", BackOff(FakeClock()))

    with pytest.raises(AwsError, match="could not read the log group /g: Could not connect"):
        list(reader.pages(0))


def test_trouble_is_told_when_one_wait_was_not_enough() -> None:
    told: list[str] = []
    back_off = BackOff(FakeClock(), tell=told.append)

    for _ in range(4):
        back_off.wait(ValueError("slow"))

    assert told == ["slow; trying again"]


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=30), st.integers(0, 5))
def test_in_order_keeps_every_event_and_sorts_what_is_near(
    times: list[tuple[int, int]], displaced: int
) -> None:
    events = [
        event(f"{number}", at, ingestion=ingested) for number, (at, ingested) in enumerate(sorted(times))
    ]
    near = sorted(enumerate(events), key=lambda pair: pair[0] + (displaced if pair[0] % 2 else 0))

    found = list(in_order((each for _, each in near), depth=12))

    assert [each.sort_key for each in found] == [each.sort_key for each in events]
    assert Counter(found) == Counter(events)
