"""Listings that more than one resource and operation reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ordernotify.aws.errors import ignore_codes, read_or_none
from ordernotify.aws.session import Cloud
from ordernotify.settings.names import Names

INVALID_PARAMETER = ("InvalidParameter", "InvalidParameterException")
NO_TOPIC = ("NotFound", "NotFoundException", "ResourceNotFound", "ResourceNotFoundException")
"""The codes with which SNS says that a topic or a subscription does not exist."""
NO_QUEUE = ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue")
NEW_TOPIC_SECONDS = 30.0
"""How long a topic just made may be unknown to the next call (AWS-FACTS 24)."""
SUBSCRIPTIONS = "*"
"""IAM's resource for calls on one subscription: IAM knows no resource for them.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html
"""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscriber of the topic; one without an ARN has not confirmed yet."""

    protocol: str
    endpoint: str
    arn: str | None

    @property
    def state(self) -> str:
        """`confirmed` or `pending`."""
        return "confirmed" if self.arn else "pending"


def list_subscriptions(cloud: Cloud, topic_arn: str) -> tuple[Subscription, ...]:
    """Read every subscription of the topic, in the order of SNS; empty if there is no topic.

    AWS-FACTS 13: a pending subscription has no ARN in listings; the word `Deleted` marks one that is gone.
    """
    found: list[Subscription] = []
    with ignore_codes(*NO_TOPIC):
        for page in cloud.sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn):
            for item in page["Subscriptions"]:
                arn = item["SubscriptionArn"]
                if arn != "Deleted":
                    confirmed = arn.startswith("arn:")
                    found.append(Subscription(item["Protocol"], item["Endpoint"], arn if confirmed else None))
    return tuple(found)


def list_queues(cloud: Cloud, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the URL of each queue whose name begins with `prefix`."""
    for page in cloud.sqs.get_paginator("list_queues").paginate(QueueNamePrefix=prefix):
        for url in page.get("QueueUrls", ()):
            yield url.rpartition("/")[2], url


def queue_tags(cloud: Cloud, url: str) -> dict[str, str]:
    """Read a queue's tags; empty for one that was removed meanwhile."""
    answer = read_or_none(lambda: cloud.sqs.list_queue_tags(QueueUrl=url), *NO_QUEUE)
    return answer.get("Tags", {}) if answer else {}


def delete_queue(cloud: Cloud, url: str) -> None:
    """Delete a queue; succeeds if it is gone already."""
    with ignore_codes(*NO_QUEUE):
        cloud.sqs.delete_queue(QueueUrl=url)


def is_internal(cloud: Cloud, names: Names, endpoint: str) -> bool:
    """Whether the endpoint is a local subscriber's mailbox or a temporary queue of `verify`."""
    queue = endpoint.removeprefix(cloud.arn("sqs", ""))
    return names.is_mailbox(queue) or names.is_verify_queue(queue)
