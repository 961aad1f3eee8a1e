"""What the person should know about a subscription, in sentences."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator

from ordernotify.aws.session import Cloud
from ordernotify.resources import delivery
from ordernotify.resources.delivery import Grant, Receiver
from ordernotify.resources.listing import Subscription
from ordernotify.resources.subscriber import PENDING_LIFETIME, Subscriber
from ordernotify.resources.suspension import PROTOCOLS, THROTTLED_RATE, suspension
from ordernotify.settings.names import Target
from ordernotify.subscribers.endpoints import NOTIFICATION_ATTRIBUTES, Wanted, unknown_attributes

_LIFETIME = f"{PENDING_LIFETIME.total_seconds() / 3600:.0f} hours"


def after_subscribe(
    cloud: Cloud,
    topic_arn: str,
    receiver: Receiver | None,
    grant: Grant | None,
    found: Subscriber,
    wanted: Wanted,
) -> Iterator[str]:
    """Say what the person still has to do, or should know, for the notifications to arrive."""
    if receiver and grant is Grant.NOT_OURS:
        yield f"For the notifications to arrive, {delivery.owner_has_to(receiver, topic_arn)}"
    if receiver and (key := delivery.encryption_key(cloud, receiver)):
        yield (
            f"The queue is encrypted with the KMS key {key}: nothing arrives unless that key's policy lets "
            "sns.amazonaws.com call kms:GenerateDataKey* and kms:Decrypt (that of alias/aws/sqs does not)"
        )
    if found.pending:
        yield pending_note(found)
    if cloud.target is Target.AWS and found.protocol in PROTOCOLS and not found.filter_policy:
        yield (
            f"{suspension()}. `ordernotify setup` lets the API admit "
            f"{THROTTLED_RATE} orders a second for this reason, unless --rate says otherwise"
        )
    if unknown := unknown_attributes(wanted):
        body = "" if found.protocol in {"email", "sms"} else "; for the order's fields: --filter-scope body"
        yield (
            f"A notification has no attribute {' or '.join(unknown)}, only "
            f"{' and '.join(NOTIFICATION_ATTRIBUTES)}: check that this filter policy lets any through{body}"
        )


def pending_note(found: Subscriber) -> str:
    if found.protocol == "email":
        what = (
            "AWS sent an email; nothing more arrives until its link is confirmed with `ordernotify confirm "
            "LINK`, or opened (then a mail scanner that follows an unsubscribe link ends the subscription)"
        )
    elif found.protocol in {"sqs", "lambda"}:
        what = "its owner must confirm: the request is in the queue, or was given to the function"
    else:
        what = "AWS posted a SubscriptionConfirmation there; the receiver must visit its SubscribeURL"
    return f"{found.endpoint} is pending: {what}. An unconfirmed subscription is dropped after {_LIFETIME}"


def about_pending(subscribers: Iterable[Subscriber | Subscription]) -> Iterator[str]:
    """Say what pending means, and why a mailbox that had confirmed may be pending (AWS-FACTS 22)."""
    pending = [one for one in subscribers if one.state == "pending"]
    if pending:
        yield (
            "a pending subscriber gets nothing until it confirms, and AWS removes it "
            f"{_LIFETIME} after it was asked"
        )
    emails = [one.endpoint for one in pending if one.protocol == "email"]
    if emails:
        yield (
            "`ordernotify confirm LINK`, with the link of the email, confirms for good; if the link is only "
            "opened, a mail scanner that follows an unsubscribe link ends the subscription. A mailbox that "
            "had confirmed falls back to pending if it gets more than 10 messages a second, and is removed "
            f"after {_LIFETIME}. "
            f"`ordernotify subscribe {shlex.join(emails)}` asks again"
        )


def cannot_remove(address: str) -> str:
    """Say why a pending subscription stays (AWS-FACTS 13)."""
    return (
        f"{address} is pending, and SNS cannot remove a subscription that was never confirmed; "
        f"it gets no notification, and is dropped by itself {_LIFETIME} after it was asked"
    )


def statement_remains(address: str, topic_arn: str) -> str:
    """Say which statement only the owner of a queue or function can remove."""
    sid = delivery.statement_id(topic_arn)
    return (
        f"If the policy of {address} has the statement {sid}, its owner can remove it: it is no longer needed"
    )
