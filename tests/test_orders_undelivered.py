"""Sending again what a subscriber did not take."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import Patience
from ordernotify.errors import StackNotFoundError
from ordernotify.function.notification import notification
from ordernotify.orders import undelivered
from ordernotify.orders.query import get_orders
from ordernotify.orders.redrive import Fate, Redriven
from ordernotify.orders.undelivered import UNKNOWN_ORDER, find_undelivered, send_undelivered
from tests.orders_fakes import NAMES, TurnedClock, mocked_cloud, put

ORDER = {"customerName": "Ada", "productName": "Lamp", "notification": "sent", "messageId": "m-1"}


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    monkeypatch.setattr(undelivered, "WAIT_SECONDS", 0)
    with mocked_cloud() as cloud:
        cloud.sns.create_topic(Name=NAMES.topic)
        cloud.sqs.create_queue(QueueName=NAMES.dead_letter_queue)
        yield cloud


@pytest.fixture
def inbox(cloud: Cloud) -> str:
    url = cloud.sqs.create_queue(QueueName="inbox")["QueueUrl"]
    topic, queue = cloud.arn("sns", NAMES.topic), cloud.arn("sqs", "inbox")
    cloud.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    return url


def letter_box(cloud: Cloud) -> str:
    return cloud.sqs.get_queue_url(QueueName=NAMES.dead_letter_queue)["QueueUrl"]


def bodies(cloud: Cloud, url: str) -> list[str]:
    found: list[str] = []
    while answer := cloud.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        found += [message["Body"] for message in answer]
    return found


def envelope(order_id: str) -> str:
    """What SNS puts into a queue without raw delivery; the message is the text for the protocol."""
    attributes = {"orderId": {"Type": "String", "Value": order_id}}
    return json.dumps({"Type": "Notification", "Message": "A new order", "MessageAttributes": attributes})


def put_letter(cloud: Cloud, body: str, **more: Any) -> None:
    cloud.sqs.send_message(QueueUrl=letter_box(cloud), MessageBody=body, **more)


def send(cloud: Cloud) -> list[Redriven]:
    return list(send_undelivered(cloud, [NAMES], patience=Patience(TurnedClock())))


def test_each_order_goes_out_once_more_as_the_handler_wrote_it(cloud: Cloud, inbox: str) -> None:
    put(cloud, "a", **ORDER)
    for _ in range(3):  # three subscribers did not take it
        put_letter(cloud, envelope("a"))
    assert send(cloud) == [Redriven("a", Fate.SENT)]
    (received,) = (json.loads(body) for body in bodies(cloud, inbox))
    (stored,) = get_orders(cloud, NAMES, ["a"])
    assert stored
    expected = notification(stored)
    assert received["Subject"] == expected["Subject"]
    assert json.loads(received["Message"]) == json.loads(json.loads(expected["Message"])["default"])
    assert bodies(cloud, letter_box(cloud)) == []
    assert stored["messageId"] == "m-1"


@pytest.mark.parametrize(
    ("body", "more"),
    [
        (envelope("a"), {}),
        (json.dumps({"orderId": "a"}), {}),
        (json.dumps({"Type": "Notification", "Message": json.dumps({"orderId": "a"})}), {}),
        ("plain", {"MessageAttributes": {"orderId": {"DataType": "String", "StringValue": "a"}}}),
    ],
    ids=["envelope", "raw order", "envelope without attributes", "raw with attributes"],
)
def test_the_order_is_known_in_every_form_of_a_letter(cloud: Cloud, body: str, more: dict[str, Any]) -> None:
    put(cloud, "a", **ORDER)
    put_letter(cloud, body, **more)
    assert send(cloud) == [Redriven("a", Fate.SENT)]


def test_a_letter_of_a_deleted_order_goes(cloud: Cloud, inbox: str) -> None:
    put_letter(cloud, envelope("gone"))
    assert send(cloud) == [Redriven("gone", Fate.GONE)]
    assert bodies(cloud, inbox) == []
    assert bodies(cloud, letter_box(cloud)) == []


@pytest.mark.parametrize("body", ["no json", "[]", "null", '{"Message": 5}', '{"MessageAttributes": []}'])
def test_a_letter_that_names_no_order_stays(cloud: Cloud, body: str) -> None:
    put_letter(cloud, body)
    (done,) = send(cloud)
    assert (done.order_id, done.fate) == (UNKNOWN_ORDER, Fate.FAILED)
    assert bodies(cloud, letter_box(cloud)) == [body]


def test_an_order_that_cannot_be_sent_keeps_its_letters_and_stops_no_other(cloud: Cloud) -> None:
    put(cloud, "a", **ORDER)
    put_letter(cloud, envelope("a"))
    cloud.sns.delete_topic(TopicArn=cloud.arn("sns", NAMES.topic))
    (done,) = send(cloud)
    assert done.fate is Fate.FAILED
    assert "topic" in done.reason
    assert bodies(cloud, letter_box(cloud)) == [envelope("a")]


def test_killed_after_the_publish_it_is_sent_again_by_the_next_run(cloud: Cloud, inbox: str) -> None:
    put(cloud, "a", **ORDER)
    put_letter(cloud, envelope("a"))

    class DiedError(Exception):
        pass

    def die(**_: object) -> None:
        raise DiedError

    cloud.sqs.meta.events.register("before-call.sqs.DeleteMessage", die)
    with pytest.raises(DiedError):
        send(cloud)
    cloud.sqs.meta.events.unregister("before-call.sqs.DeleteMessage", die)
    assert send(cloud) == [Redriven("a", Fate.SENT)]
    assert len(bodies(cloud, inbox)) == 2


def test_a_letter_of_what_was_sent_right_now_stays(cloud: Cloud) -> None:
    put(cloud, "a", **ORDER)
    put_letter(cloud, envelope("a"))

    def refuse(**_: object) -> None:
        put_letter(cloud, envelope("a"))

    cloud.sns.meta.events.register("after-call.sns.Publish", refuse)
    assert send(cloud) == [Redriven("a", Fate.SENT)]
    assert bodies(cloud, letter_box(cloud)) == [envelope("a")]


def test_letters_that_never_end_do_not_keep_the_first_ones_waiting(cloud: Cloud) -> None:
    clock = TurnedClock()
    put(cloud, "a", **ORDER)
    put_letter(cloud, envelope("a"))

    def go_on(**_: object) -> None:
        put_letter(cloud, envelope("a"))
        clock.sleep(1)

    cloud.sqs.meta.events.register("after-call.sqs.ReceiveMessage", go_on)
    assert list(send_undelivered(cloud, [NAMES], patience=Patience(clock))) == [Redriven("a", Fate.SENT)]
    assert len(clock.slept) == 30


def test_every_letter_that_was_looked_at_is_given_back(cloud: Cloud) -> None:
    for number in range(23):
        put_letter(cloud, envelope(str(number)))
    assert len(find_undelivered(cloud, [NAMES])) == 23
    assert len(bodies(cloud, letter_box(cloud))) == 23


def test_all_servers_of_sqs_are_asked() -> None:
    waits: list[int] = []
    with mocked_cloud() as cloud:
        cloud.sqs.create_queue(QueueName=NAMES.dead_letter_queue)
        cloud.sqs.meta.events.register(
            "provide-client-params.sqs.ReceiveMessage",
            lambda params, **_: waits.append(params["WaitTimeSeconds"]),
        )
        assert find_undelivered(cloud, [NAMES]) == []
    assert min(waits) > 0


def test_looking_changes_nothing(cloud: Cloud, inbox: str) -> None:
    put_letter(cloud, envelope("a"))
    put_letter(cloud, envelope("a"))
    put_letter(cloud, "no json")
    assert sorted(find_undelivered(cloud, [NAMES])) == [UNKNOWN_ORDER, "a"]
    assert len(bodies(cloud, letter_box(cloud))) == 3
    assert bodies(cloud, inbox) == []


def test_without_the_queue_the_option_is_named() -> None:
    with mocked_cloud() as cloud, pytest.raises(StackNotFoundError) as missing:
        send(cloud)
    assert "setup --dead-letters" in missing.value.hint
