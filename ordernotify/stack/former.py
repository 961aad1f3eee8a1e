"""The further names of a stack, from a renaming that is done or was cut off."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace

from ordernotify.aws.errors import map_botocore_errors
from ordernotify.aws.session import Cloud
from ordernotify.errors import AccessDeniedError, OrderNotifyError
from ordernotify.executor import Action, Item, Plan
from ordernotify.iam.calls import Calls
from ordernotify.orders.items import count_orders
from ordernotify.resources.api.listing import list_apis, lists_apis
from ordernotify.resources.api.usage_plan import apis_admitted_to, lists_admissions
from ordernotify.resources.role_names import OWN_ROLE_CALLS, own_role_names
from ordernotify.resources.table import Table
from ordernotify.resources.tagged import TAGGED_CALLS, Tagged, find_tagged
from ordernotify.settings.model import ApiKind
from ordernotify.settings.names import ALARM_TOPIC_END, STACK_TAG, Names, Target
from ordernotify.stack.discovery import find_names
from ordernotify.stack.health import ALARMS

_FIELDS = {
    "table": re.compile(r"dynamodb:[^:]*:[^:]*:table/(?P<name>[^/]+)"),
    "topic": re.compile(r"sns:[^:]*:[^:]*:(?P<name>[^:]+)"),
    "function": re.compile(
        r"lambda:[^:]*:[^:]*:function:(?P<name>[^:]+)"
        r"|logs:[^:]*:[^:]*:log-group:/aws/lambda/(?P<of_logs>[^:]+)"
        rf"|cloudwatch:[^:]*:[^:]*:alarm:(?P<of_alarm>.+)-(?:{'|'.join(ALARMS)})"
    ),
    "api": re.compile(r"logs:[^:]*:[^:]*:log-group:/aws/vendedlogs/apigateway/(?P<name>[^:]+)"),
}
"""How an ARN without `arn:PARTITION:` tells a name of the stack, by field of Names."""


@dataclass(frozen=True, slots=True)
class FormerNames:
    """Each differs from the names in use in one former name; `unread` says what could not be looked at."""

    names: tuple[Names, ...]
    unread: str = ""
    tagged: tuple[Tagged, ...] = ()
    """What carries the stack's tag, whatever it is called."""


def former_calls() -> Calls:
    """What finding former names calls in addition to what finding the names calls."""
    listings = (allowed for kind in ApiKind for allowed in lists_apis(kind))
    return (*TAGGED_CALLS, *OWN_ROLE_CALLS, *lists_admissions(), *listings)


@map_botocore_errors("look for", "former names of the stack")
def find_former(cloud: Cloud, names: Names, stack: str) -> FormerNames:
    """Find the former names of a stack that is now described with `names`.

    Three looks: what the function has recorded, what carries the stack's tag, and the account's roles.
    """
    usual = Names().for_stack(stack)
    unread, carrying = "", list[Tagged]()
    with ThreadPoolExecutor(5) as pool:
        recorded = pool.submit(find_names, cloud, usual, (), stack)
        tagged = pool.submit(find_tagged, cloud, stack)
        apis = [pool.submit(list_apis, cloud, kind) for kind in ApiKind]
        admitted = pool.submit(apis_admitted_to, cloud, stack)
        found = {(field.name, getattr(recorded.result(), field.name)) for field in fields(Names)}
        found |= {
            ("api", api.name)
            for future in apis
            for api in future.result()
            if api.tags.get(STACK_TAG) == stack
        }
        found |= {("api", name) for name in admitted.result()}
        try:
            carrying = tagged.result()
            groups = _log_groups(cloud, stack) if cloud.target is Target.LOCAL else ()
            found |= set(_named([*carrying, *groups], names))
        except AccessDeniedError as error:
            unread = f"Not looked for under other names: {error.message}"
    found |= {("role", role) for role in own_role_names(cloud, stack)}
    return FormerNames(tuple(_other_names(names, found)), unread, tuple(carrying))


def _log_groups(cloud: Cloud, stack: str) -> Iterator[Tagged]:
    """List the stack's log groups on the embedded cloud, whose tagging API does not know them."""
    for page in cloud.logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix="/aws/"):
        for group in page["logGroups"]:
            arn = group["arn"].removesuffix(":*")
            tags = cloud.logs.list_tags_for_resource(resourceArn=arn)["tags"]
            if tags.get(STACK_TAG) == stack:
                yield Tagged(arn, tags)


def former_tables(cloud: Cloud, names: Names, stack: str) -> tuple[Names, ...]:
    """Find the tables that the stack had before, as its names with that table; none if it is denied."""
    return _found_by_tag(cloud, names, stack, "dynamodb:table")


def former_topics(cloud: Cloud, names: Names, stack: str) -> tuple[Names, ...]:
    """Find the topics that the stack had before, as its names with that topic; none if it is denied."""
    return _found_by_tag(cloud, names, stack, "sns")


def _found_by_tag(cloud: Cloud, names: Names, stack: str, kind: str) -> tuple[Names, ...]:
    try:
        found = set(_named(find_tagged(cloud, stack, kind), names))
    except AccessDeniedError:
        return ()
    return tuple(_other_names(names, found))


def with_orders_told(cloud: Cloud, names: Names, planned: Plan) -> Plan:
    """Add to each table that is no longer used how many orders it holds."""
    return replace(planned, items=tuple(_with_orders(cloud, names, item) for item in planned.items))


def _with_orders(cloud: Cloud, names: Names, item: Item) -> Item:
    if item.action is not Action.KEEP or item.kind != Table.kind or item.name == names.table:
        return item
    counted = count_orders(cloud, replace(names, table=item.name))
    if counted is None:
        return item
    least, plural = "" if counted.complete else "at least ", "" if counted.orders == 1 else "s"
    return replace(item, reason=f"{least}{counted.orders} order{plural}, {item.reason}")


def _named(tagged: Iterable[Tagged], names: Names) -> Iterator[tuple[str, str]]:
    """Tell names from ARNs; a topic is one of alarms only if something else names its function."""
    told = {
        (field, next(filter(None, match.groups())))
        for one in tagged
        for field, pattern in _FIELDS.items()
        if (match := pattern.fullmatch(one.arn.split(":", 2)[2]))
    }
    functions = {names.function, *(name for field, name in told if field == "function")}
    of_alarms = {("topic", f"{function}{ALARM_TOPIC_END}") for function in functions}
    yield from told - of_alarms


def _other_names(names: Names, found: set[tuple[str, str]]) -> Iterator[Names]:
    for field, name in sorted(found):
        if name != getattr(names, field):
            try:
                yield replace(names, **{field: name})
            except OrderNotifyError:
                continue  # no name that setup can have given
