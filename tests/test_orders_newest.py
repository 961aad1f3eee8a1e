"""The newest orders: found within a bound, in bounded memory, and kept up to date by what is seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ordernotify.aws.session import Cloud
from ordernotify.orders import newest
from ordernotify.orders.newest import NewestOrders, read_newest
from ordernotify.orders.query import OrderQuery, sorted_orders
from tests.orders_fakes import NAMES, TurnedClock, mocked_cloud, put, put_many

PAGE = 50


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with mocked_cloud() as cloud:
        yield cloud


@pytest.fixture
def pages(cloud: Cloud) -> list[dict[str, Any]]:
    """Let a page hold 50 orders; returns the scans that were asked for."""
    asked: list[dict[str, Any]] = []

    def shorten(params: dict[str, Any], **_: Any) -> None:
        params["Limit"] = PAGE
        asked.append(params)

    cloud.dynamodb.meta.events.register("provide-client-params.dynamodb.Scan", shorten)
    return asked


def created(number: int) -> dict[str, Any]:
    at = f"2026-03-01T{number // 60:02}:{number % 60:02}:00.000Z"
    return {"orderId": f"id-{number:03}", "createdAt": at, "customerName": "odd" if number % 2 else "even"}


def ids(orders: Any) -> list[str]:
    return [order["orderId"] for order in orders]


def test_the_whole_table_is_read_for_the_newest(cloud: Cloud, pages: list[dict[str, Any]]) -> None:
    put_many(cloud, [created(number * 11 % 210) for number in range(210)])
    ticks: list[int] = []
    found = read_newest(cloud, NAMES, OrderQuery(limit=3), progress=ticks.append)
    assert ids(found.orders) == ["id-209", "id-208", "id-207"]
    assert (found.matching, found.looked_at, found.complete) == (210, 210, True)
    assert (len(pages), ticks[-1]) == (5, 210)


def test_conditions_hold_and_do_not_count_as_looked_at(cloud: Cloud, pages: list[dict[str, Any]]) -> None:
    put_many(cloud, [created(number) for number in range(100)])
    found = read_newest(cloud, NAMES, OrderQuery(limit=2, customer="ODD", where=(("orderId", "id-099"),)))
    assert (ids(found.orders), found.matching, found.looked_at) == (["id-099"], 1, 100)


def test_orders_without_a_time_come_last_and_equal_times_by_id(cloud: Cloud) -> None:
    same = {"createdAt": "2026-03-01T12:00:00.000Z"}
    put_many(cloud, [{"orderId": "none"}, {"orderId": "a", **same}, {"orderId": "b", **same}])
    assert ids(read_newest(cloud, NAMES, OrderQuery(limit=9)).orders) == ["b", "a", "none"]


def test_reading_ends_after_so_many_orders(
    cloud: Cloud, pages: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    put_many(cloud, [created(number) for number in range(300)])
    monkeypatch.setattr(newest, "MOST_ORDERS", 100)
    found = read_newest(cloud, NAMES, OrderQuery(limit=5))
    assert (found.looked_at, len(found.orders), found.complete) == (100, 5, False)
    assert len(pages) <= 4, "no more is read ahead than what waits and what is under way"


def test_reading_ends_after_so_many_seconds(cloud: Cloud, pages: list[dict[str, Any]]) -> None:
    put_many(cloud, [created(number) for number in range(300)])
    clock = TurnedClock()
    found = read_newest(cloud, NAMES, OrderQuery(limit=5), clock=clock, progress=lambda _: clock.sleep(6))
    assert (found.looked_at, found.seconds, found.complete) == (100, 12, False)


def test_what_is_held_does_not_grow_with_the_table(
    cloud: Cloud, pages: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    put_many(cloud, [created(number) for number in range(300)])
    held: list[int] = []

    def counting(orders: Any, *args: Any) -> Any:
        given = list(orders)
        held.append(len(given))
        return sorted_orders(given, *args)

    monkeypatch.setattr("ordernotify.orders.newest.sorted_orders", counting)
    read_newest(cloud, NAMES, OrderQuery(limit=5))
    assert max(held) == PAGE + 5


class TestKnown:
    def test_the_table_is_read_again_when_asked_and_when_pending_changed(
        self, cloud: Cloud, pages: list[dict[str, Any]]
    ) -> None:
        put(cloud, "a", createdAt="1")
        known = NewestOrders(cloud, NAMES, 2)
        assert ids(known.get((), 0, again=False)) == ["a"]
        put(cloud, "b", createdAt="2")
        assert ids(known.get((), 0, again=False)) == ["a"]
        assert ids(known.get((), 1, again=False)) == ["b", "a"]
        put(cloud, "c", createdAt="3")
        assert ids(known.get((), 1, again=True)) == ["c", "b"]
        assert len(pages) == 3

    def test_what_is_seen_is_taken_in_without_a_reading(
        self, cloud: Cloud, pages: list[dict[str, Any]]
    ) -> None:
        known = NewestOrders(cloud, NAMES, 2)
        seen = [{"FileName": name, "orderId": name, "createdAt": name} for name in "abc"]
        assert ids(known.add(seen[:1])) == ["a"]
        assert ids(known.add([seen[2], {**seen[0], "notification": "sent"}])) == ["c", "a"]
        assert ids(known.get(seen, -1, again=False)) == ["c", "b"]
        assert pages == []
