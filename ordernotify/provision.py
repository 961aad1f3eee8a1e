"""Declare a stack; plan, apply and destroy it.

A plan is plain data: `--dry-run`, the renderer and `apply` consume the same value. `apply` yields what
happens as it happens, so that the caller shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from graphlib import TopologicalSorter
from typing import Any

from ordernotify.aws.errors import map_botocore_errors
from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import Clock, SystemClock
from ordernotify.errors import NotOursError, OrderNotifyError
from ordernotify.executor import Action, Event, Item, Plan, carry_out
from ordernotify.iam.calls import Allow, Calls
from ordernotify.resources.alarm import Alarm
from ordernotify.resources.api.access_logs import ApiLogRole
from ordernotify.resources.api.http_api import HttpApi
from ordernotify.resources.api.key import ApiKey
from ordernotify.resources.api.old_api import OldApi
from ordernotify.resources.api.permission import Permission, PreflightPermission
from ordernotify.resources.api.rest_api import RestApi
from ordernotify.resources.api.usage_plan import UsagePlan
from ordernotify.resources.api.web_acl import GivenWebAcl, WebAclAssociation
from ordernotify.resources.base import AnyLive, Change, Resource, Verb
from ordernotify.resources.concurrency import Concurrency
from ordernotify.resources.dashboard import Dashboard
from ordernotify.resources.dead_letters import DeadLetterQueue, RedrivePolicies
from ordernotify.resources.former import formers
from ordernotify.resources.function import Function
from ordernotify.resources.given_role import ExistingRole
from ordernotify.resources.kms_key import GivenKey
from ordernotify.resources.log_group import ApiLogGroup, ExecutionLogGroup, LogGroup
from ordernotify.resources.mailbox import Mailboxes
from ordernotify.resources.ownership import check_ownership, is_ours, staying_tags, taken_back
from ordernotify.resources.queue import VerifyQueues
from ordernotify.resources.role import Role
from ordernotify.resources.subscriptions import AlarmSubscriptions, Subscriptions
from ordernotify.resources.table import Table
from ordernotify.resources.topic import AlarmTopic, Topic
from ordernotify.resources.watches import watches
from ordernotify.settings.model import ApiKind, Settings
from ordernotify.settings.names import MANAGED_TAG, Names


def declare(settings: Settings, cloud: Cloud, former: Iterable[Names] = ()) -> tuple[Resource[Any], ...]:
    """List the stack's resources; makes no call.

    Each of `former` has one name that the stack had before; the resources with that name come last.
    """
    described = _described(settings, cloud)
    return (*described, *(one for names in former for one in formers(described, names)))


def _described(settings: Settings, cloud: Cloud) -> tuple[Resource[Any], ...]:
    return (
        GivenKey(settings, cloud),
        GivenWebAcl(settings, cloud),
        Table(settings, cloud),
        Topic(settings, cloud),
        DeadLetterQueue(settings, cloud),
        Subscriptions(settings, cloud),
        RedrivePolicies(settings, cloud),
        Mailboxes(settings, cloud),
        VerifyQueues(settings, cloud),
        Role(settings, cloud),
        ExistingRole(settings, cloud),
        LogGroup(settings, cloud),
        Function(settings, cloud),
        Concurrency(settings, cloud),
        ApiLogGroup(settings, cloud),
        ApiLogRole(settings, cloud),
        *_apis(settings, cloud),
        WebAclAssociation(settings, cloud),
        ExecutionLogGroup(settings, cloud),
        ApiKey(settings, cloud),
        UsagePlan(settings, cloud),
        Permission(settings, cloud),
        PreflightPermission(settings, cloud),
        AlarmTopic(settings, cloud),
        AlarmSubscriptions(settings, cloud),
        *(Alarm(settings, cloud, watch) for watch in watches(settings)),
        Dashboard(settings, cloud),
    )


def _apis(settings: Settings, cloud: Cloud) -> tuple[Resource[Any], Resource[Any]]:
    """List the described API, and the one of the other kind that it may take the place of."""
    described = HttpApi if settings.api is ApiKind.HTTP else RestApi
    return described(settings, cloud), OldApi(settings, cloud)


def find_all(resources: Iterable[Resource[Any]]) -> dict[str, AnyLive | None]:
    listed = list(resources)
    if listed:
        listed[0].cloud.account  # noqa: B018 - asked once, before many threads need it
    with ThreadPoolExecutor(max(len(listed), 1)) as pool:
        return dict(zip((r.key for r in listed), pool.map(_find, listed), strict=True))


def _find(resource: Resource[Any]) -> AnyLive | None:
    with map_botocore_errors("read", resource.kind, resource.name):
        return resource.find()


def plan(resources: Sequence[Resource[Any]], *, adopt: bool = False) -> Plan:
    """Plan how to bring about what is described; nothing is changed yet.

    With `adopt`, take over a resource of the same name that belongs to no stack: it gets the stack's tag.
    Raises NotOursError for one without the stack's tag otherwise, and OrderNotifyError for a difference that
    setup must not change.
    """
    planned = compare(resources, adopt=adopt)
    for item in planned.items:
        if item.refusal is not None:
            raise item.refusal
    return planned


def compare(resources: Sequence[Resource[Any]], *, adopt: bool = False) -> Plan:
    """Compare what is described with what exists, including differences that setup must not change.

    Raises NotOursError as `plan` does.
    """
    found = find_all(resources)
    items: dict[str, Item] = {}
    for resource in _in_order(resources):
        items[resource.key] = _plan_one(resource, found, items, adopt)
    planned = tuple(items[resource.key] for resource in resources)
    return Plan(planned, tuple(_staying(resources, planned)))


def _staying(resources: Sequence[Resource[Any]], planned: Iterable[Item]) -> Iterator[str]:
    gone = {Action.DELETE, Action.REPLACE}
    left = {one.key: one.live for one in planned if one.live and one.live.owned and one.action not in gone}
    if resources:
        yield from staying_tags(resources[0].settings, left.values())
    for resource in resources:
        if resource.wanted and resource.key in left:
            yield from resource.staying(left[resource.key])


def _in_order(resources: Sequence[Resource[Any]]) -> list[Resource[Any]]:
    by_key = {resource.key: resource for resource in resources}
    order = TopologicalSorter({r.key: [n for n in r.needs if n in by_key] for r in resources}).static_order()
    return [by_key[key] for key in order]


def _plan_one(
    resource: Resource[Any], found: Mapping[str, AnyLive | None], items: Mapping[str, Item], adopt: bool
) -> Item:
    live = found[resource.key]
    if not resource.wanted:
        if not resource.removed_when_unwanted or live is None or not is_ours(resource, live, found):
            return _item(resource, Action.NONE, live=live)
        kept_for = resource.kept_for(live)
        return _item(resource, Action.KEEP if kept_for else Action.DELETE, live=live, reason=kept_for)
    if live is not None:
        check_ownership(resource, live, adopt=adopt)
    made_anew = {key for key, item in items.items() if item.action in {Action.CREATE, Action.REPLACE}}
    if live is None and (old := found.get(resource.takes_place_of or "")):
        return _item(resource, Action.REPLACE, changes=resource.replacement(old))
    if live is None or resource.part_of in made_anew:
        refusal = _refusal(resource.refuse_missing) if live is None else None
        return _item(resource, Action.CREATE, reason=resource.notice, refusal=refusal)
    needed = {key: known for key in resource.needs if key not in made_anew and (known := found.get(key))}
    wanted = resource.described(needed)
    changes = resource.diff(live, needed) + (taken_back(live) if adopt else ())
    if not changes:
        return _item(resource, Action.NONE, live=live)
    action = Action.REPLACE if resource.must_replace(live.state, wanted) else Action.UPDATE
    refusal = _refusal(resource.refuse, live.state, wanted)
    return _item(resource, action, changes=changes, live=live, refusal=refusal)


def _refusal(refuse: Callable[..., None], *states: Any) -> OrderNotifyError | None:
    try:
        refuse(*states)
    except OrderNotifyError as error:
        return error
    return None


def check_not_managed_elsewhere(planned: Plan, stack: str) -> None:
    """Raise NotOursError if another tool manages the stack: two owners would undo each other's changes."""
    tags = [item.live.tags or {} for item in planned.items if item.live is not None and item.live.owned]
    tool = next((found[MANAGED_TAG] for found in tags if MANAGED_TAG in found), "")
    if tool:
        raise NotOursError(
            f"the stack {stack} is managed by {tool}, as its tag {MANAGED_TAG} says: nothing was changed",
            f"Change it with {tool}; or make {tool} forget it, then run `ordernotify setup --adopt`.",
        )


def _item(
    resource: Resource[Any],
    action: Action,
    *,
    changes: tuple[Change, ...] = (),
    live: AnyLive | None = None,
    reason: str = "",
    refusal: OrderNotifyError | None = None,
) -> Item:
    arn = live.arn if live else resource.arn
    return Item(
        resource.key, resource.kind, resource.name, arn, action, changes, live, reason, refusal=refusal
    )


def plan_teardown(resources: Sequence[Resource[Any]], *, delete_orders: bool) -> Plan:
    """Plan the removal of what carries the stack's tag.

    Keeps what belongs to others, and the orders unless `delete_orders` is true.
    """
    found = find_all(resources)
    items = []
    for resource in resources:
        live = found[resource.key]
        if live is None:
            continue
        if resource.shared:
            items.append(_item(resource, Action.KEEP, live=live, reason="not this stack's alone"))
        elif not is_ours(resource, live, found):
            items.append(_item(resource, Action.KEEP, live=live, reason="not made by this stack"))
        elif resource.keeps_orders and not delete_orders:
            kept = _item(resource, Action.KEEP, live=live, reason="holds the orders")
            items.append(replace(kept, keeps_orders=True))
        else:
            items.append(_item(resource, Action.DELETE, live=live, reason=resource.removal_notice(live)))
    return Plan(tuple(items))


def apply(
    resources: Sequence[Resource[Any]], planned: Plan, clock: Clock | None = None
) -> Generator[Event, None, None]:
    """Carry out a plan, see `executor.carry_out`; yields what happens to each item."""
    clock = clock or SystemClock()
    ended = yield from carry_out(resources, planned, clock)
    if _have_rivals(resources, ended):
        # Every setup that sees it keeps the same one, and changes what points to another.
        yield from carry_out(resources, plan(resources), clock)


def _have_rivals(resources: Iterable[Resource[Any]], ended: Mapping[str, Event]) -> bool:
    """Whether one of those just made is not the only one, see `Resource.has_rival`."""
    for resource in resources:
        event = ended.get(resource.key)
        if event and event.live and event.item.action in {Action.CREATE, Action.REPLACE}:
            with map_botocore_errors("read", resource.kind, resource.name):
                if resource.has_rival(event.live):
                    return True
    return False


def notes_after(resources: Iterable[Resource[Any]], planned: Plan) -> Iterator[str]:
    """Yield what the person should know after this plan was carried out."""
    yield from planned.stays
    made = {item.key for item in planned.changes if item.action is not Action.DELETE}
    for resource in resources:
        if resource.key in made:
            yield from resource.notes_after()


def setup_calls(resources: Iterable[Resource[Any]]) -> Calls:
    """What making and updating the stack calls; removing what is no longer described is teardown's."""
    listed = list(resources)
    wanted = [resource for resource in listed if resource.wanted]
    return (*_declared(listed, Verb.FIND), *_declared(wanted, Verb.CREATE, Verb.UPDATE))


def status_calls(resources: Iterable[Resource[Any]]) -> Calls:
    return tuple(_declared(resources, Verb.FIND))


def teardown_calls(resources: Iterable[Resource[Any]]) -> Calls:
    """What removing the stack calls, whatever options it was made with."""
    return tuple(_declared(resources, Verb.FIND, Verb.DELETE))


def _declared(resources: Iterable[Resource[Any]], *verbs: Verb) -> Iterator[Allow]:
    for resource in resources:
        for verb in verbs:
            yield from resource.calls.get(verb, ())
