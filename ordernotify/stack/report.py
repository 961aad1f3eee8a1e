"""What `setup` and `status` tell of a stack: what exists, what differs, and how it is doing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ordernotify import provision
from ordernotify.aws.endpoints import console_home
from ordernotify.aws.errors import map_botocore_errors
from ordernotify.aws.session import Cloud
from ordernotify.errors import StackNotFoundError
from ordernotify.executor import Action, Item, Plan
from ordernotify.resources.api.base import ApiState
from ordernotify.resources.base import AnyLive, needed_state
from ordernotify.resources.dashboard import Dashboard
from ordernotify.resources.listing import Subscription, is_internal, list_subscriptions
from ordernotify.resources.subscriptions import Subscriptions
from ordernotify.settings.model import Settings
from ordernotify.settings.names import Names
from ordernotify.stack.discovery import recorded_settings, with_own_role
from ordernotify.stack.former import find_former, with_orders_told
from ordernotify.stack.health import Health, read_health

Describe = Callable[[Names, Mapping[str, Any]], Settings]
"""Describes the stack from its names and from what its last `setup` was told."""


@dataclass(frozen=True, slots=True)
class Report:
    """What `setup` and `status` tell of a stack."""

    settings: Settings
    target: str
    account: str
    region: str
    url: str | None
    items: tuple[Item, ...]
    subscriptions: tuple[Subscription, ...]
    dashboard: str = ""
    """Its address in the AWS console; empty: there is none."""


@dataclass(frozen=True, slots=True)
class Overview:
    """A stack's resources and its health."""

    report: Report
    health: Health
    unread: str
    """What could not be looked at."""

    @property
    def differs(self) -> bool:
        return any(item.action.changes for item in self.report.items)


def mailboxes_after(planned: Plan, applied: Mapping[str, AnyLive]) -> frozenset[str]:
    """Return who gets every order by email, from the plan and from what `apply` left."""
    live = {item.key: item.live for item in planned.items} | dict(applied)
    known = live.get(Subscriptions.kind)
    return known.state.mailboxes if known else frozenset()


def report(
    settings: Settings, cloud: Cloud, planned: Plan, applied: Mapping[str, AnyLive] | None = None
) -> Report:
    """Sum up a stack from its plan and from what `apply` left; reads the subscriptions."""
    live = {item.key: item.live for item in planned.items} | dict(applied or {})
    api = needed_state({key: known for key, known in live.items() if known}, ApiState)
    items = tuple(
        replace(item, arn=known.arn) if (known := live.get(item.key)) and known.arn else item
        for item in planned.items
        if item.live or item.action is not Action.NONE
    )
    with map_botocore_errors("list", "subscriptions"):
        everybody = list_subscriptions(cloud, cloud.arn("sns", settings.names.topic))
    return Report(
        settings,
        cloud.target,
        cloud.account,
        cloud.region,
        api.url if api else None,
        items,
        tuple(s for s in everybody if not is_internal(cloud, settings.names, s.endpoint)),
        _dashboard_url(cloud, live.get(Dashboard.kind)),
    )


def _dashboard_url(cloud: Cloud, live: AnyLive | None) -> str:
    home = console_home(cloud)
    if not home or live is None or not live.owned:
        return ""
    name = live.arn.rpartition("/")[2]
    return f"{home}/cloudwatch/home?region={cloud.region}#dashboards/dashboard/{name}"


def read_overview(cloud: Cloud, names: Names, stack: str, describe: Describe) -> Overview:
    """Read everything about a stack; raises StackNotFoundError if nothing of it exists, AwsError."""
    settings = describe(with_own_role(cloud, names, stack), recorded_settings(cloud, names, stack))
    former = find_former(cloud, settings.names, stack)
    planned = provision.compare(provision.declare(settings, cloud, former.names))
    if all(item.live is None for item in planned.items):
        raise StackNotFoundError(f"nothing of the stack {stack} exists")
    told = report(settings, cloud, with_orders_told(cloud, settings.names, planned))
    return Overview(told, read_health(cloud, names), former.unread)
