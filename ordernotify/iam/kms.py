"""KMS: how IAM names the key of --kms-key, and which statements its own policy needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from ordernotify.aws.session import Cloud
from ordernotify.iam.calls import Calls, allow
from ordernotify.iam.documents import listed
from ordernotify.settings.model import Settings

_DATA_KEYS = ("kms:Decrypt", "kms:GenerateDataKey*")
_LOGS = ("kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*")
ALIAS = "alias/"
USE_OF_KEY = (
    *("CreateGrant", "Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey"),
    *("GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo"),
)
"""What DynamoDB and Lambda do in the caller's name when they are given a key.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars-encryption.html
"""


def key_resource(settings: Settings, cloud: Cloud) -> str:
    """Return what IAM names the key by; for an alias it is any key of the region that has the alias."""
    key = settings.kms_key or ""
    return cloud.arn("kms", "key/*") if key.startswith(ALIAS) else key


def key_condition(settings: Settings) -> dict[str, dict[str, str]]:
    """Return the condition that binds `key_resource` to the alias; empty for an ARN.

    https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
    """
    key = settings.kms_key or ""
    return {"ForAnyValue:StringEquals": {"kms:ResourceAliases": key}} if key.startswith(ALIAS) else {}


def allow_key(settings: Settings, cloud: Cloud, *operations: str) -> Calls:
    """Declare calls on the key; none without one."""
    if settings.kms_key is None:
        return ()
    on, when = key_resource(settings, cloud), key_condition(settings)
    return (allow("kms", *operations, on=on, when=when),)


def needed_statements(settings: Settings, cloud: Cloud) -> Iterator[dict[str, Any]]:
    """List what the key's policy must say for what no role of the stack does.

    CloudWatch's alarms publish to an encrypted topic, SNS writes to an encrypted queue, and CloudWatch Logs
    encrypts each line; none of them has a policy of IAM.

    https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
    """
    account = {"StringEquals": {"aws:SourceAccount": cloud.account}}
    if settings.alarm_emails:
        yield _statement("AlarmsPublish", "cloudwatch.amazonaws.com", _DATA_KEYS, account)
    if settings.dead_letters:
        yield _statement("TopicsFillQueues", "sns.amazonaws.com", _DATA_KEYS, account)
    groups = cloud.arn("logs", "log-group:*")
    context = {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}}
    yield _statement("LogsEncrypt", f"logs.{cloud.region}.amazonaws.com", _LOGS, context)


def missing_statements(
    policy: Mapping[str, Any], needed: Iterable[Mapping[str, Any]]
) -> tuple[Mapping[str, Any], ...]:
    """Choose those whose service the key's policy does not allow every action that it needs.

    Conditions are the person's: they are taken as fulfilled.
    """
    return tuple(one for one in needed if not _allows(policy, one))


def _allows(policy: Mapping[str, Any], needed: Mapping[str, Any]) -> bool:
    service = needed["Principal"]["Service"]
    granted = [
        action.lower()
        for statement in listed(policy.get("Statement", ()))
        if statement.get("Effect") == "Allow" and service in _services(statement.get("Principal"))
        for action in listed(statement.get("Action", ()))
    ]
    return all(any(fnmatchcase(action.lower(), wide) for wide in granted) for action in needed["Action"])


def _services(principal: Any) -> list[str]:
    return listed(principal.get("Service", ())) if isinstance(principal, dict) else []


def _statement(
    sid: str, service: str, actions: tuple[str, ...], condition: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": list(actions),
        "Resource": "*",
        "Condition": condition,
    }
