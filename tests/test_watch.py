"""Counts, rates and the history of a stack, from its log lines and from CloudWatch; and `top`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

from ordernotify.aws.session import Cloud
from ordernotify.errors import UsageError
from ordernotify.orders.items import OrderCount
from ordernotify.watch.history import of_answers, read_history
from ordernotify.watch.served import Activity, Served
from ordernotify.watch.watcher import Watcher
from tests.cli_support import Typed, typed
from tests.console_support import NAMES, make_stack, put_answer, put_order
from tests.provision_support import Account

__all__ = ["typed"]


def answer(at: int, status: int = 201, ms: float = 10.0, **more: object) -> Served:
    given = {"order_id": "o", "notification": "sent", "replayed": False, "steps": {}, **more}
    return Served(at=at, status=status, milliseconds=ms, **given)  # type: ignore[arg-type]


def test_rates_are_about_the_last_minute_and_the_last_ten() -> None:
    activity = Activity()
    now = 10_000_000
    old, recent, fresh = now - 601_000, now - 300_000, now - 10_000
    activity.add(
        [answer(old), answer(recent, ms=30), answer(fresh, 400, 1), answer(fresh, 200, 2, replayed=True)]
    )
    rates = activity.rates(now)
    assert rates.per_minute == 0
    assert rates.kinds == {"stored": 1, "rejected": 1, "replayed": 1}
    assert rates.p99 == 30
    activity.add([answer(fresh), answer(fresh, 503)])
    assert activity.rates(now).per_minute == 1
    assert activity.rates(now).kinds == {"stored": 2, "rejected": 1, "replayed": 1, "failed": 1}


def test_a_history_sums_answers_up_in_steps() -> None:
    answers = [answer(0), answer(59_999, ms=20), answer(60_000, 202, notification="pending"), answer(999_999)]
    history = of_answers(answers, start=0, step=60, steps=3)
    assert history.kinds["stored"] == [2, 1, 0]
    assert history.per_minute == [2, 1, 0]
    assert history.pending == [0, 1, 0]
    assert history.latency["p50"][2] is None
    assert history.latency["p99"][0] == 20


class FakeMetrics:
    """CloudWatch with one value for each metric, five minutes ago; moto knows no percentiles."""

    asked: ClassVar[list[Mapping[str, Any]]] = []

    def get_paginator(self, _operation: str) -> FakeMetrics:
        return self

    def paginate(self, MetricDataQueries: list[Mapping[str, Any]], **_times: Any) -> list[Any]:  # noqa: N803
        self.asked[:] = [query["MetricStat"] for query in MetricDataQueries]
        moment = datetime.now(UTC) - timedelta(minutes=5)
        values = {"stored": 3.0, "pending": 1.0, "p50": 25.0}
        found = [
            {"Id": query["Id"], "Timestamps": [moment], "Values": [values[query["Id"]]]}
            for query in MetricDataQueries
            if query["Id"] in values
        ]
        return [{"MetricDataResults": found[:1]}, {"MetricDataResults": found[1:]}]


def test_on_aws_the_history_comes_from_the_metrics(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    make_stack(account.cloud())
    monkeypatch.setattr(Cloud, "cloudwatch", FakeMetrics(), raising=False)
    history = read_history(account.cloud(), NAMES, "default", "1h")
    assert len(history.pending) == 60
    assert sum(history.kinds["stored"]) == 3
    assert sum(history.pending) == 1
    assert [value for value in history.latency["p50"] if value is not None] == [25]
    asked = [(one["Metric"], one["Stat"]) for one in FakeMetrics.asked]
    metrics = {(metric["Namespace"], metric["MetricName"], statistic) for metric, statistic in asked}
    stored = ("AWS/DynamoDB", "SuccessfulRequestLatency", "SampleCount")
    assert {stored, ("AWS/Lambda", "Duration", "p99")} <= metrics
    assert ("AWS/ApiGateway", "5XXError", "Sum") in metrics
    assert {one["Period"] for one in FakeMetrics.asked} == {60}


def test_another_span_is_refused(account: Account) -> None:
    with pytest.raises(UsageError, match="not a span"):
        read_history(account.cloud(), NAMES, "default", "1y")


def test_the_watcher_sees_each_order_once(account: Account) -> None:
    make_stack(account.cloud())
    watcher = Watcher(account.cloud(), NAMES, "default")
    watcher.look()
    put_order(account.cloud(), "one")
    put_answer(account.cloud(), "one")
    seen = [watcher.look() for _ in range(3)]
    assert [len(look.orders) for look in seen] == [1, 0, 0]
    assert seen[-1].snapshot.newest[0]["orderId"] == "one"


def test_the_newest_orders_are_those_of_the_table_unless_it_is_large(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_stack(account.cloud())
    for name in ("old", "new"):
        put_order(account.cloud(), name, createdAt=name)
    first = Watcher(account.cloud(), NAMES, "default").look().snapshot
    assert [order["orderId"] for order in first.newest] == ["old", "new"]
    large = OrderCount(9, 9, complete=False)
    monkeypatch.setattr("ordernotify.watch.watcher.count_orders", lambda *_: large)
    assert Watcher(account.cloud(), NAMES, "default").look().snapshot.newest == ()


def test_top_shows_one_look_where_there_is_no_terminal(typed: Typed) -> None:
    assert typed("setup", "--yes").exit_code == 0
    shown = typed("top")
    assert shown.exit_code == 0
    assert "Notifications pending" in shown.stdout
    document = json.loads(typed("top", "--json", "--span", "24h").stdout)
    assert document["orders"] == 0
    assert len(document["history"]) == 96
    assert len(document["alarms"]) == 5


def test_top_and_console_tell_what_is_wrong(typed: Typed) -> None:
    gone = typed("top")
    assert gone.exit_code == 1
    assert "there is no topic" in gone.stderr
    assert typed("top", "--span", "1y").exit_code == 2
