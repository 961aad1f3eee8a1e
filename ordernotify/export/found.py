"""The stack as it was found, in the one form that every format is written from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ordernotify.aws.errors import map_botocore_errors
from ordernotify.aws.session import Cloud
from ordernotify.errors import OrderNotifyError, StackNotFoundError
from ordernotify.executor import Plan
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources import mailbox
from ordernotify.resources.base import AnyLive, Resource
from ordernotify.resources.listing import SUBSCRIPTIONS, is_internal, list_subscriptions
from ordernotify.resources.subscriber import Subscriber, read_subscribers
from ordernotify.settings.model import ApiKind, Settings
from ordernotify.settings.names import MANAGED_TAG, ORDERS_PATH, Target

TOPICS = ("topic", "alarm topic")
"""The keys of the topics that tell subscribers something."""

WITHOUT_WRITER = frozenset(
    {
        *("subscriptions", "alarm emails", "redrive"),  # with their topic
        "concurrency",  # with the function
        *("given role", "key", "given web acl"),  # the person's
        "api-log-role",  # the account's, for every API
    }
)
"""The kinds that no format writes by themselves."""


@dataclass(frozen=True, slots=True)
class ChosenIds:
    """The ids that AWS chose for the parts of an API; an import names each part by its id."""

    resource: str = ""
    """The id of `/orders` in a REST API."""
    deployment: str = ""
    integration: str = ""
    route: str = ""


@dataclass(frozen=True, slots=True)
class FoundResource:
    """One resource as described and found; its state is of the kind's own type."""

    kind: str
    key: str
    name: str
    arn: str
    state: Any
    tags: Mapping[str, str]
    """Empty where the resource cannot carry tags."""


@dataclass(frozen=True, slots=True)
class FoundMailbox:
    """A subscriber's queue on the embedded cloud, and how the topic sends to it."""

    name: str
    arn: str
    url: str
    reader: str
    """Protocol and address."""
    subscription: Subscriber


@dataclass(frozen=True, slots=True)
class FoundStack:
    """Everything that both formats write."""

    settings: Settings
    cloud: Cloud
    resources: Mapping[str, FoundResource]
    """By key; only what is described."""
    ids: ChosenIds
    subscribers: Mapping[str, tuple[Subscriber, ...]]
    """Everybody whom a topic tells, by the topic's key; without the queues of `inbox` and `verify`."""
    mailboxes: tuple[FoundMailbox, ...]

    @property
    def dead_letters(self) -> str:
        """The ARN of the queue that gets what subscribers do not take; empty: there is none."""
        queue = self.resources.get("dead-letters")
        return queue.arn if queue else ""

    def redrive(self, topic: str, one: Subscriber) -> str:
        """Return the ARN of a subscriber's dead-letter queue; one that is asked again gets the stack's."""
        return self.dead_letters if one.pending and topic == "topic" else one.redrive

    def to_write(self) -> Iterator[FoundResource]:
        """Yield the resources that a format writes."""
        yield from (one for one in self.resources.values() if one.kind not in WITHOUT_WRITER)

    def pending(self) -> Iterator[Subscriber]:
        """Yield those who have not confirmed yet: no format can import them (AWS-FACTS 13)."""
        for subscribers in self.subscribers.values():
            yield from (one for one in subscribers if one.pending)


def export_calls(cloud: Cloud, settings: Settings) -> Calls:
    """What an export calls in addition to what `status` calls to read the resources."""
    topics = [cloud.arn("sns", name) for name in (settings.names.topic, settings.names.alarm_topic)]
    return (
        allow("sns", "ListSubscriptionsByTopic", on=topics),
        allow("sns", "GetSubscriptionAttributes", on=SUBSCRIPTIONS),
        *mailbox.list_calls(cloud, settings.names),
        *(
            (allow("apigatewayv2", "GetRoutes"),)
            if settings.api is ApiKind.HTTP
            else (allow("apigateway", "GetResources", "GetStages"),)
        ),
    )


def find_stack(cloud: Cloud, resources: Sequence[Resource[Any]], planned: Plan) -> FoundStack:
    """Add to a plan what it does not know, such as ids; changes nothing.

    Raises StackNotFoundError if there is nothing, and OrderNotifyError if the stack is not as described: an
    export of either would not be exact.
    """
    settings = resources[0].settings
    if all(item.live is None for item in planned.items):
        raise StackNotFoundError(f"there is no stack {settings.stack} here")
    if planned.changes:
        differing = ", ".join(f"{item.kind} {item.name}" for item in planned.changes)
        raise OrderNotifyError(
            f"the stack {settings.stack} is not as described, so an export would not be exact: {differing}",
            "`ordernotify status` shows the differences; `ordernotify setup` fixes them.",
        )
    wanted = {resource.key for resource in resources if resource.wanted}
    found = {
        item.key: FoundResource(
            item.kind, item.key, item.name, item.arn, item.live.state, _lasting_tags(item.live)
        )
        for item in planned.items
        if item.key in wanted and item.live is not None
    }
    everybody = {key: _read_subscribers(cloud, found[key]) for key in TOPICS if key in found}
    ids = _chosen_ids(cloud, settings, found)
    return FoundStack(
        settings,
        cloud,
        found,
        ids,
        {
            key: tuple(one for one in told if not is_internal(cloud, settings.names, one.endpoint))
            for key, told in everybody.items()
        },
        _mailboxes(cloud, settings, everybody["topic"]),
    )


def _lasting_tags(live: AnyLive) -> dict[str, str]:
    """Leave out the tags that AWS sets, and those that are no part of the description."""
    passing = ("aws:", MANAGED_TAG)
    return {name: value for name, value in sorted((live.tags or {}).items()) if not name.startswith(passing)}


def _read_subscribers(cloud: Cloud, topic: FoundResource) -> tuple[Subscriber, ...]:
    with map_botocore_errors("list", "subscriptions of", topic.name):
        return tuple(read_subscribers(cloud, list_subscriptions(cloud, topic.arn)))


def _mailboxes(cloud: Cloud, settings: Settings, told: tuple[Subscriber, ...]) -> tuple[FoundMailbox, ...]:
    """Find the mailboxes to which the topic sends; there are none in an AWS account."""
    if cloud.target is not Target.LOCAL:
        return ()
    subscriptions = {one.endpoint: one for one in told}
    found = []
    with map_botocore_errors("list", "mailboxes of", settings.names.topic):
        for box in mailbox.list_mailboxes(cloud, settings.names, settings.stack):
            arn = mailbox.mailbox_arn(cloud, settings.names, box.protocol, box.address)
            if arn in subscriptions:
                name, reader = arn.rpartition(":")[2], f"{box.protocol} {box.address}"
                found.append(FoundMailbox(name, arn, box.url, reader, subscriptions[arn]))
    return tuple(sorted(found, key=lambda one: one.reader))


def _chosen_ids(cloud: Cloud, settings: Settings, found: Mapping[str, FoundResource]) -> ChosenIds:
    api_id = found["api"].state.id
    with map_botocore_errors("read", "API", settings.names.api):
        if settings.api is ApiKind.HTTP:
            return _http_ids(cloud, api_id)
        return _rest_ids(cloud, api_id, settings.stage)


def _rest_ids(cloud: Cloud, api_id: str, stage: str) -> ChosenIds:
    pages = cloud.apigateway.get_paginator("get_resources").paginate(restApiId=api_id)
    paths = {item["path"]: item["id"] for page in pages for item in page["items"]}
    stages = cloud.apigateway.get_stages(restApiId=api_id)["item"]
    deployments = {one["stageName"]: one["deploymentId"] for one in stages}
    return ChosenIds(resource=paths[f"/{ORDERS_PATH}"], deployment=deployments[stage])


def _http_ids(cloud: Cloud, api_id: str) -> ChosenIds:
    pages = cloud.apigatewayv2.get_paginator("get_routes").paginate(ApiId=api_id)
    # The stack is as described: there is one route of this path, and it has an integration.
    route = next(r for page in pages for r in page["Items"] if r["RouteKey"].endswith(f"/{ORDERS_PATH}"))
    return ChosenIds(integration=route["Target"].removeprefix("integrations/"), route=route["RouteId"])
