"""How a stack is doing: its alarms, its orders, its last errors."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ordernotify.aws.session import Cloud
from ordernotify.orders import items
from ordernotify.orders.items import OrderCount, count_orders
from ordernotify.render import status
from ordernotify.render.status import _error_text
from ordernotify.stack.health import (
    ALARMS,
    MOST_ERROR_PAGES,
    MOST_ERROR_SECONDS,
    AlarmState,
    ErrorLine,
    LastErrors,
    _error_line,
    last_errors,
    read_alarms,
)
from tests.orders_fakes import NAMES, mocked_cloud, put
from tests.provision_support import ManualClock


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with mocked_cloud() as cloud:
        yield cloud


def alarm(cloud: Cloud, name: str) -> None:
    cloud.cloudwatch.put_metric_alarm(
        AlarmName=name, EvaluationPeriods=1, ComparisonOperator="GreaterThanThreshold", Threshold=1.0,
        MetricName="m", Namespace="n", Period=60, Statistic="Sum",
    )  # fmt: skip


def test_every_alarm_of_the_stack_is_read_and_no_other(cloud: Cloud) -> None:
    for what in ALARMS:
        alarm(cloud, NAMES.alarm(what))
    alarm(cloud, NAMES.alarm("errors") + "-dev")
    cloud.cloudwatch.set_alarm_state(AlarmName=NAMES.alarm("errors"), StateValue="ALARM", StateReason="2 > 1")
    found = {state.name: state for state in read_alarms(cloud, NAMES)}
    expected = {"errors", "throttles", "duration", "api-5xx", "notifications-pending", "undelivered"}
    assert found.keys() == {NAMES.alarm(what) for what in expected}
    assert found[NAMES.alarm("errors")] == AlarmState(NAMES.alarm("errors"), "ALARM", "2 > 1")


def test_orders_are_counted_consistently(cloud: Cloud) -> None:
    asked: list[bool] = []

    def look(params: Mapping[str, Any], **_: Any) -> None:
        asked.append(params.get("ConsistentRead", False))

    put(cloud, "a", notification="pending")
    put(cloud, "b", notification="sent")
    cloud.dynamodb.meta.events.register("provide-client-params.dynamodb.Scan", look)
    assert count_orders(cloud, NAMES) == OrderCount(2, 1, complete=True)
    assert asked == [True]


def test_a_count_that_ends_early_is_a_lower_bound_and_without_a_table_there_is_none(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        put(cloud, f"{number}", note="x" * 390_000)
    monkeypatch.setattr(items, "COUNTED_PAGES", 1)
    assert count_orders(cloud, NAMES) == OrderCount(2, 0, complete=False)
    cloud.dynamodb.delete_table(TableName=NAMES.table)
    assert count_orders(cloud, NAMES) is None


def write_lines(cloud: Cloud, *lines: tuple[int, str]) -> None:
    """Log lines at times in ms."""
    cloud.logs.create_log_group(logGroupName=NAMES.log_group)
    cloud.logs.create_log_stream(logGroupName=NAMES.log_group, logStreamName="s")
    events: Any = [{"timestamp": at, "message": line} for at, line in sorted(lines)]
    cloud.logs.put_log_events(logGroupName=NAMES.log_group, logStreamName="s", logEvents=events)


def error(message: str) -> str:
    return json.dumps({"level": "ERROR", "message": message, "orderId": "o"})


def test_the_last_errors_are_read_oldest_first(cloud: Cloud) -> None:
    now = int(time.time() * 1000)
    assert last_errors(cloud, NAMES, now) == LastErrors()
    lines = ["no JSON", json.dumps({"level": "INFO"}), "[1]", *(error(f"m{n}") for n in range(5))]
    write_lines(cloud, *((now + n, line) for n, line in enumerate(lines)))
    found = last_errors(cloud, NAMES, now)
    assert found == LastErrors(tuple(ErrorLine("", f"m{n}", "o") for n in (2, 3, 4)), complete=True)


def test_errors_of_a_day_are_found_each_once(cloud: Cloud) -> None:
    now, minute = int(time.time() * 1000), 60_000
    ages = {"too old": 1441, "a day": 1439, "edge": 15}
    write_lines(cloud, *((now - age * minute, error(name)) for name, age in ages.items()))
    found = last_errors(cloud, NAMES, now)
    assert [line.message for line in found.lines] == ["a day", "edge"]
    assert found.complete


@dataclass
class EndlessLogs:
    """Answers with one page after the other, each after so many seconds, and notes what it is asked."""

    clock: ManualClock
    takes: float = 0.0
    events: tuple[dict[str, Any], ...] = ()
    ends: bool = False
    asked: list[dict[str, Any]] = field(default_factory=list)

    def filter_log_events(self, **request: Any) -> dict[str, Any]:
        assert len(self.asked) < 1000, "this has no end"
        self.asked.append(request)
        self.clock.sleep(self.takes)
        return {"events": list(self.events)} | ({} if self.ends else {"nextToken": str(len(self.asked))})

    def last_errors(self) -> LastErrors:
        cloud = cast("Cloud", SimpleNamespace(logs=self))
        return last_errors(cloud, NAMES, 10**12, clock=self.clock)


def test_pages_without_end_are_given_up_and_what_was_found_is_told() -> None:
    event = {"timestamp": 5, "message": error("m"), "logStreamName": "s", "eventId": "1"}
    logs = EndlessLogs(ManualClock(), events=(event,))
    assert logs.last_errors() == LastErrors((ErrorLine("", "m", "o"),) * 3, complete=False)
    assert len(logs.asked) == MOST_ERROR_PAGES


def test_slow_pages_are_given_up_after_seconds() -> None:
    logs = EndlessLogs(ManualClock(), takes=MOST_ERROR_SECONDS / 2)
    assert logs.last_errors() == LastErrors((), complete=False)
    assert len(logs.asked) == 2


def test_older_logs_are_not_read_once_there_are_enough_errors() -> None:
    event = {"timestamp": 5, "message": error("m"), "logStreamName": "s"}
    logs = EndlessLogs(ManualClock(), events=(event,) * 3, ends=True)
    assert logs.last_errors().complete
    assert len(logs.asked) == 1


@pytest.mark.parametrize(("found", "number"), [((), "none"), ((ErrorLine("t", "m", "o"),), "1")])
def test_status_says_that_it_did_not_read_all(
    found: tuple[ErrorLine, ...], number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status._show_errors(LastErrors(found, complete=False))
    shown = capsys.readouterr().out
    assert f"Errors: {number} so far; `ordernotify logs --errors --since 24h" in shown
    status._show_errors(LastErrors(found))
    assert "so far" not in capsys.readouterr().out


def test_the_cause_of_an_error_is_told_in_a_line() -> None:
    failure = {"step": "publish", "code": "NotFound", "message": "Topic does not exist", "attempts": 1}
    line = _error_line(
        {
            "timestamp": "2026-01-01T00:00:00.000Z",
            "orderId": "c67590bd-3c1d-4e5f-8a9b-1c2d3e4f5a6b",
            "error": failure,
            "message": "Order received",
        }
    )
    assert line.message == "publish failed: Topic does not exist"
    assert re.fullmatch(r"\d\d:\d\d:\d\d c67590bd publish failed: Topic does not exist", _error_text(line))
