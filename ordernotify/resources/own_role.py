"""What every role that setup makes has in common: its ARN, its boundary, and IAM's delay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypedDict, TypeVar

from ordernotify.aws.errors import has_code, is_changed_at_once
from ordernotify.aws.session import Cloud
from ordernotify.iam.documents import policy_text
from ordernotify.resources.base import Step
from ordernotify.settings.model import Settings

NO_ROLE = "NoSuchEntity"
SETTLING_TIMEOUT_SECONDS = 30.0
SETTLING_STEP_SECONDS = 1.0
Result = TypeVar("Result")


class PlaceOfRole(TypedDict, total=False):
    """What CreateRole takes of the settings for organizations."""

    Path: str
    PermissionsBoundary: str


def trust_policy(service: str, condition: Mapping[str, Mapping[str, str]] | None = None) -> str:
    """Write the policy that lets an AWS service assume a role."""
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    if condition:
        statement["Condition"] = condition
    return policy_text({"Version": "2012-10-17", "Statement": [statement]})


def own_role_arn(settings: Settings, cloud: Cloud, name: str) -> str:
    """Compute the ARN of a role that setup makes; IAM has no region, and the path is part of the ARN."""
    return cloud.arn("iam", f"role{settings.role_path}{name}", region=False)


def place_of_role(settings: Settings) -> PlaceOfRole:
    """Return CreateRole's arguments for the path and the boundary, if they are given."""
    place: PlaceOfRole = {"Path": settings.role_path}
    if settings.permissions_boundary:
        place["PermissionsBoundary"] = settings.permissions_boundary
    return place


def only_with_boundary(settings: Settings) -> Mapping[str, Mapping[str, str]]:
    """Return IAM's condition that a role has the described boundary; empty without one.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
    """
    boundary = settings.permissions_boundary
    return {"StringEquals": {"iam:PermissionsBoundary": boundary}} if boundary else {}


def call_on_role(step: Step, call: Callable[[], Result]) -> Result:
    """Change a role, repeated while IAM does not know it everywhere or is changing it (AWS-FACTS 34)."""
    return step.patience.retry(
        call,
        when=lambda error: is_changed_at_once(error) or has_code(error, NO_ROLE),
        waiting_for="IAM to know the role",
        timeout=SETTLING_TIMEOUT_SECONDS,
        step=SETTLING_STEP_SECONDS,
    )
