"""Sending pending notifications: all of them, exactly as the handler would, whatever happens on the way."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import Patience
from ordernotify.errors import StackNotFoundError
from ordernotify.function import notification
from ordernotify.orders.query import get_orders
from ordernotify.orders.redrive import Fate, Redriven, find_pending, redrive
from tests.orders_fakes import NAMES, TurnedClock, mocked_cloud, put, put_many

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
OLD = "2026-03-01T11:00:00.000Z"


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with mocked_cloud() as cloud:
        cloud.sns.create_topic(Name=NAMES.topic)
        yield cloud


@pytest.fixture
def inbox(cloud: Cloud) -> str:
    url = cloud.sqs.create_queue(QueueName="inbox")["QueueUrl"]
    cloud.sns.subscribe(
        TopicArn=cloud.arn("sns", NAMES.topic), Protocol="sqs", Endpoint=cloud.arn("sqs", "inbox")
    )
    return url


def pending(cloud: Cloud, *order_ids: str) -> None:
    put_many(cloud, [{"orderId": order_id, **ORDER} for order_id in order_ids])


ORDER = {
    "customerName": "Jürgen",
    "productName": "Lamp",
    "quantity": Decimal(2),
    "price": Decimal("0.10"),
    "createdAt": OLD,
    "notification": "pending",
    "requestHash": "abc",
}


def messages(cloud: Cloud, url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while answer := cloud.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        found += [json.loads(message["Body"]) for message in answer]
    return found


def state(cloud: Cloud, order_id: str) -> tuple[str, bool]:
    (order,) = get_orders(cloud, NAMES, [order_id])
    assert order
    return order["notification"], "messageId" in order


class TestFinding:
    def test_pending_orders_of_the_age_are_found(self, cloud: Cloud) -> None:
        put(cloud, "old", notification="pending", createdAt="2026-03-01T11:58:59.999Z")
        put(cloud, "young", notification="pending", createdAt="2026-03-01T11:59:00.001Z")
        put(cloud, "sent", notification="sent", createdAt=OLD)
        put(cloud, "timeless", notification="pending")
        put(cloud, "foreign")
        found = find_pending(cloud, NAMES, timedelta(minutes=1), now=NOW)
        assert sorted(order["orderId"] for order in found) == ["old", "timeless"]

    def test_no_age_finds_all_and_an_endless_one_none(self, cloud: Cloud) -> None:
        pending(cloud, "a")
        assert len(list(find_pending(cloud, NAMES, timedelta(), now=NOW))) == 1
        assert len(list(find_pending(cloud, NAMES, timedelta.max, now=NOW))) == 0

    def test_the_sequence_differs_so_that_two_redrives_seldom_meet(self, cloud: Cloud) -> None:
        pending(cloud, *(f"id-{number}" for number in range(50)))
        one, other = ([order["orderId"] for order in find_pending(cloud, NAMES, now=NOW)] for _ in range(2))
        assert sorted(one) == sorted(other)
        assert one != other

    def test_the_reading_is_consistent(self, cloud: Cloud) -> None:
        asked: list[bool] = []

        def look(params: Mapping[str, Any], **_: Any) -> None:
            asked.append(params["ConsistentRead"])

        cloud.dynamodb.meta.events.register("provide-client-params.dynamodb.Scan", look)
        list(find_pending(cloud, NAMES))
        assert asked == [True]

    def test_a_missing_table_is_told(self, cloud: Cloud) -> None:
        cloud.dynamodb.delete_table(TableName=NAMES.table)
        with pytest.raises(StackNotFoundError, match="there is no orders' table FileMetadata"):
            list(redrive(cloud, NAMES))


class TestSending:
    def test_every_pending_notification_goes_out_and_is_marked(self, cloud: Cloud, inbox: str) -> None:
        ids = [f"id-{number}" for number in range(60)]
        pending(cloud, *ids)
        done = list(redrive(cloud, NAMES, now=NOW, concurrency=4))
        assert sorted(done, key=lambda one: one.order_id) == [Redriven(i, Fate.SENT) for i in sorted(ids)]
        assert {state(cloud, order_id) for order_id in ids} == {("sent", True)}
        sent = Counter(json.loads(message["Message"])["orderId"] for message in messages(cloud, inbox))
        assert sent == Counter(ids)
        assert list(redrive(cloud, NAMES, now=NOW)) == []

    def test_what_is_published_is_what_the_handler_publishes(self, cloud: Cloud) -> None:
        pending(cloud, "a")
        published: list[dict[str, Any]] = []

        def look(params: dict[str, Any], **_: Any) -> None:
            published.append(dict(params))

        cloud.sns.meta.events.register("provide-client-params.sns.Publish", look)
        list(redrive(cloud, NAMES, now=NOW))
        of_handler = notification.notification({"orderId": "a", **ORDER, "quantity": 2})
        assert published == [{"TopicArn": cloud.arn("sns", NAMES.topic), **of_handler}]

    def test_the_message_id_is_kept_with_the_order(self, cloud: Cloud, inbox: str) -> None:
        pending(cloud, "a")
        list(redrive(cloud, NAMES, now=NOW))
        (order,) = get_orders(cloud, NAMES, ["a"])
        (message,) = messages(cloud, inbox)
        assert order
        assert order["messageId"] == message["MessageId"]

    def test_an_order_that_was_sent_meanwhile_is_not_sent_again(self, cloud: Cloud, inbox: str) -> None:
        pending(cloud, "a")
        found = find_pending(cloud, NAMES, now=NOW)
        assert [order["orderId"] for order in found] == ["a"]

        def sent_meanwhile(**_: Any) -> None:
            put(cloud, "a", **{**ORDER, "notification": "sent", "messageId": "other"})

        cloud.dynamodb.meta.events.register_first("before-call.dynamodb.GetItem", sent_meanwhile)
        assert list(redrive(cloud, NAMES, now=NOW)) == [Redriven("a", Fate.GONE)]
        assert messages(cloud, inbox) == []

    def test_an_order_that_is_deleted_while_it_is_sent_does_not_come_back(self, cloud: Cloud) -> None:
        pending(cloud, "a")

        def deleted_meanwhile(**_: Any) -> None:
            cloud.dynamodb.delete_item(TableName=NAMES.table, Key={"FileName": {"S": "a"}})

        cloud.sns.meta.events.register("before-call.sns.Publish", deleted_meanwhile)
        assert list(redrive(cloud, NAMES, now=NOW)) == [Redriven("a", Fate.SENT)]
        assert get_orders(cloud, NAMES, ["a"]) == [None]

    def test_a_redrive_that_dies_after_publishing_is_made_good_by_the_next(
        self, cloud: Cloud, inbox: str
    ) -> None:
        pending(cloud, "a")

        def die(**_: Any) -> None:
            raise KeyboardInterrupt

        cloud.dynamodb.meta.events.register("before-call.dynamodb.UpdateItem", die)
        with pytest.raises(KeyboardInterrupt):
            list(redrive(cloud, NAMES, now=NOW))
        cloud.dynamodb.meta.events.unregister("before-call.dynamodb.UpdateItem", die)
        assert state(cloud, "a") == ("pending", False)
        assert list(redrive(cloud, NAMES, now=NOW)) == [Redriven("a", Fate.SENT)]
        assert len(messages(cloud, inbox)) == 2

    def test_two_at_once_leave_nothing_pending_and_miss_nothing(self, cloud: Cloud) -> None:
        told: Counter[str] = Counter()
        cloud.sns.meta.events.register(
            "provide-client-params.sns.Publish",
            lambda params, **_: told.update([params["MessageAttributes"]["orderId"]["StringValue"]]),
        )
        ids = [f"id-{number}" for number in range(200)]
        pending(cloud, *ids)
        results: list[list[Redriven]] = []

        def run() -> None:
            results.append(list(redrive(cloud, NAMES, now=NOW, concurrency=4)))

        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        outcomes = Counter(one.fate for result in results for one in result)
        assert outcomes[Fate.FAILED] == 0
        assert list(find_pending(cloud, NAMES, now=NOW)) == []
        assert sorted(told) == sorted(ids)
        assert max(told.values()) <= 2
        assert told.total() == outcomes[Fate.SENT]


def refused(code: str, text: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": text}}, "Publish")


class TestFailing:
    def test_a_refused_publish_is_told_and_the_order_stays_pending(self, cloud: Cloud) -> None:
        pending(cloud, "a", "b")

        def refuse(params: dict[str, Any], **_: Any) -> None:
            if params["MessageAttributes"]["orderId"]["StringValue"] == "b":
                raise refused("InvalidParameter", "Invalid parameter: Subject")

        cloud.sns.meta.events.register("provide-client-params.sns.Publish", refuse)
        done = {one.order_id: one for one in redrive(cloud, NAMES, now=NOW)}
        what = "could not publish to the topic file-upload-notification"
        reason = f"{what}: Invalid parameter: Subject (InvalidParameter)"
        assert done == {"a": Redriven("a", Fate.SENT), "b": Redriven("b", Fate.FAILED, reason)}
        assert (state(cloud, "a"), state(cloud, "b")) == (("sent", True), ("pending", False))

    @pytest.mark.parametrize("code", ["Throttling", "Throttled", "ThrottledException"])
    def test_throttling_is_waited_for(self, cloud: Cloud, code: str) -> None:
        pending(cloud, "a")
        answers = iter([True, True, False])

        def throttle(**_: Any) -> None:
            if next(answers):
                raise refused(code, "Rate exceeded")

        cloud.sns.meta.events.register("provide-client-params.sns.Publish", throttle)
        clock = TurnedClock()
        done = list(redrive(cloud, NAMES, now=NOW, patience=Patience(clock)))
        assert done == [Redriven("a", Fate.SENT)]
        assert clock.slept == [1.0, 1.0]

    def test_throttling_that_does_not_end_is_a_failure(self, cloud: Cloud) -> None:
        pending(cloud, "a")

        def throttle(**_: Any) -> None:
            raise refused("Throttling", "Rate exceeded")

        cloud.sns.meta.events.register("provide-client-params.sns.Publish", throttle)
        clock = TurnedClock()
        (done,) = redrive(cloud, NAMES, now=NOW, patience=Patience(clock))
        assert (done.fate, done.reason) == (
            Fate.FAILED,
            "waited 60 s for AWS to take more calls: Rate exceeded",
        )

    def test_an_order_whose_message_cannot_be_built_does_not_keep_the_others(
        self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pending(cloud, "a", "b")

        def build(order: Mapping[str, Any]) -> Mapping[str, Any]:
            if order["orderId"] == "b":
                raise KeyError("nothing")
            return notification.notification(order)

        monkeypatch.setattr("ordernotify.orders.redrive.notification", build)
        done = {one.order_id: one for one in redrive(cloud, NAMES, now=NOW)}
        assert done["a"] == Redriven("a", Fate.SENT)
        assert done["b"].reason == "its message could not be built: KeyError('nothing')"
