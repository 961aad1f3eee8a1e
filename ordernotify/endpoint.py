"""Where a stack's orders are posted to, found by one call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ordernotify.aws import Cloud, map_botocore_errors
from ordernotify.config import RECORDED, SETTING_TAG_PREFIX, STACK_TAG, Names, setting_from_tag
from ordernotify.errors import StackNotFoundError
from ordernotify.resources.rest_api import STAGE_TAG, find_rest_apis, rest_url


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The invoke URL of a stack and what a client has to know of its API."""

    url: str
    stage: str
    api_id: str
    kind: str


def find_endpoint(cloud: Cloud, names: Names, stack: str) -> Endpoint:
    """Find the API by its name and tag; raises StackNotFoundError if there is none of this stack."""
    with map_botocore_errors("find", "API", names.api):
        apis = find_rest_apis(cloud, names, stack)
    for api in apis:
        tags = api.get("tags", {})
        if tags.get(STACK_TAG) == stack:
            stage = tags.get(STAGE_TAG, "prod")
            return Endpoint(rest_url(cloud, api["id"], stage), stage, api["id"], "rest")
    raise StackNotFoundError(
        f"there is no stack {stack} in account {cloud.account}, region {cloud.region}",
        "`ordernotify setup` makes it; --stack, --aws and --region choose another one.",
    )


def recorded_settings(cloud: Cloud, names: Names, stack: str) -> dict[str, Any]:
    """Read what the last `setup` was told other than the defaults, by field of Settings; empty without an API."""
    with map_botocore_errors("find", "API", names.api):
        apis = find_rest_apis(cloud, names, stack)
    tags = apis[0].get("tags", {}) if apis else {}
    if tags.get(STACK_TAG) != stack:
        return {}
    return {
        name: setting_from_tag(name, tags[f"{SETTING_TAG_PREFIX}{name}"])
        for name in RECORDED
        if f"{SETTING_TAG_PREFIX}{name}" in tags
    }


def stacks_present(cloud: Cloud) -> set[str]:
    """Name the stacks that have an API in this account and region."""
    with map_botocore_errors("list", "APIs"):
        pages = cloud.apigateway.get_paginator("get_rest_apis").paginate(PaginationConfig={"PageSize": 500})
        tags = [api.get("tags", {}) for page in pages for api in page["items"]]
    return {found[STACK_TAG] for found in tags if STACK_TAG in found}
