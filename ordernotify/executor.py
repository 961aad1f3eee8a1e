"""Carry out a plan: independent steps side by side, each in a thread, in the order of what needs what."""

from __future__ import annotations

import queue
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from graphlib import TopologicalSorter
from typing import Any

from ordernotify.aws.errors import is_changed_at_once, map_botocore_errors
from ordernotify.aws.waiting import Clock, Patience, SystemClock
from ordernotify.errors import OrderNotifyError
from ordernotify.resources.base import TAGS, AnyLive, Change, Resource, Step

PARALLEL_STEPS = 32


class Action(StrEnum):
    """What is to be done with a resource."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    NONE = "none"
    KEEP = "keep"

    @property
    def changes(self) -> bool:
        """Whether it makes, changes or deletes something."""
        return self not in {Action.NONE, Action.KEEP}


@dataclass(frozen=True, slots=True)
class Item:
    """One resource of a plan: what it is, what is to be done with it, and why."""

    key: str
    kind: str
    name: str
    arn: str
    action: Action
    changes: tuple[Change, ...] = ()
    live: AnyLive | None = None
    reason: str = ""
    keeps_orders: bool = False
    """Kept only because it holds orders."""
    refusal: OrderNotifyError | None = None
    """Why setup will not do it; only a person can."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What `apply` will do; the items are in the order of the declaration."""

    items: tuple[Item, ...]
    stays: tuple[str, ...] = ()
    """A sentence for each thing that is no longer described and that setup leaves."""

    @property
    def changes(self) -> tuple[Item, ...]:
        """The items that make, change or delete something."""
        return tuple(item for item in self.items if item.action.changes)


class Progress(StrEnum):
    """How far a step is."""

    STARTED = "started"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to one item of a plan; `seconds` is the time since its step began."""

    item: Item
    progress: Progress
    detail: str = ""
    seconds: float = 0.0
    live: AnyLive | None = None
    error: OrderNotifyError | None = None


class ApplyError(OrderNotifyError):
    """Some steps failed; says what was done, what was not, and why."""

    def __init__(self, events: Sequence[Event]) -> None:
        failed = [event for event in events if event.progress is Progress.FAILED]
        skipped = [event.item for event in events if event.progress is Progress.SKIPPED]
        done = [event.item for event in events if event.progress is Progress.DONE]
        reasons = "; ".join(str(event.error) for event in failed)
        super().__init__(
            f"{reasons} ({len(done)} done, {len(failed)} failed, {len(skipped)} not begun)",
            next((e.error.hint for e in failed if e.error and e.error.hint), "")
            or "Run the same command again; it continues where it stopped.",
        )


_ENDED = {Progress.DONE, Progress.FAILED}
_UNDONE = {Progress.FAILED, Progress.SKIPPED}


def carry_out(
    resources: Sequence[Resource[Any]], planned: Plan, clock: Clock
) -> Generator[Event, None, Mapping[str, Event]]:
    """Carry out a plan; yields what happens to each item, and returns the last event of each.

    A failed step stops only those that depend on it. Raises ApplyError at the end if any failed. Closing the
    generator (Ctrl-C) cancels the waits, lets running calls end, and begins nothing new.
    """
    run = _Run({resource.key: resource for resource in resources}, planned, clock)
    dependencies = _dependencies(resources, planned)
    sorter = TopologicalSorter(dependencies)
    sorter.prepare()
    ended: dict[str, Event] = {}
    running = 0
    pool = ThreadPoolExecutor(PARALLEL_STEPS, thread_name_prefix="ordernotify")
    try:
        while sorter.is_active():
            for key in sorter.get_ready():
                item = run.items[key]
                if not item.action.changes:
                    sorter.done(key)
                elif any(ended[need].progress in _UNDONE for need in dependencies[key] if need in ended):
                    ended[key] = Event(item, Progress.SKIPPED, "what it needs is missing")
                    yield ended[key]
                    sorter.done(key)
                else:
                    pool.submit(run.carry_out, item)
                    running += 1
            if running:
                event = run.events.get()
                yield event
                if event.progress in _ENDED:
                    running -= 1
                    ended[event.item.key] = event
                    sorter.done(event.item.key)
    finally:
        if running and isinstance(run.clock, SystemClock):
            run.clock.cancelled.set()
        pool.shutdown(cancel_futures=True)
    if any(event.progress is Progress.FAILED for event in ended.values()):
        raise ApplyError(tuple(ended.values()))
    return ended


def _dependencies(resources: Sequence[Resource[Any]], planned: Plan) -> dict[str, set[str]]:
    """Map each item to those that come before it: what it needs, or, if it is deleted, what needs it."""
    actions = {item.key: item.action for item in planned.items}
    before: dict[str, set[str]] = {key: set() for key in actions}
    for resource in resources:
        if resource.key not in actions:
            continue
        if actions[resource.key] is Action.DELETE:
            before[resource.key].update(actions.keys() & resource.deleted_after)
            for later in actions.keys() & resource.removed_before:
                if actions[later].changes:
                    before[later].add(resource.key)
        for need in actions.keys() & resource.needs:
            if actions[need] is Action.DELETE:
                if need not in resource.deleted_after:
                    before[need].add(resource.key)
            else:
                before[resource.key].add(need)
    return before


class _Run:
    """One run of `apply`: the resources as they become known, and the events on their way to the caller."""

    def __init__(self, resources: Mapping[str, Resource[Any]], planned: Plan, clock: Clock) -> None:
        self.resources = resources
        self.items = {item.key: item for item in planned.items}
        self.clock = clock
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._live = {item.key: item.live for item in planned.items if item.live is not None}

    def carry_out(self, item: Item) -> None:
        """Carry out one item, in a thread of the pool; whatever happens becomes an event."""
        began = self.clock.now()

        def tell(progress: Progress, detail: str = "", **more: Any) -> None:
            self.events.put(Event(item, progress, detail, self.clock.now() - began, **more))

        tell(Progress.STARTED)
        try:
            with map_botocore_errors(item.action, item.kind, item.name):
                live = self._change(
                    item, Patience(self.clock, lambda message: tell(Progress.WAITING, message))
                )
        except OrderNotifyError as error:
            tell(Progress.FAILED, error.message, error=error)
        except BaseException as error:  # noqa: BLE001 - a thread that ends without its event is waited for
            tell(Progress.FAILED, repr(error), error=OrderNotifyError(f"unexpected {error!r}"))
        else:
            if live is not None:
                self._live[item.key] = live
            tell(Progress.DONE, live=live)

    def _change(self, item: Item, patience: Patience) -> AnyLive | None:
        resource = self.resources[item.key]
        needed = {key: self._live[key] for key in resource.needs if key in self._live}
        step = Step(needed, patience)
        if item.action is Action.DELETE:
            resource.delete(_found(item), step)
            return None
        if item.action is Action.UPDATE:
            return _update(resource, _found(item), item.changes, step)
        if item.action is Action.REPLACE and item.live is not None:
            resource.delete(item.live, step)
        return resource.create(step)


def _update(resource: Resource[Any], live: AnyLive, changes: Sequence[Change], step: Step) -> AnyLive:
    changed = {change.label for change in changes}
    if TAGS in changed:
        # First: after an adoption that is cut off here, the next run must know the resource as the stack's.
        step.patience.retry(
            lambda: resource.put_tags(live), when=is_changed_at_once, waiting_for="another change to end"
        )
    return resource.update(live, step) if changed != {TAGS} else live


def _found(item: Item) -> AnyLive:
    assert item.live is not None, "only what was found is updated, replaced or deleted"
    return item.live
