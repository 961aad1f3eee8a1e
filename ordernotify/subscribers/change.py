"""Subscribe and unsubscribe: the subscription, and the permission that a queue or a function needs for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from botocore.exceptions import ClientError

from ordernotify.aws.errors import has_code, map_botocore_errors
from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import Clock, Patience, SystemClock
from ordernotify.errors import CredentialsError, OrderNotifyError, UsageError
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources import delivery, mailbox, subscriber
from ordernotify.resources.delivery import Grant
from ordernotify.resources.filter_policy import Scope
from ordernotify.resources.listing import (
    INVALID_PARAMETER,
    NEW_TOPIC_SECONDS,
    NO_TOPIC,
    SUBSCRIPTIONS,
    Subscription,
    is_internal,
)
from ordernotify.resources.subscriber import Subscriber
from ordernotify.settings.names import Names
from ordernotify.subscribers import notes
from ordernotify.subscribers.endpoints import Endpoint, Wanted, parse_endpoint
from ordernotify.subscribers.topic import StackTopic, list_calls, open_topic, with_dead_letters


class SubscriberAction(StrEnum):
    """What was done for an endpoint."""

    SUBSCRIBED = "subscribed"
    UPDATED = "updated"
    ASKED_AGAIN = "asked-again"
    CONFIRMED = "confirmed"
    CONFIRMED_BEFORE = "confirmed-before"
    UNCHANGED = "unchanged"
    UNSUBSCRIBED = "unsubscribed"
    PERMISSION_REMOVED = "permission-removed"
    """There was no subscription, but the permission that an interrupted run had left."""
    STILL_PENDING = "still-pending"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class SubscriberOutcome:
    """What became of one endpoint; `notes` are for the person, `error` says why it failed."""

    endpoint: Endpoint
    action: SubscriberAction
    subscriber: Subscriber | None = None
    notes: tuple[str, ...] = ()
    error: OrderNotifyError | None = None

    @property
    def failed(self) -> bool:
        """Whether the endpoint is not as the person asked."""
        return self.action in {SubscriberAction.FAILED, SubscriberAction.STILL_PENDING}


def change_calls(cloud: Cloud, names: Names, receivers: Iterable[str] = ()) -> Calls:
    """What subscribing and unsubscribing calls; `receivers` are ARNs of queues and functions."""
    return (
        *list_calls(cloud, names),
        allow("sns", "Subscribe", on=cloud.arn("sns", names.topic)),
        allow("sns", "SetSubscriptionAttributes", "Unsubscribe", on=SUBSCRIPTIONS),
        allow("sqs", "GetQueueUrl", on=cloud.arn("sqs", names.dead_letter_queue)),
        *mailbox.open_calls(cloud, names),
        *delivery.calls(receivers),
    )


def subscribe(
    cloud: Cloud,
    names: Names,
    stack: str,
    endpoints: Sequence[Endpoint],
    wanted: Wanted,
    clock: Clock | None = None,
) -> Iterator[SubscriberOutcome]:
    """Subscribe each endpoint as wanted, or change how it is; one that fails does not stop the others.

    A queue or function gets the permission first, so that no message is refused. Raises StackNotFoundError,
    NotOursError and UsageError before anything is changed, and CredentialsError.
    """
    for endpoint in endpoints:
        _refuse_own(cloud, names, endpoint)
        if endpoint.protocol in delivery.SERVICES:
            delivery.check_regions(cloud.region, delivery.parse_receiver(endpoint.address))
    patience = Patience(clock or SystemClock())
    topic = with_dead_letters(cloud, names, open_topic(cloud, names, stack))
    for endpoint in dict.fromkeys(endpoints):
        yield _attempt(endpoint, lambda one: _subscribe_one(cloud, topic, one, wanted, patience))


def unsubscribe(
    cloud: Cloud, names: Names, stack: str, addresses: Sequence[str]
) -> Iterator[SubscriberOutcome]:
    """Remove each subscription and the permission that `subscribe` added; one that fails stops no other.

    Raises UsageError for what is no endpoint at all, StackNotFoundError, NotOursError, CredentialsError.
    """
    topic = open_topic(cloud, names, stack)
    # Whatever has been subscribed in another way (a mobile push endpoint, say) can be removed too.
    protocols = {one.endpoint: one.protocol for one in topic.subscriptions}
    endpoints = [
        Endpoint(protocols[address], address) if address in protocols else parse_endpoint(address)
        for address in dict.fromkeys(addresses)
    ]
    for endpoint in endpoints:
        yield _attempt(endpoint, lambda one: _unsubscribe_one(cloud, topic, one))


def _attempt(endpoint: Endpoint, act: Callable[[Endpoint], SubscriberOutcome]) -> SubscriberOutcome:
    try:
        with map_botocore_errors("change", "subscription of", endpoint.address):
            return act(endpoint)
    except CredentialsError:
        raise
    except OrderNotifyError as error:
        return SubscriberOutcome(endpoint, SubscriberAction.FAILED, error=error)


def _refuse_own(cloud: Cloud, names: Names, endpoint: Endpoint) -> None:
    own = endpoint.address == cloud.arn("lambda", f"function:{names.function}")
    if own or is_internal(cloud, names, endpoint.address):
        raise UsageError(
            f"{endpoint.address} belongs to the stack itself", "Subscribe a queue or function of your own."
        )


def _subscribe_one(
    cloud: Cloud, topic: StackTopic, endpoint: Endpoint, wanted: Wanted, patience: Patience
) -> SubscriberOutcome:
    receiver = delivery.parse_receiver(endpoint.address) if endpoint.protocol in delivery.SERVICES else None
    grant = delivery.allow(cloud, receiver, topic.arn) if receiver else None
    key = (endpoint.protocol, endpoint.address)
    existing = next((one for one in topic.subscriptions if (one.protocol, one.endpoint) == key), None)
    if existing:
        action, found = _change(cloud, topic, existing, wanted, patience)
    else:
        attributes = subscriber.subscription_attributes(wanted.filter_policy, wanted.scope, wanted.raw)
        try:
            made = _ask_for(cloud, topic, endpoint, {**attributes, **topic.attributes}, patience)
        except (ClientError, OrderNotifyError):
            if receiver and grant is Grant.ADDED:
                delivery.forbid(cloud, receiver, topic.arn)
            raise
        action, found = SubscriberAction.SUBSCRIBED, _read_back(cloud, made, patience)
    if action is SubscriberAction.UNCHANGED and grant is Grant.ADDED:
        action = SubscriberAction.UPDATED
    if mailbox.has_mailbox(cloud, endpoint.protocol):
        mailbox.open_mailbox(cloud, topic.names, topic.stack, found)
    told = tuple(notes.after_subscribe(cloud, topic.arn, receiver, grant, found, wanted))
    return SubscriberOutcome(endpoint, action, found, told)


def _ask_for(
    cloud: Cloud, topic: StackTopic, endpoint: Endpoint, attributes: dict[str, str], patience: Patience
) -> Subscription:
    """Subscribe; SNS finds a subscription that exists, and asks it again if it is pending.

    A new topic may answer NotFound for seconds (AWS-FACTS 24).
    """
    arn = patience.retry(
        lambda: cloud.sns.subscribe(
            TopicArn=topic.arn,
            Protocol=endpoint.protocol,
            Endpoint=endpoint.address,
            Attributes=attributes,
            ReturnSubscriptionArn=True,
        ),
        when=lambda error: has_code(error, *NO_TOPIC),
        waiting_for="the topic",
        timeout=NEW_TOPIC_SECONDS,
    )["SubscriptionArn"]
    # Emulators answer "pending confirmation", whatever was asked for.
    return Subscription(endpoint.protocol, endpoint.address, arn if arn.startswith("arn:") else None)


def _read_back(cloud: Cloud, made: Subscription, patience: Patience) -> Subscriber:
    """Read a new subscription, which may answer NotFound for seconds (AWS-FACTS 24)."""
    read: list[Subscriber] = []

    def can_be_read() -> bool:
        found = subscriber.read_subscriber(cloud, made)
        read.extend([found] if found else [])
        return found is not None

    waiting_for = f"the new subscription of {made.endpoint}"
    patience.until(can_be_read, waiting_for=waiting_for, timeout=NEW_TOPIC_SECONDS)
    return read[0]


def _change(
    cloud: Cloud, topic: StackTopic, existing: Subscription, wanted: Wanted, patience: Patience
) -> tuple[SubscriberAction, Subscriber]:
    """Bring a subscription to what is wanted; a pending one is asked to confirm once more."""
    found = subscriber.read_subscriber(cloud, existing) if existing.arn else None
    action = SubscriberAction.UNCHANGED
    if found is None or found.pending:
        # The listing has no ARN of a pending one (AWS-FACTS 13); without attributes, SNS compares none.
        asked = _ask_for(cloud, topic, Endpoint(existing.protocol, existing.endpoint), {}, patience)
        found = _read_back(cloud, asked, patience)
        action = SubscriberAction.ASKED_AGAIN
    changes = _changes(found, wanted)
    if not changes:
        return action, found
    if found.arn is None or not found.readable:
        raise _not_changeable(found)
    for name, value in changes:
        _set_attribute(cloud, found, name, value)
    policy = found.filter_policy if wanted.filter_policy is None else wanted.filter_policy
    scope = found.scope if wanted.filter_policy is None else wanted.scope
    raw = found.raw if wanted.raw is None else wanted.raw
    return SubscriberAction.UPDATED, replace(found, filter_policy=policy, scope=scope, raw=raw)


def _changes(found: Subscriber, wanted: Wanted) -> list[tuple[str, str]]:
    """Name the attributes to set, in an order in which each step is valid for SNS."""
    changes = []
    if wanted.filter_policy is not None and wanted.filter_policy != found.filter_policy:
        changes.append(("FilterPolicy", subscriber.policy_json(wanted.filter_policy)))
    # SNS keeps the scope of a policy that was removed, without telling: then it is set in any case.
    if wanted.filter_policy and (wanted.scope != found.scope or not found.filter_policy):
        # A nested policy is valid for the body only: the scope widens before one comes, narrows after it.
        first = wanted.scope is Scope.BODY or not found.filter_policy
        changes.insert(0 if first else len(changes), ("FilterPolicyScope", wanted.scope.aws_name))
    if wanted.raw is not None and wanted.raw != found.raw:
        changes.append(("RawMessageDelivery", "true" if wanted.raw else "false"))
    return changes


def _set_attribute(cloud: Cloud, found: Subscriber, name: str, value: str) -> None:
    try:
        cloud.sns.set_subscription_attributes(
            SubscriptionArn=found.arn or "", AttributeName=name, AttributeValue=value
        )
    except ClientError as error:
        if found.pending and has_code(error, *INVALID_PARAMETER, text="pending"):
            raise _not_changeable(found) from error
        raise


def _not_changeable(found: Subscriber) -> OrderNotifyError:
    if found.pending:
        return OrderNotifyError(
            f"{found.endpoint} has not confirmed yet, and SNS does not change a pending subscription",
            "Run the same command again when it is confirmed.",
        )
    return OrderNotifyError(
        f"the subscription of {found.endpoint} was made by another account, and only that one may change it",
        "Ask its owner.",
    )


def _unsubscribe_one(cloud: Cloud, topic: StackTopic, endpoint: Endpoint) -> SubscriberOutcome:
    found = [one for one in topic.subscriptions if one.endpoint == endpoint.address]
    removed = [_remove(cloud, one) for one in found]
    if not all(removed):
        return SubscriberOutcome(
            endpoint, SubscriberAction.STILL_PENDING, notes=(notes.cannot_remove(endpoint.address),)
        )
    if mailbox.has_mailbox(cloud, endpoint.protocol):
        own = mailbox.mailbox_arn(cloud, topic.names, endpoint.protocol, endpoint.address)
        for one in topic.subscriptions:
            if one.endpoint == own:
                _remove(cloud, one)
    grant = None
    if endpoint.protocol in delivery.SERVICES:
        grant = delivery.forbid(cloud, delivery.parse_receiver(endpoint.address), topic.arn)
    if found:
        remaining = (notes.statement_remains(endpoint.address, topic.arn),) if grant is Grant.NOT_OURS else ()
        return SubscriberOutcome(endpoint, SubscriberAction.UNSUBSCRIBED, notes=remaining)
    if grant is Grant.REMOVED:
        return SubscriberOutcome(endpoint, SubscriberAction.PERMISSION_REMOVED)
    raise OrderNotifyError(
        f"{endpoint.address} is not subscribed", "`ordernotify list-subscriptions` shows who is."
    )


def _remove(cloud: Cloud, one: Subscription) -> bool:
    """Remove a subscription; False if SNS does not do that because it is pending (AWS-FACTS 13)."""
    if one.arn is None:
        return False
    try:
        cloud.sns.unsubscribe(SubscriptionArn=one.arn)
    except ClientError as error:
        if has_code(error, *INVALID_PARAMETER, text="pending confirmation"):
            return False
        if not has_code(error, *NO_TOPIC):
            raise
    return True
