from __future__ import annotations

import json
from typing import Any

import pytest

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.errors import NotOursError
from ordernotify.resources.topic import AlarmTopic, Topic
from ordernotify.settings.model import Settings
from ordernotify.settings.names import Target
from tests.provision_support import (
    ACCOUNT_ID,
    Account,
    assert_deleted_twice,
    assert_made_again,
    assert_settled,
    bring_about,
    changes_planned,
)

ARN = f"arn:aws:sns:us-east-1:{ACCOUNT_ID}:file-upload-notification"
ALARM_ARN = f"arn:aws:sns:us-east-1:{ACCOUNT_ID}:processFileUpload-alarms"
ACCOUNT_PUBLISHES = {
    "Sid": "AccountPublishes",
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT_ID}:root"},
    "Action": "sns:Publish",
    "Resource": ARN,
}
ENCRYPTED_ONLY = {
    "Sid": "EncryptedTransportOnly",
    "Effect": "Deny",
    "Principal": "*",
    "Action": "sns:Publish",
    "Resource": ARN,
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
ALARMS_PUBLISH = {
    "Sid": "AlarmsPublish",
    "Effect": "Allow",
    "Principal": {"Service": "cloudwatch.amazonaws.com"},
    "Action": "sns:Publish",
    "Resource": ALARM_ARN,
    "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT_ID}},
}
OPEN_TO_ALL = json.dumps({"Version": "2012-10-17", "Statement": []})


def topic(cloud: Cloud, **settings: Any) -> list[Topic]:
    return [Topic(Settings(**settings), cloud)]


def alarm_topic(cloud: Cloud) -> list[Topic]:
    return [AlarmTopic(Settings(alarm_emails=("ops@example.com",)), cloud)]


def read(account: Account, arn: str = ARN) -> dict[str, Any]:
    sns = account.client("sns")
    policy = json.loads(sns.get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"])
    return {"statements": policy["Statement"], "tags": sns.list_tags_for_resource(ResourceArn=arn)["Tags"]}


TAGS = [{"Key": "ordernotify:stack", "Value": "default"}]


@pytest.mark.parametrize(
    ("target", "statements"),
    [(Target.AWS, [ACCOUNT_PUBLISHES, ENCRYPTED_ONLY]), (Target.LOCAL, [ACCOUNT_PUBLISHES])],
)
def test_to_a_new_topic_only_the_account_publishes(
    account: Account, target: Target, statements: list[object]
) -> None:
    bring_about(topic(account.cloud(target)))
    assert read(account) == {"statements": statements, "tags": TAGS}


def test_to_the_alarm_topic_only_this_accounts_alarms_publish(account: Account, local_cloud: Cloud) -> None:
    bring_about(alarm_topic(local_cloud))
    assert read(account, ALARM_ARN) == {"statements": [ALARMS_PUBLISH], "tags": TAGS}


def test_the_alarm_topic_goes_when_nobody_is_to_be_told_any_more(account: Account, cloud: Cloud) -> None:
    bring_about(alarm_topic(cloud))
    bring_about([AlarmTopic(Settings(), cloud)])
    assert account.client("sns").list_topics()["Topics"] == []


@pytest.mark.parametrize("make", [topic, alarm_topic])
def test_a_topic_as_described_is_left_alone(account: Account, cloud: Cloud, make: Any) -> None:
    bring_about(make(cloud))
    assert_settled(account, make(cloud))


def test_a_changed_policy_is_put_back(account: Account, cloud: Cloud) -> None:
    bring_about(topic(cloud))
    before = read(account)
    account.client("sns").set_topic_attributes(
        TopicArn=ARN, AttributeName="Policy", AttributeValue=OPEN_TO_ALL
    )
    assert set(changes_planned(topic(cloud), "topic")) == {"policy"}
    bring_about(topic(cloud))
    assert read(account) == before


def test_a_new_tag_is_added(account: Account, cloud: Cloud) -> None:
    bring_about(topic(cloud))
    bring_about(topic(cloud, tags={"team": "shop"}))
    assert {tag["Key"]: tag["Value"] for tag in read(account)["tags"]} == {
        "ordernotify:stack": "default",
        "team": "shop",
    }
    assert_settled(account, topic(cloud, tags={"team": "shop"}))


def test_a_topic_of_somebody_else_stops_the_plan(account: Account, cloud: Cloud) -> None:
    account.client("sns").create_topic(Name="file-upload-notification")
    with pytest.raises(NotOursError):
        provision.plan(topic(cloud))
    assert account.changing_calls == []


def test_a_topic_that_disappeared_is_made_again(account: Account, cloud: Cloud) -> None:
    bring_about(topic(cloud))
    account.client("sns").delete_topic(TopicArn=ARN)
    assert_made_again(account, topic(cloud), "topic")


@pytest.mark.parametrize("make", [topic, alarm_topic])
def test_a_topic_can_be_deleted_twice(account: Account, cloud: Cloud, make: Any) -> None:
    bring_about(make(cloud))
    assert_deleted_twice(make(cloud)[0])
