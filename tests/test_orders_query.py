"""Finding orders, on moto's DynamoDB."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import Patience
from ordernotify.errors import AwsError, StackNotFoundError, UsageError, WaitTimeoutError
from ordernotify.orders import items
from ordernotify.orders.items import SEGMENT_BYTES, choose_segments, scan_pages
from ordernotify.orders.query import OrderQuery, get_orders, list_orders, sorted_orders
from ordernotify.times import parse_duration, parse_moment
from tests.orders_fakes import NAMES, TurnedClock, mocked_cloud, put, put_many

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with mocked_cloud() as cloud:
        yield cloud


def ids(cloud: Cloud, **conditions: Any) -> list[str]:
    return sorted(order["orderId"] for order in list_orders(cloud, NAMES, OrderQuery(**conditions)))


class Requests:
    """What was asked of DynamoDB, as botocore sent it."""

    def __init__(self, cloud: Cloud) -> None:
        self.scans: list[dict[str, Any]] = []
        self.read = 0
        events = cloud.dynamodb.meta.events
        events.register("provide-client-params.dynamodb.Scan", self._on_scan)
        events.register("after-call.dynamodb.Scan", self._on_answer)

    def _on_scan(self, params: dict[str, Any], **_: Any) -> None:
        self.scans.append(dict(params))

    def _on_answer(self, parsed: dict[str, Any], **_: Any) -> None:
        self.read += parsed["ScannedCount"]


class TestConditions:
    @pytest.fixture(autouse=True)
    def orders(self, cloud: Cloud) -> None:
        put(
            cloud,
            "a",
            customerName="John Doe",
            productName="Wireless Mouse",
            notification="sent",
            n=Decimal("1.5"),
        )
        put(
            cloud,
            "b",
            customerName="JOHN DOESON",
            productName="Lamp",
            notification="pending",
            n="1.5",
            ok=True,
            tags=["a", Decimal(1), {"x": [None]}],
        )
        put(
            cloud,
            "c",
            customerName="Straße",
            productName="wireless key",
            notification="sent",
            ok="true",
            x=None,
            size={"w": Decimal(2)},
        )

    @pytest.mark.parametrize(
        ("conditions", "expected"),
        [
            ({}, "abc"),
            ({"customer": "doe"}, "ab"),
            ({"customer": "STRASSE"}, "c"),
            ({"customer": "straße"}, "c"),
            ({"product": "WIRELESS"}, "ac"),
            ({"customer": "john", "product": "wire"}, "a"),
            ({"notification": "pending"}, "b"),
            ({"where": (("n", "1.5"),)}, "ab"),
            ({"where": (("n", "1.50"),)}, "a"),
            ({"where": (("n", "15e-1"),)}, "a"),
            ({"where": (("ok", "true"),)}, "bc"),
            ({"where": (("ok", "false"),)}, ""),
            ({"where": (("x", "null"),)}, "c"),
            ({"where": (("productName", "Lamp"), ("ok", "true"))}, "b"),
            ({"where": (("notification", "sent"),), "notification": "sent"}, "ac"),
            ({"where": (("customerName", "john doe"),)}, ""),
            ({"where": (("no such field", "1"),)}, ""),
            ({"where": (("n", "1" * 60),)}, ""),
            ({"where": (("n", "1e999"),)}, ""),
            ({"where": (("n", ""),)}, ""),
            ({"where": (("tags", '["a", 1.0, {"x": [null]}]'),)}, "b"),
            ({"where": (("size", '{"w": 2}'),)}, "c"),
            ({"where": (("size", '{"w": 1e999}'),)}, ""),
            ({"where": (("size", '{"w": '),)}, ""),
        ],
    )
    def test_every_condition_must_hold(self, cloud: Cloud, conditions: dict[str, Any], expected: str) -> None:
        assert ids(cloud, **conditions) == list(expected)

    def test_the_values_are_exact(self, cloud: Cloud) -> None:
        (order,) = list_orders(cloud, NAMES, OrderQuery(customer="john doe", notification="sent"))
        assert order == {
            "FileName": "a",
            "orderId": "a",
            "customerName": "John Doe",
            "productName": "Wireless Mouse",
            "notification": "sent",
            "n": Decimal("1.5"),
        }


class TestTimes:
    def test_since_is_inclusive_and_until_is_not(self, cloud: Cloud) -> None:
        for minute in range(4):
            put(cloud, str(minute), createdAt=f"2026-03-01T12:0{minute}:00.000Z")
        first, last = NOW + timedelta(minutes=1), NOW + timedelta(minutes=3)
        assert ids(cloud, since=first, until=last) == ["1", "2"]

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("10m", NOW - timedelta(minutes=10)),
            ("2h30m", NOW - timedelta(hours=2, minutes=30)),
            ("1.5d", NOW - timedelta(hours=36)),
            ("1W", NOW - timedelta(days=7)),
            ("now", NOW),
            ("2026-03-01T10:00:00Z", NOW - timedelta(hours=2)),
            ("2026-03-01T12:00:00+02:00", NOW - timedelta(hours=2)),
            ("99999999999w", datetime(1970, 1, 1, tzinfo=UTC)),
        ],
    )
    def test_a_time_is_an_age_or_iso_8601(self, text: str, expected: datetime) -> None:
        assert parse_moment(text, NOW) == expected

    def test_a_time_without_a_zone_is_local(self) -> None:
        assert parse_moment("2026-03-01 10:00", NOW) == datetime(2026, 3, 1, 10).astimezone()

    @pytest.mark.parametrize("text", ["", "yesterday", "10", "10x", "m", "-5m", "2026-13-01"])
    def test_anything_else_is_told(self, text: str) -> None:
        with pytest.raises(UsageError, match="is not a time"):
            parse_moment(text, NOW)

    def test_zero_is_a_duration(self) -> None:
        assert parse_duration("0") == parse_duration("0s") == timedelta()


class TestReading:
    @pytest.fixture(autouse=True)
    def orders(self, cloud: Cloud) -> None:
        put_many(
            cloud,
            [
                {"orderId": f"{n:03}", "customerName": f"C{n}", "kind": "odd" if n % 2 else "even"}
                for n in range(250)
            ],
        )

    def test_a_limit_reads_no_more_than_it_needs(self, cloud: Cloud) -> None:
        requests = Requests(cloud)
        found = list(list_orders(cloud, NAMES, OrderQuery(limit=20)))
        assert len(found) == requests.read == 20
        assert len(requests.scans) == 1

    def test_a_limit_under_a_condition_reads_in_growing_pages(self, cloud: Cloud) -> None:
        requests = Requests(cloud)
        found = list(list_orders(cloud, NAMES, OrderQuery(limit=60, where=(("kind", "odd"),))))
        assert len(found) == 60
        assert [scan["Limit"] for scan in requests.scans] == [100, 200]
        assert requests.read == 250

    def test_a_limit_beyond_the_table_gives_what_there_is(self, cloud: Cloud) -> None:
        assert len(list(list_orders(cloud, NAMES, OrderQuery(limit=1000, customer="c1")))) == 111

    def test_a_caller_who_stops_reads_no_further_page(self, cloud: Cloud) -> None:
        requests = Requests(cloud)
        found = list_orders(cloud, NAMES, OrderQuery(limit=200, customer="c"))
        assert [next(found)["orderId"] for _ in range(3)]
        assert len(requests.scans) == 1

    @pytest.mark.parametrize("segments", [1, 3, 4])
    def test_segments_give_every_order_once(
        self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, segments: int
    ) -> None:
        monkeypatch.setattr(items, "choose_segments", lambda *_: segments)
        requests = Requests(cloud)
        found = [order["orderId"] for order in list_orders(cloud, NAMES, OrderQuery())]
        assert sorted(found) == [f"{number:03}" for number in range(250)]
        assert {scan["TotalSegments"] for scan in requests.scans} == {segments}

    def test_every_read_is_consistent(self, cloud: Cloud) -> None:
        requests = Requests(cloud)
        list(list_orders(cloud, NAMES, OrderQuery()))
        list(list_orders(cloud, NAMES, OrderQuery(limit=1)))
        assert all(scan["ConsistentRead"] for scan in requests.scans)

    def test_an_error_in_a_segment_reaches_the_caller(
        self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(items, "choose_segments", lambda *_: 3)

        def fail(**_: Any) -> None:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "Scan")

        cloud.dynamodb.meta.events.register("before-call.dynamodb.Scan", fail)
        with pytest.raises(AwsError, match="could not read the table FileMetadata"):
            list(scan_pages(cloud, NAMES))


@pytest.mark.parametrize(
    ("size", "segments"),
    [(0, 1), (SEGMENT_BYTES - 1, 1), (2 * SEGMENT_BYTES, 2), (100 * SEGMENT_BYTES, 4)],
)
def test_a_larger_table_is_read_in_more_segments(cloud: Cloud, size: int, segments: int) -> None:
    def say(parsed: dict[str, Any], **_: Any) -> None:
        parsed["Table"]["TableSizeBytes"] = size

    cloud.dynamodb.meta.events.register("after-call.dynamodb.DescribeTable", say)
    assert choose_segments(cloud, NAMES) == segments


class TestSorting:
    ORDERS = (
        {"orderId": "a", "n": Decimal(10)},
        {"orderId": "b", "n": Decimal(9)},
        {"orderId": "c"},
        {"orderId": "d", "n": "9"},
        {"orderId": "e", "n": None},
        {"orderId": "f", "n": Decimal(9)},
    )

    @pytest.mark.parametrize(
        ("sort", "limit", "expected"),
        [("n", 0, "bfadec"), ("n", 3, "bfa"), ("-n", 0, "edafbc"), ("-n", 2, "ed"), ("-orderId", 1, "f")],
    )
    def test_numbers_then_texts_then_the_rest_and_absent_last(
        self, sort: str, limit: int, expected: str
    ) -> None:
        orders = [dict(order) for order in self.ORDERS]
        random.Random(1).shuffle(orders)
        assert "".join(order["orderId"] for order in sorted_orders(orders, sort, limit)) == expected

    def test_a_sorted_list_with_a_limit_is_the_first_of_all(self, cloud: Cloud) -> None:
        for number in range(30):
            put(cloud, f"{number:02}", n=number)
        found = list_orders(cloud, NAMES, OrderQuery(sort="-n", limit=3))
        assert [order["n"] for order in found] == [29, 28, 27]


class TestById:
    def test_orders_come_in_the_sequence_asked_and_unknown_ones_are_none(self, cloud: Cloud) -> None:
        put_many(cloud, [{"orderId": f"id-{number}"} for number in range(230)])
        asked = [f"id-{number}" for number in reversed(range(230))] + ["no", "id-5"]
        found = get_orders(cloud, NAMES, asked)
        assert [order and order["orderId"] for order in found] == [*asked[:230], None, "id-5"]

    def test_what_dynamodb_left_over_is_read_again_after_a_pause(self, cloud: Cloud) -> None:
        for number in range(10):
            put(cloud, f"id-{number}")
        left = iter([8, 3, 0])

        def leave_some(parsed: dict[str, Any], **_: Any) -> None:
            items = parsed["Responses"][NAMES.table]
            keep = len(items) - min(next(left), len(items))
            keys = [{"FileName": item["FileName"]} for item in items[keep:]]
            del items[keep:]
            parsed["UnprocessedKeys"] = {NAMES.table: {"Keys": keys}} if keys else {}

        cloud.dynamodb.meta.events.register("after-call.dynamodb.BatchGetItem", leave_some)
        clock = TurnedClock()
        found = get_orders(cloud, NAMES, [f"id-{number}" for number in range(10)], Patience(clock))
        assert all(found)
        assert len(clock.slept) == 2

    def test_a_table_that_is_throttled_for_ever_is_told(self, cloud: Cloud) -> None:
        def leave_all(parsed: dict[str, Any], **_: Any) -> None:
            parsed["Responses"] = {}
            parsed["UnprocessedKeys"] = {NAMES.table: {"Keys": [{"FileName": {"S": "a"}}]}}

        cloud.dynamodb.meta.events.register("after-call.dynamodb.BatchGetItem", leave_all)
        clock = TurnedClock()
        with pytest.raises(WaitTimeoutError, match="DynamoDB, which throttles the table FileMetadata"):
            get_orders(cloud, NAMES, ["a"], Patience(clock))
        assert sum(clock.slept) == pytest.approx(60)

    @pytest.mark.parametrize("order_id", ["", "x" * 2049, "\udcff"])
    def test_what_cannot_be_an_id_is_told(self, cloud: Cloud, order_id: str) -> None:
        with pytest.raises(UsageError, match="is not an order id"):
            get_orders(cloud, NAMES, ["a", order_id])


class TestWithoutTable:
    @pytest.fixture(autouse=True)
    def no_table(self, cloud: Cloud) -> None:
        cloud.dynamodb.delete_table(TableName=NAMES.table)

    def test_each_command_says_that_there_is_none(self, cloud: Cloud) -> None:
        missing = "there is no orders' table FileMetadata here"
        with pytest.raises(StackNotFoundError, match=missing):
            list(list_orders(cloud, NAMES, OrderQuery()))
        with pytest.raises(StackNotFoundError, match=missing):
            list(list_orders(cloud, NAMES, OrderQuery(limit=5)))
        with pytest.raises(StackNotFoundError, match=missing):
            get_orders(cloud, NAMES, ["a"])
