from __future__ import annotations

import json
from typing import Any

import pytest

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.errors import NotOursError
from ordernotify.resources.base import Resource
from ordernotify.resources.queue import InboxQueue, VerifyQueues
from ordernotify.resources.topic import Topic
from ordernotify.settings.model import Settings
from ordernotify.settings.names import STACK_TAG
from tests.provision_support import (
    ACCOUNT_ID,
    Account,
    assert_deleted_twice,
    assert_made_again,
    assert_settled,
    bring_about,
    changes_planned,
    step,
)

NAME = "file-upload-notification-inbox"
ARN = f"arn:aws:sqs:us-east-1:{ACCOUNT_ID}:{NAME}"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT_ID}:file-upload-notification"
FOURTEEN_DAYS = str(14 * 24 * 3600)


def inbox(cloud: Cloud) -> list[Resource[Any]]:
    return [Topic(Settings(), cloud), InboxQueue(Settings(), cloud)]


def url(account: Account) -> str:
    return str(account.client("sqs").get_queue_url(QueueName=NAME)["QueueUrl"])


def read(account: Account) -> dict[str, Any]:
    sqs, queue = account.client("sqs"), url(account)
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    return {
        "policy": json.loads(attributes["Policy"]),
        "retention": attributes["MessageRetentionPeriod"],
        "tags": sqs.list_queue_tags(QueueUrl=queue)["Tags"],
        "subscribed to": [s["TopicArn"] for s in subscriptions(account) if s["Endpoint"] == ARN],
    }


def subscriptions(account: Account) -> list[dict[str, str]]:
    return list(account.client("sns").list_subscriptions()["Subscriptions"])


AS_DESCRIBED = {
    "policy": {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "TopicSends",
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": ARN,
                "Condition": {"ArnEquals": {"aws:SourceArn": TOPIC}},
            }
        ],
    },
    "retention": FOURTEEN_DAYS,
    "tags": {"ordernotify:stack": "default"},
    "subscribed to": [TOPIC],
}


def test_a_new_inbox_takes_messages_of_the_topic_alone(account: Account, local_cloud: Cloud) -> None:
    bring_about(inbox(local_cloud))
    assert read(account) == AS_DESCRIBED


def test_there_is_no_inbox_in_an_account(account: Account, cloud: Cloud) -> None:
    bring_about(inbox(cloud))
    assert account.client("sqs").list_queues().get("QueueUrls", []) == []


def test_an_inbox_as_described_is_left_alone(account: Account, local_cloud: Cloud) -> None:
    bring_about(inbox(local_cloud))
    assert_settled(account, inbox(local_cloud))


@pytest.mark.parametrize(
    ("attribute", "theirs", "value"),
    [
        ("policy", "Policy", json.dumps({"Version": "2012-10-17", "Statement": []})),
        ("retention", "MessageRetentionPeriod", "60"),
    ],
)
def test_a_changed_attribute_is_put_back(
    account: Account, local_cloud: Cloud, attribute: str, theirs: str, value: str
) -> None:
    bring_about(inbox(local_cloud))
    # moto forgets the policy when it is not given again
    given = {"Policy": json.dumps(AS_DESCRIBED["policy"]), theirs: value}
    account.client("sqs").set_queue_attributes(QueueUrl=url(account), Attributes=given)
    assert set(changes_planned(inbox(local_cloud), "queue")) == {attribute}
    bring_about(inbox(local_cloud))
    assert read(account) == AS_DESCRIBED


def test_an_inbox_that_was_unsubscribed_is_subscribed_again(account: Account, local_cloud: Cloud) -> None:
    bring_about(inbox(local_cloud))
    account.client("sns").unsubscribe(SubscriptionArn=subscriptions(account)[0]["SubscriptionArn"])
    assert changes_planned(inbox(local_cloud), "queue") == {"subscribed": (False, True)}
    bring_about(inbox(local_cloud))
    assert read(account) == AS_DESCRIBED


def test_a_queue_of_somebody_else_stops_the_plan(account: Account, local_cloud: Cloud) -> None:
    account.client("sqs").create_queue(QueueName=NAME)
    with pytest.raises(NotOursError):
        provision.plan(inbox(local_cloud))
    assert account.changing_calls == []


def test_an_inbox_that_disappeared_is_made_again(account: Account, local_cloud: Cloud) -> None:
    bring_about(inbox(local_cloud))
    account.client("sqs").delete_queue(QueueUrl=url(account))
    assert_made_again(account, inbox(local_cloud), "queue")
    assert read(account) == AS_DESCRIBED


def test_an_inbox_can_be_deleted_twice(account: Account, local_cloud: Cloud) -> None:
    bring_about(inbox(local_cloud))
    assert_deleted_twice(inbox(local_cloud)[1])
    assert subscriptions(account) == []


def leave_behind(account: Account, name: str, stack: str = "default") -> str:
    made = account.client("sqs").create_queue(QueueName=name, tags={STACK_TAG: stack})
    return str(made["QueueUrl"])


def test_what_a_killed_verify_left_is_found_and_removed(account: Account, cloud: Cloud) -> None:
    leave_behind(account, "file-upload-notification-verify-0a1b2c3d")
    leave_behind(account, "file-upload-notification-verify-4e5f6071")
    kept = [
        leave_behind(account, "file-upload-notification-verify-inbox", stack="verify"),
        leave_behind(account, "file-upload-notification-verify-99999999", stack="other"),
        leave_behind(account, "file-upload-notification-verify-notes"),
    ]
    assert_deleted_twice(VerifyQueues(Settings(), cloud))
    assert sorted(account.client("sqs").list_queues()["QueueUrls"]) == sorted(kept)


def test_without_a_killed_verify_nothing_is_found(cloud: Cloud) -> None:
    assert VerifyQueues(Settings(), cloud).find() is None


def test_setup_leaves_the_queue_of_a_running_verify_alone(account: Account, cloud: Cloud) -> None:
    running = leave_behind(account, "file-upload-notification-verify-0a1b2c3d")
    assert_settled(account, [VerifyQueues(Settings(), cloud)])
    assert account.client("sqs").list_queues()["QueueUrls"] == [running]


def test_a_queue_that_is_gone_by_now_is_no_error(account: Account, cloud: Cloud) -> None:
    queues = VerifyQueues(Settings(), cloud)
    left = leave_behind(account, "file-upload-notification-verify-0a1b2c3d")
    live = queues.find()
    assert live is not None
    account.client("sqs").delete_queue(QueueUrl=left)
    queues.delete(live, step())
