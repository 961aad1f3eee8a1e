"""How each control is seen: from the facts of a live stack to passed, failed or not applicable, and why."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
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
_SECRET = re.compile(r"(AKIA|ASIA)[0-9A-Z]{16}|secret|password|token", re.IGNORECASE)
_AUTHORIZED = ("AWS_IAM", "CUSTOM", "COGNITO_USER_POOLS", "JWT")


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen; `passed` is None where the control does not apply."""

    passed: bool | None
    what: str


def _all(found: Mapping[str, bool], good: str, bad: str) -> Seen:
    """Judge several resources of a kind, by name; the bad ones are named."""
    wrong = [name for name, passed in found.items() if not passed]
    return Seen(not wrong, f"{bad}: {', '.join(wrong)}" if wrong else good)


def _absent(what: str) -> Seen:
    return Seen(None, f"there is no {what}")


def tagged(*keys: str) -> Callable[[Facts], Seen]:
    """Make the check that these resources carry tags."""

    def check(facts: Facts) -> Seen:
        there = [key for key in keys if key in facts.live]
        if not there:
            return _absent(keys[0])
        untagged = facts.untagged(*there)
        return Seen(not untagged, f"without tags: {', '.join(untagged)}" if untagged else "tagged")

    return check


# The table.


def table_on_demand(facts: Facts) -> Seen:
    table = facts.the(TableState)
    return _absent("table") if table is None else Seen(table.billing == "PAY_PER_REQUEST", table.billing)


def table_recovery(facts: Facts) -> Seen:
    table = facts.the(TableState)
    return _absent("table") if table is None else Seen(table.recovery, "on" if table.recovery else "off")


def is_embedded(facts: Facts) -> bool:
    return facts.embedded


def is_recoverable(facts: Facts) -> bool:
    return facts.embedded or bool(table_recovery(facts).passed)


def table_backup_plan(facts: Facts) -> Seen:
    return _absent("table") if facts.the(TableState) is None else Seen(False, "setup makes no backup plan")


def table_protection(facts: Facts) -> Seen:
    table = facts.the(TableState)
    if table is None:
        return _absent("table")
    return Seen(table.deletion_protection, "on" if table.deletion_protection else "off")


def table_key(facts: Facts) -> Seen:
    told = next(iter(facts.told(TableState).values()), None)
    if told is None:
        return _absent("table")
    key = told.get("SSEDescription", {}).get("KMSMasterKeyArn")
    return Seen(bool(key), key or "AWS's own key")


# The function.


def _function(facts: Facts, check: Callable[[FunctionState, Mapping[str, Any]], Seen]) -> Seen:
    state = facts.the(FunctionState)
    if state is None:
        return _absent("function")
    return check(state, next(iter(facts.told(FunctionState).values())))


def runtime(facts: Facts) -> Seen:
    return _function(facts, lambda state, _: Seen(state.runtime in RUNTIMES, state.runtime))


def vpc(facts: Facts) -> Seen:
    def check(_state: FunctionState, told: Mapping[str, Any]) -> Seen:
        subnets = (told.get("VpcConfig") or {}).get("SubnetIds") or []
        return Seen(bool(subnets), ", ".join(subnets) or "in none")

    return _function(facts, check)


def function_traced(facts: Facts) -> Seen:
    return _function(facts, lambda state, _: Seen(state.tracing, "on" if state.tracing else "off"))


def no_secrets(facts: Facts) -> Seen:
    def check(state: FunctionState, _told: Mapping[str, Any]) -> Seen:
        found = [name for name, value in state.environment.items() if _SECRET.search(f"{name}={value}")]
        return Seen(not found, ", ".join(found) or f"{len(state.environment)} variables, no secret")

    return _function(facts, check)


def concurrency(facts: Facts) -> Seen:
    if facts.the(FunctionState) is None:
        return _absent("function")
    found = facts.the(ConcurrencyState)
    return Seen(found is not None, f"{found.reserved} reserved" if found else "none reserved")


def function_dead_letters(facts: Facts) -> Seen:
    def check(_state: FunctionState, told: Mapping[str, Any]) -> Seen:
        target = (told.get("DeadLetterConfig") or {}).get("TargetArn")
        return Seen(bool(target), target or "none")

    return _function(facts, check)


def environment_key(facts: Facts) -> Seen:
    def check(_state: FunctionState, told: Mapping[str, Any]) -> Seen:
        return Seen(bool(told.get("KMSKeyArn")), told.get("KMSKeyArn") or "AWS's own key")

    return _function(facts, check)


def bound_permission(facts: Facts) -> Seen:
    found = facts.states(PermissionState)
    if not found:
        return _absent("permission")
    bound = {name: state.source.startswith("arn:") for name, state in found.items()}
    return _all(bound, "bound to API, stage, method and path", "not bound to a source")


# The API.


def _rest(facts: Facts, check: Callable[[RestApiState, Mapping[str, Any]], Seen]) -> Seen:
    state = facts.the(RestApiState)
    return (
        _absent("REST API") if state is None else check(state, next(iter(facts.told(RestApiState).values())))
    )


def execution_logs(facts: Facts) -> Seen:
    return _rest(
        facts, lambda state, _: Seen(state.execution_logs != NO_EXECUTION_LOGS, state.execution_logs)
    )


def client_certificate(facts: Facts) -> Seen:
    def check(_state: RestApiState, told: Mapping[str, Any]) -> Seen:
        return Seen(bool(told.get("clientCertificateId")), told.get("clientCertificateId") or "none")

    return _rest(facts, check)


def stage_traced(facts: Facts) -> Seen:
    return _rest(facts, lambda state, _: Seen(state.tracing, "on" if state.tracing else "off"))


def web_acl(facts: Facts) -> Seen:
    return _rest(
        facts, lambda _state, told: Seen(bool(told.get("webAclArn")), told.get("webAclArn") or "none")
    )


def cache_encrypted(facts: Facts) -> Seen:
    def check(_state: RestApiState, told: Mapping[str, Any]) -> Seen:
        if not told.get("cacheClusterEnabled"):
            return Seen(None, "there is no cache")
        settings = told.get("methodSettings", {}).values()
        plain = any(one.get("cachingEnabled") and not one.get("cacheDataEncrypted") for one in settings)
        return Seen(not plain, "not encrypted" if plain else "encrypted")

    return _rest(facts, check)


def cache(facts: Facts) -> Seen:
    def check(_state: RestApiState, told: Mapping[str, Any]) -> Seen:
        on = bool(told.get("cacheClusterEnabled"))
        return Seen(on, "on" if on else "none")

    return _rest(facts, check)


def rest_authorization(facts: Facts) -> Seen:
    def check(state: RestApiState, _told: Mapping[str, Any]) -> Seen:
        asks = "an API key" if state.api_key_required else state.authorization or "NONE"
        return Seen(state.api_key_required or state.authorization in _AUTHORIZED, asks)

    return _rest(facts, check)


def rest_access_logs(facts: Facts) -> Seen:
    return _rest(facts, lambda state, _: _access_logs(state))


def _access_logs(state: RestApiState | HttpApiState) -> Seen:
    return Seen(state.access_log is not None, state.access_log.destination if state.access_log else "none")


def http_authorization(facts: Facts) -> Seen:
    state = facts.the(HttpApiState)
    if state is None:
        return _absent("HTTP API")
    return Seen(state.authorization in _AUTHORIZED, state.authorization or "NONE")


def http_access_logs(facts: Facts) -> Seen:
    state = facts.the(HttpApiState)
    return _absent("HTTP API") if state is None else _access_logs(state)


def is_limited(facts: Facts) -> bool:
    """Whether the API asks who calls and limits how often."""
    state = facts.the(RestApiState) or facts.the(HttpApiState)
    asks = rest_authorization(facts).passed or http_authorization(facts).passed
    return bool(asks) and state is not None and state.throttle is not None


# Topics and the queue.


def topic_keys(facts: Facts) -> Seen:
    found = {name: bool(told.get("KmsMasterKeyId")) for name, told in facts.told(TopicState).items()}
    return _all(found, "all", "AWS's own key") if found else _absent("topic")


def topics_private(facts: Facts) -> Seen:
    found = {name: not _is_public(state.policy) for name, state in facts.states(TopicState).items()}
    return _all(found, "the account and its alarms alone", "open") if found else _absent("topic")


def _is_public(policy: str) -> bool:
    return any(
        statement.get("Effect") == "Allow"
        and statement.get("Principal") in ("*", {"AWS": "*"}, {"AWS": ["*"]})
        and not statement.get("Condition")
        for statement in (json_statements(policy) if policy else ())
    )


def queue_encrypted(facts: Facts) -> Seen:
    queue = facts.the(DeadLetterQueueState)
    if queue is None:
        return _absent("queue")
    return Seen(queue.encrypted, "by SQS" if queue.encrypted else "not")


# Alarms and logs.


def alarm_actions(facts: Facts) -> Seen:
    alarms = {name: bool(state.actions) for name, state in facts.states(MetricAlarmState).items()}
    return _all(alarms, "all of them", "no action") if alarms else _absent("alarm")


def alarms_on(facts: Facts) -> Seen:
    alarms = {name: state.actions_enabled for name, state in facts.states(MetricAlarmState).items()}
    return _all(alarms, "all of them", "turned off") if alarms else _absent("alarm")


def retention(facts: Facts) -> Seen:
    groups = facts.states(LogGroupState)
    # 0 is forever.
    kept = {f"{name} {state.retention} days": _long(state.retention) for name, state in groups.items()}
    return _all(kept, f"{YEAR_DAYS} days or longer", "shorter") if groups else _absent("log group")


def _long(days: int) -> bool:
    return days == 0 or days >= YEAR_DAYS


def any_retention(facts: Facts) -> Seen:
    groups = {name: state.retention > 0 for name, state in facts.states(LogGroupState).items()}
    return _all(groups, "all of them", "kept forever") if groups else _absent("log group")


def log_keys(facts: Facts) -> Seen:
    groups = {name: bool(told.get("kmsKeyId")) for name, told in facts.told(LogGroupState).items()}
    return _all(groups, "all of them", "AWS's own key") if groups else _absent("log group")


# The role.


def _statements(facts: Facts) -> list[dict[str, Any]] | None:
    role = facts.the(RoleState)
    return None if role is None or not role.policy else json_statements(role.policy)


def no_wildcard(facts: Facts) -> Seen:
    statements = _statements(facts)
    if statements is None:
        return _absent("role of the stack's own")
    wide = [action for one in statements for action in _list(one["Action"]) if "*" in action]
    return Seen(not wide, ", ".join(wide) or f"{len(statements)} statements, each action by name")


def named_resources(facts: Facts) -> Seen:
    statements = _statements(facts)
    if statements is None:
        return _absent("role of the stack's own")
    actions = _unnamed(statements)
    return Seen(not actions, f"on any resource: {', '.join(actions)}" if actions else "each by its ARN")


def only_traces_unnamed(facts: Facts) -> bool:
    return all(action.startswith("xray:Put") for action in _unnamed(_statements(facts) or []))


def _unnamed(statements: Iterable[Mapping[str, Any]]) -> list[str]:
    return [a for one in statements if "*" in _list(one["Resource"]) for a in _list(one["Action"])]


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(json.loads(json.dumps(value)))
