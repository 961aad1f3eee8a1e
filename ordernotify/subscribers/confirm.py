"""Confirm a subscription so that it lasts, and wait until everybody has confirmed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import parse_qs, urlsplit

from botocore.exceptions import ClientError

from ordernotify.aws.errors import error_text, has_code, map_botocore_errors
from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import Patience
from ordernotify.errors import OrderNotifyError, UsageError, WaitTimeoutError
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.listing import INVALID_PARAMETER, NEW_TOPIC_SECONDS, NO_TOPIC
from ordernotify.resources.subscriber import PENDING_LIFETIME, Subscriber, read_subscribers, subscriber_of
from ordernotify.settings.names import Names
from ordernotify.subscribers.change import SubscriberAction, SubscriberOutcome
from ordernotify.subscribers.endpoints import Endpoint
from ordernotify.subscribers.topic import list_calls, list_subscribers, open_topic

LOOK_SECONDS = 2.0
"""Between two looks at who has confirmed, at least."""
_TOKEN = re.compile(r"[0-9A-Za-z-]{16,1024}")
_WANTED = (
    "Give the link of AWS's confirmation email between single quotes, or the part of it after Token=. "
    "`ordernotify subscribe ADDRESS` lets AWS send a new one."
)


@dataclass(frozen=True, slots=True)
class ConfirmationLink:
    """What a confirmation email's link holds; the topic and the address are empty for a token alone."""

    token: str
    topic_arn: str = ""
    address: str = ""


def parse_link(text: str) -> ConfirmationLink:
    """Read a link as AWS sends it (or as a mail filter rewrote it), or the token alone; raises UsageError."""
    text = text.strip().strip("<>")
    if "://" not in text:
        return ConfirmationLink(_token(text))
    told = _parameters(text)
    if "TopicArn" not in told:
        raise UsageError("this is no confirmation link of SNS: it names no topic", _WANTED)
    if "Token" not in told:
        raise UsageError(
            "the link ends before its token: without quotes, a shell takes no more than up to the first &",
            _WANTED,
        )
    # In a query a plus stands for a blank, and no address has one: jane+orders@example.com.
    address = told.get("Endpoint", "").replace(" ", "+")
    return ConfirmationLink(_token(told["Token"]), told["TopicArn"], address)


def _parameters(link: str) -> Mapping[str, str]:
    """Read the query of a link, or of the first link inside of it: mail filters wrap what they check."""
    try:
        found = {name: values[-1] for name, values in parse_qs(urlsplit(link).query).items()}
    except ValueError:
        return {}
    inside = [value for value in found.values() if "://" in value]
    return _parameters(inside[0]) if inside and "TopicArn" not in found else found


def _token(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise UsageError("this is neither a confirmation link of SNS nor its token", _WANTED)
    return text


def confirm_calls(cloud: Cloud, names: Names) -> Calls:
    """What confirming calls: for the orders' topic, and for that of the alarms."""
    topics = [cloud.arn("sns", name) for name in (names.topic, names.alarm_topic)]
    return (
        *list_calls(cloud, names),
        allow("sns", "ListTagsForResource", "ListSubscriptionsByTopic", "ConfirmSubscription", on=topics),
    )


def confirm(
    cloud: Cloud, names: Names, stack: str, link: ConfirmationLink, patience: Patience
) -> SubscriberOutcome:
    """Confirm with the caller's signature, so that unsubscribing takes one too.

    Mail scanners follow the links of messages; one that follows an unsubscribe link ends a subscription that
    was confirmed by opening its link. Raises UsageError for a link of another topic, before anything is
    changed; StackNotFoundError, NotOursError; and OrderNotifyError if SNS refuses the token, or if the
    subscription had been confirmed by its link.
    https://docs.aws.amazon.com/sns/latest/api/API_ConfirmSubscription.html
    """
    own = {cloud.arn("sns", name): name for name in (names.topic, names.alarm_topic)}
    topic_arn = link.topic_arn or cloud.arn("sns", names.topic)
    if topic_arn not in own:
        raise UsageError(
            f"the link is one of {topic_arn}, and the topics of the stack {stack} are {' and '.join(own)}",
            "Choose the place and the stack of that topic with --aws, --region, --profile and --stack.",
        )
    topic = open_topic(cloud, names, stack, own[topic_arn])
    with map_botocore_errors("confirm", "subscription of", topic_arn):
        # An emulator lists the ARN of a pending one too.
        before = {one.arn for one in read_subscribers(cloud, topic.subscriptions) if not one.pending}
        found = _read(cloud, _confirmed(cloud, topic_arn, link), patience)
    if not (found.arn or "").startswith(f"{topic_arn}:"):
        # SNS goes by the token, and takes any topic of the region beside it (localstack #8129, seen on AWS).
        raise OrderNotifyError(
            f"the token was one of another topic: {found.endpoint} is confirmed at {found.arn}",
            "Give the whole link: what is no link of this stack is then refused before.",
        )
    if not found.authenticated:
        raise OrderNotifyError(
            f"{found.endpoint} had been confirmed by opening the link: it gets the notifications, until "
            "somebody, or a mail scanner, follows an unsubscribe link",
            f"To make it last: {renewal(found.endpoint)}.",
        )
    action = SubscriberAction.CONFIRMED_BEFORE if found.arn in before else SubscriberAction.CONFIRMED
    return SubscriberOutcome(Endpoint(found.protocol, found.endpoint), action, found)


def _confirmed(cloud: Cloud, topic_arn: str, link: ConfirmationLink) -> str:
    """Give SNS the token; returns the ARN of the subscription, which may have been confirmed before.

    Documented are the codes (API reference), and that a token lives two days (Subscribe). The texts after
    "Invalid parameter: " are as LocalStack's tests saw them on AWS: `Token` for one that is not known, or
    whose subscription is gone; `Topic` for one of another region (localstack #8129, aws-sdk-ruby #523).
    """
    try:
        return cloud.sns.confirm_subscription(
            TopicArn=topic_arn, Token=link.token, AuthenticateOnUnsubscribe="true"
        )["SubscriptionArn"]
    except ClientError as error:
        if has_code(error, *INVALID_PARAMETER, text="topic"):
            raise OrderNotifyError(
                f"the token is not one of {topic_arn}", "Give the whole link: it names its topic."
            ) from error
        if has_code(error, *INVALID_PARAMETER, *NO_TOPIC):
            hours = f"{PENDING_LIFETIME.total_seconds() / 3600:.0f} hours"
            address = shlex.quote(link.address) if link.address else "ADDRESS"
            raise OrderNotifyError(
                f"SNS does not take the token ({error_text(error)}): it may be older than {hours} or not "
                "whole, or its subscription was removed",
                f"`ordernotify subscribe {address}` lets AWS send an email with a new link.",
            ) from error
        raise


def _read(cloud: Cloud, arn: str, patience: Patience) -> Subscriber:
    """Read what was confirmed; it may not be found for some seconds (AWS-FACTS 24)."""
    attributes = patience.retry(
        lambda: cloud.sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"],
        when=lambda error: has_code(error, *NO_TOPIC),
        waiting_for="the confirmed subscription",
        timeout=NEW_TOPIC_SECONDS,
    )
    return subscriber_of(arn, attributes)


def wait_until_confirmed(cloud: Cloud, names: Names, stack: str, patience: Patience, seconds: float) -> None:
    """Wait until nobody is pending; returns at once if nobody is.

    Raises WaitTimeoutError after `seconds`, and OrderNotifyError for those that AWS removed unconfirmed.
    """
    deadline = patience.clock.now() + seconds
    waited_for: set[str] = set()

    def pending() -> set[str]:
        everybody = list(list_subscribers(cloud, names, stack))
        _refuse_removed(waited_for - {one.endpoint for one in everybody})
        return {one.endpoint for one in everybody if one.pending}

    while now_pending := pending():
        waited_for |= now_pending
        try:
            patience.until(
                partial(_differs, pending, now_pending),
                waiting_for=f"{_and(now_pending)} to confirm",
                timeout=deadline - patience.clock.now(),
                step=LOOK_SECONDS,
            )
        except WaitTimeoutError as error:
            raise WaitTimeoutError(
                f"{_and(now_pending)} did not confirm within {seconds:.0f} s",
                "Run the same command again to wait on. "
                f"`ordernotify subscribe {shlex.join(sorted(now_pending))}` asks again.",
            ) from error


def _differs(look: Callable[[], set[str]], seen: set[str]) -> bool:
    return look() != seen


def _refuse_removed(gone: Collection[str]) -> None:
    if gone:
        raise OrderNotifyError(
            f"{_and(gone)} did not confirm in time, or refused: the subscription is gone",
            f"`ordernotify subscribe {shlex.join(sorted(gone))}` asks again.",
        )


def _and(addresses: Collection[str]) -> str:
    *first, last = sorted(addresses)
    return f"{', '.join(first)} and {last}" if first else last


def renewal(address: str) -> str:
    """Name the commands that replace a subscription that was confirmed by opening its link."""
    who = shlex.quote(address)
    return (
        f"`ordernotify unsubscribe {who}`, then `ordernotify subscribe {who}`, then "
        "`ordernotify confirm LINK` with the link of the new email"
    )
