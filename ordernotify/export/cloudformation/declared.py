"""One resource of a template, and the functions with which one names another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Declared:
    """One resource of the template, and by what an import names it; without: it cannot be imported."""

    logical_id: str
    type: str
    properties: Mapping[str, Any]
    identifier: Mapping[str, str] | None = None
    depends_on: Sequence[str] = ()
    comment: str = ""


def ref(logical_id: str) -> dict[str, str]:
    """Stand for what identifies a resource or a parameter."""
    return {"Ref": logical_id}


def attribute(logical_id: str, name: str) -> dict[str, list[str]]:
    """Stand for an attribute of a resource that is known once it exists."""
    return {"Fn::GetAtt": [logical_id, name]}


def sub(text: str) -> dict[str, str]:
    """Stand for a text in which `${...}` names resources and attributes."""
    return {"Fn::Sub": text}


def tag_items(tags: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Write tags in the form that most resource types take."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]
