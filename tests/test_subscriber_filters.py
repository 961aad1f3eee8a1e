"""Filter policies and raw delivery: set, replaced, removed."""

from __future__ import annotations

import json

import pytest

from ordernotify.aws.session import Cloud
from ordernotify.resources.filter_policy import Scope
from ordernotify.subscribers.change import SubscriberAction
from tests.provision_support import Account
from tests.subscribers_support import (
    EMAIL,
    QUEUE,
    RECEIVED,
    SHIPPED,
    add,
    listed,
    queue,
    subscription_attributes,
    topic,
)

__all__ = ["queue", "topic"]


@pytest.mark.usefixtures("topic", "queue")
def test_a_new_policy_replaces_the_one_that_is_there(account: Account, cloud: Cloud) -> None:
    [outcome] = add(cloud, QUEUE, filter_policy=SHIPPED)
    assert outcome.action is SubscriberAction.SUBSCRIBED
    assert json.loads(subscription_attributes(account, QUEUE)["FilterPolicy"]) == SHIPPED

    [outcome] = add(cloud, QUEUE, filter_policy=RECEIVED)
    assert outcome.action is SubscriberAction.UPDATED
    assert json.loads(subscription_attributes(account, QUEUE)["FilterPolicy"]) == RECEIVED
    assert [(one.filter_policy, one.scope) for one in listed(cloud)] == [(RECEIVED, Scope.ATTRIBUTES)]

    assert [one.action for one in add(cloud, QUEUE, filter_policy=RECEIVED)] == [SubscriberAction.UNCHANGED]
    assert [one.action for one in add(cloud, QUEUE)] == [SubscriberAction.UNCHANGED]

    [outcome] = add(cloud, QUEUE, filter_policy={})
    assert outcome.action is SubscriberAction.UPDATED
    assert [one.filter_policy for one in listed(cloud)] == [{}]


@pytest.mark.usefixtures("topic", "queue")
def test_the_scope_changes_around_a_nested_policy_in_an_order_that_sns_takes(
    account: Account, cloud: Cloud
) -> None:
    nested = {"delivery": {"country": ["NZ"]}}
    add(cloud, QUEUE, filter_policy=RECEIVED)
    account.forget_calls()
    [outcome] = add(cloud, QUEUE, filter_policy=nested, scope=Scope.BODY)
    assert outcome.action is SubscriberAction.UPDATED
    [outcome] = add(cloud, QUEUE, filter_policy=RECEIVED, scope=Scope.ATTRIBUTES)
    assert outcome.error is None
    changes = [call for call in account.changing_calls if call.operation == "SetSubscriptionAttributes"]
    assert [call.params["AttributeName"] for call in changes] == [
        "FilterPolicyScope",
        "FilterPolicy",
        "FilterPolicy",
        "FilterPolicyScope",
    ]


@pytest.mark.usefixtures("topic", "queue")
def test_the_scope_is_set_anew_where_the_policy_had_been_removed(account: Account, cloud: Cloud) -> None:
    add(cloud, QUEUE, filter_policy={"delivery": {"country": ["NZ"]}}, scope=Scope.BODY)
    add(cloud, QUEUE, filter_policy={})
    add(cloud, QUEUE, filter_policy=RECEIVED)
    found = subscription_attributes(account, QUEUE)
    assert (found["FilterPolicyScope"], json.loads(found["FilterPolicy"])) == ("MessageAttributes", RECEIVED)


@pytest.mark.usefixtures("topic", "queue")
def test_raw_delivery_is_switched(account: Account, cloud: Cloud) -> None:
    add(cloud, QUEUE, raw=True)
    assert subscription_attributes(account, QUEUE)["RawMessageDelivery"] == "true"
    assert [one.action for one in add(cloud, QUEUE, raw=True)] == [SubscriberAction.UNCHANGED]
    assert [one.action for one in add(cloud, QUEUE, raw=False)] == [SubscriberAction.UPDATED]
    assert subscription_attributes(account, QUEUE)["RawMessageDelivery"] == "false"


@pytest.mark.usefixtures("topic", "queue")
def test_an_attribute_that_no_notification_has_is_told(cloud: Cloud) -> None:
    policy = {"customerName": ["x"], "eventType": ["order.received"], "orderId": ["1"]}
    [outcome] = add(cloud, QUEUE, filter_policy=policy)
    [note] = outcome.notes
    assert "has no attribute customerName, only eventType and orderId" in note
    assert "--filter-scope body" in note
    [outcome] = add(cloud, EMAIL, filter_policy={"x": [1]})
    assert "body" not in outcome.notes[0]
