"""Declare a stack; plan, apply and destroy it.

A plan is plain data: `--dry-run`, the renderer and `apply` consume the same value. `apply` yields what
happens as it happens, so that the caller shows it.
"""

from __future__ import annotations

import queue
from collections.abc import Generator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from graphlib import TopologicalSorter
from typing import Any

from ordernotify.aws.errors import map_botocore_errors
from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import Clock, Patience, SystemClock
from ordernotify.errors import NotOursError, OrderNotifyError
from ordernotify.resources.alarm import Alarm, watches
from ordernotify.resources.api.access_logs import ApiLogRole
from ordernotify.resources.api.http_api import HttpApi, OldHttpApi
from ordernotify.resources.api.key import ApiKey
from ordernotify.resources.api.permission import Permission, PreflightPermission
from ordernotify.resources.api.rest_api import OldRestApi, RestApi
from ordernotify.resources.api.usage_plan import UsagePlan
from ordernotify.resources.base import TAGS, Change, Live, Resource, Step
from ordernotify.resources.function import Function
from ordernotify.resources.listing import Subscription, list_subscriptions
from ordernotify.resources.log_group import ApiLogGroup, LogGroup
from ordernotify.resources.queue import InboxQueue, VerifyQueues
from ordernotify.resources.role import ExistingRole, Role
from ordernotify.resources.subscriptions import AlarmSubscriptions, Subscriptions
from ordernotify.resources.table import Table
from ordernotify.resources.topic import AlarmTopic, Topic
from ordernotify.settings.model import ApiKind, Settings
from ordernotify.settings.names import STACK_TAG

PARALLEL_STEPS = 32


class Action(StrEnum):
    """What is to be done with a resource."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    NONE = "none"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Item:
    """One resource of a plan: what it is, what is to be done with it, and why."""

    key: str
    kind: str
    name: str
    arn: str
    action: Action
    changes: tuple[Change, ...] = ()
    live: Live | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What `apply` will do, in the order of the declaration."""

    items: tuple[Item, ...]

    @property
    def changes(self) -> tuple[Item, ...]:
        """The items that change something."""
        return tuple(item for item in self.items if item.action not in {Action.NONE, Action.KEEP})


class State(StrEnum):
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
    state: State
    detail: str = ""
    seconds: float = 0.0
    live: Live | None = None
    error: OrderNotifyError | None = None


class ApplyError(OrderNotifyError):
    """Some steps failed; says what was done, what was not, and why."""

    def __init__(self, events: Sequence[Event]) -> None:
        """Sum up the last events of all steps."""
        failed = [event for event in events if event.state is State.FAILED]
        skipped = [event.item for event in events if event.state is State.SKIPPED]
        done = [event.item for event in events if event.state is State.DONE]
        reasons = "; ".join(str(event.error) for event in failed)
        super().__init__(
            f"{reasons} ({len(done)} done, {len(failed)} failed, {len(skipped)} not begun)",
            next((e.error.hint for e in failed if e.error and e.error.hint), "")
            or "Run the same command again; it continues where it stopped.",
        )


def declare(settings: Settings, cloud: Cloud) -> tuple[Resource, ...]:
    """List the stack's resources; no call is made."""
    return (
        Table(settings, cloud),
        Topic(settings, cloud),
        Subscriptions(settings, cloud),
        InboxQueue(settings, cloud),
        VerifyQueues(settings, cloud),
        Role(settings, cloud),
        ExistingRole(settings, cloud),
        LogGroup(settings, cloud),
        Function(settings, cloud),
        ApiLogGroup(settings, cloud),
        ApiLogRole(settings, cloud),
        *_apis(settings, cloud),
        ApiKey(settings, cloud),
        UsagePlan(settings, cloud),
        Permission(settings, cloud),
        PreflightPermission(settings, cloud),
        AlarmTopic(settings, cloud),
        AlarmSubscriptions(settings, cloud),
        *(Alarm(settings, cloud, watch) for watch in watches(settings)),
    )


def _apis(settings: Settings, cloud: Cloud) -> tuple[Resource, Resource]:
    """List the described API, and the one of the other kind that it may take the place of."""
    if settings.api is ApiKind.HTTP:
        return HttpApi(settings, cloud), OldRestApi(settings, cloud)
    return RestApi(settings, cloud), OldHttpApi(settings, cloud)


def find_all(resources: Iterable[Resource]) -> dict[str, Live | None]:
    """Read every resource, side by side."""
    listed = list(resources)
    if listed:
        listed[0].cloud.account  # noqa: B018 - asked once, before many threads need it
    with ThreadPoolExecutor(max(len(listed), 1)) as pool:
        return dict(zip((r.key for r in listed), pool.map(_find, listed), strict=True))


def _find(resource: Resource) -> Live | None:
    with map_botocore_errors("read", resource.kind, resource.name):
        return resource.find()


def plan(resources: Sequence[Resource], *, adopt: bool = False) -> Plan:
    """Compare what is described with what exists; nothing is changed.

    With `adopt`, a resource of the same name that belongs to no stack is taken over: it gets the stack's tag.
    Raises NotOursError for one without the stack's tag otherwise, and OrderNotifyError for a difference that
    cannot be mended.
    """
    found = find_all(resources)
    items: dict[str, Item] = {}
    for resource in _in_order(resources):
        items[resource.key] = _plan_one(resource, found, items, adopt)
    return Plan(tuple(items[resource.key] for resource in resources if resource.key in items))


def _in_order(resources: Sequence[Resource]) -> list[Resource]:
    by_key = {resource.key: resource for resource in resources}
    order = TopologicalSorter({r.key: [n for n in r.needs if n in by_key] for r in resources}).static_order()
    return [by_key[key] for key in order]


def _plan_one(
    resource: Resource, found: Mapping[str, Live | None], items: Mapping[str, Item], adopt: bool
) -> Item:
    live = found[resource.key]
    if not resource.wanted:
        obsolete = resource.removed_when_unwanted and live is not None and _is_ours(resource, live, found)
        return _item(resource, Action.DELETE if obsolete else Action.NONE, live=live)
    if live is not None:
        _check_ownership(resource, live, adopt)
    made_anew = {key for key, item in items.items() if item.action in {Action.CREATE, Action.REPLACE}}
    if live is None and (old := found.get(resource.takes_place_of or "")):
        return _item(resource, Action.REPLACE, changes=resource.replacement(old))
    if live is None or resource.part_of in made_anew:
        return _item(resource, Action.CREATE, reason=resource.notice)
    needed = {key: known for key in resource.needs if key not in made_anew and (known := found.get(key))}
    changes = resource.diff(live, needed)
    _check_refused(resource, changes)
    if not changes:
        return _item(resource, Action.NONE, live=live)
    action = Action.REPLACE if resource.must_replace(changes) else Action.UPDATE
    return _item(resource, action, changes=changes, live=live)


def _is_ours(resource: Resource, live: Live, found: Mapping[str, Live | None]) -> bool:
    """Whether the resource, and the one that it is part of, carry the stack's tag."""
    holder = found.get(resource.part_of) if resource.part_of else live
    return live.owned and holder is not None and holder.owned


def _check_ownership(resource: Resource, live: Live, adopt: bool) -> None:
    if live.owned:
        return
    stack = resource.settings.stack
    other = (live.tags or {}).get(STACK_TAG)
    if other:
        raise NotOursError(
            f"the {resource.kind} {resource.name} belongs to the stack {other}, not to {stack}",
            "Choose another --stack or another name.",
        )
    if not adopt:
        raise NotOursError(
            f"the {resource.kind} {resource.name} exists and does not belong to the stack {stack}",
            "Choose another --stack or another name; or take it over with --adopt, after reading "
            "`setup --adopt --dry-run`.",
        )


def _check_refused(resource: Resource, changes: Sequence[Change]) -> None:
    for change in changes:
        if change.attribute in resource.refused:
            raise OrderNotifyError(
                f"the {resource.kind} {resource.name} has the {change.attribute} {change.before} and not "
                f"{change.after}: {resource.refused[change.attribute]}",
                "Export the orders and remove the table by hand, or choose another name.",
            )


def _item(
    resource: Resource,
    action: Action,
    *,
    changes: tuple[Change, ...] = (),
    live: Live | None = None,
    reason: str = "",
) -> Item:
    arn = live.arn if live else resource.arn
    return Item(resource.key, resource.kind, resource.name, arn, action, changes, live, reason)


def plan_teardown(resources: Sequence[Resource], *, delete_orders: bool) -> Plan:
    """Plan the removal of what carries the stack's tag.

    What is not ours is kept, and so are the orders unless told.
    """
    found = find_all(resources)
    items = []
    for resource in resources:
        live = found[resource.key]
        if live is None:
            continue
        if resource.shared:
            items.append(_item(resource, Action.KEEP, live=live, reason="not this stack's alone"))
        elif not _is_ours(resource, live, found):
            items.append(_item(resource, Action.KEEP, live=live, reason="not made by this stack"))
        elif resource.keeps_orders and not delete_orders:
            items.append(_item(resource, Action.KEEP, live=live, reason="holds the orders"))
        else:
            items.append(_item(resource, Action.DELETE, live=live, reason=resource.removal_notice(live)))
    return Plan(tuple(items))


def apply(
    resources: Sequence[Resource], planned: Plan, clock: Clock | None = None
) -> Generator[Event, None, None]:
    """Carry out a plan; independent items side by side. Yields what happens to each item.

    A failed step stops only those that depend on it. Raises ApplyError at the end if any failed. Closing the
    generator (Ctrl-C) calls off the waits, lets the calls under way end, and begins nothing new.
    """
    clock = clock or SystemClock()
    ended = yield from _carry_out(resources, planned, clock)
    if _have_rivals(resources, ended.values()):
        # Every setup that sees it keeps the same one, and what points to another is changed.
        yield from _carry_out(resources, plan(resources), clock)


def _have_rivals(resources: Iterable[Resource], ended: Iterable[Event]) -> bool:
    """Whether one of those just made is not the only one, see `Resource.has_rival`."""
    by_key = {resource.key: resource for resource in resources}
    made = [event for event in ended if event.item.action in {Action.CREATE, Action.REPLACE}]
    return any(event.live is not None and _has_rival(by_key[event.item.key], event.live) for event in made)


def _has_rival(resource: Resource, live: Live) -> bool:
    with map_botocore_errors("read", resource.kind, resource.name):
        return resource.has_rival(live)


def _carry_out(
    resources: Sequence[Resource], planned: Plan, clock: Clock
) -> Generator[Event, None, Mapping[str, Event]]:
    """Carry out a plan, see `apply`; returns the last event of each item."""
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
                if item.action in _UNCHANGED:
                    sorter.done(key)
                elif any(ended[need].state in _UNDONE for need in dependencies[key] if need in ended):
                    ended[key] = Event(item, State.SKIPPED, "what it needs is missing")
                    yield ended[key]
                    sorter.done(key)
                else:
                    pool.submit(run.carry_out, item)
                    running += 1
            if running:
                event = run.events.get()
                yield event
                if event.state in _ENDED:
                    running -= 1
                    ended[event.item.key] = event
                    sorter.done(event.item.key)
    finally:
        if running and isinstance(run.clock, SystemClock):
            run.clock.cancelled.set()
        pool.shutdown(cancel_futures=True)
    if any(event.state is State.FAILED for event in ended.values()):
        raise ApplyError(tuple(ended.values()))
    return ended


_UNCHANGED = {Action.NONE, Action.KEEP}
_ENDED = {State.DONE, State.FAILED}
_UNDONE = {State.FAILED, State.SKIPPED}


def _dependencies(resources: Sequence[Resource], planned: Plan) -> dict[str, set[str]]:
    """Map each item to those that come before it: what it needs; what needs it, where it is deleted."""
    actions = {item.key: item.action for item in planned.items}
    before: dict[str, set[str]] = {key: set() for key in actions}
    for resource in resources:
        if resource.key not in actions:
            continue
        if actions[resource.key] is Action.DELETE:
            before[resource.key].update(actions.keys() & resource.deleted_after)
        for need in actions.keys() & resource.needs:
            if actions[need] is Action.DELETE:
                before[need].add(resource.key)
            else:
                before[resource.key].add(need)
    return before


class _Run:
    """One run of `apply`: the resources as they become known, and the events on their way to the caller."""

    def __init__(self, resources: Mapping[str, Resource], planned: Plan, clock: Clock) -> None:
        self.resources = resources
        self.items = {item.key: item for item in planned.items}
        self.clock = clock
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._live = {item.key: item.live for item in planned.items if item.live is not None}

    def carry_out(self, item: Item) -> None:
        """Carry out one item in a thread of the pool; every outcome becomes an event."""
        began = self.clock.now()

        def tell(state: State, detail: str = "", **more: Any) -> None:
            self.events.put(Event(item, state, detail, self.clock.now() - began, **more))

        tell(State.STARTED)
        try:
            with map_botocore_errors(item.action, item.kind, item.name):
                live = self._change(item, Patience(self.clock, lambda message: tell(State.WAITING, message)))
        except OrderNotifyError as error:
            tell(State.FAILED, error.message, error=error)
        except BaseException as error:  # noqa: BLE001 - a thread that ends without its event is waited for
            tell(State.FAILED, repr(error), error=OrderNotifyError(f"unexpected {error!r}"))
        else:
            if live is not None:
                self._live[item.key] = live
            tell(State.DONE, live=live)

    def _change(self, item: Item, patience: Patience) -> Live | None:
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


def _update(resource: Resource, live: Live, changes: Sequence[Change], step: Step) -> Live:
    changed = frozenset(change.attribute for change in changes)
    if TAGS in changed:
        # First, so that an adoption that is cut off here is continued as ours.
        resource.put_tags(live)
    return resource.update(live, changed - {TAGS}, step) if changed != {TAGS} else live


def _found(item: Item) -> Live:
    assert item.live is not None, "only what was found is updated, replaced or deleted"
    return item.live


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


def report(
    settings: Settings, cloud: Cloud, planned: Plan, applied: Mapping[str, Live] | None = None
) -> Report:
    """Sum up a stack from its plan and from what `apply` left; reads the subscriptions."""
    live = {item.key: item.live for item in planned.items} | dict(applied or {})
    api = live.get("api")
    items = tuple(
        replace(item, arn=known.arn) if (known := live.get(item.key)) and known.arn else item
        for item in planned.items
        if item.live or item.action is not Action.NONE
    )
    inbox = cloud.arn("sqs", settings.names.inbox_queue)
    with map_botocore_errors("list", "subscriptions"):
        everybody = list_subscriptions(cloud, cloud.arn("sns", settings.names.topic))
    return Report(
        settings,
        cloud.target,
        cloud.account,
        cloud.region,
        api.ids["url"] if api else None,
        items,
        tuple(s for s in everybody if s.endpoint != inbox),
    )
