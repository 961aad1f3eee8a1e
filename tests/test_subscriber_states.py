"""Pending subscriptions, and the listing that shows them."""

from __future__ import annotations

import json

import pytest
from botocore.awsrequest import AWSResponse

from ordernotify.aws.session import Cloud
from ordernotify.render.subscribers import outcome_document, show_list, show_outcome
from ordernotify.subscribers.change import SubscriberAction
from tests.moto_account import REGION
from tests.provision_support import ACCOUNT_ID, Account, Call, Send, refusal, refuse
from tests.subscribers_support import (
    EMAIL,
    NAMES,
    QUEUE,
    RECEIVED,
    SHIPPED,
    TOPIC_ARN,
    Pending,
    add,
    listed,
    queue,
    remove,
    subscription_attributes,
    topic,
)

__all__ = ["queue", "topic"]


@pytest.mark.usefixtures("topic")
def test_a_new_email_is_pending(account: Account, cloud: Cloud) -> None:
    account.interfere = Pending()
    [outcome] = add(cloud, EMAIL)
    assert outcome.action is SubscriberAction.SUBSCRIBED
    assert outcome.subscriber is not None
    assert outcome.subscriber.state == "pending"
    assert "until its link is confirmed with `ordernotify confirm LINK`, or opened" in outcome.notes[0]
    assert "48 hours" in outcome.notes[0]
    [one] = listed(cloud)
    assert (one.state, one.arn) == ("pending", None)


@pytest.mark.usefixtures("topic")
def test_a_pending_one_is_asked_again_and_can_get_a_policy(account: Account, cloud: Cloud) -> None:
    account.interfere = Pending()
    add(cloud, EMAIL)
    assert [one.action for one in add(cloud, EMAIL)] == [SubscriberAction.ASKED_AGAIN]
    [outcome] = add(cloud, EMAIL, filter_policy=RECEIVED)
    assert outcome.action is SubscriberAction.UPDATED
    assert json.loads(subscription_attributes(account, EMAIL)["FilterPolicy"]) == RECEIVED


@pytest.mark.usefixtures("topic")
def test_where_sns_does_not_change_a_pending_one_the_person_learns_why(
    account: Account, cloud: Cloud
) -> None:
    pending = Pending()

    def interfere(call: Call, send: Send) -> AWSResponse:
        if call.operation == "SetSubscriptionAttributes":
            return refusal(
                call, "InvalidParameter", "Invalid parameter: subscription is pending confirmation"
            )
        return pending(call, send)

    account.interfere = interfere
    add(cloud, EMAIL)
    [outcome] = add(cloud, EMAIL, filter_policy=RECEIVED)
    assert outcome.error is not None
    assert "has not confirmed yet" in outcome.error.message
    assert "when it is confirmed" in outcome.error.hint


@pytest.mark.usefixtures("topic")
def test_a_pending_one_cannot_be_removed_and_that_is_a_failure(
    account: Account, cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    account.interfere = pending = Pending()
    add(cloud, EMAIL)
    pending.calls.clear()
    [outcome] = remove(cloud, EMAIL)
    assert (outcome.action, outcome.failed) == (SubscriberAction.STILL_PENDING, True)
    assert "never confirmed" in outcome.notes[0]
    assert "48 hours" in outcome.notes[0]
    assert "Unsubscribe" not in pending.calls
    show_outcome(outcome)
    printed = capsys.readouterr()
    assert printed.out == "email you@example.com: not removed: still pending\n"
    assert printed.err.startswith("Note: you@example.com is pending, and SNS cannot remove")


@pytest.mark.usefixtures("topic")
def test_one_that_turns_out_to_be_pending_is_not_taken_for_removed(account: Account, cloud: Cloud) -> None:
    add(cloud, EMAIL)
    pending = Pending()
    account.interfere = lambda call, send: pending(call, send) if call.operation == "Unsubscribe" else send()
    assert [one.action for one in remove(cloud, EMAIL)] == [SubscriberAction.STILL_PENDING]


@pytest.mark.usefixtures("topic")
def test_deleted_ones_are_not_listed(account: Account, cloud: Cloud) -> None:
    add(cloud, EMAIL)
    account.interfere = Pending(word="Deleted")
    assert listed(cloud) == []


@pytest.mark.usefixtures("topic", "queue")
def test_the_listing_leaves_out_the_stacks_own_queues(account: Account, cloud: Cloud) -> None:
    add(cloud, QUEUE, EMAIL)
    own = [
        f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{name}"
        for name in (f"{NAMES.mailbox_prefix}0123456789ab", f"{NAMES.verify_queue_prefix}1772366400-0123abcd")
    ]
    for arn in own:
        account.client("sns").subscribe(TopicArn=TOPIC_ARN, Protocol="sqs", Endpoint=arn)
    assert [one.endpoint for one in listed(cloud)] == [QUEUE, EMAIL]
    assert [one.endpoint for one in listed(cloud, everything=True)] == [QUEUE, EMAIL, *own]


@pytest.mark.usefixtures("topic")
def test_the_listing_is_read_to_its_end(account: Account, cloud: Cloud) -> None:
    for n in range(120):
        account.client("sns").subscribe(TopicArn=TOPIC_ARN, Protocol="email", Endpoint=f"{n}@example.com")
    assert [one.endpoint for one in listed(cloud)] == [f"{n}@example.com" for n in range(120)]


@pytest.mark.usefixtures("topic")
def test_a_subscription_of_another_account_is_listed_without_its_attributes(
    account: Account, cloud: Cloud
) -> None:
    add(cloud, EMAIL, filter_policy=RECEIVED)
    account.interfere = refuse(
        "GetSubscriptionAttributes",
        "AuthorizationError",
        "Not authorized to access this subscription",
        times=2,
    )
    [one] = listed(cloud)
    assert (one.state, one.readable, one.filter_policy) == (
        "confirmed",
        False,
        {},
    )
    [outcome] = add(cloud, EMAIL, filter_policy=SHIPPED)
    assert outcome.error is not None
    assert "made by another account" in outcome.error.message


@pytest.mark.usefixtures("topic")
def test_one_that_goes_while_the_list_is_read_is_left_out(account: Account, cloud: Cloud) -> None:
    add(cloud, EMAIL)
    account.interfere = refuse("GetSubscriptionAttributes", "NotFound", "Subscription does not exist")
    assert listed(cloud) == []


@pytest.mark.usefixtures("topic")
def test_the_table_tells_pending_from_confirmed(
    account: Account, cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    add(cloud, "+14155550100", filter_policy=RECEIVED)
    show_list(listed(cloud))
    assert capsys.readouterr() == (
        'sms     confirmed  +14155550100  attributes: {"eventType":["order.received"]}\n',
        "",
    )
    account.client("sns").unsubscribe(
        SubscriptionArn=subscription_attributes(account, "+14155550100")["SubscriptionArn"]
    )
    account.interfere = Pending()
    add(cloud, EMAIL)
    show_list(listed(cloud))
    printed = capsys.readouterr()
    assert printed.out == "email   pending    you@example.com\n"
    assert "more than 10 messages a second" in printed.err
    assert "is removed after 48 hours. `ordernotify subscribe you@example.com` asks again" in printed.err
    show_list([])
    assert capsys.readouterr().out.startswith("Nobody is subscribed.")


@pytest.mark.usefixtures("topic")
def test_the_json_of_an_outcome_says_all(cloud: Cloud) -> None:
    [outcome, failed] = add(cloud, EMAIL, QUEUE, filter_policy=RECEIVED)
    document = outcome_document(outcome)
    assert document.pop("arn").startswith(TOPIC_ARN)
    assert document == {
        "protocol": "email",
        "endpoint": EMAIL,
        "action": "subscribed",
        "state": "confirmed",
        "filterPolicy": RECEIVED,
        "filterScope": "attributes",
        "raw": False,
        "confirmationWasAuthenticated": True,
    }
    assert outcome_document(failed) == {
        "protocol": "sqs",
        "endpoint": QUEUE,
        "action": "failed",
        "error": f"there is no queue orders in account {ACCOUNT_ID}, region {REGION}",
    }
