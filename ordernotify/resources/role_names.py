"""The names of the stack's own roles: IAM is global, and a stack may live in several regions."""

from __future__ import annotations

from ordernotify.aws.errors import map_botocore_errors, read_or_none
from ordernotify.aws.session import Cloud
from ordernotify.aws.tags import tags_of
from ordernotify.errors import AccessDeniedError
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.own_role import NO_ROLE
from ordernotify.settings.names import REGION_TAG, STACK_TAG

POLICY_NAME = "ordernotify"
DESCRIPTION = "The role of ordernotify's function"
"""By which the account's roles are searched for the stack's."""
_MAX_NAME = 64


def role_name_in_region(cloud: Cloud, stack: str, name: str) -> str:
    """Choose the name of the stack's own role in this region: `name`, or `name-REGION`.

    IAM is global, and the same stack may live in several regions. The first has the role of the plain name; a
    region that found it taken keeps the longer name until its teardown. Only the account is read, so that the
    choice is right whatever was set up, removed or cut off before.
    """
    in_region = _name_in_region(cloud, name)
    if _belongs_to(cloud, in_region) == (stack, cloud.region):
        return in_region
    owner, region = _belongs_to(cloud, name)
    return in_region if owner == stack and region != cloud.region else name


def role_name_calls(cloud: Cloud, name: str, path: str) -> Calls:
    """What `role_name_in_region` calls; of a role that does not exist, IAM knows no path."""
    arns = [
        cloud.arn("iam", f"role{before}{one}", region=False)
        for one in (name, _name_in_region(cloud, name))
        for before in dict.fromkeys(("/", path))
    ]
    return (allow("iam", "GetRole", on=arns),)


OWN_ROLE_CALLS: Calls = (allow("iam", "ListRoles", "GetRole", on="*", optional=True),)
"""What `own_role_names` calls; IAM knows no resource for listing roles."""


def own_role_names(cloud: Cloud, stack: str) -> list[str]:
    """List the stack's roles in this region, by the description that `create` wrote; none if it is denied.

    The Resource Groups Tagging API does not list roles.
    """
    try:
        with map_botocore_errors("list", "roles"):
            pages = cloud.iam.get_paginator("list_roles").paginate()
            named = [
                role["RoleName"]
                for page in pages
                for role in page["Roles"]
                if role.get("Description") == DESCRIPTION
            ]
        return [name for name in named if _belongs_to(cloud, name) == (stack, cloud.region)]
    except AccessDeniedError:
        return []


def _name_in_region(cloud: Cloud, name: str) -> str:
    return f"{name[: _MAX_NAME - 1 - len(cloud.region)]}-{cloud.region}"


def _belongs_to(cloud: Cloud, name: str) -> tuple[str, str]:
    """Read which stack and region a role belongs to; empty texts for none."""
    with map_botocore_errors("read", "role", name):
        found = read_or_none(lambda: cloud.iam.get_role(RoleName=name), NO_ROLE)
        if found is None:
            return "", ""
        tags = tags_of(found["Role"].get("Tags"))
        return tags.get(STACK_TAG, ""), tags.get(REGION_TAG, cloud.region)
