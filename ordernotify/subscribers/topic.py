"""The stack's topic as the subscriber commands see it, and the listing of its subscribers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from botocore.exceptions import ClientError

from ordernotify.aws.errors import has_code, map_botocore_errors
from ordernotify.aws.session import Cloud
from ordernotify.errors import NotOursError, StackNotFoundError
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources import subscriber
from ordernotify.resources.base import tags_of
from ordernotify.resources.listing import SUBSCRIPTIONS, Subscription, is_internal, list_subscriptions
from ordernotify.resources.stack_queue import NO_QUEUE
from ordernotify.resources.subscriber import Subscriber
from ordernotify.settings.names import STACK_TAG, Names

_NO_TOPIC = ("NotFound", "NotFoundException", "ResourceNotFound", "ResourceNotFoundException")


@dataclass(frozen=True, slots=True)
class Topic:
    """The stack's topic, with its tags, and its subscriptions as listed."""

    arn: str
    tags: Mapping[str, str]
    subscriptions: tuple[Subscription, ...]
    attributes: Mapping[str, str] = field(default_factory=dict)
    """What a new subscription gets, whoever it is of."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of the listing; `requested_at` is None if it is not known since when it is pending."""

    subscriber: Subscriber
    requested_at: datetime | None


def list_calls(cloud: Cloud, names: Names) -> Calls:
    """What listing the subscribers calls."""
    return (
        allow("sns", "ListTagsForResource", "ListSubscriptionsByTopic", on=cloud.arn("sns", names.topic)),
        allow("sns", "GetSubscriptionAttributes", on=SUBSCRIPTIONS),
    )


def request_calls(cloud: Cloud, names: Names) -> Calls:
    """What keeping when subscribers were asked calls; it is a help that the commands do without."""
    topic = cloud.arn("sns", names.topic)
    return (
        allow("sns", "ListTagsForResource", "ListSubscriptionsByTopic", on=topic),
        allow("sns", "TagResource", "UntagResource", on=topic, optional=True),
    )


def open_topic(cloud: Cloud, names: Names, stack: str) -> Topic:
    """Find the stack's topic; raises StackNotFoundError, or NotOursError if it lacks the stack's tag."""
    arn = cloud.arn("sns", names.topic)
    with map_botocore_errors("read", "topic", names.topic):
        try:
            tags = tags_of(cloud.sns.list_tags_for_resource(ResourceArn=arn)["Tags"])
        except ClientError as error:
            if not has_code(error, *_NO_TOPIC):
                raise
            raise StackNotFoundError(
                f"there is no topic {names.topic} in account {cloud.account}, region {cloud.region}",
                "`ordernotify setup` makes it; --stack, --aws and --region choose another one.",
            ) from error
        if tags.get(STACK_TAG) != stack:
            raise NotOursError(
                f"the topic {names.topic} exists, but does not belong to the stack {stack}",
                "Choose another --stack, or take the topic over with `ordernotify setup --adopt`.",
            )
        return Topic(arn, tags, list_subscriptions(cloud, arn))


def with_dead_letters(cloud: Cloud, names: Names, topic: Topic) -> Topic:
    """Let new subscriptions keep what is not taken, where the stack has a queue for that."""
    with map_botocore_errors("read", "queue", names.dead_letter_queue):
        try:
            cloud.sqs.get_queue_url(QueueName=names.dead_letter_queue)
        except ClientError as error:
            if not has_code(error, *NO_QUEUE):
                raise
            return topic
    return replace(topic, attributes={"RedrivePolicy": subscriber.redrive_policy(cloud, names)})


def list_subscribers(cloud: Cloud, names: Names, stack: str, *, everything: bool = False) -> Iterator[Listed]:
    """Yield the topic's subscribers in the order of SNS.

    The queues of `inbox` and `verify` are the stack's own and left out, unless `everything` is asked for.
    """
    topic = open_topic(cloud, names, stack)
    shown = [s for s in topic.subscriptions if everything or not is_internal(cloud, names, s.endpoint)]
    with map_botocore_errors("list", "subscriptions of", names.topic):
        for one in subscriber.read_subscribers(cloud, shown):
            asked = subscriber.requested_at(topic.tags, one.protocol, one.endpoint)
            yield Listed(one, asked if one.pending else None)


def remember_requests(
    cloud: Cloud, names: Names, stack: str, asked: Sequence[tuple[str, str]], now: datetime | None = None
) -> None:
    """Keep when these (protocol, endpoint) were asked to confirm, where the caller may; for `setup`."""
    topic = open_topic(cloud, names, stack)
    subscriber.remember_requests(cloud, topic.arn, topic.tags, asked, now or datetime.now(UTC))
