"""The queues that are left behind: by a killed `verify`, and by version 0.1.0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from botocore.exceptions import ClientError

from ordernotify.aws.errors import has_code, ignore_codes
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.base import (
    Live,
    Needed,
    Resource,
    Step,
    Verb,
)
from ordernotify.resources.delivery import NO_QUEUE
from ordernotify.resources.listing import NO_TOPIC, SUBSCRIPTIONS, list_subscriptions
from ordernotify.settings.names import Target


@dataclass(frozen=True, slots=True)
class VerifyQueuesState:
    """The addresses of the queues that are left."""

    urls: tuple[str, ...] = field(default=(), compare=False)


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
        found: list[str] = []
        for page in self.cloud.sqs.get_paginator("list_queues").paginate(QueueNamePrefix=self.name):
            for url in page.get("QueueUrls", ()):
                queue = url.rpartition("/")[2]
                if self.settings.names.is_verify_queue(queue) and self._is_ours(url):
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


@dataclass(frozen=True, slots=True)
class OldInboxState:
    """The queue's address."""

    url: str = field(default="", compare=False)


class OldInbox(Resource[OldInboxState]):
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
    def wanted(self) -> bool:
        """Never: each subscriber has a mailbox of its own, see `Mailboxes`."""
        return False

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

    def described(self, needed: Needed) -> OldInboxState:
        """Return an empty state: it is not described."""
        return OldInboxState()

    def find(self) -> Live[OldInboxState] | None:
        if self.cloud.target is not Target.LOCAL:
            return None
        try:
            url = self.cloud.sqs.get_queue_url(QueueName=self.name)["QueueUrl"]
            tags = self.cloud.sqs.list_queue_tags(QueueUrl=url).get("Tags", {})
        except ClientError as error:
            if has_code(error, *NO_QUEUE):
                return None
            raise
        return self.live(OldInboxState(url), tags)

    def create(self, step: Step) -> Live[OldInboxState]:
        """Make none: no version makes it any more."""
        raise NotImplementedError(self.kind)

    def update(self, live: Live[OldInboxState], step: Step) -> Live[OldInboxState]:
        """Leave it as it is."""
        return live

    def delete(self, live: Live[OldInboxState], step: Step) -> None:
        for one in list_subscriptions(self.cloud, self._topic_arn):
            if one.arn and one.endpoint == self.arn:
                with ignore_codes(*NO_TOPIC):
                    self.cloud.sns.unsubscribe(SubscriptionArn=one.arn)
        with ignore_codes(*NO_QUEUE):
            self.cloud.sqs.delete_queue(QueueUrl=live.state.url)

    @property
    def _topic_arn(self) -> str:
        return self.cloud.arn("sns", self.settings.names.topic)
