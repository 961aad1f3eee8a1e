"""What teardown finds that its first plan lacks: what AWS knew too late, and what setup did not make."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from ordernotify import provision
from ordernotify.aws.errors import map_botocore_errors
from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import Patience, SystemClock
from ordernotify.errors import WaitTimeoutError
from ordernotify.executor import Action, Item, Plan
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.api.listing import tags_of_now
from ordernotify.resources.api.namesake import Namesake
from ordernotify.resources.base import Resource
from ordernotify.resources.listing import NEW_TOPIC_SECONDS, list_queues
from ordernotify.resources.mailbox import MailboxesState
from ordernotify.resources.queue import QueuesState
from ordernotify.resources.tagged import Tagged
from ordernotify.settings.model import Settings
from ordernotify.settings.names import STACK_TAG, Target

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
    return service != "apigateway" or STACK_TAG in tags_of_now(cloud, one.arn, {})


def let_requests_end(settings: Settings, tell: Callable[[str], None]) -> None:
    """Wait until no function that could store an order runs any more, after API and function are gone.

    Deleting a function does not end those that run.
    """
    tell(f"waiting {settings.timeout} s for orders that the API took last")
    SystemClock().sleep(settings.timeout)


def look_again(resources: Sequence[Resource[Any]], removed: Plan, tell: Callable[[str], None]) -> Plan:
    """Plan the removal of what the first look did not show, after the plan `removed` was carried out.

    Where the plan lacks a part that every stack has, setup may have been cut off a moment ago. That part is
    looked for again, as long as AWS may not know it (AWS-FACTS 24, 34). Otherwise one look is enough: by the
    time that a stack is whole, AWS knows all of it.
    """
    shown = {item.key for item in removed.items}
    unseen = [one for one in resources if one.unknown_when_new and one.key not in shown]
    if not unseen or unseen[0].cloud.target is Target.LOCAL:
        return Plan(())
    missing = {one.key for one in unseen if one.wanted}
    looks = [Plan(())]

    def all_are_known() -> bool:
        looks.append(provision.plan_teardown(unseen, delete_orders=False))
        return missing <= {item.key for item in looks[-1].items}

    patience = Patience(SystemClock(), tell)
    with suppress(WaitTimeoutError):
        patience.until(all_are_known, waiting_for="what was made a moment ago", timeout=NEW_TOPIC_SECONDS)
    return looks[-1]
