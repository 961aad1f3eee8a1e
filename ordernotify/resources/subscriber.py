"""One subscription in full: what listings leave out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

from ordernotify.aws.errors import error_text, has_code
from ordernotify.aws.session import Cloud
from ordernotify.resources.filter_policy import FilterPolicy, Scope
from ordernotify.resources.listing import NO_TOPIC, Subscription
from ordernotify.settings.names import Names

PARALLEL_CALLS = 8
PENDING_LIFETIME = timedelta(hours=48)
"""https://aws.amazon.com/about-aws/whats-new/2023/05/amazon-sns-automatic-deletion-unconfirmed-subscriptions/"""
_FOREIGN = ("AuthorizationError", "AuthorizationErrorException")
_BY_OWN_POLICY = "no identity-based policy allows"
"""AWS's reason where the caller lacks the permission; not that another account has the subscription.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
"""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A subscriber of the topic with its attributes; `filter_policy` is empty if everything gets through."""

    protocol: str
    endpoint: str
    arn: str | None
    pending: bool
    filter_policy: FilterPolicy
    scope: Scope
    raw: bool
    redrive: str = ""
    """The ARN of the queue that gets what this subscriber does not take; empty: none."""
    readable: bool = True
    """False: SNS does not tell the attributes: it is pending, or was made by another account."""
    authenticated: bool = False
    """Whether it was confirmed with credentials: then nobody can end it without (`confirm`)."""

    @property
    def state(self) -> str:
        return "pending" if self.pending else "confirmed"


def read_subscribers(cloud: Cloud, subscriptions: Iterable[Subscription]) -> Iterator[Subscriber]:
    """Read the attributes of each, side by side, in the order given; one that is gone is left out."""
    with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
        for subscriber in pool.map(lambda one: read_subscriber(cloud, one), subscriptions):
            if subscriber is not None:
                yield subscriber


def read_subscriber(cloud: Cloud, subscription: Subscription) -> Subscriber | None:
    """Read the attributes of one subscription; None if it is gone."""
    if subscription.arn is None:
        return _subscriber(subscription, {}, readable=False)
    try:
        attributes = cloud.sns.get_subscription_attributes(SubscriptionArn=subscription.arn)["Attributes"]
    except ClientError as error:
        if has_code(error, *NO_TOPIC):
            return None
        if has_code(error, *_FOREIGN) and _BY_OWN_POLICY not in error_text(error):
            return _subscriber(subscription, {}, readable=False)
        raise
    return _subscriber(subscription, attributes, readable=True)


def subscriber_of(arn: str, attributes: Mapping[str, str]) -> Subscriber:
    """Build a subscriber from what SNS knows of its ARN alone."""
    known = Subscription(attributes.get("Protocol", ""), attributes.get("Endpoint", ""), arn)
    return _subscriber(known, attributes, readable=True)


def _subscriber(subscription: Subscription, attributes: Mapping[str, str], *, readable: bool) -> Subscriber:
    scope = attributes.get("FilterPolicyScope")
    return Subscriber(
        protocol=subscription.protocol,
        endpoint=subscription.endpoint,
        arn=subscription.arn,
        pending=subscription.arn is None or attributes.get("PendingConfirmation") == "true",
        filter_policy=json.loads(attributes.get("FilterPolicy") or "{}"),
        scope=Scope.BODY if scope == Scope.BODY.aws_name else Scope.ATTRIBUTES,
        raw=attributes.get("RawMessageDelivery") == "true",
        redrive=json.loads(attributes.get("RedrivePolicy") or "{}").get("deadLetterTargetArn", ""),
        readable=readable,
        authenticated=attributes.get("ConfirmationWasAuthenticated") == "true",
    )


def redrive_policy(cloud: Cloud, names: Names) -> str:
    """Write the attribute of a subscription that keeps what its subscriber does not take."""
    return json.dumps({"deadLetterTargetArn": cloud.arn("sqs", names.dead_letter_queue)})


def subscription_attributes(policy: FilterPolicy | None, scope: Scope, raw: bool | None) -> dict[str, str]:
    """Write what `Subscribe` takes; None leaves a thing as SNS has it by default."""
    attributes: dict[str, Any] = {}
    if policy:
        attributes = {"FilterPolicyScope": scope.aws_name, "FilterPolicy": policy_json(policy)}
    if raw is not None:
        attributes["RawMessageDelivery"] = "true" if raw else "false"
    return attributes


def policy_json(policy: FilterPolicy) -> str:
    return json.dumps(policy, ensure_ascii=False, separators=(",", ":"))
