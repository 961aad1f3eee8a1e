"""What carries a stack's tag beside what setup makes: teardown lists it, and removes none of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ordernotify.aws.errors import ignore_codes, map_botocore_errors
from ordernotify.aws.session import Cloud
from ordernotify.executor import Action, Item, Plan
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.api.namesake import Namesake
from ordernotify.resources.api.quota import NOT_FOUND
from ordernotify.resources.base import Resource
from ordernotify.resources.listing import list_queues
from ordernotify.resources.mailbox import MailboxesState
from ordernotify.resources.queue import QueuesState
from ordernotify.resources.tagged import Tagged
from ordernotify.settings.names import STACK_TAG

LEFT_CALLS: Calls = (
    allow("apigateway", "GetTags"),
    allow("apigatewayv2", "GetTags"),
    allow("sqs", "ListQueues", on="*"),
)


def left_over(
    cloud: Cloud, resources: Sequence[Resource[Any]], planned: Plan, tagged: Iterable[Tagged]
) -> tuple[Item, ...]:
    """List what carries the stack's tag and is none of its resources, if AWS still knows it.

    The tagging API's answer lags. What setup and verify remove may have just gone, so it is looked up.
    """
    known = {resource.arn for resource in resources} | {item.arn for item in planned.items}
    known |= {cloud.arn("sqs", url.rpartition("/")[2]) for item in planned.items for url in _urls(item)}
    unknown = [one for one in tagged if not _is_known(one, known)]
    if not unknown:
        return ()
    with map_botocore_errors("look for", "tagged resources"):
        known.update(_copies(resources))
        return tuple(_item(one) for one in unknown if not _is_known(one, known) and _exists(cloud, one))


def _is_known(one: Tagged, known: set[str]) -> bool:
    """Whether it is one of these ARNs, or a part of an API among them."""
    return one.arn in known or one.arn.startswith(tuple(f"{arn}/" for arn in known if ":apigateway:" in arn))


def _copies(resources: Sequence[Resource[Any]]) -> Iterator[str]:
    """Find those of the stack that share a name: teardown removes them all (AWS-FACTS 21)."""
    for resource in resources:
        if isinstance(resource, Namesake):
            yield from (entry.arn for entry in resource.named() if resource.owns(entry.tags))


def _urls(item: Item) -> tuple[str, ...]:
    state = item.live.state if item.live else None
    return state.urls if isinstance(state, MailboxesState | QueuesState) else ()


def _item(one: Tagged) -> Item:
    service = one.arn.split(":")[2]
    reason = "carries the stack's tag, and is nothing that setup makes"
    return Item(one.arn, service, one.arn, one.arn, Action.KEEP, reason=reason)


def _exists(cloud: Cloud, one: Tagged) -> bool:
    service, resource = one.arn.split(":")[2], one.arn.split(":", 5)[5]
    if service == "sqs":
        return any(name == resource for name, _ in list_queues(cloud, resource))
    return service != "apigateway" or STACK_TAG in _gateway_tags(cloud, one.arn, resource)


def _gateway_tags(cloud: Cloud, arn: str, resource: str) -> dict[str, str]:
    tags: dict[str, str] = {}
    with ignore_codes(NOT_FOUND):
        if resource.startswith("/apis/"):
            tags = cloud.apigatewayv2.get_tags(ResourceArn=arn).get("Tags", {})
        else:
            tags = cloud.apigateway.get_tags(resourceArn=arn).get("tags", {})
    return tags
