"""What the function's tags record of the last setup: `Settings.recorded` writes it, this reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ordernotify.errors import OrderNotifyError
from ordernotify.settings.model import NAME_ROWS, SETTING_ROWS, name_tag, recorded_tag
from ordernotify.settings.row import Setting


def names_in_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Read the recorded names among the tags, by field of Names, with the stack's suffix."""
    return {row.field: row.from_tag(tags[tag]) for row in NAME_ROWS if (tag := name_tag(row)) in tags}


def settings_in_tags(tags: Mapping[str, str]) -> dict[str, Any]:
    """Read the recorded settings among the tags, by field.

    Raises OrderNotifyError for a value that no setup wrote.
    """
    return {
        row.field: _recorded_value(row, tags[recorded_tag(row)])
        for row in SETTING_ROWS
        if row.recorded and recorded_tag(row) in tags
    }


def _recorded_value(row: Setting, text: str) -> Any:
    try:
        return row.from_tag(text)
    except ValueError:
        raise OrderNotifyError(
            f"the function's tag {recorded_tag(row)} is {text!r}, which no setup wrote",
            "Correct the tag, or remove it and run `ordernotify setup` with the option again.",
        ) from None
