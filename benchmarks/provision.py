"""How close setup and teardown come to the longest chain of waits that depend on each other.

    python benchmarks/provision.py [--delay 0.1] [--role 8] [--function 3] [--table 5]

An account in memory answers every call after `--delay` seconds and lets one wait as a real account does: a
new role is usable after `--role` seconds, a new function pending for `--function`, a table on its way in or
out for `--table`. Prints a timeline and the ratio of wall time to chain, and ends with 1 if one is above the
target.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from botocore.awsrequest import AWSResponse

from ordernotify import provision
from ordernotify.executor import Event, Plan, Progress
from ordernotify.resources.base import Resource
from ordernotify.settings.model import Settings

sys.path.insert(0, str(Path(__file__).parent.parent))  # the account in memory is the tests' own
from tests.provision_support import Account, Call, Send, answer_json, changed_answer, refusal

TARGET = 1.15
WIDTH = 60
SETTINGS = Settings(emails=("you@example.com",), phones=("+14155550100",), alarm_emails=("ops@example.com",))


@dataclass
class SlowAccount:
    """The waits of a real account, in seconds, and when each began."""

    delay: float
    role: float
    function: float
    table: float
    began: dict[str, float] = field(default_factory=dict)
    description: dict[str, object] = field(default_factory=dict)

    def __call__(self, call: Call, send: Send) -> AWSResponse:
        """Answer after the delay, as the account would at this moment."""
        time.sleep(self.delay)
        now = time.monotonic()
        if call.operation == "CreateFunction" and now < self.began["CreateRole"] + self.role:
            text = "The role defined for the function cannot be assumed by Lambda."
            return refusal(call, "InvalidParameterValueException", text)
        if call.operation == "DescribeTable" and self._is_going(now):
            return answer_json({"Table": {**self.description, "TableStatus": "DELETING"}})
        answered = send()
        self.began.setdefault(call.operation, now)
        if call.operation == "DescribeTable" and answered.status_code == 200:
            return self._describe_table(answered, now)
        if (
            call.operation == "GetFunctionConfiguration"
            and now < self.began["CreateFunction"] + self.function
        ):
            return changed_answer(answered, lambda body: body.update(State="Pending"))
        return answered

    def _is_going(self, now: float) -> bool:
        return now < self.began.get("DeleteTable", -self.table) + self.table

    def _describe_table(self, answered: AWSResponse, now: float) -> AWSResponse:
        creating = now < self.began["CreateTable"] + self.table

        def change(body: dict[str, dict[str, object]]) -> None:
            if creating:
                body["Table"]["TableStatus"] = "CREATING"
            self.description = body["Table"]

        return changed_answer(answered, change)


@dataclass(frozen=True)
class Bar:
    """One row, in seconds since the command began; in `waits` the account was waited for."""

    name: str
    start: float
    end: float
    waits: tuple[float, float] | None = None


@dataclass(frozen=True)
class Timeline:
    """What happened when."""

    command: str
    bars: Sequence[Bar]
    chain: Sequence[tuple[str, float]]
    wall: float

    @property
    def ratio(self) -> float:
        """Wall time over the chain."""
        return self.wall / sum(seconds for _, seconds in self.chain)

    def show(self) -> None:
        """Print the rows, the chain and the ratio."""
        print(f"\n{self.command}: {self.wall:.1f} s")
        for bar in self.bars:
            print(f"  {bar.name:<27.27} {self._drawn(bar)} {bar.end - bar.start:5.1f} s")
        print(f"  {'':<27} █ calls   ░ waiting for the account")
        steps = " → ".join(f"{name} {seconds:.1f}" for name, seconds in self.chain)
        print(f"  chain: {steps} = {self.wall / self.ratio:.1f} s")
        print(f"  wall / chain = {self.ratio:.3f} (target {TARGET})")

    def _drawn(self, bar: Bar) -> str:
        scale = WIDTH / self.wall
        cells = [" "] * WIDTH
        for cell in range(int(bar.start * scale), min(int(bar.end * scale) + 1, WIDTH)):
            moment = (cell + 0.5) / scale
            waiting = bar.waits and bar.waits[0] <= moment <= bar.waits[1]
            cells[cell] = "░" if waiting else "█"
        return "".join(cells)


def run(plan: Callable[[], Plan], resources: Sequence[Resource[Any]]) -> tuple[list[Bar], float]:
    """Plan and apply, and draw when each item was worked on."""
    began = time.monotonic()
    planned = plan()
    bars = [Bar("(reading)", 0.0, time.monotonic() - began)]
    started: dict[str, float] = {}
    waits: dict[str, tuple[float, float]] = {}

    def note(event: Event) -> None:
        now, key = time.monotonic() - began, event.item.key
        if event.progress is Progress.STARTED:
            started[key] = now
        elif event.progress is Progress.WAITING:
            waits[key] = (waits.get(key, (now, now))[0], now)
        else:
            bars.append(Bar(f"{event.item.action} {key}", started[key], now, waits.get(key)))

    for event in provision.apply(resources, planned):
        note(event)
    return [bars[0], *sorted(bars[1:], key=lambda bar: bar.start)], time.monotonic() - began


def longest_reading(account: Account, resources: Sequence[Resource[Any]]) -> int:
    """Count the calls of the resource that needs most to be read; they depend on each other."""
    counts = []
    for resource in resources:
        account.forget_calls()
        resource.find()
        counts.append(len(account.calls))
    return max(counts)


def measure(waits: SlowAccount) -> tuple[Timeline, Timeline]:
    """Set a stack up and tear it down, both in the slow account."""
    with Account() as account:
        resources = provision.declare(SETTINGS, account.cloud())
        resources[0].cloud.account  # noqa: B018 - so that reading does not count it
        reads = longest_reading(account, resources)
        account.interfere = waits
        resources = provision.declare(SETTINGS, account.cloud())
        bars, wall = run(lambda: provision.plan(resources), resources)
        setup = Timeline("setup", bars, setup_chain(waits, reads), wall)
        account.interfere = lambda _call, send: send()
        reads = longest_reading(account, resources)
        account.interfere = waits
        resources = provision.declare(SETTINGS, account.cloud())
        bars, wall = run(lambda: provision.plan_teardown(resources, delete_orders=True), resources)
        return setup, Timeline("teardown", bars, teardown_chain(waits, reads), wall)


def setup_chain(waits: SlowAccount, reads: int) -> list[tuple[str, float]]:
    """List what has to follow each other when nothing is there."""
    return [
        ("identify", waits.delay),
        ("read", reads * waits.delay),
        ("CreateRole", waits.delay),
        ("role usable", waits.role),
        ("CreateFunction", waits.delay),
        ("function active", waits.function),
        ("AddPermission", waits.delay),
    ]


def teardown_chain(waits: SlowAccount, reads: int) -> list[tuple[str, float]]:
    """List what has to follow each other when everything is there: from the entrance inwards to the table."""
    return [
        ("identify", waits.delay),
        ("read", reads * waits.delay),
        ("RemovePermission", waits.delay),
        ("DeleteRestApi", waits.delay),
        ("DeleteFunction", waits.delay),
        ("UpdateTable", waits.delay),
        ("DeleteTable", waits.delay),
        ("table gone", waits.table),
    ]


def main() -> int:
    """Measure and print; 1 if a ratio is above the target."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for name, default in (("delay", 0.1), ("role", 8.0), ("function", 3.0), ("table", 5.0)):
        parser.add_argument(f"--{name}", type=float, default=default, metavar="SECONDS")
    given = parser.parse_args()
    timelines = measure(SlowAccount(given.delay, given.role, given.function, given.table))
    for timeline in timelines:
        timeline.show()
    return int(any(timeline.ratio > TARGET for timeline in timelines))


if __name__ == "__main__":
    with patch.dict(os.environ, {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}):
        sys.exit(main())
