"""How a stack is doing: its alarms, its orders, its last errors."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from ordernotify.aws.session import Cloud
from ordernotify.orders.items import OrderCount, count_orders
from ordernotify.render.plans import _error_text
from ordernotify.stack.health import ALARMS, AlarmState, ErrorLine, _error_line, last_errors, read_alarms
from tests.orders_fakes import NAMES, mocked_cloud, put


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
    expected = {"errors", "throttles", "duration", "api-5xx", "notifications-pending"}
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


def test_a_count_that_ends_early_is_a_lower_bound_and_without_a_table_there_is_none(cloud: Cloud) -> None:
    for number in range(4):
        put(cloud, f"{number}", note="x" * 390_000)
    assert count_orders(cloud, NAMES, pages=1) == OrderCount(2, 0, complete=False)
    cloud.dynamodb.delete_table(TableName=NAMES.table)
    assert count_orders(cloud, NAMES) is None


def test_the_last_errors_are_read_oldest_first(cloud: Cloud) -> None:
    assert last_errors(cloud, NAMES, 0) == ()
    cloud.logs.create_log_group(logGroupName=NAMES.log_group)
    cloud.logs.create_log_stream(logGroupName=NAMES.log_group, logStreamName="s")
    now = int(time.time() * 1000)
    lines = ["no JSON", json.dumps({"level": "INFO"}), "[1]"]
    lines += [json.dumps({"level": "ERROR", "message": f"m{n}", "orderId": "o"}) for n in range(5)]
    cloud.logs.put_log_events(
        logGroupName=NAMES.log_group,
        logStreamName="s",
        logEvents=[{"timestamp": now + n, "message": line} for n, line in enumerate(lines)],
    )
    found = last_errors(cloud, NAMES, now - 1000)
    assert found == tuple(ErrorLine("", f"m{n}", "o") for n in (2, 3, 4))


def test_the_cause_of_an_error_is_told_in_a_line() -> None:
    failure = {"step": "publish", "code": "NotFound", "message": "Topic does not exist", "attempts": 1}
    line = _error_line(
        {
            "timestamp": "2026-01-01T00:00:00.000Z",
            "orderId": "c67590bd-1",
            "error": failure,
            "message": "Order received",
        }
    )
    assert line.message == "publish failed: Topic does not exist"
    assert re.fullmatch(r"\d\d:\d\d:\d\d c67590bd publish failed: Topic does not exist", _error_text(line))
