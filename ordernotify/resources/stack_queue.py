"""What the queues of a stack have in common: the topic sends to them, and they are found by name and tag."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ordernotify.aws.errors import has_code, ignore_codes
from ordernotify.resources.base import Resource, State, policy_text

if TYPE_CHECKING:
    from mypy_boto3_sqs.literals import QueueAttributeNameType

RETENTION_SECONDS = 14 * 24 * 3600
NO_QUEUE = ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue")


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


@dataclass(frozen=True, slots=True)
class FoundQueue:
    """A queue as SQS tells of it."""

    url: str
    attributes: Mapping[str, str]
    tags: Mapping[str, str]


class StackQueue(Resource[State]):
    """A queue of the stack to which the topic sends."""

    needs: tuple[str, ...] = ("topic",)

    @property
    def arn(self) -> str:
        return self.cloud.arn("sqs", self.name)

    @property
    def topic_arn(self) -> str:
        """The topic of the orders."""
        return self.cloud.arn("sns", self.settings.names.topic)

    def read(self) -> FoundQueue | None:
        """Read the queue and its tags; None if there is none."""
        try:
            url = self.cloud.sqs.get_queue_url(QueueName=self.name)["QueueUrl"]
            answer = self.cloud.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
            tags = self.cloud.sqs.list_queue_tags(QueueUrl=url).get("Tags", {})
        except ClientError as error:
            if has_code(error, *NO_QUEUE):
                return None
            raise
        return FoundQueue(url, {str(name): value for name, value in answer["Attributes"].items()}, tags)

    def put(self, attributes: Mapping[QueueAttributeNameType, str]) -> str:
        """Make the queue with its tags and return its URL."""
        return self.cloud.sqs.create_queue(
            QueueName=self.name, Attributes=attributes, tags=dict(self.settings.all_tags)
        )["QueueUrl"]

    def remove(self, url: str) -> None:
        """Delete the queue; one that is gone is no error."""
        with ignore_codes(*NO_QUEUE):
            self.cloud.sqs.delete_queue(QueueUrl=url)
