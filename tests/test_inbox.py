"""The local inbox: what each subscriber got, from its mailbox."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest

from ordernotify.aws.session import Cloud
from ordernotify.aws.session import local_cloud as cloud_at
from ordernotify.errors import LocalCloudError, StackNotFoundError
from ordernotify.function import notification
from ordernotify.local.inbox import Delivery, follow_inbox, peek_at_queue, read_inbox
from ordernotify.settings.names import Names
from tests.logs_fakes import FakeClock, TimeIsUpError
from tests.provision_support import Account
from tests.subscribers_support import EMAIL, RECEIVED, SHIPPED, TOPIC_ARN, add, remove, topic

__all__ = ["topic"]

NAMES = Names()
ORDER = {"orderId": "a1b2c3", "customerName": "Zoë", "productName": "Mouse", "quantity": 1}
PHONE = "+14155550100"
pytestmark = pytest.mark.usefixtures("topic")


def peek(cloud: Cloud, url: str) -> list[str]:
    """Read a queue in memory; a message stays hidden for no time, so that reading removes nothing."""
    answer = cloud.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return [message["Body"] for message in answer.get("Messages", [])]


def inbox(cloud: Cloud) -> list[tuple[str, str]]:
    return [(one.to, one.order_id or one.text) for one in read_inbox(cloud, NAMES, "default", peek)]


def publish(account: Account, order: Mapping[str, Any]) -> None:
    message = notification.notification(order)
    account.client("sns").publish(TopicArn=TOPIC_ARN, **message)


def test_each_reader_gets_its_text(account: Account, local_cloud: Cloud) -> None:
    add(local_cloud, EMAIL, PHONE)
    publish(account, ORDER)
    text = notification.texts(ORDER)
    [email, sms] = read_inbox(local_cloud, NAMES, "default", peek)
    assert (email.to, email.protocol, email.subject, email.text) == (
        EMAIL,
        "email",
        text["subject"],
        text["email"],
    )
    assert (sms.to, sms.protocol, sms.subject, sms.text) == (PHONE, "sms", "", text["sms"])
    assert email.order_id == sms.order_id == "a1b2c3"


def test_nobody_gets_what_came_before_and_nothing_is_lost_by_leaving(
    account: Account, local_cloud: Cloud
) -> None:
    add(local_cloud, EMAIL)
    publish(account, ORDER)
    add(local_cloud, PHONE)
    remove(local_cloud, EMAIL)
    publish(account, {**ORDER, "orderId": "d4e5f6"})
    assert inbox(local_cloud) == [(EMAIL, "a1b2c3"), (PHONE, "d4e5f6")]


def test_the_newest_of_each_mailbox_are_read_alone(local_cloud: Cloud) -> None:
    add(local_cloud, EMAIL, PHONE)
    bodies = [
        json.dumps({"Message": json.dumps({**ORDER, "orderId": str(n)}), "Timestamp": f"{n:05}"})
        for n in range(10_000)
    ]

    def many(_cloud: Cloud, _url: str) -> list[str]:
        return bodies

    found = read_inbox(local_cloud, NAMES, "default", many, newest=2)
    assert [(one.to, one.order_id) for one in found] == [
        (reader, order) for order in ("9998", "9999") for reader in (EMAIL, PHONE)
    ]
    assert len(read_inbox(local_cloud, NAMES, "default", many)) == 20_000


def test_the_policy_of_the_time_decides(account: Account, local_cloud: Cloud) -> None:
    add(local_cloud, EMAIL, filter_policy=SHIPPED)
    publish(account, ORDER)
    add(local_cloud, EMAIL, filter_policy=RECEIVED)
    publish(account, {**ORDER, "orderId": "second"})
    add(local_cloud, EMAIL, filter_policy={})
    publish(account, {**ORDER, "orderId": "third"})
    assert sorted(inbox(local_cloud)) == [(EMAIL, "second"), (EMAIL, "third")]


@pytest.mark.parametrize("message", ["hi", "[1]", '{"orderId": 5}', '{"orderId": "x"}', "{"])
def test_a_message_that_is_no_order_is_shown_as_it_is(
    account: Account, local_cloud: Cloud, message: str
) -> None:
    add(local_cloud, EMAIL)
    account.client("sns").publish(TopicArn=TOPIC_ARN, Message=message)
    publish(account, ORDER)
    assert sorted(inbox(local_cloud)) == sorted([(EMAIL, message), (EMAIL, "a1b2c3")])


def test_following_shows_each_delivery_once_and_not_what_is_skipped() -> None:
    old, first, second = (Delivery(EMAIL, "email", "", "", "", "", str(n)) for n in range(3))
    answers = iter([[old, first], [old, first], [old, first, second]])
    following = follow_inbox(lambda: next(answers), FakeClock(until=2.5), [old])
    shown: list[str] = []
    with suppress(TimeIsUpError):
        for one in following:
            shown.append(one.message_id)
    assert shown == ["1", "2"]


def test_there_is_no_mailbox_in_an_account(account: Account, cloud: Cloud) -> None:
    add(cloud, EMAIL)
    assert account.client("sqs").list_queues().get("QueueUrls", []) == []


def test_without_a_stack_there_is_no_inbox(account: Account, local_cloud: Cloud) -> None:
    account.client("sns").delete_topic(TopicArn=TOPIC_ARN)
    with pytest.raises(StackNotFoundError, match="there is no topic file-upload-notification here"):
        read_inbox(local_cloud, NAMES, "default", peek)


def test_a_cloud_that_does_not_answer_is_told() -> None:
    cloud = cloud_at("http://127.0.0.1:9")
    cloud._account = "000000000000"  # else STS would be asked
    with pytest.raises(LocalCloudError, match="did not show the inbox"):
        peek_at_queue(cloud, "http://127.0.0.1:9/000000000000/x")


def test_what_another_program_put_into_a_mailbox_is_shown_as_it_is(
    account: Account, local_cloud: Cloud
) -> None:
    add(local_cloud, EMAIL)
    sqs = account.client("sqs")
    sqs.send_message(QueueUrl=sqs.list_queues()["QueueUrls"][0], MessageBody="no envelope")
    assert inbox(local_cloud) == [(EMAIL, "no envelope")]
