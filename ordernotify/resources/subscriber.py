"""One subscription in full: what listings leave out, and since when one is pending."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ordernotify.aws.errors import error_text, has_code
from ordernotify.aws.session import Cloud
from ordernotify.aws.tags import tag_list
from ordernotify.resources.filter_policy import Policy, Scope
from ordernotify.resources.listing import NO_TOPIC, Subscription
from ordernotify.settings.model import Settings
from ordernotify.settings.names import Names

PARALLEL_CALLS = 8
PENDING_LIFETIME = timedelta(hours=48)
"""https://aws.amazon.com/about-aws/whats-new/2023/05/amazon-sns-automatic-deletion-unconfirmed-subscriptions/"""
REQUEST_TAG_PREFIX = "ordernotify:requested:"
MAX_REQUEST_TAGS = 30
"""A topic has up to 50 tags, and some are the person's."""
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
    filter_policy: Policy
    scope: Scope
    raw: bool
    redrive: str = ""
    """The ARN of the queue that gets what this subscriber does not take; empty: none."""
    readable: bool = True
    """False: SNS does not tell the attributes: it is pending, or was made by another account."""

    @property
    def state(self) -> str:
        """`confirmed` or `pending`."""
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
    )


def redrive_policy(cloud: Cloud, names: Names) -> str:
    """Write the attribute of a subscription that keeps what its subscriber does not take."""
    return json.dumps({"deadLetterTargetArn": cloud.arn("sqs", names.dead_letter_queue)})


def dead_letter_attributes(settings: Settings, cloud: Cloud) -> dict[str, str]:
    """Write what a new subscription of the stack as described gets, whoever it is of."""
    return {"RedrivePolicy": redrive_policy(cloud, settings.names)} if settings.dead_letters else {}


def request_tag(protocol: str, endpoint: str) -> str:
    """Name the tag that keeps when this endpoint was asked to confirm; an address must not be in a tag."""
    digest = hashlib.sha256(f"{protocol} {endpoint}".encode()).hexdigest()[:16]
    return f"{REQUEST_TAG_PREFIX}{digest}"


def requested_at(tags: Mapping[str, str], protocol: str, endpoint: str) -> datetime | None:
    """Read from the topic's tags when the endpoint was asked to confirm; None if that is not known."""
    return _time_of(tags.get(request_tag(protocol, endpoint), ""))


def _time_of(value: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        return None
    return time if time.tzinfo else None


def remember_requests(
    cloud: Cloud, topic_arn: str, tags: Mapping[str, str], asked: Iterable[tuple[str, str]], now: datetime
) -> None:
    """Keep in the topic's tags that these (protocol, endpoint) were asked to confirm; drop what has expired.

    SNS tells nowhere since when a subscription is pending. The record is a help only: where it cannot be
    written (no permission, too many tags), nothing fails and `list-subscriptions` says that it does not know.
    """
    new = {request_tag(*one): now.astimezone(UTC).isoformat(timespec="seconds") for one in asked}
    records = {key: value for key, value in tags.items() if key.startswith(REQUEST_TAG_PREFIX)}
    expired = [key for key, value in records.items() if _has_expired(value, now) and key not in new]
    room = MAX_REQUEST_TAGS - len(records.keys() - set(expired) - new.keys())
    new = dict(list(new.items())[: max(room, 0)])
    try:
        if expired:
            cloud.sns.untag_resource(ResourceArn=topic_arn, TagKeys=expired)
        if new:
            cloud.sns.tag_resource(ResourceArn=topic_arn, Tags=tag_list(new))
    except (ClientError, BotoCoreError):
        return


def _has_expired(value: str, now: datetime) -> bool:
    asked = _time_of(value)
    return asked is None or now - asked > PENDING_LIFETIME + timedelta(days=1)


def subscription_attributes(policy: Policy | None, scope: Scope, raw: bool | None) -> dict[str, str]:
    """Write what `Subscribe` takes; None leaves a thing as SNS has it by default."""
    attributes: dict[str, Any] = {}
    if policy:
        attributes = {"FilterPolicyScope": scope.aws_name, "FilterPolicy": policy_json(policy)}
    if raw is not None:
        attributes["RawMessageDelivery"] = "true" if raw else "false"
    return attributes


def policy_json(policy: Policy) -> str:
    """Write a filter policy for SNS."""
    return json.dumps(policy, ensure_ascii=False, separators=(",", ":"))
