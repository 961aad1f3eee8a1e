"""What the function's tags record of the last setup."""

from __future__ import annotations

from ordernotify.aws.errors import map_botocore_errors, read_or_none
from ordernotify.aws.session import Cloud
from ordernotify.settings.model import Settings, settings_in_tags
from ordernotify.settings.names import STACK_TAG, Names


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
