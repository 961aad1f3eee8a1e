"""Tags in AWS's list form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypedDict


class Tag(TypedDict):
    """A tag in the form that most services take."""

    Key: str
    Value: str


def tag_list(tags: Mapping[str, str]) -> list[Tag]:
    """Tags in the `[{"Key": …, "Value": …}]` form that most services take."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tags_of(listing: Iterable[Any] | None) -> dict[str, str]:
    """Read tags from that form."""
    return {tag["Key"]: tag["Value"] for tag in listing or ()}
