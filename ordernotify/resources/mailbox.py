"""The mailboxes of the local target, where no email leaves the machine: a queue for each subscriber.

The topic sends the queue what it sends the subscriber, by the same filter policy. A mailbox stays when its
subscriber is unsubscribed, because what was received was received; teardown removes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from ordernotify.aws.errors import ignore_codes, read_or_none
from ordernotify.aws.session import Cloud
from ordernotify.aws.tags import tags_of
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.base import Change, Live, Needed, Resource, Step, Verb, needed_state
from ordernotify.resources.delivery import queue_policy
from ordernotify.resources.filter_policy import Scope
from ordernotify.resources.listing import (
    NO_TOPIC,
    SUBSCRIPTIONS,
    delete_queue,
    list_queues,
    list_subscriptions,
    queue_tags,
)
from ordernotify.resources.subscriber import (
    Subscriber,
    read_subscriber,
    read_subscribers,
    subscription_attributes,
)
from ordernotify.resources.subscriptions import SubscriptionsState
from ordernotify.settings.names import MAILBOX_DIGITS, STACK_TAG, Names, Target

PROTOCOLS = ("email", "sms")
RETENTION_SECONDS = 14 * 24 * 3600
"""How long a mailbox keeps a message: as long as SQS can."""
READER_TAG = "ordernotify:reader"
"""On the queue: protocol and address, with a space between them."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """The queue of one subscriber."""

    protocol: str
    address: str
    url: str


def has_mailbox(cloud: Cloud, protocol: str) -> bool:
    return cloud.target is Target.LOCAL and protocol in PROTOCOLS


def mailbox_arn(cloud: Cloud, names: Names, protocol: str, address: str) -> str:
    """The ARN of the subscriber's queue, which is also the endpoint of the queue's subscription."""
    return cloud.arn("sqs", _queue_name(names, protocol, address))


def _queue_name(names: Names, protocol: str, address: str) -> str:
    digest = hashlib.sha256(f"{protocol} {address}".encode()).hexdigest()
    return f"{names.mailbox_prefix}{digest[:MAILBOX_DIGITS]}"


def open_calls(cloud: Cloud, names: Names) -> Calls:
    """What opening a mailbox calls, beside reading the topic's subscriptions."""
    if cloud.target is not Target.LOCAL:
        return ()
    return (
        allow("sqs", "CreateQueue", "TagQueue", on=cloud.arn("sqs", f"{names.mailbox_prefix}*")),
        allow("sns", "Subscribe", on=cloud.arn("sns", names.topic)),
        allow("sns", "GetSubscriptionAttributes", "SetSubscriptionAttributes", on=SUBSCRIPTIONS),
    )


def list_calls(cloud: Cloud, names: Names) -> Calls:
    """What finding the mailboxes calls; listing queues is a permission without a resource."""
    if cloud.target is not Target.LOCAL:
        return ()
    queues = cloud.arn("sqs", f"{names.mailbox_prefix}*")
    return (allow("sqs", "ListQueues", on="*"), allow("sqs", "ListQueueTags", on=queues))


def open_mailbox(cloud: Cloud, names: Names, stack: str, reader: Subscriber) -> None:
    """Make the reader's queue, if it has none, and let the topic send to it what it sends to the reader."""
    arn = mailbox_arn(cloud, names, reader.protocol, reader.endpoint)
    topic = cloud.arn("sns", names.topic)
    cloud.sqs.create_queue(
        QueueName=arn.rpartition(":")[2],
        Attributes={"Policy": queue_policy(arn, topic), "MessageRetentionPeriod": str(RETENTION_SECONDS)},
        tags={STACK_TAG: stack, READER_TAG: f"{reader.protocol} {reader.endpoint}"},
    )
    listed = next((one for one in list_subscriptions(cloud, topic) if one.endpoint == arn), None)
    existing = read_subscriber(cloud, listed) if listed else None
    if existing is None:
        cloud.sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=arn,
            Attributes=subscription_attributes(reader.filter_policy, reader.scope, None),
            ReturnSubscriptionArn=True,
        )
    elif (existing.filter_policy, existing.scope) != (reader.filter_policy, reader.scope):
        _take_over_policy(cloud, existing.arn or "", reader)


def _take_over_policy(cloud: Cloud, subscription: str, reader: Subscriber) -> None:
    wanted = {"FilterPolicy": "{}"} | subscription_attributes(reader.filter_policy, reader.scope, None)
    # A nested policy is valid for the body only: the scope widens before one comes, and narrows after it.
    for name in sorted(wanted, reverse=reader.scope is Scope.BODY):
        cloud.sns.set_subscription_attributes(
            SubscriptionArn=subscription, AttributeName=name, AttributeValue=wanted[name]
        )


def list_mailboxes(cloud: Cloud, names: Names, stack: str) -> Iterator[Mailbox]:
    """Find the stack's mailboxes by the form of their names and by their tags."""
    for name, url in list_queues(cloud, names.mailbox_prefix):
        if names.is_mailbox(name):
            tags = queue_tags(cloud, url)
            protocol, _, address = tags.get(READER_TAG, "").partition(" ")
            if tags.get(STACK_TAG) == stack and address:
                yield Mailbox(protocol, address, url)


@dataclass(frozen=True, slots=True)
class MailboxesState:
    """The readers as (protocol, address): whose mailbox exists, and the topic sends to it."""

    readers: frozenset[tuple[str, str]] = frozenset()
    urls: tuple[str, ...] = field(default=(), compare=False)


class Mailboxes(Resource[MailboxesState]):
    """The mailboxes of the topic's email and SMS subscribers, which `inbox` reads; in no AWS account.

    `subscribe` opens those of new subscribers.
    """

    kind = "inbox"
    stays_when_renamed = True
    needs: tuple[str, ...] = ("topic", "subscriptions")
    deleted_after: tuple[str, ...] = ("function",)

    @property
    def name(self) -> str:
        return self.settings.names.mailbox_prefix.removesuffix("-")

    @property
    def wanted(self) -> bool:
        """Only on the embedded cloud, where no email leaves the machine."""
        return self.cloud.target is Target.LOCAL

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        """IAM also checks TagQueue when CreateQueue carries tags."""
        if not self.wanted:
            return {}
        names = self.settings.names
        reading = allow("sns", "ListTagsForResource", "ListSubscriptionsByTopic", on=self._topic_arn)
        opening = open_calls(self.cloud, names)
        return {
            Verb.FIND: (*list_calls(self.cloud, names), reading),
            Verb.CREATE: opening,
            Verb.UPDATE: opening,
            Verb.DELETE: (
                allow("sqs", "DeleteQueue", on=self.cloud.arn("sqs", f"{names.mailbox_prefix}*")),
                allow("sns", "Unsubscribe", on=SUBSCRIPTIONS),
            ),
        }

    def described(self, needed: Needed) -> MailboxesState:
        given = [("email", address) for address in self.settings.emails]
        given += [("sms", number) for number in self.settings.phones]
        known = needed_state(needed, SubscriptionsState)
        subscribed = known.subscribers if known else frozenset()
        return MailboxesState(frozenset(one for one in subscribed.union(given) if one[0] in PROTOCOLS))

    def diff(self, live: Live[MailboxesState], needed: Needed) -> tuple[Change, ...]:
        """Return whose mailbox is missing, each a line of the plan; those who left may have one too."""
        missing = sorted(self.described(needed).readers - live.state.readers)
        return tuple(Change(f"{protocol} {address}", None, True) for protocol, address in missing)

    def find(self) -> Live[MailboxesState] | None:
        """Read the mailboxes, and to which of them the topic sends; None without mailboxes and topic.

        A topic without subscribers is complete with no mailbox.
        """
        if not self.wanted:
            return None
        boxes = list(list_mailboxes(self.cloud, self.settings.names, self.settings.stack))
        if not boxes and not self._has_topic():
            return None
        sent_to = {one.endpoint for one in list_subscriptions(self.cloud, self._topic_arn)}
        readers = {(box.protocol, box.address) for box in boxes if self._arn(box) in sent_to}
        return Live("", MailboxesState(frozenset(readers), tuple(box.url for box in boxes)))

    def create(self, step: Step) -> Live[MailboxesState]:
        return self.update(Live("", MailboxesState()), step)

    def update(self, live: Live[MailboxesState], step: Step) -> Live[MailboxesState]:
        missing = self.described(step.needed).readers - live.state.readers
        listed = list_subscriptions(self.cloud, self._topic_arn)
        readers = [one for one in listed if (one.protocol, one.endpoint) in missing]
        for reader in read_subscribers(self.cloud, readers):
            open_mailbox(self.cloud, self.settings.names, self.settings.stack, reader)
        return Live("", replace(live.state, readers=live.state.readers | missing))

    def delete(self, live: Live[MailboxesState], step: Step) -> None:
        queues = {self.cloud.arn("sqs", url.rpartition("/")[2]): url for url in live.state.urls}
        for one in list_subscriptions(self.cloud, self._topic_arn):
            if one.arn and one.endpoint in queues:
                with ignore_codes(*NO_TOPIC):
                    self.cloud.sns.unsubscribe(SubscriptionArn=one.arn)
        for url in queues.values():
            delete_queue(self.cloud, url)

    def _has_topic(self) -> bool:
        answer = read_or_none(
            lambda: self.cloud.sns.list_tags_for_resource(ResourceArn=self._topic_arn), *NO_TOPIC
        )
        return answer is not None and self.owns(tags_of(answer["Tags"]))

    def _arn(self, box: Mailbox) -> str:
        return mailbox_arn(self.cloud, self.settings.names, box.protocol, box.address)

    @property
    def _topic_arn(self) -> str:
        return self.cloud.arn("sns", self.settings.names.topic)
