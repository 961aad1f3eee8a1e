"""One `resource` block, and the expressions with which one names another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ONLY = ""
"""The instance of a resource that has only one."""


class Template(str):
    """A text in Terraform's template syntax; every other text is written so that it stays as it is."""


def value(expression: str) -> Template:
    """Stand for the value of an expression."""
    return Template(f"${{{expression}}}")


@dataclass(frozen=True, slots=True)
class Block:
    """One `resource` block, and the ids by which its instances are imported."""

    type: str
    label: str
    arguments: Mapping[str, Any]
    imports: Mapping[str, str] = field(default_factory=dict)
    comment: str = ""

    @property
    def address(self) -> str:
        return f"{self.type}.{self.label}"


def importable(type_: str, label: str, import_id: str, comment: str = "", **arguments: Any) -> Block:
    """Build a block whose only instance is imported by this id."""
    return Block(type_, label, arguments, {ONLY: import_id}, comment)


def label_of(key: str) -> str:
    return key.replace(" ", "_").replace("-", "_")
