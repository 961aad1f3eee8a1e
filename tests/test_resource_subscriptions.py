from __future__ import annotations

from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from ordernotify.aws.session import Cloud
from ordernotify.resources.base import Resource
from ordernotify.resources.listing import Subscription, list_subscriptions
from ordernotify.resources.subscriptions import AlarmSubscriptions, Subscriptions
from ordernotify.resources.topic import AlarmTopic, Topic
from ordernotify.settings.model import Settings
from tests.provision_support import (
    ACCOUNT_ID,
    Account,
    Call,
    Send,
    answer,
    assert_deleted_twice,
    assert_made_again,
    assert_settled,
    bring_about,
    changes_planned,
    step,
)

TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT_ID}:file-upload-notification"
YOU, PHONE = ("email", "you@example.com"), ("sms", "+14155550100")


def subscribers(
    cloud: Cloud, emails: tuple[str, ...] = ("you@example.com",), phones: tuple[str, ...] = ("+14155550100",)
) -> list[Resource[Any]]:
    settings = Settings(emails=emails, phones=phones)
    return [Topic(settings, cloud), Subscriptions(settings, cloud)]


def alarm_subscribers(cloud: Cloud) -> list[Resource[Any]]:
    settings = Settings(alarm_emails=("ops@example.com",))
    return [AlarmTopic(settings, cloud), AlarmSubscriptions(settings, cloud)]


def read(account: Account) -> set[tuple[str, str]]:
    listed = account.client("sns").list_subscriptions()["Subscriptions"]
    return {(item["Protocol"], item["Endpoint"]) for item in listed}


def listing(*members: tuple[str, str, str]) -> Any:
    """Answer a listing of subscriptions in SNS's place, with what SNS puts where the ARN should be."""
    listed = "".join(
        f"<member><Protocol>{protocol}</Protocol><Endpoint>{endpoint}</Endpoint>"
        f"<SubscriptionArn>{arn}</SubscriptionArn><TopicArn>{TOPIC}</TopicArn></member>"
        for protocol, endpoint, arn in members
    )
    body = (
        "<ListSubscriptionsByTopicResponse><ListSubscriptionsByTopicResult>"
        f"<Subscriptions>{listed}</Subscriptions>"
        "</ListSubscriptionsByTopicResult></ListSubscriptionsByTopicResponse>"
    )

    def interfere(call: Call, send: Send) -> AWSResponse:
        if call.operation == "ListSubscriptionsByTopic":
            return answer(200, body.encode(), {"Content-Type": "text/xml"})
        return send()

    return interfere


PENDING = ("email", "you@example.com", "PendingConfirmation")
GONE = ("email", "gone@example.com", "Deleted")


def test_everybody_given_is_subscribed(account: Account, cloud: Cloud) -> None:
    bring_about(subscribers(cloud))
    assert read(account) == {YOU, PHONE}


def test_without_anybody_given_there_is_nothing_to_do(account: Account, cloud: Cloud) -> None:
    bring_about(subscribers(cloud, (), ()))
    assert read(account) == set()


@pytest.mark.parametrize("make", [subscribers, alarm_subscribers])
def test_subscribers_as_described_are_left_alone(account: Account, cloud: Cloud, make: Any) -> None:
    bring_about(make(cloud))
    assert_settled(account, make(cloud))


def test_a_new_subscriber_is_added_and_the_others_are_left(account: Account, cloud: Cloud) -> None:
    bring_about(subscribers(cloud))
    more = subscribers(cloud, ("you@example.com", "two@example.com"))
    assert changes_planned(more, "subscriptions") == {"email two@example.com": (None, True)}
    account.forget_calls()
    bring_about(more)
    assert [call.name for call in account.changing_calls] == ["two@example.com"]
    assert read(account) == {YOU, PHONE, ("email", "two@example.com")}


def test_a_subscriber_who_is_not_given_any_more_stays(account: Account, cloud: Cloud) -> None:
    bring_about(subscribers(cloud))
    bring_about(subscribers(cloud, (), ()))
    assert read(account) == {YOU, PHONE}


def test_one_who_has_not_confirmed_yet_is_not_asked_again(account: Account, cloud: Cloud) -> None:
    bring_about(subscribers(cloud, phones=()))
    account.interfere = listing(PENDING)
    assert_settled(account, subscribers(cloud, phones=()))


def test_one_whose_subscription_was_deleted_is_asked_again(account: Account, cloud: Cloud) -> None:
    bring_about(subscribers(cloud, phones=()))
    account.interfere = listing(("email", "you@example.com", "Deleted"))
    resources = subscribers(cloud, phones=())
    account.forget_calls()
    bring_about(resources)
    assert [call.name for call in account.changing_calls] == ["you@example.com"]


def test_listings_tell_confirmed_from_pending_and_leave_out_what_is_gone(
    account: Account, cloud: Cloud
) -> None:
    account.interfere = listing(PENDING, GONE, (*PHONE, f"{TOPIC}:1"))
    assert list_subscriptions(cloud, TOPIC) == (
        Subscription("email", "you@example.com", None),
        Subscription("sms", "+14155550100", f"{TOPIC}:1"),
    )


def test_subscribers_who_disappeared_are_added_again(account: Account, cloud: Cloud) -> None:
    bring_about(subscribers(cloud))
    sns = account.client("sns")
    for item in sns.list_subscriptions()["Subscriptions"]:
        sns.unsubscribe(SubscriptionArn=item["SubscriptionArn"])
    assert_made_again(account, subscribers(cloud), "subscriptions")


def test_the_subscribers_of_a_topic_that_disappeared_are_added_again(account: Account, cloud: Cloud) -> None:
    bring_about(subscribers(cloud))
    account.client("sns").delete_topic(TopicArn=TOPIC)
    assert_made_again(account, subscribers(cloud), "subscriptions")
    assert read(account) == {YOU, PHONE}


@pytest.mark.parametrize("make", [subscribers, alarm_subscribers])
def test_subscribers_can_be_deleted_twice(account: Account, cloud: Cloud, make: Any) -> None:
    bring_about(make(cloud))
    assert_deleted_twice(make(cloud)[1])
    assert read(account) == set()


def test_a_pending_subscriber_is_skipped_on_removal(account: Account, cloud: Cloud) -> None:
    bring_about(subscribers(cloud))
    arn = next(
        item["SubscriptionArn"]
        for item in account.client("sns").list_subscriptions()["Subscriptions"]
        if item["Protocol"] == "sms"
    )
    account.interfere = listing(PENDING, (*PHONE, arn))
    resource = subscribers(cloud)[1]
    live = resource.find()
    assert live is not None
    account.forget_calls()
    resource.delete(live, step())
    assert [call.params for call in account.changing_calls] == [{"SubscriptionArn": arn}]
