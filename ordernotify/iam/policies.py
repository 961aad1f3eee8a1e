"""IAM policy documents from what the code declares to call, in as few statements as grant exactly that."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from botocore.model import ServiceModel

from ordernotify.aws.session import Cloud, unconfigured_session
from ordernotify.iam.calls import Allow
from ordernotify.iam.documents import listed
from ordernotify.iam.function_policy import function_policy
from ordernotify.settings.model import Settings

INLINE_CHARACTERS = 2_048
MANAGED_CHARACTERS = 6_144
"""What a user's inline policies, and one managed policy, hold; IAM counts no white space.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""
_API_GATEWAY = ("apigateway", "apigatewayv2")
_PREFIXES = {"resourcegroupstaggingapi": "tag"}
"""IAM's word for a service, where it is not that of boto3's client."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy document, and the actions that it leaves out because the commands do without them."""

    document: Mapping[str, Any]
    left_out: tuple[str, ...] = ()

    @property
    def characters(self) -> int:
        """The document's size as IAM counts it."""
        return len(json.dumps(self.document, separators=(",", ":")))


@dataclass(frozen=True, slots=True, order=True)
class _Right:
    """One action on one resource, under a condition (as JSON)."""

    action: str
    resource: str
    condition: str


def policy(calls: Iterable[Allow], cloud: Cloud) -> Policy:
    """Write the least policy that grants what is declared."""
    declared = list(calls)
    needed = {right for one in declared if not one.optional for right in _rights(one, cloud)}
    optional = {right for one in declared if one.optional for right in _rights(one, cloud)}
    left_out = {right.action for right in optional if not any(_covers(other, right) for other in needed)}
    written = Policy(_document(_statements(needed)), tuple(sorted(left_out)))
    if written.characters <= MANAGED_CHARACTERS:
        return written
    return replace(written, document=_document(_packed(_statements(needed))))


def rights(calls: Iterable[Allow], cloud: Cloud) -> frozenset[tuple[str, str, str]]:
    """List what is needed, each as action, resource (a pattern) and condition (JSON, or empty)."""
    needed = (right for one in calls if not one.optional for right in _rights(one, cloud))
    return frozenset((right.action, right.resource, right.condition) for right in needed)


def role_policy(settings: Settings, cloud: Cloud) -> Policy:
    """Write the policy of the function's role."""
    return Policy(function_policy(settings, cloud))


def _rights(allowed: Allow, cloud: Cloud) -> Iterator[_Right]:
    condition = json.dumps(allowed.when, sort_keys=True) if allowed.when else ""
    for operation in allowed.operations:
        if allowed.service in _API_GATEWAY and not allowed.on:
            verb, path = _verb_and_path(allowed.service, operation)
            resource = f"arn:{cloud.partition}:apigateway:{cloud.region}::{path}"
            yield _Right(f"apigateway:{verb}", resource, condition)
        for resource in allowed.on:
            yield _Right(
                f"{_PREFIXES.get(allowed.service, allowed.service)}:{operation}", resource, condition
            )


def _verb_and_path(service: str, operation: str) -> tuple[str, str]:
    """Return the verb and the path, with `*` for each id, by which IAM knows an operation of API Gateway.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-iam-policy-examples.html
    """
    http = _model(service).operation_model(operation).http
    parts = http["requestUri"].removeprefix("/v2").split("/")
    return http["method"], "/".join("*" if part.startswith("{") else part for part in parts)


@functools.cache
def _model(service: str) -> ServiceModel:
    return unconfigured_session().get_service_model(service)


def _covers(wide: _Right, narrow: _Right) -> bool:
    same = wide.action == narrow.action and wide.condition in ("", narrow.condition)
    return same and fnmatchcase(narrow.resource, wide.resource)


def _statements(rights: set[_Right]) -> list[dict[str, Any]]:
    """Group the rights of each service, in the shorter of two ways, without what another right covers."""
    same_action: dict[str, list[_Right]] = {}
    for right in rights:
        same_action.setdefault(right.action, []).append(right)
    least = {
        r for r in rights if not any(other != r and _covers(other, r) for other in same_action[r.action])
    }
    services: dict[str, list[_Right]] = {}
    for right in sorted(least):
        services.setdefault(right.action.partition(":")[0], []).append(right)
    shortest = [
        statement
        for listed in services.values()
        for statement in min(_by_action(listed), _by_resource(listed), key=lambda one: len(json.dumps(one)))
    ]
    return _merged(shortest)


def _merged(statements: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join the statements of several services on the same resources, such as listings on `*`."""
    joined: dict[str, dict[str, Any]] = {}
    for one in statements:
        key = json.dumps([one["Resource"], one.get("Condition")])
        known = joined.setdefault(key, one)
        if known is not one:
            actions = [*listed(known["Action"]), *listed(one["Action"])]
            joined[key] = {**known, "Action": actions}
    return list(joined.values())


def _packed(statements: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join statements of different services, which reads worse, is shorter, and grants the same.

    An action works on its own service's resources only: on the others that stand beside them it grants
    nothing.
    """
    packed: list[dict[str, Any]] = []
    for one in statements:
        place = next((i for i, other in enumerate(packed) if _may_join(one, other)), None)
        if place is None:
            packed.append(one)
            continue
        other = packed[place]
        packed[place] = {
            **other,
            **{part: [*listed(other[part]), *listed(one[part])] for part in ("Action", "Resource")},
        }
    return packed


def _may_join(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether the actions of neither work on the resources of the other."""
    if "Condition" in one or "Condition" in other or "*" in (one["Resource"], other["Resource"]):
        return False
    return not (_services(one, "Action") & _services(other, "Resource")) and not (
        _services(other, "Action") & _services(one, "Resource")
    )


def _services(statement: dict[str, Any], part: str) -> set[str]:
    """Name the services of a statement's actions (`sns:Publish`) or resources (`arn:aws:sns:…`)."""
    place = 0 if part == "Action" else 2
    return {text.split(":")[place] for text in listed(statement[part])}


def _document(statements: list[dict[str, Any]]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": statements}


def _by_action(rights: Sequence[_Right]) -> list[dict[str, Any]]:
    """Put the actions on the same resources into one statement."""
    resources: dict[tuple[str, str], list[str]] = {}
    for right in rights:
        resources.setdefault((right.action, right.condition), []).append(right.resource)
    actions: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (action, condition), on in resources.items():
        actions.setdefault((condition, tuple(on)), []).append(action)
    return [_statement(names, on, condition) for (condition, on), names in actions.items()]


def _by_resource(rights: Sequence[_Right]) -> list[dict[str, Any]]:
    """Put the resources with the same actions into one statement."""
    actions: dict[tuple[str, str], list[str]] = {}
    for right in rights:
        actions.setdefault((right.resource, right.condition), []).append(right.action)
    resources: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (resource, condition), names in sorted(actions.items()):
        resources.setdefault((condition, tuple(names)), []).append(resource)
    return [_statement(names, on, condition) for (condition, names), on in resources.items()]


def _statement(actions: Sequence[str], resources: Sequence[str], condition: str) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Action": _one_or_list(actions),
        "Resource": _one_or_list(resources),
        **({"Condition": json.loads(condition)} if condition else {}),
    }


def _one_or_list(texts: Sequence[str]) -> str | list[str]:
    return texts[0] if len(texts) == 1 else list(texts)
