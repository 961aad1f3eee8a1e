"""Policy documents as text, and what stands in them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def policy_text(policy: Mapping[str, Any]) -> str:
    """Write a policy document in one fixed form, so that equal policies are equal texts."""
    return json.dumps(policy, sort_keys=True, separators=(",", ":"))


def same_policy_text(document: str | Mapping[str, Any] | None) -> str:
    """Bring a policy that AWS returned (text or already parsed) into the form of `policy_text`."""
    if not document:
        return ""
    return policy_text(json.loads(document) if isinstance(document, str) else document)


def json_statements(policy: str | None) -> list[dict[str, Any]]:
    """Read the statements of a policy document; none without one."""
    return listed(json.loads(policy).get("Statement", [])) if policy else []


def listed(value: Any) -> list[Any]:
    """Return a list: a statement, an action and a resource may also stand alone."""
    return list(value) if isinstance(value, list | tuple) else [value]
