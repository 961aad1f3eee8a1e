"""What the tests of provisioning share: an account in memory, a clock by hand, runs of plan and apply."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import Patience
from ordernotify.executor import Action, Event, Plan
from ordernotify.resources.base import AnyLive, Resource, Step
from ordernotify.settings.model import Settings
from tests.aws_answers import (
    Call,
    Interference,
    Send,
    answer,
    answer_json,
    changed_answer,
    connection_reset,
    pass_through,
    refusal,
    refuse,
    server_error,
    throttled,
)
from tests.moto_account import ACCOUNT_ID, Account

__all__ = [
    "ACCOUNT_ID",
    "Account",
    "Call",
    "Interference",
    "ManualClock",
    "Send",
    "answer",
    "answer_json",
    "assert_deleted_twice",
    "assert_made_again",
    "assert_settled",
    "bring_about",
    "changed_answer",
    "changes_planned",
    "connection_reset",
    "full_settings",
    "only",
    "pass_through",
    "planned_actions",
    "position",
    "quick_retries",
    "refusal",
    "refuse",
    "server_error",
    "set_up",
    "step",
    "tear_down",
    "throttled",
]


class ManualClock:
    """A clock whose sleep takes no time; of those who sleep side by side, the longest sleep counts."""

    def __init__(self) -> None:
        """Begin at 0."""
        self.time = 0.0
        self.sleeps: list[float] = []
        self._lock = threading.Lock()

    def now(self) -> float:
        """Seconds slept so far."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Advance the time."""
        until = self.time + seconds
        with self._lock:
            self.sleeps.append(seconds)
            self.time = max(self.time, until)


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the pauses out of botocore's own retries, and their allowance, which the tests' clients share."""
    monkeypatch.setattr("botocore.endpoint.time", _NoSleep)
    monkeypatch.setattr("botocore.retries.quota.RetryQuota.acquire", lambda _quota, _amount: True)


class _NoSleep:
    @staticmethod
    def sleep(_seconds: float) -> None:
        pass


def set_up(
    settings: Settings, cloud: Cloud, clock: ManualClock | None = None, *, adopt: bool = False
) -> list[Event]:
    """Plan and apply, as `setup` does."""
    resources = provision.declare(settings, cloud)
    return list(provision.apply(resources, provision.plan(resources, adopt=adopt), clock or ManualClock()))


def tear_down(
    settings: Settings, cloud: Cloud, clock: ManualClock | None = None, *, delete_orders: bool = True
) -> list[Event]:
    """Plan and apply the removal, as `teardown --delete-orders` does."""
    resources = provision.declare(settings, cloud)
    planned = provision.plan_teardown(resources, delete_orders=delete_orders)
    return list(provision.apply(resources, planned, clock or ManualClock()))


def planned_actions(plan: Plan) -> dict[str, Action]:
    """Map each item that changes something to its action."""
    return {item.key: item.action for item in plan.changes}


def step(*needed: tuple[str, AnyLive], clock: ManualClock | None = None) -> Step:
    """Build what a verb of a resource works with."""
    return Step(dict(needed), Patience(clock or ManualClock()))


def only(resources: Iterable[Resource[Any]], key: str) -> Resource[Any]:
    """Pick the resource of this key."""
    return next(resource for resource in resources if resource.key == key)


def bring_about(resources: Sequence[Resource[Any]], clock: ManualClock | None = None) -> Plan:
    """Plan and apply some resources, and return the plan."""
    planned = provision.plan(resources)
    list(provision.apply(resources, planned, clock or ManualClock()))
    return planned


def changes_planned(resources: Sequence[Resource[Any]], key: str) -> dict[str, tuple[Any, Any]]:
    """Map each attribute of a resource that is not as described to what it is and what it is to be."""
    item = next(item for item in provision.plan(resources).items if item.key == key)
    return {change.label: (change.before, change.after) for change in item.changes}


def assert_settled(account: Account, resources: Sequence[Resource[Any]]) -> None:
    """Check that another run plans nothing and changes nothing."""
    account.forget_calls()
    assert bring_about(resources).changes == ()
    assert account.changing_calls == []


def assert_made_again(account: Account, resources: Sequence[Resource[Any]], key: str) -> None:
    """Check that a resource which disappeared is planned to be made, is made, and then is as described."""
    assert planned_actions(provision.plan(resources))[key] is Action.CREATE
    bring_about(resources)
    assert_settled(account, resources)


def assert_deleted_twice(resource: Resource[Any]) -> None:
    """Check that deleting what is there removes it, and that deleting it again succeeds."""
    live = resource.find()
    assert live is not None
    for _ in range(2):
        clock = ManualClock()
        resource.delete(live, step(clock=clock))
        assert resource.find() is None
        assert clock.time <= 1, "nothing was there to be waited for"


def full_settings(**more: Any) -> Settings:
    """Describe a stack with somebody to be told of everything."""
    return Settings(
        emails=("you@example.com",), phones=("+14155550100",), alarm_emails=("ops@example.com",), **more
    )


def position(calls: Sequence[Call], operation: str) -> int:
    """Say when an operation was called first: its place among the calls."""
    return [call.operation for call in calls].index(operation)
