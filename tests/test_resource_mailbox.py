"""The mailboxes of the local target, and the queue that version 0.1.0 had in their place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.executor import Action
from ordernotify.resources.base import Resource
from ordernotify.resources.mailbox import Mailboxes
from ordernotify.resources.queue import OldInbox
from ordernotify.resources.subscriptions import Subscriptions
from ordernotify.resources.topic import Topic
from ordernotify.settings.model import Settings
from ordernotify.settings.names import STACK_TAG
from ordernotify.subscribers.topic import list_subscribers
from tests.provision_support import (
    ACCOUNT_ID,
    Account,
    assert_deleted_twice,
    assert_settled,
    bring_about,
    changes_planned,
    only,
    planned_actions,
    step,
)
from tests.subscribers_support import EMAIL, RECEIVED, TOPIC_ARN, add

PHONE = "+14155550100"
OLD_INBOX = "file-upload-notification-inbox"
OLD_INBOX_ARN = f"arn:aws:sqs:us-east-1:{ACCOUNT_ID}:{OLD_INBOX}"


def stack(cloud: Cloud, *emails: str, phones: tuple[str, ...] = ()) -> list[Resource[Any]]:
    settings = Settings(emails=emails, phones=phones)
    kinds = (Topic, Subscriptions, Mailboxes, OldInbox)
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
            (f"{OLD_INBOX}-notes", {STACK_TAG: "default", "ordernotify:reader": f"email {EMAIL}"}),
            (f"{OLD_INBOX}-0123456789ab", {STACK_TAG: "other", "ordernotify:reader": f"email {EMAIL}"}),
            (f"{OLD_INBOX}-ba9876543210", {STACK_TAG: "default"}),
        )
    ]
    resources = stack(local_cloud)
    list(provision.apply(resources, provision.plan_teardown(resources, delete_orders=False)))
    assert sorted(queues(account)) == sorted(kept)


def leave_old_inbox(account: Account, owner: str = "default") -> None:
    """Make the queue and its subscription as version 0.1.0 did."""
    account.client("sqs").create_queue(QueueName=OLD_INBOX, tags={STACK_TAG: owner})
    account.client("sns").subscribe(TopicArn=TOPIC_ARN, Protocol="sqs", Endpoint=OLD_INBOX_ARN)


def test_setup_puts_mailboxes_in_the_place_of_the_old_inbox(account: Account, local_cloud: Cloud) -> None:
    bring_about(stack(local_cloud)[:1])
    account.client("sns").subscribe(TopicArn=TOPIC_ARN, Protocol="email", Endpoint=EMAIL)
    leave_old_inbox(account)
    assert planned_actions(bring_about(stack(local_cloud))) == {
        "inbox": Action.UPDATE,
        "queue": Action.DELETE,
    }
    assert [read(account, url) for url in queues(account)] == [as_described(f"email {EMAIL}")]
    assert ("sqs", OLD_INBOX_ARN) not in sent_to(account)
    assert_settled(account, stack(local_cloud))


def test_teardown_removes_the_old_inbox(account: Account, local_cloud: Cloud) -> None:
    bring_about(stack(local_cloud))
    leave_old_inbox(account)
    resources = stack(local_cloud)
    list(provision.apply(resources, provision.plan_teardown(resources, delete_orders=False)))
    assert (queues(account), sent_to(account)) == ([], [])


def test_the_old_inbox_can_be_deleted_twice(account: Account, local_cloud: Cloud) -> None:
    bring_about(stack(local_cloud))
    leave_old_inbox(account)
    assert_deleted_twice(only(stack(local_cloud), "queue"))
    assert sent_to(account) == []


def test_the_old_inbox_of_another_stack_stays(account: Account, local_cloud: Cloud) -> None:
    bring_about(stack(local_cloud))
    leave_old_inbox(account, owner="other")
    assert planned_actions(bring_about(stack(local_cloud))) == {}
    assert len(queues(account)) == 1


def test_the_old_inbox_is_nobody_who_is_listed(account: Account, local_cloud: Cloud) -> None:
    bring_about(stack(local_cloud))
    leave_old_inbox(account)
    assert list(list_subscribers(local_cloud, Settings().names, "default")) == []
