"""Production: the queue for what a subscriber did not take, and the subscriptions that lead to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from ordernotify.aws.errors import has_code, ignore_codes, read_or_none
from ordernotify.errors import OrderNotifyError
from ordernotify.iam.calls import Calls, allow
from ordernotify.iam.documents import same_policy_text
from ordernotify.resources.base import Live, Needed, Resource, Step, Verb, shown_as
from ordernotify.resources.delivery import queue_policy
from ordernotify.resources.kms_key import GivenKeyState
from ordernotify.resources.listing import (
    NO_QUEUE,
    NO_TOPIC,
    SUBSCRIPTIONS,
    delete_queue,
    is_internal,
    list_subscriptions,
    queue_tags,
)
from ordernotify.resources.subscriber import Subscriber, read_subscribers, redrive_policy
from ordernotify.settings.model import Settings

if TYPE_CHECKING:
    from mypy_boto3_sqs.literals import QueueAttributeNameType

RETENTION_SECONDS = 14 * 24 * 3600
"""As long as SQS can."""
_DELETED_RECENTLY = ("QueueDeletedRecently", "AWS.SimpleQueueService.QueueDeletedRecently")
"""AWS-FACTS 39."""


@dataclass(frozen=True, slots=True)
class DeadLetterQueueState:
    """The queue's policy, how long it keeps a message in seconds, and what encrypts it.

    `encrypted_with` is the ARN of a KMS key; without one, SQS encrypts with a key of its own.
    """

    policy: str
    retention: int
    encrypted: bool
    encrypted_with: str = ""
    url: str = field(default="", compare=False)
    messages: int = field(default=0, compare=False)


class DeadLetterQueue(Resource[DeadLetterQueueState]):
    """The queue that keeps the notifications which SNS gave up to deliver."""

    kind = "dead-letters"
    needs: tuple[str, ...] = ("topic", "key")
    deleted_after: tuple[str, ...] = ("function", "subscriptions")
    removed_when_unwanted = True

    @property
    def name(self) -> str:
        return self.settings.names.dead_letter_queue

    @property
    def arn(self) -> str:
        return self.cloud.arn("sqs", self.name)

    @property
    def wanted(self) -> bool:
        return self.settings.dead_letters

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        """IAM also checks TagQueue when CreateQueue carries tags."""
        calls = {
            Verb.FIND: ("GetQueueUrl", "GetQueueAttributes", "ListQueueTags"),
            Verb.CREATE: ("CreateQueue", "TagQueue"),
            Verb.UPDATE: ("SetQueueAttributes", "TagQueue"),
            Verb.DELETE: ("DeleteQueue",),
        }
        return {verb: (allow("sqs", *names, on=self.arn),) for verb, names in calls.items()}

    def described(self, needed: Needed) -> DeadLetterQueueState:
        policy = queue_policy(self.arn, self.cloud.arn("sns", self.settings.names.topic))
        key = GivenKeyState.arn_in(self.settings, needed)
        return DeadLetterQueueState(policy, RETENTION_SECONDS, encrypted=True, encrypted_with=key)

    def find(self) -> Live[DeadLetterQueueState] | None:
        attributes = read_or_none(self._read, *NO_QUEUE)
        if attributes is None:
            return None
        url, key = attributes["QueueUrl"], attributes.get("KmsMasterKeyId", "")
        state = DeadLetterQueueState(
            policy=same_policy_text(attributes.get("Policy")),
            retention=int(attributes["MessageRetentionPeriod"]),
            encrypted=bool(key) or attributes.get("SqsManagedSseEnabled") == "true",
            encrypted_with=key,
            url=url,
            # Those that wait, and those that a running `redrive --undelivered` has taken.
            messages=int(attributes.get("ApproximateNumberOfMessages", 0))
            + int(attributes.get("ApproximateNumberOfMessagesNotVisible", 0)),
        )
        return self.live(state, queue_tags(self.cloud, url))

    def _read(self) -> dict[str, str]:
        url = self.cloud.sqs.get_queue_url(QueueName=self.name)["QueueUrl"]
        answer = self.cloud.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        return {**{str(key): value for key, value in answer["Attributes"].items()}, "QueueUrl": url}

    def create(self, step: Step) -> Live[DeadLetterQueueState]:
        wanted = self.described(step.needed)
        made = step.patience.retry(
            lambda: self.cloud.sqs.create_queue(
                QueueName=self.name, Attributes=_attributes(wanted), tags=self.settings.all_tags
            ),
            when=lambda error: has_code(error, *_DELETED_RECENTLY),
            waiting_for=f"SQS to free the name {self.name}",
        )
        return Live(self.arn, replace(wanted, url=made["QueueUrl"]))

    def update(self, live: Live[DeadLetterQueueState], step: Step) -> Live[DeadLetterQueueState]:
        wanted = self.described(step.needed)
        # The empty key takes the queue's own away.
        attributes = {"KmsMasterKeyId": "", **_attributes(wanted)}
        self.cloud.sqs.set_queue_attributes(QueueUrl=live.state.url, Attributes=attributes)
        return Live(self.arn, replace(wanted, url=live.state.url))

    def put_tags(self, live: Live[DeadLetterQueueState]) -> None:
        self.cloud.sqs.tag_queue(QueueUrl=live.state.url, Tags=self.settings.all_tags)

    def kept_for(self, live: Live[DeadLetterQueueState]) -> str:
        """Keep what is in it: the orders are in the table, and no subscriber may have been told of them."""
        count = live.state.messages
        return f"holds {count} undelivered, see `ordernotify redrive --undelivered`" if count else ""

    def removal_notice(self, live: Live[DeadLetterQueueState]) -> str:
        """Say how many notifications go with it."""
        count = live.state.messages
        return f"with {count} undelivered, see `ordernotify redrive --undelivered`" if count else ""

    def delete(self, live: Live[DeadLetterQueueState], step: Step) -> None:
        """Delete the queue; raises OrderNotifyError if it holds more than the plan said."""
        found = self.find()
        more = found.state.messages - live.state.messages if found else 0
        if more > 0:
            raise OrderNotifyError(
                f"the queue {self.name} got {more} undelivered since the plan was made, and was not deleted",
                "Run the same command again: the plan then says so.",
            )
        delete_queue(self.cloud, live.state.url)


def _attributes(state: DeadLetterQueueState) -> dict[QueueAttributeNameType, str]:
    # A queue is encrypted in one of two ways; SQS refuses both.
    encryption: dict[QueueAttributeNameType, str] = (
        {"KmsMasterKeyId": state.encrypted_with, "SqsManagedSseEnabled": "false"}
        if state.encrypted_with
        else {"SqsManagedSseEnabled": "true"}
    )
    return {"Policy": state.policy, "MessageRetentionPeriod": str(state.retention), **encryption}


@dataclass(frozen=True, slots=True)
class RedrivePoliciesState:
    """Which confirmed subscribers have no dead letters; `having`: the ARNs of the subscriptions that do."""

    lacking: tuple[str, ...] = field(default=(), metadata=shown_as("without dead letters"))
    having: tuple[str, ...] = field(default=(), compare=False)


class RedrivePolicies(Resource[RedrivePoliciesState]):
    """The redrive policy of every confirmed subscription of the topic, whoever subscribed it.

    One that leads to another queue is the person's, and stays. A pending one gets it when it is subscribed:
    SNS does not tell its ARN (AWS-FACTS 13).
    """

    kind = "redrive"
    needs: tuple[str, ...] = ("topic", "subscriptions", "dead-letters")
    part_of = "topic"
    removed_when_unwanted = True

    def under_former_name(self, settings: Settings) -> Self:
        """Without dead letters: no subscriber of a former topic is to lead to any."""
        return super().under_former_name(replace(settings, dead_letters=False))

    @property
    def name(self) -> str:
        """The topic's name: subscriptions have none of their own."""
        return self.settings.names.topic

    @property
    def wanted(self) -> bool:
        return self.settings.dead_letters

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        """IAM knows no resource for calls on one subscription."""
        put = (allow("sns", "SetSubscriptionAttributes", on=SUBSCRIPTIONS),)
        return {
            Verb.FIND: (
                allow("sns", "GetTopicAttributes", "ListSubscriptionsByTopic", on=self._topic_arn),
                allow("sns", "GetSubscriptionAttributes", on=SUBSCRIPTIONS),
                allow("sqs", "GetQueueUrl", on=self._queue_arn),
            ),
            Verb.CREATE: put,
            Verb.UPDATE: put,
            Verb.DELETE: put,
        }

    def described(self, needed: Needed) -> RedrivePoliciesState:
        return RedrivePoliciesState()

    def find(self) -> Live[RedrivePoliciesState] | None:
        """Read every confirmed subscription; None without a topic, and if none is wanted and none is set."""
        if not self._may_exist():
            return None
        subscribers = list(self._subscribers())
        lacking = sorted(one.endpoint for one in subscribers if not one.redrive)
        having = tuple(one.arn or "" for one in subscribers if one.redrive == self._queue_arn)
        if not self.wanted and not having:
            return None
        return Live("", RedrivePoliciesState(tuple(lacking), having))

    def create(self, step: Step) -> Live[RedrivePoliciesState]:
        return self.update(Live("", RedrivePoliciesState()), step)

    def update(self, live: Live[RedrivePoliciesState], step: Step) -> Live[RedrivePoliciesState]:
        """Set it where it is missing; what was subscribed meanwhile is read again."""
        policy = redrive_policy(self.cloud, self.settings.names)
        for one in self._subscribers():
            if one.arn and not one.redrive:
                self._set(one.arn, policy)
        return Live("", RedrivePoliciesState())

    def delete(self, live: Live[RedrivePoliciesState], step: Step) -> None:
        """Remove it; SNS takes an absent value for that, and not an empty one.

        https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/sns/topic_subscription.go
        """
        for arn in live.state.having:
            self._set(arn, None)

    @property
    def _topic_arn(self) -> str:
        return self.cloud.arn("sns", self.name)

    @property
    def _queue_arn(self) -> str:
        return self.cloud.arn("sqs", self.settings.names.dead_letter_queue)

    def _may_exist(self) -> bool:
        sns, sqs, queue = self.cloud.sns, self.cloud.sqs, self.settings.names.dead_letter_queue
        if self.wanted:
            topic = read_or_none(lambda: sns.get_topic_attributes(TopicArn=self._topic_arn), *NO_TOPIC)
            return topic is not None
        return read_or_none(lambda: sqs.get_queue_url(QueueName=queue), *NO_QUEUE) is not None

    def _subscribers(self) -> Iterator[Subscriber]:
        """Read each confirmed subscriber, without the stack's own queues and those of other accounts."""
        names = self.settings.names
        confirmed = (
            one
            for one in list_subscriptions(self.cloud, self._topic_arn)
            if one.arn and not is_internal(self.cloud, names, one.endpoint)
        )
        return (one for one in read_subscribers(self.cloud, confirmed) if one.readable)

    def _set(self, arn: str, policy: str | None) -> None:
        value = {} if policy is None else {"AttributeValue": policy}
        with ignore_codes(*NO_TOPIC):
            self.cloud.sns.set_subscription_attributes(
                SubscriptionArn=arn, AttributeName="RedrivePolicy", **value
            )
