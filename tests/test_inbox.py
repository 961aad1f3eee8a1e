"""The local inbox: who got which notification, as the filter policies decide."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from ordernotify.aws.session import Cloud
from ordernotify.aws.session import local_cloud as cloud_at
from ordernotify.errors import LocalCloudError, StackNotFoundError
from ordernotify.function import notification
from ordernotify.local.inbox import (
    Delivery,
    Filter,
    peek_at_queue,
    read_inbox,
)
from ordernotify.resources.filter_policy import Scope
from ordernotify.resources.subscriber import Subscriber
from ordernotify.settings.names import STACK_TAG, Names
from tests.provision_support import Account

NAMES = Names()
ORDER = {"orderId": "a1b2c3", "customerName": "Zoë", "productName": "Mouse", "quantity": 1}
EMAIL, PHONE = "you@example.com", "+14155550100"
READER = Subscriber("email", EMAIL, "arn:aws:sns:…", False, {}, Scope.ATTRIBUTES, False)


def envelope(order: Mapping[str, Any] = ORDER, time: str = "2026-03-01T12:00:00.000Z") -> dict[str, Any]:
    """Wrap an order as SNS sends it to a queue, made by the function's own code."""
    message = notification.notification(order)
    return {
        "Type": "Notification",
        "Subject": message["Subject"],
        "Message": json.loads(message["Message"])["default"],
        "Timestamp": time,
        "MessageAttributes": {
            name: {"Type": one["DataType"], "Value": one["StringValue"]}
            for name, one in message["MessageAttributes"].items()
        },
    }


@pytest.fixture
def stack(account: Account) -> None:
    """A topic with an email and an SMS subscriber, and the inbox's queue."""
    sns = account.client("sns")
    topic = sns.create_topic(Name=NAMES.topic, Tags=[{"Key": STACK_TAG, "Value": "default"}])["TopicArn"]
    account.client("sqs").create_queue(QueueName=NAMES.inbox_queue)
    for protocol, endpoint in (("email", EMAIL), ("sms", PHONE), ("https", "https://example.com/x")):
        sns.subscribe(TopicArn=topic, Protocol=protocol, Endpoint=endpoint)


def set_policy(account: Account, endpoint: str, policy: Any) -> None:
    sns = account.client("sns")
    found = sns.list_subscriptions()["Subscriptions"]
    arn = next(one["SubscriptionArn"] for one in found if one["Endpoint"] == endpoint)
    sns.set_subscription_attributes(
        SubscriptionArn=arn, AttributeName="FilterPolicy", AttributeValue=json.dumps(policy)
    )


@pytest.mark.usefixtures("stack")
def test_each_reader_gets_its_text_oldest_first(local_cloud: Cloud) -> None:
    second = {**ORDER, "orderId": "d4e5f6"}
    bodies = [json.dumps(envelope(second, "2026-03-01T13:00:00.000Z")), json.dumps(envelope())]
    first, later = notification.texts(ORDER), notification.texts(second)
    assert list(read_inbox(local_cloud, NAMES, peek=lambda _cloud, _url: bodies)) == [
        Delivery(EMAIL, "email", first["subject"], first["email"], "a1b2c3", "2026-03-01T12:00:00.000Z"),
        Delivery(PHONE, "sms", "", first["sms"], "a1b2c3", "2026-03-01T12:00:00.000Z"),
        Delivery(EMAIL, "email", later["subject"], later["email"], "d4e5f6", "2026-03-01T13:00:00.000Z"),
        Delivery(PHONE, "sms", "", later["sms"], "d4e5f6", "2026-03-01T13:00:00.000Z"),
    ]


@pytest.mark.usefixtures("stack")
def test_a_reader_sees_only_what_its_policy_lets_through(account: Account, local_cloud: Cloud) -> None:
    set_policy(account, EMAIL, {"orderId": [{"prefix": "d4"}]})
    bodies = [json.dumps(envelope({**ORDER, "orderId": order_id})) for order_id in ("a1b2c3", "d4e5f6")]
    got = read_inbox(local_cloud, NAMES, peek=lambda _cloud, _url: bodies)
    assert [(one.to, one.order_id) for one in got] == [
        (PHONE, "a1b2c3"),
        (EMAIL, "d4e5f6"),
        (PHONE, "d4e5f6"),
    ]


@pytest.mark.parametrize(
    ("policy", "passes"),
    [
        ({}, True),
        ({"eventType": ["order.received"]}, True),
        ({"eventType": ["order.shipped"]}, False),
        ({"eventType": [{"anything-but": "order.received"}]}, False),
        ({"orderId": [{"exists": True}], "customerName": [{"exists": False}]}, True),
    ],
)
def test_a_policy_on_attributes_decides(policy: dict[str, Any], passes: bool) -> None:
    told: list[str] = []
    assert Filter(replace(READER, filter_policy=policy), told.append).passes(envelope()) is passes
    assert told == []


def test_a_policy_on_the_body_lets_no_email_through_and_that_is_told_once() -> None:
    told: list[str] = []
    reader = Filter(replace(READER, filter_policy={"quantity": [1]}, scope=Scope.BODY), told.append)
    assert [reader.passes(envelope()), reader.passes(envelope())] == [False, False]
    assert told == [
        f"{EMAIL} has a filter policy on the body: it gets nothing, because its messages are no JSON"
    ]


def test_what_cannot_be_evaluated_is_shown_and_told_once() -> None:
    told: list[str] = []
    reader = Filter(replace(READER, filter_policy={"eventType": [{"sounds-like": "x"}]}), told.append)
    assert [reader.passes(envelope()), reader.passes(envelope())] == [True, True]
    assert told == [
        f"{EMAIL} has a filter policy that cannot be evaluated here "
        '(the rule {"sounds-like": "x"}): all is shown'
    ]


@pytest.mark.usefixtures("account")
def test_without_a_stack_there_is_no_inbox(local_cloud: Cloud) -> None:
    with pytest.raises(StackNotFoundError, match="there is no inbox file-upload-notification-inbox"):
        list(read_inbox(local_cloud, NAMES))


def test_a_cloud_that_does_not_answer_is_told() -> None:
    cloud = cloud_at("http://127.0.0.1:9")
    cloud._account = "000000000000"  # else STS would be asked
    with pytest.raises(LocalCloudError, match="did not show the inbox"):
        peek_at_queue(cloud, "http://127.0.0.1:9/000000000000/x")
