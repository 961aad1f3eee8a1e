"""Guide step 2: the SNS topic that the orders are published to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ordernotify.aws.errors import has_code, read_or_none
from ordernotify.aws.tags import tag_list, tags_of
from ordernotify.errors import NotOursError
from ordernotify.iam.calls import Calls, allow
from ordernotify.iam.documents import policy_text, same_policy_text
from ordernotify.resources.base import Live, Needed, Resource, Step, Verb
from ordernotify.resources.kms_key import GivenKeyState
from ordernotify.resources.listing import INVALID_PARAMETER, NEW_TOPIC_SECONDS, NO_TOPIC
from ordernotify.settings.names import Target


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic's access policy, as `policy_text` writes it, and its KMS key's ARN; empty: none of its own."""

    policy: str = ""
    encrypted_with: str = ""


class Topic(Resource[TopicState]):
    """A Standard topic to which only the account publishes."""

    kind = "topic"
    needs: tuple[str, ...] = ("key",)
    unknown_when_new = True
    stays_when_renamed = True
    deleted_after: tuple[str, ...] = ("function",)

    @property
    def name(self) -> str:
        return self.settings.names.topic

    @property
    def arn(self) -> str:
        return self.cloud.arn("sns", self.name)

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        """All calls are on the topic; IAM also checks TagResource when CreateTopic carries tags."""
        calls = {
            Verb.FIND: ("GetTopicAttributes", "ListTagsForResource"),
            Verb.CREATE: ("CreateTopic", "TagResource", "SetTopicAttributes"),
            Verb.UPDATE: ("SetTopicAttributes", "TagResource"),
            Verb.DELETE: ("DeleteTopic",),
        }
        return {verb: (allow("sns", *names, on=self.arn),) for verb, names in calls.items()}

    def described(self, needed: Needed) -> TopicState:
        return TopicState(policy_text(self._policy()), GivenKeyState.arn_in(self.settings, needed))

    def find(self) -> Live[TopicState] | None:
        sns = self.cloud.sns
        topic = read_or_none(lambda: sns.get_topic_attributes(TopicArn=self.arn), *NO_TOPIC)
        tags = topic and read_or_none(lambda: sns.list_tags_for_resource(ResourceArn=self.arn), *NO_TOPIC)
        if not topic or not tags:
            return None
        attributes = topic["Attributes"]
        state = TopicState(same_policy_text(attributes.get("Policy")), attributes.get("KmsMasterKeyId", ""))
        return self.live(state, tags_of(tags["Tags"]))

    def create(self, step: Step) -> Live[TopicState]:
        try:
            # The tag goes with the call: if setup dies here, the next one must know the topic as its own.
            self.cloud.sns.create_topic(Name=self.name, Tags=tag_list(self.settings.all_tags))
        except ClientError as error:
            # AWS-FACTS 12: another program has just made a topic of this name.
            if has_code(error, *INVALID_PARAMETER, text="already exists with different"):
                raise NotOursError(
                    f"a topic {self.name} appeared that is not this stack's",
                    "Choose another --topic-name or --stack.",
                ) from error
            raise
        # AWS-FACTS 24: for seconds, the next calls may not know it.
        return step.patience.retry(
            lambda: self.update(Live(self.arn, TopicState()), step),
            when=lambda error: has_code(error, *NO_TOPIC),
            waiting_for=f"the topic {self.name} to be known",
            timeout=NEW_TOPIC_SECONDS,
        )

    def update(self, live: Live[TopicState], step: Step) -> Live[TopicState]:
        found, wanted = live.state, self.described(step.needed)
        if found.policy != wanted.policy:
            self._set("Policy", wanted.policy)
        if found.encrypted_with != wanted.encrypted_with:
            self._set("KmsMasterKeyId", wanted.encrypted_with)
        return Live(self.arn, wanted)

    def _set(self, name: str, value: str) -> None:
        self.cloud.sns.set_topic_attributes(TopicArn=self.arn, AttributeName=name, AttributeValue=value)

    def put_tags(self, live: Live[TopicState]) -> None:
        self.cloud.sns.tag_resource(ResourceArn=self.arn, Tags=tag_list(self.settings.all_tags))

    def delete(self, live: Live[TopicState], step: Step) -> None:
        """Delete the topic; SNS answers success when it is gone already."""
        self.cloud.sns.delete_topic(TopicArn=self.arn)

    def _publishers(self) -> dict[str, Any]:
        account = f"arn:{self.cloud.partition}:iam::{self.cloud.account}:root"
        return {"Sid": "AccountPublishes", "Principal": {"AWS": account}}

    def _policy(self) -> dict[str, Any]:
        allow = {"Effect": "Allow", "Action": "sns:Publish", "Resource": self.arn}
        statements: list[dict[str, Any]] = [{**allow, **self._publishers()}]
        # Emulators have no TLS.
        if self.cloud.target is Target.AWS and self.cloud.endpoint_for("sns").startswith("https:"):
            statements.append(
                {
                    "Sid": "EncryptedTransportOnly",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "sns:Publish",
                    "Resource": self.arn,
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                }
            )
        return {"Version": "2012-10-17", "Statement": statements}


class AlarmTopic(Topic):
    """The topic for alarms; CloudWatch publishes to it, for this account alone."""

    kind = "alarm topic"
    stays_when_renamed = False
    deleted_after: tuple[str, ...] = ()
    removed_when_unwanted = True

    @property
    def name(self) -> str:
        return self.settings.names.alarm_topic

    @property
    def wanted(self) -> bool:
        return bool(self.settings.alarm_emails)

    def _publishers(self) -> dict[str, Any]:
        return {
            "Sid": "AlarmsPublish",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Condition": {"StringEquals": {"aws:SourceAccount": self.cloud.account}},
        }
