"""How each control is judged: passed, failed or not applicable, and what was seen of the live stack."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ordernotify.audit.facts import Facts
from ordernotify.iam.documents import json_statements, listed
from ordernotify.resources.alarm import MetricAlarmState
from ordernotify.resources.api.http_stage import HttpApiState
from ordernotify.resources.api.permission import PermissionState
from ordernotify.resources.api.rest_stage import NO_EXECUTION_LOGS, RestApiState
from ordernotify.resources.api.web_acl import WebAclAssociationState
from ordernotify.resources.concurrency import ConcurrencyState
from ordernotify.resources.dead_letters import DeadLetterQueueState
from ordernotify.resources.function_state import FunctionState
from ordernotify.resources.log_group import LogGroupState
from ordernotify.resources.role import RoleState
from ordernotify.resources.table import TableState
from ordernotify.resources.topic import TopicState
from ordernotify.settings.model import RUNTIMES

Found = TypeVar("Found")
YEAR_DAYS = 365
WITHOUT_RESOURCES = ("xray:PutTraceSegments", "xray:PutTelemetryRecords")
"""https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html"""
_SECRET_NAME = re.compile("secret|password|token", re.IGNORECASE)
_SECRET_VALUE = re.compile("(AKIA|ASIA)[0-9A-Z]{16}")
_AUTHORIZED = ("AWS_IAM", "CUSTOM", "COGNITO_USER_POOLS", "JWT")


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen; `passed` is None where the control does not apply."""

    passed: bool | None
    what: str


ControlCheck = Callable[[Facts], Observation]


def _absent(what: str) -> Observation:
    return Observation(None, f"there is no {what}")


def _is(on: bool, yes: str = "on", no: str = "off") -> Observation:
    return Observation(on, yes if on else no)


def _named(value: str | None, otherwise: str) -> Observation:
    return Observation(bool(value), value or otherwise)


def _one(kind: type[Found], what: str, judge: Callable[[Found], Observation]) -> ControlCheck:
    """Make the check of the one live resource with this kind of state."""

    def check(facts: Facts) -> Observation:
        state = facts.the(kind)
        return _absent(what) if state is None else judge(state)

    return check


def _each(kind: type[Found], what: str, passes: Callable[[Found], bool], good: str, bad: str) -> ControlCheck:
    """Make the check of every live resource with this kind of state; those that fail are named."""

    def check(facts: Facts) -> Observation:
        states = facts.states(kind)
        wrong = [name for name, state in states.items() if not passes(state)]
        return _is(not wrong, good, f"{bad}: {', '.join(wrong)}") if states else _absent(what)

    return check


def tagged(what: str, *keys: str) -> ControlCheck:
    """Make the check that these resources carry tags."""

    def check(facts: Facts) -> Observation:
        there = {facts.names[key]: facts.live[key] for key in keys if key in facts.live}
        untagged = [name for name, live in there.items() if not live.tags]
        told = _is(not untagged, "tagged", f"without tags: {', '.join(untagged)}")
        return told if there else _absent(what)

    return check


# The table.

table_on_demand = _one(
    TableState, "table", lambda table: Observation(table.billing == "PAY_PER_REQUEST", table.billing)
)
table_recovery = _one(TableState, "table", lambda table: _is(table.recovery))
table_backup_plan = _one(TableState, "table", lambda _: Observation(False, "setup makes no backup plan"))
table_protection = _one(TableState, "table", lambda table: _is(table.deletion_protection))
table_key = _one(TableState, "table", lambda table: _named(table.encrypted_with, "AWS's own key"))


def is_embedded(facts: Facts) -> bool:
    return facts.embedded


def is_recoverable(facts: Facts) -> bool:
    return facts.embedded or bool(table_recovery(facts).passed)


# The function.


def _secrets(function: FunctionState) -> Observation:
    found = [
        name
        for name, value in function.environment.items()
        if _SECRET_NAME.search(name) or _SECRET_VALUE.search(value)
    ]
    return Observation(not found, ", ".join(found) or f"{len(function.environment)} variables, no secret")


def _of_function(read: Callable[[Mapping[str, Any]], str | None], otherwise: str) -> ControlCheck:
    """Make the check that Lambda names something in the function's configuration."""

    def check(facts: Facts) -> Observation:
        return _named(read(facts.function), otherwise) if facts.function else _absent("function")

    return check


vpc = _of_function(lambda told: ", ".join(told.get("VpcConfig", {}).get("SubnetIds", ())), "in none")
function_dead_letters = _of_function(lambda told: told.get("DeadLetterConfig", {}).get("TargetArn"), "none")
code_signing = _of_function(lambda told: told.get("SigningProfileVersionArn"), "not signed")


def concurrency(facts: Facts) -> Observation:
    if facts.the(FunctionState) is None:
        return _absent("function")
    found = facts.the(ConcurrencyState)
    return _named(f"{found.reserved} reserved" if found else None, "none reserved")


runtime = _one(FunctionState, "function", lambda one: Observation(one.runtime in RUNTIMES, one.runtime))
function_traced = _one(FunctionState, "function", lambda one: _is(one.tracing))
no_secrets = _one(FunctionState, "function", _secrets)
environment_key = _one(FunctionState, "function", lambda one: _named(one.encrypted_with, "AWS's own key"))
bound_permission = _each(
    PermissionState,
    "permission",
    lambda one: one.source.startswith("arn:"),
    "bound to API, stage, method and path",
    "not bound to a source",
)


# The API.


def cache(facts: Facts) -> Observation:
    on = bool(facts.stage.get("cacheClusterEnabled"))
    return _is(on, no="none") if facts.stage else _absent("REST API")


def cache_encrypted(facts: Facts) -> Observation:
    if not facts.stage.get("cacheClusterEnabled"):
        return _absent("cache" if facts.stage else "REST API")
    settings = facts.stage.get("methodSettings", {}).values()
    plain = any(one.get("cachingEnabled") and not one.get("cacheDataEncrypted") for one in settings)
    return _is(not plain, "encrypted", "not encrypted")


def client_certificate(facts: Facts) -> Observation:
    certificate = facts.stage.get("clientCertificateId")
    return _named(certificate, "none") if facts.stage else _absent("REST API")


def _rest_asks(api: RestApiState) -> Observation:
    asks = "an API key" if api.api_key_required else api.authorization or "NONE"
    return Observation(api.api_key_required or api.authorization in _AUTHORIZED, asks)


def _access_logs(api: RestApiState | HttpApiState) -> Observation:
    return _named(api.access_log.destination if api.access_log else None, "none")


execution_logs = _one(
    RestApiState,
    "REST API",
    lambda api: Observation(api.execution_logs != NO_EXECUTION_LOGS, api.execution_logs),
)
stage_traced = _one(RestApiState, "REST API", lambda api: _is(api.tracing))
rest_authorization = _one(RestApiState, "REST API", _rest_asks)
rest_access_logs = _one(RestApiState, "REST API", _access_logs)
http_authorization = _one(
    HttpApiState,
    "HTTP API",
    lambda api: Observation(api.authorization in _AUTHORIZED, api.authorization or "NONE"),
)
http_access_logs = _one(HttpApiState, "HTTP API", _access_logs)


def web_acl(facts: Facts) -> Observation:
    api, ours = facts.the(RestApiState), facts.the(WebAclAssociationState)
    # An emulator's stage does not tell its web ACL.
    return _named(ours.acl if ours else api.web_acl, "none") if api else _absent("REST API")


def is_limited(facts: Facts) -> bool:
    """Whether the API asks who calls and limits how often."""
    state = facts.the(RestApiState) or facts.the(HttpApiState)
    asks = rest_authorization(facts).passed or http_authorization(facts).passed
    return bool(asks) and state is not None and state.throttle is not None


# Topics and the queue.


def _is_private(topic: TopicState) -> bool:
    return not any(
        statement.get("Effect") == "Allow"
        and statement.get("Principal") in ("*", {"AWS": "*"}, {"AWS": ["*"]})
        and not statement.get("Condition")
        for statement in json_statements(topic.policy)
    )


topic_keys = _each(TopicState, "topic", lambda topic: bool(topic.encrypted_with), "all", "AWS's own key")
topics_private = _each(TopicState, "topic", _is_private, "the account and its alarms alone", "open")
queue_encrypted = _one(DeadLetterQueueState, "queue", lambda queue: _is(queue.encrypted, "by SQS", "not"))
queue_key = _one(DeadLetterQueueState, "queue", lambda queue: _named(queue.encrypted_with, "SQS's own key"))


# Alarms and logs.


def retention(facts: Facts) -> Observation:
    groups = facts.states(LogGroupState)
    # 0 is forever.
    short = [f"{name} {one.retention} days" for name, one in groups.items() if 0 < one.retention < YEAR_DAYS]
    told = _is(not short, f"{YEAR_DAYS} days or longer", f"shorter: {', '.join(short)}")
    return told if groups else _absent("log group")


alarm_actions = _each(
    MetricAlarmState, "alarm", lambda alarm: bool(alarm.actions), "all of them", "no action"
)
alarms_on = _each(MetricAlarmState, "alarm", lambda alarm: alarm.actions_enabled, "all of them", "turned off")
any_retention = _each(
    LogGroupState, "log group", lambda group: group.retention > 0, "all of them", "kept forever"
)
log_keys = _each(
    LogGroupState, "log group", lambda group: bool(group.encrypted_with), "all of them", "AWS's own key"
)


# The role.


def _allowed(facts: Facts) -> list[dict[str, Any]] | None:
    """Return what the stack's own role allows; None without one."""
    role = facts.the(RoleState)
    if role is None or not role.policy:
        return None
    return [one for one in json_statements(role.policy) if one.get("Effect") == "Allow"]


def no_wildcard(facts: Facts) -> Observation:
    statements = _allowed(facts)
    if statements is None:
        return _absent("role of the stack's own")
    wide = [action for one in statements for action in _actions(one) if "*" in action]
    return Observation(not wide, ", ".join(wide) or f"{len(statements)} statements, each action by name")


def named_resources(facts: Facts) -> Observation:
    statements = _allowed(facts)
    if statements is None:
        return _absent("role of the stack's own")
    anywhere = [a for one in statements if "*" in listed(one.get("Resource", "*")) for a in _actions(one)]
    unnamed = [action for action in anywhere if action not in WITHOUT_RESOURCES]
    told = f"on any resource: {', '.join(unnamed)}" if unnamed else "each by its ARN, where AWS has one"
    return Observation(not unnamed, told)


def _actions(statement: Mapping[str, Any]) -> list[str]:
    """List what a statement allows; all but some actions (`NotAction`) are as good as all."""
    return listed(statement.get("Action", "*"))
