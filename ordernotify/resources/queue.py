"""The queues: the inbox of the local target, and what a killed `verify` left behind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ordernotify.aws.errors import has_code, ignore_codes
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.base import (
    Live,
    Needed,
    Resource,
    Step,
    Verb,
    same_policy_text,
)
from ordernotify.resources.listing import NO_TOPIC, SUBSCRIPTIONS, list_subscriptions
from ordernotify.resources.stack_queue import NO_QUEUE, RETENTION_SECONDS, StackQueue, queue_policy
from ordernotify.resources.subscriber import dead_letter_attributes
from ordernotify.settings.names import Target

if TYPE_CHECKING:
    from mypy_boto3_sqs.literals import QueueAttributeNameType


@dataclass(frozen=True, slots=True)
class InboxQueueState:
    """The queue's policy, how long it keeps a message in seconds, and whether the topic sends to it."""

    policy: str
    retention: int
    subscribed: bool
    url: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class VerifyQueuesState:
    """The addresses of the queues that are left."""

    urls: tuple[str, ...] = field(default=(), compare=False)


class InboxQueue(StackQueue[InboxQueueState]):
    """The queue that gets a copy of every notification, for `inbox` to read; with its subscription."""

    kind = "queue"
    needs: tuple[str, ...] = ("topic", "dead-letters")
    deleted_after: tuple[str, ...] = ("function",)

    @property
    def name(self) -> str:
        return self.settings.names.inbox_queue

    @property
    def wanted(self) -> bool:
        """Only on the embedded cloud, where no email leaves the machine."""
        return self.cloud.target is Target.LOCAL

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        """IAM also checks TagQueue when CreateQueue carries tags."""
        if not self.wanted:
            return {}
        queue, topic = self.arn, self.topic_arn
        return {
            Verb.FIND: (
                allow("sqs", "GetQueueUrl", "GetQueueAttributes", "ListQueueTags", on=queue),
                allow("sns", "ListSubscriptionsByTopic", on=topic),
            ),
            Verb.CREATE: (
                allow("sqs", "CreateQueue", "TagQueue", on=queue),
                allow("sns", "Subscribe", on=topic),
            ),
            Verb.UPDATE: (
                allow("sqs", "SetQueueAttributes", "TagQueue", on=queue),
                allow("sns", "Subscribe", on=topic),
            ),
            Verb.DELETE: (
                allow("sqs", "DeleteQueue", on=queue),
                allow("sns", "Unsubscribe", on=SUBSCRIPTIONS),
            ),
        }

    def described(self, needed: Needed) -> InboxQueueState:
        """Return the policy, the retention, and that it is subscribed."""
        return InboxQueueState(queue_policy(self.arn, self.topic_arn), RETENTION_SECONDS, subscribed=True)

    def find(self) -> Live[InboxQueueState] | None:
        """Read the queue, its tags, and whether it is subscribed."""
        if not self.wanted:
            return None
        found = self.read()
        if found is None:
            return None
        state = InboxQueueState(
            policy=same_policy_text(found.attributes.get("Policy")),
            retention=int(found.attributes["MessageRetentionPeriod"]),
            subscribed=self._subscription() is not None,
            url=found.url,
        )
        return self.live(state, found.tags)

    def create(self, step: Step) -> Live[InboxQueueState]:
        wanted = self.described(step.needed)
        url = self.put(_attributes(wanted))
        self._subscribe()
        return Live(self.arn, replace(wanted, url=url))

    def update(self, live: Live[InboxQueueState], step: Step) -> Live[InboxQueueState]:
        """Put the policy and the retention, and subscribe it again."""
        found, wanted = live.state, self.described(step.needed)
        if _attributes(found) != _attributes(wanted):
            self.cloud.sqs.set_queue_attributes(QueueUrl=found.url, Attributes=_attributes(wanted))
        if not found.subscribed:
            self._subscribe()
        return Live(self.arn, replace(wanted, url=found.url))

    def put_tags(self, live: Live[InboxQueueState]) -> None:
        self.cloud.sqs.tag_queue(QueueUrl=live.state.url, Tags=self.settings.all_tags)

    def delete(self, live: Live[InboxQueueState], step: Step) -> None:
        subscription = self._subscription()
        if subscription:
            with ignore_codes(*NO_TOPIC):
                self.cloud.sns.unsubscribe(SubscriptionArn=subscription)
        self.remove(live.state.url)

    def _subscription(self) -> str | None:
        everybody = list_subscriptions(self.cloud, self.topic_arn)
        return next((s.arn for s in everybody if s.endpoint == self.arn), None)

    def _subscribe(self) -> None:
        self.cloud.sns.subscribe(
            TopicArn=self.topic_arn,
            Protocol="sqs",
            Endpoint=self.arn,
            Attributes=dead_letter_attributes(self.settings, self.cloud),
            ReturnSubscriptionArn=True,
        )


def _attributes(state: InboxQueueState) -> dict[QueueAttributeNameType, str]:
    return {"Policy": state.policy, "MessageRetentionPeriod": str(state.retention)}


class VerifyQueues(Resource[VerifyQueuesState]):
    """The queues that killed runs of `verify` left: setup makes none, teardown removes them."""

    kind = "verify queues"
    deleted_after: tuple[str, ...] = ("function",)

    @property
    def name(self) -> str:
        """How their names begin."""
        return self.settings.names.verify_queue_prefix

    @property
    def arn(self) -> str:
        """Empty: each queue has its own."""
        return ""

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        """IAM knows no resource for listing queues."""
        queues = self.cloud.arn("sqs", f"{self.name}*")
        return {
            Verb.FIND: (allow("sqs", "ListQueues", on="*"), allow("sqs", "ListQueueTags", on=queues)),
            Verb.DELETE: (allow("sqs", "DeleteQueue", on=queues),),
        }

    @property
    def wanted(self) -> bool:
        """Never: they are nobody's once their run has ended."""
        return False

    def described(self, needed: Needed) -> VerifyQueuesState:
        """Return no queues: none are described."""
        return VerifyQueuesState()

    def find(self) -> Live[VerifyQueuesState] | None:
        """Find those of this stack by their names' form and their tag; None if there are none."""
        of_verify = re.compile(re.escape(self.name) + "[0-9a-f]{8}")
        found: list[str] = []
        for page in self.cloud.sqs.get_paginator("list_queues").paginate(QueueNamePrefix=self.name):
            for url in page.get("QueueUrls", ()):
                queue = url.rpartition("/")[2]
                if of_verify.fullmatch(queue) and self._is_ours(url):
                    found.append(url)
        return Live("", VerifyQueuesState(tuple(found))) if found else None

    def create(self, step: Step) -> Live[VerifyQueuesState]:
        """Make none: `verify` does."""
        raise NotImplementedError(self.kind)

    def update(self, live: Live[VerifyQueuesState], step: Step) -> Live[VerifyQueuesState]:
        """Leave them as they are."""
        return live

    def delete(self, live: Live[VerifyQueuesState], step: Step) -> None:
        """Delete the queues; their subscriptions go with the topic."""
        for url in live.state.urls:
            with ignore_codes(*NO_QUEUE):
                self.cloud.sqs.delete_queue(QueueUrl=url)

    def _is_ours(self, url: str) -> bool:
        try:
            return self.owns(self.cloud.sqs.list_queue_tags(QueueUrl=url).get("Tags", {}))
        except ClientError as error:
            if has_code(error, *NO_QUEUE):  # its verify has just ended
                return False
            raise
