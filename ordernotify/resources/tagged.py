"""What carries a stack's tag, whatever its name, and what its function's tags record of the last setup."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ordernotify.aws.errors import map_botocore_errors, read_or_none
from ordernotify.aws.session import Cloud
from ordernotify.aws.tags import tags_of
from ordernotify.iam.calls import Calls, allow
from ordernotify.settings.model import Settings
from ordernotify.settings.names import STACK_TAG, Names
from ordernotify.settings.recorded import settings_in_tags

FUNCTIONS = "lambda:function"
TAGGED_CALLS: Calls = (allow("resourcegroupstaggingapi", "GetResources", on="*"),)
"""IAM knows no resource for it.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonresourcegrouptaggingapi.html
"""


@dataclass(frozen=True, slots=True)
class Tagged:
    """Something of the stack in this region."""

    arn: str
    tags: Mapping[str, str]


def find_tagged(cloud: Cloud, stack: str | None = None, *types: str) -> list[Tagged]:
    """Find what carries the tag of this stack, or of any, in this region, of these types or of all.

    The answer lags: what was deleted a moment ago may still be in it. IAM's roles are never in it.
    """
    pages = cloud.tagging.get_paginator("get_resources").paginate(
        TagFilters=[{"Key": STACK_TAG, "Values": [stack] if stack else []}], ResourceTypeFilters=list(types)
    )
    with map_botocore_errors("find", "tagged resources"):
        return [
            Tagged(found["ResourceARN"], tags_of(found["Tags"]))
            for page in pages
            for found in page["ResourceTagMappingList"]
        ]


def stack_tags(cloud: Cloud, names: Names, stack: str) -> dict[str, str]:
    """Read the tags of the stack's function; empty without one."""
    with map_botocore_errors("read", "function", names.function):
        arn = cloud.arn("lambda", f"function:{names.function}")
        found = read_or_none(lambda: cloud.lambda_.list_tags(Resource=arn), "ResourceNotFoundException")
    tags = found.get("Tags", {}) if found else {}
    return tags if tags.get(STACK_TAG) == stack else {}


def recorded_web_acl(cloud: Cloud, settings: Settings) -> str:
    """Return the ARN of the web ACL that the last setup was told; empty: none."""
    return settings_in_tags(stack_tags(cloud, settings.names, settings.stack)).get("waf_acl") or ""
