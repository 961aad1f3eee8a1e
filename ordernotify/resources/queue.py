"""The queues that are left behind: by a killed `verify`, and by version 0.1.0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ordernotify.aws.errors import read_or_none
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.base import Leftover, Live, Step, Verb
from ordernotify.resources.listing import (
    NO_QUEUE,
    SUBSCRIPTIONS,
    delete_queue,
    list_queues,
    queue_tags,
    unsubscribe_endpoints,
)
from ordernotify.settings.names import Target


@dataclass(frozen=True, slots=True)
class QueuesState:
    """The URLs of the queues that are left."""

    urls: tuple[str, ...] = field(default=(), compare=False)


class VerifyQueues(Leftover[QueuesState]):
    """The queues that killed runs of `verify` left; teardown removes them."""

    kind = "verify queues"
    deleted_after: tuple[str, ...] = ("function",)

    @property
    def name(self) -> str:
        """How their names begin."""
        return self.settings.names.verify_queue_prefix

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        """IAM knows no resource for listing queues."""
        queues = self.cloud.arn("sqs", f"{self.name}*")
        return {
            Verb.FIND: (allow("sqs", "ListQueues", on="*"), allow("sqs", "ListQueueTags", on=queues)),
            Verb.DELETE: (allow("sqs", "DeleteQueue", on=queues),),
        }

    def find(self) -> Live[QueuesState] | None:
        """Find those of this stack by their names' form and their tag; None if there are none."""
        urls = tuple(
            url
            for name, url in list_queues(self.cloud, self.name)
            if self.settings.names.is_verify_queue(name) and self.owns(queue_tags(self.cloud, url))
        )
        return Live("", QueuesState(urls)) if urls else None

    def delete(self, live: Live[QueuesState], step: Step) -> None:
        """Delete the queues; their subscriptions go with the topic."""
        for url in live.state.urls:
            delete_queue(self.cloud, url)


class OldInbox(Leftover[QueuesState]):
    """The queue that version 0.1.0 read the local inbox from; setup and teardown remove it."""

    kind = "queue"
    needs: tuple[str, ...] = ("topic",)
    deleted_after: tuple[str, ...] = ("function",)
    removed_when_unwanted = True

    @property
    def name(self) -> str:
        return self.settings.names.old_inbox_queue

    @property
    def arn(self) -> str:
        return self.cloud.arn("sqs", self.name)

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        """None in an account."""
        if self.cloud.target is not Target.LOCAL:
            return {}
        return {
            Verb.FIND: (allow("sqs", "GetQueueUrl", "ListQueueTags", on=self.arn),),
            Verb.DELETE: (
                allow("sns", "ListSubscriptionsByTopic", on=self._topic_arn),
                allow("sns", "Unsubscribe", on=SUBSCRIPTIONS),
                allow("sqs", "DeleteQueue", on=self.arn),
            ),
        }

    def find(self) -> Live[QueuesState] | None:
        if self.cloud.target is not Target.LOCAL:
            return None
        found = read_or_none(lambda: self.cloud.sqs.get_queue_url(QueueName=self.name), *NO_QUEUE)
        if found is None:
            return None
        return self.live(QueuesState((found["QueueUrl"],)), queue_tags(self.cloud, found["QueueUrl"]))

    def delete(self, live: Live[QueuesState], step: Step) -> None:
        unsubscribe_endpoints(self.cloud, self._topic_arn, {self.arn})
        for url in live.state.urls:
            delete_queue(self.cloud, url)

    @property
    def _topic_arn(self) -> str:
        return self.cloud.arn("sns", self.settings.names.topic)
