"""The mailboxes of the local target."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.resources.base import Resource
from ordernotify.resources.mailbox import Mailboxes
from ordernotify.resources.subscriptions import Subscriptions
from ordernotify.resources.topic import Topic
from ordernotify.settings.model import Settings
from ordernotify.settings.names import STACK_TAG
from ordernotify.subscribers.topic import list_subscribers
from tests.provision_support import (
    Account,
    assert_deleted_twice,
    assert_settled,
    bring_about,
    changes_planned,
    only,
    step,
)
from tests.subscribers_support import EMAIL, RECEIVED, TOPIC_ARN, add

PHONE = "+14155550100"
PREFIX = "file-upload-notification-inbox"


def stack(cloud: Cloud, *emails: str, phones: tuple[str, ...] = ()) -> list[Resource[Any]]:
    settings = Settings(emails=emails, phones=phones)
    kinds = (Topic, Subscriptions, Mailboxes)
    return [kind(settings, cloud) for kind in kinds]


def queues(account: Account) -> list[str]:
    return list(account.client("sqs").list_queues().get("QueueUrls", []))


def sent_to(account: Account) -> list[tuple[str, str]]:
    found = account.client("sns").list_subscriptions()["Subscriptions"]
    return sorted((one["Protocol"], one["Endpoint"]) for one in found)


def read(account: Account, url: str) -> dict[str, Any]:
    sqs = account.client("sqs")
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return {
        "allowed": [
            (one["Principal"], one["Action"], one["Condition"])
            for one in json.loads(attributes["Policy"])["Statement"]
        ],
        "retention": attributes["MessageRetentionPeriod"],
        "tags": sqs.list_queue_tags(QueueUrl=url)["Tags"],
        "subscribed": ("sqs", attributes["QueueArn"]) in sent_to(account),
    }


def as_described(reader: str) -> dict[str, Any]:
    only_this_topic = {"ArnEquals": {"aws:SourceArn": TOPIC_ARN}}
    return {
        "allowed": [({"Service": "sns.amazonaws.com"}, "sqs:SendMessage", only_this_topic)],
        "retention": str(14 * 24 * 3600),
        "tags": {"ordernotify:stack": "default", "ordernotify:reader": reader},
        "subscribed": True,
    }


def test_each_reader_gets_a_queue_that_takes_messages_of_the_topic_alone(
    account: Account, local_cloud: Cloud
) -> None:
    bring_about(stack(local_cloud, EMAIL, phones=(PHONE,)))
    found = [read(account, url) for url in queues(account)]
    assert sorted(found, key=str) == sorted(
        [as_described(f"email {EMAIL}"), as_described(f"sms {PHONE}")], key=str
    )


def test_there_is_no_mailbox_in_an_account(account: Account, cloud: Cloud) -> None:
    bring_about(stack(cloud, EMAIL))
    assert queues(account) == []
    assert only(stack(cloud, EMAIL), "inbox").find() is None


@pytest.mark.parametrize("emails", [(), (EMAIL,)])
def test_mailboxes_as_described_are_left_alone(
    account: Account, local_cloud: Cloud, emails: tuple[str, ...]
) -> None:
    bring_about(stack(local_cloud, *emails))
    assert_settled(account, stack(local_cloud, *emails))
    assert_settled(account, stack(local_cloud))


def test_a_mailbox_that_gets_nothing_any_more_is_subscribed_again(
    account: Account, local_cloud: Cloud
) -> None:
    bring_about(stack(local_cloud, EMAIL))
    [arn] = [
        one["SubscriptionArn"]
        for one in account.client("sns").list_subscriptions()["Subscriptions"]
        if one["Protocol"] == "sqs"
    ]
    account.client("sns").unsubscribe(SubscriptionArn=arn)
    assert changes_planned(stack(local_cloud), "inbox") == {f"email {EMAIL}": (None, True)}
    bring_about(stack(local_cloud))
    assert read(account, queues(account)[0]) == as_described(f"email {EMAIL}")


def test_a_mailbox_that_disappeared_is_made_again(account: Account, local_cloud: Cloud) -> None:
    bring_about(stack(local_cloud, EMAIL))
    account.client("sqs").delete_queue(QueueUrl=queues(account)[0])
    assert changes_planned(stack(local_cloud), "inbox") == {f"email {EMAIL}": (None, True)}
    bring_about(stack(local_cloud))
    assert read(account, queues(account)[0]) == as_described(f"email {EMAIL}")
    assert_settled(account, stack(local_cloud))


def test_a_new_mailbox_takes_over_the_filter_policy_of_its_reader(
    account: Account, local_cloud: Cloud
) -> None:
    bring_about(stack(local_cloud))
    add(local_cloud, EMAIL, filter_policy=RECEIVED)
    account.client("sqs").delete_queue(QueueUrl=queues(account)[0])
    bring_about(stack(local_cloud))
    everybody = list_subscribers(local_cloud, Settings().names, "default", everything=True)
    assert [one.filter_policy for one in everybody] == [RECEIVED, RECEIVED]


def test_mailboxes_can_be_deleted_twice(account: Account, local_cloud: Cloud) -> None:
    bring_about(stack(local_cloud, EMAIL, phones=(PHONE,)))
    mailboxes = only(stack(local_cloud), "inbox")
    live = mailboxes.find()
    assert live is not None
    for _ in range(2):
        mailboxes.delete(live, step())
        assert queues(account) == []
        assert sent_to(account) == [("email", EMAIL), ("sms", PHONE)]


def test_mailboxes_are_found_and_removed_without_their_topic(account: Account, local_cloud: Cloud) -> None:
    bring_about(stack(local_cloud, EMAIL))
    account.client("sns").delete_topic(TopicArn=TOPIC_ARN)
    assert_deleted_twice(only(stack(local_cloud), "inbox"))
    assert queues(account) == []


def test_queues_of_others_stay(account: Account, local_cloud: Cloud) -> None:
    bring_about(stack(local_cloud, EMAIL))
    kept = [
        account.client("sqs").create_queue(QueueName=name, tags=tags)["QueueUrl"]
        for name, tags in (
            (f"{PREFIX}-notes", {STACK_TAG: "default", "ordernotify:reader": f"email {EMAIL}"}),
            (f"{PREFIX}-0123456789ab", {STACK_TAG: "other", "ordernotify:reader": f"email {EMAIL}"}),
            (f"{PREFIX}-ba9876543210", {STACK_TAG: "default"}),
        )
    ]
    resources = stack(local_cloud)
    list(provision.apply(resources, provision.plan_teardown(resources, delete_orders=False)))
    assert sorted(queues(account)) == sorted(kept)
