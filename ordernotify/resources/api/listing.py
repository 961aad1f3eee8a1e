"""The APIs in the listings of an account: how one is found, tagged and addressed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ordernotify.aws.endpoints import api_endpoint
from ordernotify.aws.errors import ignore_codes
from ordernotify.aws.session import Cloud
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.api.quota import NOT_FOUND
from ordernotify.settings.model import ApiKind
from ordernotify.settings.names import ORDERS_PATH, STACK_TAG

_PAGE_SIZE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An entry of a listing whose names are not unique; AWS chose the id."""

    arn: str
    id: str
    tags: Mapping[str, str]
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundApi(Found):
    """An API; `created` in seconds since 1970, `cors` is an HTTP API's own configuration, in AWS's words."""

    kind: ApiKind
    name: str
    created: float
    cors: Mapping[str, Any] | None = None
    endpoint_types: tuple[str, ...] = ()
    """A REST API's, in AWS's words."""


def list_apis(cloud: Cloud, kind: ApiKind) -> list[FoundApi]:
    return _list_rest_apis(cloud) if kind is ApiKind.REST else _list_http_apis(cloud)


def _list_rest_apis(cloud: Cloud) -> list[FoundApi]:
    pages = cloud.apigateway.get_paginator("get_rest_apis").paginate(
        PaginationConfig={"PageSize": _PAGE_SIZE}
    )
    return [
        FoundApi(
            arn=api_arn(cloud, ApiKind.REST, api["id"]),
            id=api["id"],
            tags=api.get("tags", {}),
            description=api.get("description", ""),
            kind=ApiKind.REST,
            endpoint_types=tuple(api.get("endpointConfiguration", {}).get("types", ())),
            name=api["name"],
            created=api["createdDate"].timestamp(),
        )
        for page in pages
        for api in page["items"]
    ]


def _list_http_apis(cloud: Cloud) -> list[FoundApi]:
    pages = cloud.apigatewayv2.get_paginator("get_apis").paginate(PaginationConfig={"PageSize": _PAGE_SIZE})
    return [
        FoundApi(
            arn=api_arn(cloud, ApiKind.HTTP, api["ApiId"]),
            id=api["ApiId"],
            tags=api.get("Tags", {}),
            description=api.get("Description", ""),
            kind=ApiKind.HTTP,
            name=api["Name"],
            created=api["CreatedDate"].timestamp(),
            cors=api.get("CorsConfiguration"),
        )
        for page in pages
        for api in page["Items"]
        if api["ProtocolType"] == "HTTP"
    ]


def lists_apis(kind: ApiKind) -> Calls:
    if kind is ApiKind.REST:
        return (allow("apigateway", "GetRestApis", "GetTags"),)
    return (allow("apigatewayv2", "GetApis", "GetTags"),)


def find_apis(cloud: Cloud, kind: ApiKind, name: str, stack: str) -> list[FoundApi]:
    """Find the APIs of this exact name, the stack's first, oldest first.

    Names are not unique, and listings are paged (AWS-FACTS 20).
    """
    return apis_named(cloud, list_apis(cloud, kind), name, stack)


def apis_named(cloud: Cloud, apis: Iterable[FoundApi], name: str, stack: str) -> list[FoundApi]:
    """Choose from a listing what `find_apis` finds."""
    named = [api for api in apis if api.name == name]
    # An emulator's listing has the tags that the API was made with, not those of an adoption.
    known = [api if STACK_TAG in api.tags else with_tags_of_now(cloud, api) for api in named]
    return sorted(known, key=lambda api: (api.tags.get(STACK_TAG) != stack, api.created, api.id))


def with_tags_of_now(cloud: Cloud, api: FoundApi) -> FoundApi:
    """Read the API's tags as they are now."""
    return replace(api, tags=tags_of_now(cloud, api.arn, api.tags))


def tags_of_now(cloud: Cloud, arn: str, listed: Mapping[str, str]) -> Mapping[str, str]:
    """Read the tags of something in API Gateway; those of the listing where the service keeps none apart.

    An emulator's listing never learns of a change, and a moto server has no page of tags.
    """
    read: Mapping[str, str] = {}
    with ignore_codes(NOT_FOUND, "404"):
        if "::/apis/" in arn:
            read = cloud.apigatewayv2.get_tags(ResourceArn=arn).get("Tags", {})
        else:
            read = cloud.apigateway.get_tags(resourceArn=arn).get("tags", {})
    return read or listed


def api_arn(cloud: Cloud, kind: ApiKind, api_id: str) -> str:
    return gateway_arn(cloud, "restapis" if kind is ApiKind.REST else "apis", api_id)


def gateway_arn(cloud: Cloud, collection: str, resource_id: str) -> str:
    """Compute the ARN of something in API Gateway; it has no account."""
    return f"arn:{cloud.partition}:apigateway:{cloud.region}::/{collection}/{resource_id}"


def invoke_url(cloud: Cloud, api_id: str, stage: str) -> str:
    """Build the full address to POST orders to."""
    return f"{api_endpoint(cloud, api_id)}/{stage}/{ORDERS_PATH}"
