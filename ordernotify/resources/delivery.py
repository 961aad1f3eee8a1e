"""What SNS needs to deliver to a queue or a function: one statement in its policy."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from botocore.exceptions import ClientError

from ordernotify.aws.errors import has_code, map_botocore_errors, read_or_none
from ordernotify.aws.session import Cloud
from ordernotify.errors import AccessDeniedError, OrderNotifyError, UsageError
from ordernotify.iam.calls import Calls
from ordernotify.iam.calls import allow as allow_calls
from ordernotify.iam.documents import json_statements, policy_text
from ordernotify.resources.listing import NO_QUEUE

SQS, LAMBDA = SERVICES = ("sqs", "lambda")
_ABSENT = "ResourceNotFoundException"
_ENABLED_BY_DEFAULT = {
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1"),
    *("eu-central-1", "eu-west-1", "eu-west-2", "eu-west-3", "eu-north-1"),
    *("ap-south-1", "ap-northeast-1", "ap-northeast-2", "ap-southeast-1", "ap-southeast-2"),
}
"""The regions of 20 March 2019 and before. SNS counts Osaka (ap-northeast-3) among the opt-in regions."""


class Grant(Enum):
    """What happened to the stack's statement."""

    ADDED = auto()
    PRESENT = auto()
    REMOVED = auto()
    ABSENT = auto()
    NOT_OURS = auto()
    """Another account or region, or the caller may not change the policy: the owner must do it."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """The parts of a queue's or a function's ARN; `qualifier` is a function's version or alias, or empty."""

    arn: str
    service: str
    region: str
    account: str
    name: str
    qualifier: str = ""


def parse_receiver(arn: str) -> Receiver:
    """Take the ARN of an SQS queue or a Lambda function apart; its form has been checked."""
    _, _, service, region, account, name = arn.split(":", 5)
    if service == SQS:
        return Receiver(arn, service, region, account, name)
    name, _, qualifier = name.removeprefix("function:").partition(":")
    return Receiver(arn, service, region, account, name, qualifier)


def check_regions(topic_region: str, receiver: Receiver) -> None:
    """Raise UsageError for a pair of regions between which SNS silently drops every message."""
    if not (_opt_in(receiver.region) and receiver.region != topic_region):
        return
    if _opt_in(topic_region):
        raise UsageError(
            f"{receiver.arn} is in {receiver.region}, and the topic in {topic_region}: SNS delivers nothing "
            "from one opt-in region to another",
            f"Use a queue or function in {topic_region}.",
        )
    if receiver.service == LAMBDA:
        raise UsageError(
            f"{receiver.arn} is in the opt-in region {receiver.region}: SNS invokes no function there from "
            f"{topic_region}",
            f"Use a function in {topic_region}, or a queue in {receiver.region}.",
        )


def sns_principal(receiver: Receiver, topic_arn: str) -> str:
    """Name the service that delivers to this receiver: between regions, that of the opt-in region.

    https://docs.aws.amazon.com/sns/latest/dg/sns-cross-region-delivery.html (AWS-FACTS 31)
    """
    topic_region = topic_arn.split(":")[3]
    if receiver.region != topic_region:
        for region in (receiver.region, topic_region):
            if _opt_in(region):
                return f"sns.{region}.amazonaws.com"
    return "sns.amazonaws.com"


def _opt_in(region: str) -> bool:
    # Those of other partitions deliver within their partition, under the plain name.
    return region not in _ENABLED_BY_DEFAULT and not region.startswith(("cn-", "us-gov-", "us-iso", "eusc-"))


def statement_id(topic_arn: str) -> str:
    """Name the statement after the topic: letters and digits only, which every policy accepts."""
    return f"OrderNotify{hashlib.sha256(topic_arn.encode()).hexdigest()[:20]}"


def queue_statement(queue_arn: str, topic_arn: str) -> dict[str, Any]:
    """Build the statement that lets exactly this topic send to this queue."""
    return {
        "Sid": statement_id(topic_arn),
        "Effect": "Allow",
        "Principal": {"Service": sns_principal(parse_receiver(queue_arn), topic_arn)},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
    }


def queue_policy(queue_arn: str, topic_arn: str) -> str:
    """Write the policy that lets exactly this topic send to this queue."""
    return policy_text({"Version": "2012-10-17", "Statement": [queue_statement(queue_arn, topic_arn)]})


def calls(arns: Iterable[str]) -> Calls:
    """What changing the policies of these queues and functions, and reading them, calls."""
    receivers = [parse_receiver(arn) for arn in arns]
    queues = [one.arn for one in receivers if one.service == SQS]
    functions = [one.arn for one in receivers if one.service == LAMBDA]
    return (
        allow_calls("sqs", "GetQueueUrl", "GetQueueAttributes", "SetQueueAttributes", on=queues),
        allow_calls("lambda", "AddPermission", "RemovePermission", on=functions),
    )


def allow(cloud: Cloud, receiver: Receiver, topic_arn: str) -> Grant:
    """Let the topic deliver to the receiver, leaving all else in its policy as it is.

    Raises OrderNotifyError if there is no such queue or function.
    """
    return _change(cloud, receiver, topic_arn, _allow_queue if receiver.service == SQS else _allow_function)


def forbid(cloud: Cloud, receiver: Receiver, topic_arn: str) -> Grant:
    """Remove the stack's statement and nothing else; a receiver that is gone has none."""
    return _change(cloud, receiver, topic_arn, _forbid_queue if receiver.service == SQS else _forbid_function)


def _change(
    cloud: Cloud,
    receiver: Receiver,
    topic_arn: str,
    change: Callable[[Cloud, Receiver, str], Grant],
) -> Grant:
    if not _is_here(cloud, receiver):
        return Grant.NOT_OURS
    try:
        with map_botocore_errors("change", "policy of", receiver.arn):
            return change(cloud, receiver, topic_arn)
    except AccessDeniedError:
        return Grant.NOT_OURS


def _is_here(cloud: Cloud, receiver: Receiver) -> bool:
    return (receiver.account, receiver.region) == (cloud.account, cloud.region)


def owner_has_to(receiver: Receiver, topic_arn: str) -> str:
    """Say what the receiver's owner must do so that the topic's messages arrive."""
    if receiver.service == SQS:
        statement = json.dumps(queue_statement(receiver.arn, topic_arn))
        return f"the queue's owner must add this statement to the queue's policy: {statement}"
    qualifier = f" --qualifier {receiver.qualifier}" if receiver.qualifier else ""
    return (
        f"the function's owner must run: aws lambda add-permission --region {receiver.region}"
        f" --function-name {receiver.name}{qualifier} --statement-id {statement_id(topic_arn)}"
        f" --action lambda:InvokeFunction --principal {sns_principal(receiver, topic_arn)}"
        f" --source-arn {topic_arn}"
    )


def encryption_key(cloud: Cloud, receiver: Receiver) -> str | None:
    """The KMS key of a queue of this account and region; None if it has none, or cannot be read."""
    if receiver.service != SQS or not _is_here(cloud, receiver):
        return None
    try:
        url = _queue_url(cloud, receiver)
        return _queue_attributes(cloud, url).get("KmsMasterKeyId") if url else None
    except ClientError:
        return None


def _queue_url(cloud: Cloud, receiver: Receiver) -> str | None:
    found = read_or_none(lambda: cloud.sqs.get_queue_url(QueueName=receiver.name), *NO_QUEUE)
    return found["QueueUrl"] if found else None


def _queue_attributes(cloud: Cloud, url: str) -> dict[str, str]:
    answer = read_or_none(
        lambda: cloud.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy", "KmsMasterKeyId"]),
        *NO_QUEUE,
    )
    return {str(name): value for name, value in answer.get("Attributes", {}).items()} if answer else {}


def _allow_queue(cloud: Cloud, receiver: Receiver, topic_arn: str) -> Grant:
    url = _queue_url(cloud, receiver)
    if url is None:
        raise _missing("queue", receiver)
    text = _queue_attributes(cloud, url).get("Policy") or '{"Version": "2012-10-17"}'
    statements, ours = json_statements(text), queue_statement(receiver.arn, topic_arn)
    if ours in statements:
        return Grant.PRESENT
    kept = [statement for statement in statements if statement.get("Sid") != ours["Sid"]]
    _set_queue_policy(cloud, url, {**json.loads(text), "Statement": [*kept, ours]})
    return Grant.ADDED


def _forbid_queue(cloud: Cloud, receiver: Receiver, topic_arn: str) -> Grant:
    url = _queue_url(cloud, receiver)
    text = _queue_attributes(cloud, url).get("Policy") if url else None
    statements = json_statements(text)
    kept = [statement for statement in statements if statement.get("Sid") != statement_id(topic_arn)]
    if not url or not text or len(kept) == len(statements):
        return Grant.ABSENT
    _set_queue_policy(cloud, url, {**json.loads(text), "Statement": kept} if kept else None)
    return Grant.REMOVED


def _set_queue_policy(cloud: Cloud, url: str, policy: dict[str, Any] | None) -> None:
    # SQS has no conditional write: a change that another program makes at the same moment may be lost.
    # A policy without statements is not valid; the empty text removes it.
    text = policy_text(policy) if policy else ""
    cloud.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": text})


def _allow_function(cloud: Cloud, receiver: Receiver, topic_arn: str) -> Grant:
    qualifier: Any = {"Qualifier": receiver.qualifier} if receiver.qualifier else {}
    try:
        cloud.lambda_.add_permission(
            FunctionName=receiver.name,
            StatementId=statement_id(topic_arn),
            Action="lambda:InvokeFunction",
            Principal="sns.amazonaws.com",
            SourceArn=topic_arn,
            **qualifier,
        )
    except ClientError as error:
        # The id is made from the topic: a statement that has it says the same.
        if has_code(error, "ResourceConflictException", text="already exists"):
            return Grant.PRESENT
        if has_code(error, _ABSENT):
            raise _missing("function", receiver) from error
        raise
    return Grant.ADDED


def _forbid_function(cloud: Cloud, receiver: Receiver, topic_arn: str) -> Grant:
    qualifier: Any = {"Qualifier": receiver.qualifier} if receiver.qualifier else {}
    try:
        cloud.lambda_.remove_permission(
            FunctionName=receiver.name, StatementId=statement_id(topic_arn), **qualifier
        )
    except ClientError as error:
        if has_code(error, _ABSENT):
            return Grant.ABSENT
        raise
    return Grant.REMOVED


def _missing(kind: str, receiver: Receiver) -> OrderNotifyError:
    return OrderNotifyError(
        f"there is no {kind} {receiver.name}{receiver.qualifier and ':' + receiver.qualifier} "
        f"in account {receiver.account}, region {receiver.region}",
        "Check the ARN; --region chooses another region.",
    )
