"""Which rights the caller lacks, by IAM's own simulation."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from ordernotify.aws.errors import read_or_none
from ordernotify.aws.session import Cloud
from ordernotify.errors import OrderNotifyError
from ordernotify.iam.calls import Calls, allow
from ordernotify.iam.documents import listed
from ordernotify.iam.policies import rights

if TYPE_CHECKING:
    from mypy_boto3_iam.type_defs import ContextEntryTypeDef

PARALLEL_SIMULATIONS = 4
"""IAM answers only few calls a second."""
SIMULATION_CALLS: Calls = (
    # Of oneself; whose name a policy for many cannot know.
    allow("iam", "SimulatePrincipalPolicy", "GetRole", on="*", optional=True),
)
_ASSUMED = re.compile(r"arn:[a-z-]+:sts::[0-9]+:assumed-role/(?P<role>[^/]+)/.+")


def principal(cloud: Cloud) -> str | None:
    """Return the ARN of the user or role whose policies are the caller's; None for the root user.

    Raises OrderNotifyError where there is none: a federated user has the policies of another one.
    """
    caller = cloud.caller
    if caller.endswith(":root"):
        return None
    assumed = _ASSUMED.fullmatch(caller)
    if assumed:
        return _role_arn(cloud, assumed)
    if ":user/" in caller and ":iam:" in caller:
        return caller
    raise OrderNotifyError(f"IAM cannot simulate what {caller} may do")


def _role_arn(cloud: Cloud, assumed: re.Match[str]) -> str:
    """Find the ARN of a role, which has a path that its sessions do not tell."""
    name = assumed["role"]
    found = read_or_none(lambda: cloud.iam.get_role(RoleName=name), "NoSuchEntity", "AccessDenied")
    return found["Role"]["Arn"] if found else cloud.arn("iam", f"role/{name}", region=False)


def lacking(cloud: Cloud, needed: Mapping[str, Calls]) -> Mapping[str, tuple[str, ...]]:
    """Return the actions that the caller may not do, for each kind of what is needed.

    One simulation for each resource: it asks for all actions that any kind needs there.
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
    """
    who = principal(cloud)
    if who is None:
        return dict.fromkeys(needed, ())
    wanted = {kind: rights(calls, cloud) for kind, calls in needed.items()}
    actions: dict[tuple[str, str], set[str]] = defaultdict(set)
    for action, resource, condition in frozenset[tuple[str, str, str]]().union(*wanted.values()):
        actions[resource, condition].add(action)
    with ThreadPoolExecutor(PARALLEL_SIMULATIONS) as pool:
        refused = pool.map(partial(_refused, cloud, who), actions, actions.values())
        denied = {right for found in refused for right in found}
    return {
        kind: tuple(sorted({action for action, *_ in listed & denied})) for kind, listed in wanted.items()
    }


def _refused(
    cloud: Cloud, who: str, on: tuple[str, str], actions: Iterable[str]
) -> list[tuple[str, str, str]]:
    resource, condition = on
    pages = cloud.iam.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=who,
        ActionNames=sorted(actions),
        # A policy's pattern is no resource: one of those that it stands for is asked about.
        ResourceArns=[resource if resource == "*" else resource.replace("*", "any")],
        ContextEntries=_context(json.loads(condition) if condition else {}),
    )
    return [
        (result["EvalActionName"], resource, condition)
        for page in pages
        for result in page["EvaluationResults"]
        if result["EvalDecision"] != "allowed"
    ]


def _context(condition: Mapping[str, Mapping[str, Any]]) -> list[ContextEntryTypeDef]:
    """Say of a request that it is as the condition wants it."""
    return [
        {
            "ContextKeyName": key,
            "ContextKeyValues": listed(value),
            "ContextKeyType": "string" if isinstance(value, str) else "stringList",
        }
        for keys in condition.values()
        for key, value in keys.items()
    ]
