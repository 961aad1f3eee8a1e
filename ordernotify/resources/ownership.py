"""Whose a resource is, as its tags say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ordernotify.errors import NotOursError
from ordernotify.resources.base import TAGS, AnyLive, Change, Resource
from ordernotify.settings.names import MANAGED_TAG, STACK_TAG


def is_ours(resource: Resource[Any], live: AnyLive, found: Mapping[str, AnyLive | None]) -> bool:
    """Whether the resource, and the one that it is part of, carry the stack's tag."""
    holder = found.get(resource.part_of) if resource.part_of else live
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
