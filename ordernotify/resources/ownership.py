"""What the tags of resources say: whose they are, and which tags are not described."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ordernotify.errors import NotOursError
from ordernotify.resources.base import TAGS, AnyLive, Change, Resource
from ordernotify.settings.model import Settings
from ordernotify.settings.names import MANAGED_TAG, STACK_TAG

_SET_BY_OTHERS = ("aws:", "ordernotify:")


def is_ours(resource: Resource[Any], live: AnyLive, found: Mapping[str, AnyLive | None]) -> bool:
    """Whether the resource carries the stack's tag; if it cannot, also the one that it is part of."""
    holder = found.get(resource.part_of) if resource.part_of and live.tags is None else live
    return live.owned and holder is not None and holder.owned


def check_ownership(resource: Resource[Any], live: AnyLive, *, adopt: bool) -> None:
    """Raise NotOursError unless the resource is the stack's, or nobody's and to be adopted."""
    if live.owned:
        return
    stack = resource.settings.stack
    what = f"the {resource.kind} {resource.name}"
    owner = (live.tags or {}).get(STACK_TAG)
    if owner:
        whose = f"{stack} of another region" if owner == stack else f"{owner}, not to {stack}"
        raise NotOursError(f"{what} belongs to the stack {whose}", "Choose another --stack or another name.")
    if not adopt:
        raise NotOursError(
            f"{what} exists and does not belong to the stack {stack}",
            "Choose another --stack or another name; or take it over with --adopt, after reading "
            "`ordernotify setup --adopt --dry-run`.",
        )


def taken_back(live: AnyLive) -> tuple[Change, ...]:
    """Return the change by which an adoption takes a stack back from another tool."""
    tool = (live.tags or {}).get(MANAGED_TAG)
    return (Change(TAGS, {MANAGED_TAG: tool}, {MANAGED_TAG: None}),) if tool else ()


def staying_tags(settings: Settings, left: Iterable[AnyLive]) -> Iterator[str]:
    """Say of each tag that is not described that it stays, and on how many resources.

    `setup` tags everything with the person's tags, and nothing distinguishes them from tags that somebody
    else added. So it removes none, and names those that more than half of the resources carry.
    """
    tagged = [live.tags for live in left if live.tags is not None]
    counts = Counter(pair for tags in tagged for pair in tags.items())
    for (key, value), count in sorted(counts.items()):
        if 2 * count > len(tagged) and key not in settings.tags and not key.startswith(_SET_BY_OTHERS):
            pair = shlex.quote(f"{key}={value}")
            yield (
                f"The tag {pair} is not described and stays on {count} resources: "
                f"remove it by hand, or describe it with --tag {pair}."
            )
