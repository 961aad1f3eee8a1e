"""The queues that a killed `verify` leaves behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.base import Leftover, Live, Step, Verb
from ordernotify.resources.listing import delete_queue, list_queues, queue_tags


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
