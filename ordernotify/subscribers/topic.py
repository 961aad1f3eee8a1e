"""The stack's topic as the subscriber commands see it, and the listing of its subscribers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from ordernotify.aws.errors import map_botocore_errors, read_or_none
from ordernotify.aws.session import Cloud
from ordernotify.aws.tags import tags_of
from ordernotify.errors import NotOursError, StackNotFoundError
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.listing import (
    NO_QUEUE,
    NO_TOPIC,
    SUBSCRIPTIONS,
    Subscription,
    is_internal,
    list_subscriptions,
)
from ordernotify.resources.subscriber import Subscriber, read_subscribers, redrive_policy
from ordernotify.settings.names import STACK_TAG, Names


@dataclass(frozen=True, slots=True)
class StackTopic:
    """The stack's topic, and its subscriptions as listed."""

    names: Names
    stack: str
    arn: str
    subscriptions: tuple[Subscription, ...]
    attributes: Mapping[str, str] = field(default_factory=dict)
    """What a new subscription gets, whoever it is of."""


def list_calls(cloud: Cloud, names: Names) -> Calls:
    return (
        allow("sns", "ListTagsForResource", "ListSubscriptionsByTopic", on=cloud.arn("sns", names.topic)),
        allow("sns", "GetSubscriptionAttributes", on=SUBSCRIPTIONS),
    )


def open_topic(cloud: Cloud, names: Names, stack: str, name: str = "") -> StackTopic:
    """Find the stack's topic `name`, by default that of the orders.

    Raises StackNotFoundError, or NotOursError if it lacks the stack's tag.
    """
    name = name or names.topic
    arn = cloud.arn("sns", name)
    with map_botocore_errors("read", "topic", name):
        answer = read_or_none(lambda: cloud.sns.list_tags_for_resource(ResourceArn=arn), *NO_TOPIC)
        if answer is None:
            raise StackNotFoundError(
                f"there is no topic {name} in account {cloud.account}, region {cloud.region}"
            )
        if tags_of(answer["Tags"]).get(STACK_TAG) != stack:
            raise NotOursError(
                f"the topic {name} exists, but does not belong to the stack {stack}",
                "Choose another --stack, or take the topic over with `ordernotify setup --adopt`.",
            )
        return StackTopic(names, stack, arn, list_subscriptions(cloud, arn))


def with_dead_letters(cloud: Cloud, names: Names, topic: StackTopic) -> StackTopic:
    """Add the redrive policy to new subscriptions, if the stack has a dead-letter queue."""
    with map_botocore_errors("read", "queue", names.dead_letter_queue):
        queue = names.dead_letter_queue
        if read_or_none(lambda: cloud.sqs.get_queue_url(QueueName=queue), *NO_QUEUE) is None:
            return topic
    return replace(topic, attributes={"RedrivePolicy": redrive_policy(cloud, names)})


def list_subscribers(
    cloud: Cloud, names: Names, stack: str, *, everything: bool = False
) -> Iterator[Subscriber]:
    """Yield the topic's subscribers in the order of SNS.

    The queues of `inbox` and `verify` are the stack's own and left out, unless `everything` is asked for.
    """
    topic = open_topic(cloud, names, stack)
    shown = [s for s in topic.subscriptions if everything or not is_internal(cloud, names, s.endpoint)]
    with map_botocore_errors("list", "subscriptions of", names.topic):
        yield from read_subscribers(cloud, shown)
