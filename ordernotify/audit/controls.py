"""The controls, one row each: AWS Security Hub's and Checkov's ids for the same fact, and how it is seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from ordernotify import provision
from ordernotify.audit import checks
from ordernotify.audit.facts import Facts, gather
from ordernotify.aws.session import Cloud
from ordernotify.errors import StackNotFoundError
from ordernotify.settings.model import Settings

_HUB = "https://docs.aws.amazon.com/securityhub/latest/userguide/{service}-controls.html#{anchor}"
_CHECKOV = "https://www.checkov.io/5.Policy%20Index/cloudformation.html"


class Verdict(StrEnum):
    """What a control says of the stack."""

    PASSED = "passed"
    FAILED = "failed"
    ACCEPTED = "accepted"
    """It fails, for a reason that holds for this stack."""
    DOES_NOT_APPLY = "does not apply"


@dataclass(frozen=True, slots=True)
class Control:
    """One row. `accepted` says why a failure is accepted; empty where it is not."""

    ids: tuple[str, ...]
    title: str
    check: Callable[[Facts], checks.Observation]
    option: str = ""
    """What fixes it."""
    accepted: str = ""
    accepted_if: Callable[[Facts], bool] = lambda _facts: True

    @property
    def source(self) -> str:
        """The page that describes the control."""
        hub = next((one for one in self.ids if "." in one), "")
        if not hub:
            return _CHECKOV
        anchor = hub.lower().replace(".", "-")
        return _HUB.format(service=anchor.split("-")[0], anchor=anchor)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one control says, and what was seen; `reason` says why it is accepted."""

    control: Control
    verdict: Verdict
    seen: str
    reason: str = ""


_KEY = "--kms-key alias/NAME"
_OWN_KEY = "AWS encrypts it at rest with a key of its own; a key of yours is your choice to make."
_LIMITED = "Clients must authenticate and the stage limits their rate, which bounds what comes in."
_EMBEDDED = "The embedded cloud is for trying out; in an AWS account setup turns it on."
CONTROLS: tuple[Control, ...] = (
    Control(("DynamoDB.1",), "The table scales with demand", checks.table_on_demand),
    Control(
        ("DynamoDB.2", "CKV_AWS_28"),
        "The table has point-in-time recovery",
        checks.table_recovery,
        accepted=_EMBEDDED,
        accepted_if=checks.is_embedded,
    ),
    Control(
        ("DynamoDB.4",),
        "The table is in a backup plan",
        checks.table_backup_plan,
        accepted="Point-in-time recovery keeps every second of 35 days; a backup plan is the account's.",
        accepted_if=checks.is_recoverable,
    ),
    Control(("DynamoDB.5",), "The table is tagged", checks.tagged("table", "table")),
    Control(
        ("DynamoDB.6",),
        "The table is protected from deletion",
        checks.table_protection,
        accepted=_EMBEDDED,
        accepted_if=checks.is_embedded,
    ),
    Control(
        ("CKV_AWS_119",),
        "The table is encrypted with a key of yours",
        checks.table_key,
        _KEY,
        _OWN_KEY,
    ),
    Control(("Lambda.2", "CKV_AWS_363"), "The function's runtime is supported", checks.runtime),
    Control(
        ("Lambda.3", "CKV_AWS_117"),
        "The function is in a VPC",
        checks.vpc,
        accepted="It calls DynamoDB and SNS alone, over TLS and with a role for exactly these.",
    ),
    Control(("Lambda.6",), "The function is tagged", checks.tagged("function", "function")),
    Control(("Lambda.7", "CKV_AWS_50"), "The function is traced", checks.function_traced, "--tracing"),
    Control(("CKV_AWS_45",), "The function's environment has no secrets", checks.no_secrets),
    Control(
        ("CKV_AWS_115",),
        "The function has a concurrency limit of its own",
        checks.concurrency,
        "--concurrency 100",
        accepted=_LIMITED,
        accepted_if=checks.is_limited,
    ),
    Control(
        ("CKV_AWS_116",),
        "The function has a dead-letter queue",
        checks.function_dead_letters,
        accepted="It is invoked synchronously alone, and then Lambda uses no dead-letter queue.",
    ),
    Control(
        ("CKV_AWS_272",),
        "The function's code is signed",
        checks.code_signing,
        accepted="setup makes the code from its own source and compares its hash with each run.",
    ),
    Control(
        ("CKV_AWS_173",),
        "The function's environment is encrypted with a key of yours",
        checks.environment_key,
        _KEY,
        accepted="It holds names and addresses and no secret. " + _OWN_KEY,
    ),
    Control(("CKV_AWS_364",), "The API's right to invoke is bound to it", checks.bound_permission),
    Control(
        ("APIGateway.1",), "The REST stage keeps execution logs", checks.execution_logs, "--execution-logs"
    ),
    Control(
        ("APIGateway.2",),
        "The REST stage presents a client certificate",
        checks.client_certificate,
        accepted="Behind a Lambda proxy there is no server that could check one.",
    ),
    Control(("APIGateway.3", "CKV_AWS_73"), "The REST stage is traced", checks.stage_traced, "--tracing"),
    Control(
        ("APIGateway.4", "CKV2_AWS_29"),
        "The REST stage has a web ACL",
        checks.web_acl,
        "--waf-acl ARN",
        accepted=_LIMITED,
        accepted_if=checks.is_limited,
    ),
    Control(("APIGateway.5",), "The REST stage's cache is encrypted", checks.cache_encrypted),
    Control(
        ("CKV_AWS_120",),
        "The REST stage has a cache",
        checks.cache,
        accepted="Every request is a new order; an answer from a cache would lose it.",
    ),
    Control(("CKV_AWS_59",), "The REST API's method asks who calls", checks.rest_authorization, "--auth iam"),
    Control(("CKV_AWS_76",), "The REST stage keeps access logs", checks.rest_access_logs, "--access-logs"),
    Control(
        ("APIGateway.8",), "The HTTP API's route asks who calls", checks.http_authorization, "--auth iam"
    ),
    Control(
        ("APIGateway.9", "CKV_AWS_95"),
        "The HTTP API's stage keeps access logs",
        checks.http_access_logs,
        "--access-logs",
    ),
    Control(
        ("SNS.1", "CKV_AWS_26"),
        "The topics are encrypted with a key of yours",
        checks.topic_keys,
        _KEY,
        _OWN_KEY,
    ),
    Control(("SNS.3",), "The topics are tagged", checks.tagged("topic", "topic", "alarm topic")),
    Control(("SNS.4",), "The topics' policies do not allow the public", checks.topics_private),
    Control(("SQS.1",), "The queue is encrypted", checks.queue_encrypted),
    Control(
        ("CKV_AWS_27",),
        "The queue is encrypted with a key of yours",
        checks.queue_key,
        _KEY,
        _OWN_KEY,
    ),
    Control(("SQS.2",), "The queue is tagged", checks.tagged("queue", "dead-letters")),
    Control(
        ("CloudWatch.15",), "The alarms tell somebody", checks.alarm_actions, "--alarm-email you@example.com"
    ),
    Control(
        ("CloudWatch.16",),
        "The logs are kept for a year or longer",
        checks.retention,
        "--log-retention 365",
    ),
    Control(("CKV_AWS_66",), "The log groups have a retention", checks.any_retention),
    Control(
        ("CKV_AWS_158",),
        "The log groups are encrypted with a key of yours",
        checks.log_keys,
        _KEY,
        _OWN_KEY,
    ),
    Control(("CloudWatch.17",), "The alarms' actions are on", checks.alarms_on),
    Control(("IAM.24",), "The role is tagged", checks.tagged("role of the stack's own", "role")),
    Control(("IAM.21", "CKV_AWS_62", "CKV_AWS_63"), "The role may not do everything", checks.no_wildcard),
    Control(("CKV_AWS_111",), "The role writes to named resources alone", checks.named_resources),
)


def audit_stack(cloud: Cloud, settings: Settings) -> list[Finding]:
    """Read a live stack and judge it by each control, in their order; raises StackNotFoundError, AwsError."""
    facts = gather(cloud, provision.declare(settings, cloud))
    if not facts.live:
        raise StackNotFoundError(f"there is no stack {settings.stack} here")
    return [_judge(control, facts) for control in CONTROLS]


def _judge(control: Control, facts: Facts) -> Finding:
    seen = control.check(facts)
    if seen.passed is None:
        return Finding(control, Verdict.DOES_NOT_APPLY, seen.what)
    if seen.passed:
        return Finding(control, Verdict.PASSED, seen.what)
    if control.accepted and control.accepted_if(facts):
        return Finding(control, Verdict.ACCEPTED, seen.what, control.accepted)
    return Finding(control, Verdict.FAILED, seen.what)


def failed(findings: Iterable[Finding]) -> list[Finding]:
    """Choose those that failed and are not accepted."""
    return [finding for finding in findings if finding.verdict is Verdict.FAILED]
