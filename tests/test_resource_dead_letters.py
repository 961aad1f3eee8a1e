from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.executor import Action, ApplyError, Item, Plan, Progress
from ordernotify.settings.model import Settings
from tests.provision_support import (
    ACCOUNT_ID,
    Account,
    ManualClock,
    assert_deleted_twice,
    assert_made_again,
    assert_settled,
    changes_planned,
    only,
    planned_actions,
    refuse,
    set_up,
    tear_down,
)

NAME = "file-upload-notification-undelivered"
ARN = f"arn:aws:sqs:us-east-1:{ACCOUNT_ID}:{NAME}"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT_ID}:file-upload-notification"
KEPT = Settings(dead_letters=True, emails=("you@example.com",), alarm_emails=("ops@example.com",))
LOST = Settings(emails=("you@example.com",), alarm_emails=("ops@example.com",))


def declared(cloud: Cloud, settings: Settings = KEPT) -> tuple[Any, ...]:
    return provision.declare(settings, cloud)


def queue(account: Account) -> dict[str, Any] | None:
    sqs = account.client("sqs")
    if NAME not in {url.rpartition("/")[2] for url in sqs.list_queues().get("QueueUrls", ())}:
        return None
    url = sqs.get_queue_url(QueueName=NAME)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    (statement,) = json.loads(attributes["Policy"])["Statement"]
    return {
        "retention": attributes["MessageRetentionPeriod"],
        "encrypted": attributes["SqsManagedSseEnabled"],
        "who": statement["Principal"],
        "which": statement["Condition"],
        "tags": sqs.list_queue_tags(QueueUrl=url)["Tags"],
    }


def subscription(account: Account, endpoint: str) -> str:
    listed = account.client("sns").list_subscriptions()["Subscriptions"]
    return str(next(one["SubscriptionArn"] for one in listed if one["Endpoint"] == endpoint))


def dead_letters_of(account: Account, endpoint: str) -> str | None:
    arn = subscription(account, endpoint)
    attributes = account.client("sns").get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    found: str | None = json.loads(attributes.get("RedrivePolicy") or "{}").get("deadLetterTargetArn")
    return found


def alarm_names(account: Account) -> set[str]:
    return {alarm["AlarmName"] for alarm in account.client("cloudwatch").describe_alarms()["MetricAlarms"]}


def test_what_is_not_taken_goes_to_an_encrypted_queue_of_the_topics_alone(
    account: Account, cloud: Cloud
) -> None:
    set_up(KEPT, cloud)
    assert queue(account) == {
        "retention": str(14 * 24 * 3600),
        "encrypted": "true",
        "who": {"Service": "sns.amazonaws.com"},
        "which": {"ArnEquals": {"aws:SourceArn": TOPIC}},
        "tags": {"ordernotify:stack": "default"},
    }
    assert dead_letters_of(account, "you@example.com") == ARN
    assert dead_letters_of(account, "ops@example.com") is None
    assert "processFileUpload-undelivered" in alarm_names(account)
    assert_settled(account, declared(cloud))


def test_a_new_subscriber_has_dead_letters_before_it_confirms(account: Account, cloud: Cloud) -> None:
    set_up(KEPT, cloud)
    given = [call.params["Attributes"] for call in account.calls if call.operation == "Subscribe"]
    assert {"RedrivePolicy": json.dumps({"deadLetterTargetArn": ARN})} in given
    assert "SetSubscriptionAttributes" not in {call.operation for call in account.calls}


def test_without_the_option_nothing_is_kept(account: Account, cloud: Cloud) -> None:
    set_up(LOST, cloud)
    assert queue(account) is None
    assert dead_letters_of(account, "you@example.com") is None
    assert "processFileUpload-undelivered" not in alarm_names(account)


def test_subscribers_of_before_get_them_too(account: Account, cloud: Cloud) -> None:
    set_up(LOST, cloud)
    set_up(KEPT, cloud)
    assert dead_letters_of(account, "you@example.com") == ARN
    assert_settled(account, declared(cloud))


def test_a_subscriber_without_dead_letters_is_told_and_mended(account: Account, cloud: Cloud) -> None:
    set_up(KEPT, cloud)
    account.client("sns").set_subscription_attributes(
        SubscriptionArn=subscription(account, "you@example.com"),
        AttributeName="RedrivePolicy",
        AttributeValue="{}",
    )
    assert changes_planned(declared(cloud), "redrive") == {"without dead letters": (("you@example.com",), ())}
    set_up(KEPT, cloud)
    assert dead_letters_of(account, "you@example.com") == ARN


def test_a_queue_that_was_changed_by_hand_is_put_back(account: Account, cloud: Cloud) -> None:
    set_up(KEPT, cloud)
    sqs = account.client("sqs")
    url = sqs.get_queue_url(QueueName=NAME)["QueueUrl"]
    policy = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]
    changed = {**policy, "MessageRetentionPeriod": "60", "SqsManagedSseEnabled": "false"}
    sqs.set_queue_attributes(QueueUrl=url, Attributes=changed)
    changes = changes_planned(declared(cloud), "dead-letters")
    assert changes == {"retention": (60, 14 * 24 * 3600), "encrypted": (False, True)}
    set_up(KEPT, cloud)
    assert_settled(account, declared(cloud))


def test_all_of_it_goes_when_it_is_no_longer_described(account: Account, cloud: Cloud) -> None:
    set_up(KEPT, cloud)
    planned = planned_actions(provision.plan(declared(cloud, LOST)))
    gone = {"dead-letters", "redrive", "alarm undelivered"}
    assert {key for key, action in planned.items() if action is Action.DELETE} == gone
    set_up(LOST, cloud)
    assert queue(account) is None
    assert dead_letters_of(account, "you@example.com") is None
    assert_settled(account, declared(cloud, LOST))


def test_a_queue_with_undelivered_messages_stays_until_they_are_sent(account: Account, cloud: Cloud) -> None:
    set_up(KEPT, cloud)
    sqs = account.client("sqs")
    url = sqs.get_queue_url(QueueName=NAME)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    sqs.receive_message(QueueUrl=url)  # a running `redrive --undelivered` has taken one
    set_up(LOST, cloud)
    planned = provision.plan(declared(cloud, LOST))
    assert planned.changes == ()
    (item,) = (item for item in planned.items if item.key == "dead-letters")
    assert (item.action, item.reason) == (
        Action.KEEP,
        "holds 2 undelivered, see `ordernotify redrive --undelivered`",
    )
    sqs.purge_queue(QueueUrl=url)
    set_up(LOST, cloud)
    assert queue(account) is None


def test_a_renamed_topics_queue_stays_until_it_is_empty(account: Account, cloud: Cloud) -> None:
    set_up(KEPT, cloud)
    sqs = account.client("sqs")
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=NAME)["QueueUrl"], MessageBody="{}")
    renamed = replace(KEPT, names=replace(KEPT.names, topic="other"))
    resources = provision.declare(renamed, cloud, [KEPT.names])
    kept = [item.name for item in provision.plan(resources).items if item.action is Action.KEEP]
    assert NAME in kept


def test_a_queue_that_disappeared_is_made_again(account: Account, cloud: Cloud) -> None:
    set_up(KEPT, cloud)
    sqs = account.client("sqs")
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=NAME)["QueueUrl"])
    assert_made_again(account, declared(cloud), "dead-letters")


def test_the_queue_can_be_deleted_twice(account: Account, cloud: Cloud) -> None:
    set_up(KEPT, cloud)
    assert_deleted_twice(only(declared(cloud), "dead-letters"))


def test_teardown_says_how_many_letters_it_deletes_and_leaves_none(account: Account, cloud: Cloud) -> None:
    set_up(KEPT, cloud)
    sqs = account.client("sqs")
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=NAME)["QueueUrl"], MessageBody="{}")
    planned = provision.plan_teardown(declared(cloud, Settings()), delete_orders=False)
    (item,) = (item for item in planned.items if item.key == "dead-letters")
    assert item.reason == "with 1 undelivered, see `ordernotify redrive --undelivered`"
    tear_down(Settings(), cloud)
    assert queue(account) is None


def test_a_queue_of_somebody_else_is_left_alone(account: Account, cloud: Cloud) -> None:
    set_up(LOST, cloud)
    account.client("sqs").create_queue(QueueName=NAME)
    tear_down(Settings(), cloud)
    assert NAME in account.client("sqs").get_queue_url(QueueName=NAME)["QueueUrl"]


@pytest.mark.parametrize("code", ["QueueDeletedRecently", "AWS.SimpleQueueService.QueueDeletedRecently"])
def test_row_39_a_name_that_was_deleted_a_moment_ago_is_waited_for(
    account: Account, cloud: Cloud, code: str
) -> None:
    set_up(KEPT, cloud)
    set_up(LOST, cloud)
    text = "You must wait 60 seconds after deleting a queue before you can create another with the same name."
    account.interfere = refuse("CreateQueue", code, text, times=3)
    waited = [event.detail for event in set_up(KEPT, cloud) if event.progress is Progress.WAITING]
    assert [line.partition(",")[0] for line in waited] == [f"waiting for SQS to free the name {NAME}"] * 3
    assert queue(account) is not None


@pytest.mark.parametrize("everything", [False, True])
def test_a_letter_that_comes_after_the_plan_is_not_deleted_with_the_queue(
    account: Account, cloud: Cloud, everything: bool
) -> None:
    set_up(KEPT, cloud)
    resources = declared(cloud, LOST)
    planned = (
        provision.plan_teardown(resources, delete_orders=True) if everything else provision.plan(resources)
    )
    sqs = account.client("sqs")
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=NAME)["QueueUrl"], MessageBody="{}")
    with pytest.raises(ApplyError, match="1 undelivered since the plan was made"):
        list(provision.apply(resources, planned, ManualClock()))
    assert queue(account) is not None
    assert only_item(provision.plan(declared(cloud, LOST)), "dead-letters").action is Action.KEEP


def only_item(planned: Plan, key: str) -> Item:
    return next(item for item in planned.items if item.key == key)


def test_a_subscriber_with_dead_letters_of_its_own_keeps_them(account: Account, cloud: Cloud) -> None:
    set_up(LOST, cloud)
    theirs = f"arn:aws:sqs:us-east-1:{ACCOUNT_ID}:theirs"
    account.client("sqs").create_queue(QueueName="theirs")
    account.client("sns").set_subscription_attributes(
        SubscriptionArn=subscription(account, "you@example.com"),
        AttributeName="RedrivePolicy",
        AttributeValue=json.dumps({"deadLetterTargetArn": theirs}),
    )
    set_up(KEPT, cloud)
    assert dead_letters_of(account, "you@example.com") == theirs
    assert_settled(account, declared(cloud))
    set_up(LOST, cloud)
    assert dead_letters_of(account, "you@example.com") == theirs
