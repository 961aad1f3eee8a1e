"""Where a stack's orders are posted to, and what the last setup was told, read from the account."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from ordernotify.aws.errors import map_botocore_errors
from ordernotify.aws.session import Cloud
from ordernotify.errors import AccessDeniedError, StackNotFoundError
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.api.listing import FoundApi, find_apis, invoke_url, list_apis, lists_apis
from ordernotify.resources.listing import list_subscriptions
from ordernotify.resources.role_names import role_name_calls, role_name_in_region
from ordernotify.resources.tagged import FUNCTIONS, TAGGED_CALLS, Tagged, find_tagged, stack_tags
from ordernotify.settings.model import ApiKind, Auth, settings_default
from ordernotify.settings.names import STACK_TAG, Names
from ordernotify.settings.recorded import names_in_tags, settings_in_tags


@dataclass(frozen=True, slots=True)
class StackEntry:
    """A stack of the place; without an API it has neither kind nor URL."""

    stack: str
    kind: ApiKind | None
    url: str | None


@dataclass(frozen=True, slots=True)
class InvokeEndpoint:
    """The invoke URL of a stack and what a client has to know of its API."""

    url: str
    stage: str
    api_id: str
    kind: ApiKind
    auth: Auth
    rate: int | None = None
    """As described, see Settings."""


def calls(cloud: Cloud, names: Names) -> Calls:
    """What finding the API and the recorded settings calls."""
    function = cloud.arn("lambda", f"function:{names.function}")
    listings = (allowed for kind in ApiKind for allowed in lists_apis(kind))
    return (
        allow("lambda", "ListTags", on=function),
        allow("sns", "ListSubscriptionsByTopic", on=cloud.arn("sns", names.alarm_topic)),
        *listings,
    )


def naming_calls(cloud: Cloud, names: Names, role_path: str) -> Calls:
    """What finding the stack's names calls, its own role's among them."""
    function = cloud.arn("lambda", f"function:{names.function}")
    return (
        allow("lambda", "ListTags", on=function),
        *TAGGED_CALLS,
        *role_name_calls(cloud, names.role, role_path),
    )


def find_names(cloud: Cloud, names: Names, told: Collection[str], stack: str) -> Names:
    """Find the names that the stack has; `names` holds those told (the fields `told`), else the usual ones.

    The stack's function keeps the record. It is found by its name, or by the stack's tag if it has another.
    """
    tags: Mapping[str, str] = stack_tags(cloud, names, stack)
    if not tags and "function" not in told:
        tags = _renamed_function(cloud, stack)
    recorded = names_in_tags(tags)
    return replace(names, **{field: name for field, name in recorded.items() if field not in told})


def with_own_role(cloud: Cloud, names: Names, stack: str) -> Names:
    """Replace the role's name by that of the stack's own role in this region (`role_name_in_region`)."""
    return replace(names, role=role_name_in_region(cloud, stack, names.role))


def _renamed_function(cloud: Cloud, stack: str) -> Mapping[str, str]:
    """Read the tags of the stack's function, whatever its name; none where the caller may not look."""
    try:
        found = find_tagged(cloud, stack, FUNCTIONS)
    except AccessDeniedError:
        return {}
    # Where a renaming was cut off there are two for a while: the first by name, so that every command agrees.
    return min(found, key=lambda one: one.arn).tags if found else {}


def find_endpoint(cloud: Cloud, names: Names, stack: str) -> InvokeEndpoint:
    """Find the API by its name and tag; raises StackNotFoundError if the stack has none.

    While an API of the other kind still exists, the described kind wins.
    """

    def find(kind: ApiKind) -> list[FoundApi]:
        with map_botocore_errors("find", "API", names.api):
            return find_apis(cloud, kind, names.api, stack)

    with ThreadPoolExecutor(len(ApiKind)) as pool:
        found = [pool.submit(find, kind) for kind in ApiKind]
        recorded = settings_in_tags(stack_tags(cloud, names, stack))
        settings = {name: settings_default(name) for name in ("api", "auth", "stage", "rate")} | recorded
        apis = [api for future in found for api in future.result() if api.tags.get(STACK_TAG) == stack]
    if not apis:
        raise StackNotFoundError(f"the stack {stack} has no API {names.api}")
    api, stage = min(apis, key=lambda api: api.kind is not settings["api"]), settings["stage"]
    url = invoke_url(cloud, api.id, stage)
    return InvokeEndpoint(url, stage, api.id, api.kind, settings["auth"], settings["rate"])


def recorded_settings(cloud: Cloud, names: Names, stack: str) -> dict[str, Any]:
    """Read what the last `setup` was told other than the defaults, by field of Settings.

    The function's tags hold it: they are read with one call and can be changed everywhere. No tag holds an
    address (AWS-FACTS 30): who is told of alarms is read from the alarm topic, side by side. Empty without a
    function of this stack.
    """
    with ThreadPoolExecutor(1) as pool:
        emails = pool.submit(_alarm_emails, cloud, names)
        tags = stack_tags(cloud, names, stack)
        told_of_alarms = emails.result()
    recorded = settings_in_tags(tags)
    return {**recorded, "alarm_emails": told_of_alarms} if tags and told_of_alarms else recorded


def _alarm_emails(cloud: Cloud, names: Names) -> tuple[str, ...]:
    with map_botocore_errors("read", "alarm topic", names.alarm_topic):
        found = list_subscriptions(cloud, cloud.arn("sns", names.alarm_topic))
    return tuple(subscription.endpoint for subscription in found if subscription.protocol == "email")


def no_stack(stack: str, present: Collection[str]) -> StackNotFoundError:
    """Say that there is no stack of this name, and which there are."""
    which = f"stacks: {', '.join(sorted(present))}" if present else "there are none"
    return StackNotFoundError(f"there is no stack {stack} here ({which})")


def stacks_present(cloud: Cloud) -> set[str]:
    """Name the stacks of which anything carries the tag in this account and region."""
    return {one.stack for one in list_stacks(cloud)}


def list_stacks(cloud: Cloud) -> list[StackEntry]:
    """List the stacks of this account and region by name; without the permission, those with an API."""
    with ThreadPoolExecutor(len(ApiKind) + 1) as pool:
        listed = [pool.submit(_tagged_apis, cloud, kind) for kind in ApiKind]
        tagged = pool.submit(_tagged, cloud)
        apis = {api.tags[STACK_TAG]: api for future in listed for api in future.result()}
        tags: dict[str, Mapping[str, str]] = {one.tags[STACK_TAG]: {} for one in tagged.result()}
    tags |= {one.tags[STACK_TAG]: one.tags for one in tagged.result() if ":function:" in one.arn}
    return [_entry(cloud, stack, apis.get(stack), tags.get(stack)) for stack in sorted(tags | apis)]


def _entry(cloud: Cloud, stack: str, api: FoundApi | None, tags: Mapping[str, str] | None) -> StackEntry:
    if api is None:
        return StackEntry(stack, None, None)
    recorded = settings_in_tags(tags or stack_tags(cloud, Names().for_stack(stack), stack))
    stage = recorded.get("stage", settings_default("stage"))
    return StackEntry(stack, api.kind, invoke_url(cloud, api.id, stage))


def _tagged(cloud: Cloud) -> list[Tagged]:
    try:
        return find_tagged(cloud)
    except AccessDeniedError:
        return []


def _tagged_apis(cloud: Cloud, kind: ApiKind) -> list[FoundApi]:
    with map_botocore_errors("list", "APIs"):
        return [api for api in list_apis(cloud, kind) if STACK_TAG in api.tags]
