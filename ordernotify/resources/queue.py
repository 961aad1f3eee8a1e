"""The queues: the inbox of the local target, and what a killed `verify` left behind."""

from __future__ import annotations

import re
from collections.abc import Mapping

from botocore.exceptions import ClientError

from ordernotify.aws.errors import has_code, ignore_codes
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.base import (
    Attributes,
    Live,
    Resource,
    Step,
    Verb,
    policy_text,
    same_policy_text,
)
from ordernotify.resources.listing import NO_TOPIC, SUBSCRIPTIONS, list_subscriptions
from ordernotify.settings.names import Target

RETENTION_SECONDS = 14 * 24 * 3600
_NO_QUEUE = ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue")


def queue_policy(queue_arn: str, topic_arn: str) -> str:
    """Write the policy that lets exactly this topic send to this queue."""
    return policy_text(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "TopicSends",
                    "Effect": "Allow",
                    "Principal": {"Service": "sns.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": queue_arn,
                    "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
                }
            ],
        }
    )


class InboxQueue(Resource):
    """The queue that receives a copy of every notification: what `inbox` reads; with its subscription."""

    kind = "queue"
    needs: tuple[str, ...] = ("topic",)
    deleted_after: tuple[str, ...] = ("function",)

    @property
    def name(self) -> str:
        """The queue's name."""
        return self.settings.names.inbox_queue

    @property
    def arn(self) -> str:
        """The queue's ARN."""
        return self.cloud.arn("sqs", self.name)

    @property
    def wanted(self) -> bool:
        """Only on the embedded cloud, where no email leaves the machine."""
        return self.cloud.target is Target.LOCAL

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        """TagQueue is also checked when a queue is made with tags."""
        if not self.wanted:
            return {}
        queue, topic = self.arn, self._topic_arn
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

    def described(self, needed: Mapping[str, Live]) -> Attributes:
        """Return the policy, the retention in seconds, and the subscription."""
        return {
            "policy": queue_policy(self.arn, self._topic_arn),
            "retention": RETENTION_SECONDS,
            "subscribed": True,
        }

    def find(self) -> Live | None:
        """Read the queue, its tags, and whether it is subscribed."""
        if not self.wanted:
            return None
        try:
            url = self.cloud.sqs.get_queue_url(QueueName=self.name)["QueueUrl"]
            attributes = self.cloud.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])[
                "Attributes"
            ]
            tags = self.cloud.sqs.list_queue_tags(QueueUrl=url).get("Tags", {})
        except ClientError as error:
            if has_code(error, *_NO_QUEUE):
                return None
            raise
        found = {
            "policy": same_policy_text(attributes.get("Policy")),
            "retention": int(attributes["MessageRetentionPeriod"]),
            "subscribed": self._subscription() is not None,
        }
        return self.live(found, tags, url=url)

    def create(self, step: Step) -> Live:
        """Create the queue with its policy and subscribe it."""
        wanted = self.described(step.needed)
        url = self.cloud.sqs.create_queue(
            QueueName=self.name,
            Attributes={"Policy": wanted["policy"], "MessageRetentionPeriod": str(RETENTION_SECONDS)},
            tags=dict(self.settings.all_tags),
        )["QueueUrl"]
        self._subscribe()
        return Live(self.arn, wanted, ids={"url": url})

    def update(self, live: Live, changed: frozenset[str], step: Step) -> Live:
        """Put the policy and the retention, and subscribe it again."""
        wanted = self.described(step.needed)
        if changed & {"policy", "retention"}:
            self.cloud.sqs.set_queue_attributes(
                QueueUrl=live.ids["url"],
                Attributes={"Policy": wanted["policy"], "MessageRetentionPeriod": str(RETENTION_SECONDS)},
            )
        if "subscribed" in changed:
            self._subscribe()
        return Live(self.arn, wanted, ids=live.ids)

    def put_tags(self, live: Live) -> None:
        """Add the tags."""
        self.cloud.sqs.tag_queue(QueueUrl=live.ids["url"], Tags=self.settings.all_tags)

    def delete(self, live: Live, step: Step) -> None:
        """Remove the subscription and the queue."""
        subscription = self._subscription()
        if subscription:
            with ignore_codes(*NO_TOPIC):
                self.cloud.sns.unsubscribe(SubscriptionArn=subscription)
        with ignore_codes(*_NO_QUEUE):
            self.cloud.sqs.delete_queue(QueueUrl=live.ids["url"])

    @property
    def _topic_arn(self) -> str:
        return self.cloud.arn("sns", self.settings.names.topic)

    def _subscription(self) -> str | None:
        everybody = list_subscriptions(self.cloud, self._topic_arn)
        return next((s.arn for s in everybody if s.endpoint == self.arn), None)

    def _subscribe(self) -> None:
        self.cloud.sns.subscribe(
            TopicArn=self._topic_arn, Protocol="sqs", Endpoint=self.arn, ReturnSubscriptionArn=True
        )


class VerifyQueues(Resource):
    """The temporary queues of runs of `verify` that were killed: setup makes none, teardown removes them."""

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
        """Listing queues is a permission without a resource."""
        queues = self.cloud.arn("sqs", f"{self.name}*")
        return {
            Verb.FIND: (allow("sqs", "ListQueues", on="*"), allow("sqs", "ListQueueTags", on=queues)),
            Verb.DELETE: (allow("sqs", "DeleteQueue", on=queues),),
        }

    @property
    def wanted(self) -> bool:
        """Never: they are nobody's once their run has ended."""
        return False

    def described(self, needed: Mapping[str, Live]) -> Attributes:
        """Return nothing: they are not described."""
        return {}

    def find(self) -> Live | None:
        """Find those of this stack by the form of their name and their tag; None if there is not one."""
        of_verify = re.compile(re.escape(self.name) + "[0-9a-f]{8}")
        found: dict[str, str] = {}
        for page in self.cloud.sqs.get_paginator("list_queues").paginate(QueueNamePrefix=self.name):
            for url in page.get("QueueUrls", ()):
                queue = url.rpartition("/")[2]
                if of_verify.fullmatch(queue) and self._is_ours(url):
                    found[queue] = url
        return Live("", dict.fromkeys(found, True), ids=found) if found else None

    def create(self, step: Step) -> Live:
        """Make none: `verify` does."""
        raise NotImplementedError(self.kind)

    def update(self, live: Live, changed: frozenset[str], step: Step) -> Live:
        """Leave them as they are."""
        return live

    def delete(self, live: Live, step: Step) -> None:
        """Delete the queues; their subscriptions go with the topic."""
        for url in live.ids.values():
            with ignore_codes(*_NO_QUEUE):
                self.cloud.sqs.delete_queue(QueueUrl=url)

    def _is_ours(self, url: str) -> bool:
        try:
            return self.owns(self.cloud.sqs.list_queue_tags(QueueUrl=url).get("Tags", {}))
        except ClientError as error:
            if has_code(error, *_NO_QUEUE):  # its verify has just ended
                return False
            raise
