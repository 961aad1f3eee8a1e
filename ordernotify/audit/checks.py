"""How each control is seen: from the facts of a live stack to passed, failed or not applicable, and why."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ordernotify.audit.facts import Facts
from ordernotify.resources.alarm import MetricAlarmState
from ordernotify.resources.api.http_stage import HttpApiState
from ordernotify.resources.api.permission import PermissionState
from ordernotify.resources.api.rest_stage import NO_EXECUTION_LOGS, RestApiState
from ordernotify.resources.base import json_statements
from ordernotify.resources.concurrency import ConcurrencyState
from ordernotify.resources.dead_letters import DeadLetterQueueState
from ordernotify.resources.function import FunctionState
from ordernotify.resources.log_group import LogGroupState
from ordernotify.resources.role import RoleState
from ordernotify.resources.table import TableState
from ordernotify.resources.topic import TopicState
from ordernotify.settings.model import RUNTIMES

YEAR_DAYS = 365
WITHOUT_RESOURCES = ("xray:PutTraceSegments", "xray:PutTelemetryRecords")
"""https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html"""
_SECRET = re.compile(r"(AKIA|ASIA)[0-9A-Z]{16}|secret|password|token", re.IGNORECASE)
_AUTHORIZED = ("AWS_IAM", "CUSTOM", "COGNITO_USER_POOLS", "JWT")


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen; `passed` is None where the control does not apply."""

    passed: bool | None
    what: str


def _all(found: Mapping[str, bool], good: str, bad: str) -> Observation:
    """Judge several resources of a kind, by name; the bad ones are named."""
    wrong = [name for name, passed in found.items() if not passed]
    return Observation(not wrong, f"{bad}: {', '.join(wrong)}" if wrong else good)


def _absent(what: str) -> Observation:
    return Observation(None, f"there is no {what}")


def tagged(*keys: str) -> Callable[[Facts], Observation]:
    """Make the check that these resources carry tags."""

    def check(facts: Facts) -> Observation:
        there = [key for key in keys if key in facts.live]
        if not there:
            return _absent(keys[0])
        untagged = facts.untagged(*there)
        return Observation(not untagged, f"without tags: {', '.join(untagged)}" if untagged else "tagged")

    return check


# The table.


def table_on_demand(facts: Facts) -> Observation:
    table = facts.the(TableState)
    return (
        _absent("table") if table is None else Observation(table.billing == "PAY_PER_REQUEST", table.billing)
    )


def table_recovery(facts: Facts) -> Observation:
    table = facts.the(TableState)
    return (
        _absent("table") if table is None else Observation(table.recovery, "on" if table.recovery else "off")
    )


def is_embedded(facts: Facts) -> bool:
    return facts.embedded


def is_recoverable(facts: Facts) -> bool:
    return facts.embedded or bool(table_recovery(facts).passed)


def table_backup_plan(facts: Facts) -> Observation:
    return (
        _absent("table")
        if facts.the(TableState) is None
        else Observation(False, "setup makes no backup plan")
    )


def table_protection(facts: Facts) -> Observation:
    table = facts.the(TableState)
    if table is None:
        return _absent("table")
    return Observation(table.deletion_protection, "on" if table.deletion_protection else "off")


def table_key(facts: Facts) -> Observation:
    told = next(iter(facts.told(TableState).values()), None)
    if told is None:
        return _absent("table")
    key = told.get("SSEDescription", {}).get("KMSMasterKeyArn")
    return Observation(bool(key), key or "AWS's own key")


# The function.


def _function(facts: Facts, check: Callable[[FunctionState, Mapping[str, Any]], Observation]) -> Observation:
    state = facts.the(FunctionState)
    if state is None:
        return _absent("function")
    return check(state, next(iter(facts.told(FunctionState).values())))


def runtime(facts: Facts) -> Observation:
    return _function(facts, lambda state, _: Observation(state.runtime in RUNTIMES, state.runtime))


def vpc(facts: Facts) -> Observation:
    def check(_state: FunctionState, told: Mapping[str, Any]) -> Observation:
        subnets = (told.get("VpcConfig") or {}).get("SubnetIds") or []
        return Observation(bool(subnets), ", ".join(subnets) or "in none")

    return _function(facts, check)


def function_traced(facts: Facts) -> Observation:
    return _function(facts, lambda state, _: Observation(state.tracing, "on" if state.tracing else "off"))


def no_secrets(facts: Facts) -> Observation:
    def check(state: FunctionState, _told: Mapping[str, Any]) -> Observation:
        found = [name for name, value in state.environment.items() if _SECRET.search(f"{name}={value}")]
        return Observation(not found, ", ".join(found) or f"{len(state.environment)} variables, no secret")

    return _function(facts, check)


def concurrency(facts: Facts) -> Observation:
    if facts.the(FunctionState) is None:
        return _absent("function")
    found = facts.the(ConcurrencyState)
    return Observation(found is not None, f"{found.reserved} reserved" if found else "none reserved")


def function_dead_letters(facts: Facts) -> Observation:
    def check(_state: FunctionState, told: Mapping[str, Any]) -> Observation:
        target = (told.get("DeadLetterConfig") or {}).get("TargetArn")
        return Observation(bool(target), target or "none")

    return _function(facts, check)


def environment_key(facts: Facts) -> Observation:
    def check(_state: FunctionState, told: Mapping[str, Any]) -> Observation:
        return Observation(bool(told.get("KMSKeyArn")), told.get("KMSKeyArn") or "AWS's own key")

    return _function(facts, check)


def bound_permission(facts: Facts) -> Observation:
    found = facts.states(PermissionState)
    if not found:
        return _absent("permission")
    bound = {name: state.source.startswith("arn:") for name, state in found.items()}
    return _all(bound, "bound to API, stage, method and path", "not bound to a source")


# The API.


def _rest(facts: Facts, check: Callable[[RestApiState, Mapping[str, Any]], Observation]) -> Observation:
    state = facts.the(RestApiState)
    return (
        _absent("REST API") if state is None else check(state, next(iter(facts.told(RestApiState).values())))
    )


def execution_logs(facts: Facts) -> Observation:
    return _rest(
        facts, lambda state, _: Observation(state.execution_logs != NO_EXECUTION_LOGS, state.execution_logs)
    )


def client_certificate(facts: Facts) -> Observation:
    def check(_state: RestApiState, told: Mapping[str, Any]) -> Observation:
        return Observation(bool(told.get("clientCertificateId")), told.get("clientCertificateId") or "none")

    return _rest(facts, check)


def stage_traced(facts: Facts) -> Observation:
    return _rest(facts, lambda state, _: Observation(state.tracing, "on" if state.tracing else "off"))


def web_acl(facts: Facts) -> Observation:
    return _rest(
        facts, lambda _state, told: Observation(bool(told.get("webAclArn")), told.get("webAclArn") or "none")
    )


def cache_encrypted(facts: Facts) -> Observation:
    def check(_state: RestApiState, told: Mapping[str, Any]) -> Observation:
        if not told.get("cacheClusterEnabled"):
            return Observation(None, "there is no cache")
        settings = told.get("methodSettings", {}).values()
        plain = any(one.get("cachingEnabled") and not one.get("cacheDataEncrypted") for one in settings)
        return Observation(not plain, "not encrypted" if plain else "encrypted")

    return _rest(facts, check)


def cache(facts: Facts) -> Observation:
    def check(_state: RestApiState, told: Mapping[str, Any]) -> Observation:
        on = bool(told.get("cacheClusterEnabled"))
        return Observation(on, "on" if on else "none")

    return _rest(facts, check)


def rest_authorization(facts: Facts) -> Observation:
    def check(state: RestApiState, _told: Mapping[str, Any]) -> Observation:
        asks = "an API key" if state.api_key_required else state.authorization or "NONE"
        return Observation(state.api_key_required or state.authorization in _AUTHORIZED, asks)

    return _rest(facts, check)


def rest_access_logs(facts: Facts) -> Observation:
    return _rest(facts, lambda state, _: _access_logs(state))


def _access_logs(state: RestApiState | HttpApiState) -> Observation:
    return Observation(
        state.access_log is not None, state.access_log.destination if state.access_log else "none"
    )


def http_authorization(facts: Facts) -> Observation:
    state = facts.the(HttpApiState)
    if state is None:
        return _absent("HTTP API")
    return Observation(state.authorization in _AUTHORIZED, state.authorization or "NONE")


def http_access_logs(facts: Facts) -> Observation:
    state = facts.the(HttpApiState)
    return _absent("HTTP API") if state is None else _access_logs(state)


def is_limited(facts: Facts) -> bool:
    """Whether the API asks who calls and limits how often."""
    state = facts.the(RestApiState) or facts.the(HttpApiState)
    asks = rest_authorization(facts).passed or http_authorization(facts).passed
    return bool(asks) and state is not None and state.throttle is not None


# Topics and the queue.


def topic_keys(facts: Facts) -> Observation:
    found = {name: bool(told.get("KmsMasterKeyId")) for name, told in facts.told(TopicState).items()}
    return _all(found, "all", "AWS's own key") if found else _absent("topic")


def topics_private(facts: Facts) -> Observation:
    found = {name: not _is_public(state.policy) for name, state in facts.states(TopicState).items()}
    return _all(found, "the account and its alarms alone", "open") if found else _absent("topic")


def _is_public(policy: str) -> bool:
    return any(
        statement.get("Effect") == "Allow"
        and statement.get("Principal") in ("*", {"AWS": "*"}, {"AWS": ["*"]})
        and not statement.get("Condition")
        for statement in (json_statements(policy) if policy else ())
    )


def queue_encrypted(facts: Facts) -> Observation:
    queue = facts.the(DeadLetterQueueState)
    if queue is None:
        return _absent("queue")
    return Observation(queue.encrypted, "by SQS" if queue.encrypted else "not")


def queue_key(facts: Facts) -> Observation:
    told = next(iter(facts.told(DeadLetterQueueState).values()), None)
    if told is None:
        return _absent("queue")
    key = told.get("KmsMasterKeyId")
    return Observation(bool(key), key or "SQS's own key")


# Alarms and logs.


def alarm_actions(facts: Facts) -> Observation:
    alarms = {name: bool(state.actions) for name, state in facts.states(MetricAlarmState).items()}
    return _all(alarms, "all of them", "no action") if alarms else _absent("alarm")


def alarms_on(facts: Facts) -> Observation:
    alarms = {name: state.actions_enabled for name, state in facts.states(MetricAlarmState).items()}
    return _all(alarms, "all of them", "turned off") if alarms else _absent("alarm")


def retention(facts: Facts) -> Observation:
    groups = facts.states(LogGroupState)
    # 0 is forever.
    kept = {f"{name} {state.retention} days": _long(state.retention) for name, state in groups.items()}
    return _all(kept, f"{YEAR_DAYS} days or longer", "shorter") if groups else _absent("log group")


def _long(days: int) -> bool:
    return days == 0 or days >= YEAR_DAYS


def any_retention(facts: Facts) -> Observation:
    groups = {name: state.retention > 0 for name, state in facts.states(LogGroupState).items()}
    return _all(groups, "all of them", "kept forever") if groups else _absent("log group")


def log_keys(facts: Facts) -> Observation:
    groups = {name: bool(told.get("kmsKeyId")) for name, told in facts.told(LogGroupState).items()}
    return _all(groups, "all of them", "AWS's own key") if groups else _absent("log group")


# The role.


def _statements(facts: Facts) -> list[dict[str, Any]] | None:
    role = facts.the(RoleState)
    return None if role is None or not role.policy else json_statements(role.policy)


def no_wildcard(facts: Facts) -> Observation:
    statements = _statements(facts)
    if statements is None:
        return _absent("role of the stack's own")
    wide = [action for one in statements for action in _list(one["Action"]) if "*" in action]
    return Observation(not wide, ", ".join(wide) or f"{len(statements)} statements, each action by name")


def named_resources(facts: Facts) -> Observation:
    statements = _statements(facts)
    if statements is None:
        return _absent("role of the stack's own")
    anywhere = [a for one in statements if "*" in _list(one["Resource"]) for a in _list(one["Action"])]
    unnamed = [action for action in anywhere if action not in WITHOUT_RESOURCES]
    told = f"on any resource: {', '.join(unnamed)}" if unnamed else "each by its ARN, where AWS has one"
    return Observation(not unnamed, told)


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(json.loads(json.dumps(value)))
