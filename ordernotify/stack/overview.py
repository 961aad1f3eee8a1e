"""All that `status` tells: what exists, what differs from what is described, and how the stack is doing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.errors import StackNotFoundError
from ordernotify.executor import Action
from ordernotify.orders.items import count_orders
from ordernotify.settings.model import Settings
from ordernotify.settings.names import Names
from ordernotify.stack.discovery import SETUP_HINT, recorded_settings, with_own_role
from ordernotify.stack.former import find_former, with_orders_told
from ordernotify.stack.health import Health, last_errors, read_alarms
from ordernotify.stack.report import Report, report
from ordernotify.times import milliseconds

Describe = Callable[[Names, Mapping[str, Any]], Settings]
"""Describes the stack from its names and from what its last `setup` was told."""


@dataclass(frozen=True, slots=True)
class Overview:
    """A stack's resources and its health."""

    report: Report
    health: Health
    unread: str
    """What could not be looked at."""

    @property
    def differs(self) -> bool:
        return any(item.action not in {Action.NONE, Action.KEEP} for item in self.report.items)


def read_overview(cloud: Cloud, names: Names, stack: str, describe: Describe) -> Overview:
    """Read everything about a stack; raises StackNotFoundError if nothing of it exists, AwsError."""
    settings = describe(with_own_role(cloud, names, stack), recorded_settings(cloud, names, stack))
    former = find_former(cloud, settings.names, stack)
    planned = provision.compare(provision.declare(settings, cloud, former.names))
    if all(item.live is None for item in planned.items):
        raise StackNotFoundError(f"nothing of the stack {stack} exists", SETUP_HINT)
    told = report(settings, cloud, with_orders_told(cloud, settings.names, planned))
    return Overview(told, read_health(cloud, names), former.unread)


def read_health(cloud: Cloud, names: Names) -> Health:
    """Read how a stack is doing, side by side."""
    now = milliseconds(cloud.now())
    with ThreadPoolExecutor(3) as pool:
        alarms = pool.submit(read_alarms, cloud, names)
        orders = pool.submit(count_orders, cloud, names)
        errors = pool.submit(last_errors, cloud, names, now)
        return Health(alarms.result(), orders.result(), errors.result())
