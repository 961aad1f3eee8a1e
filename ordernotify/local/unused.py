"""Stop the embedded cloud when nothing is left in it and nobody uses it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ordernotify.local import cloud, process
from ordernotify.local.process import Host
from ordernotify.local.saving import unsaved_since

QUIET_WITHIN_SECONDS = 4.0
"""Alone, the last change of a teardown is saved well within this time."""
_SCOPED = {"__account_region_scoped__", "__scoped__"}
"""How MiniStack marks a store with entries of all accounts and regions."""
_FILLED_BY_ITSELF = {"elasticache"}
"""What MiniStack fills with defaults as soon as CloudFormation is on."""
_HISTORY = {"alarm_history"}
"""Stores that keep what happened, not what exists."""


def stop_if_unused(*, host: Host | None = None) -> bool:
    """Stop the cloud if no service has anything in any region and nobody changed anything for a second.

    Looks at the state that it saves when it is quiet. Returns whether it was stopped.
    """
    host = host or Host()
    folder = cloud.status(host=host).state_dir
    deadline = host.now() + QUIET_WITHIN_SECONDS
    while unsaved_since(folder) is not None:
        if host.now() >= deadline:
            return False  # somebody else is using it
        host.sleep(process.POLL_SECONDS)
    if any(left_in(folder)) or unsaved_since(folder) is not None:
        return False
    cloud.stop(host=host)
    return True


def left_in(folder: Path) -> Iterator[str]:
    """Name the stores of the saved state that are not empty, such as `sns/_topics`."""
    for file in sorted((folder / "state").glob("*.json")):
        if file.stem not in _FILLED_BY_ITSELF:
            yield from _filled(json.loads(file.read_text(encoding="utf-8")), file.stem)


def _filled(value: Any, name: str) -> Iterator[str]:
    if not isinstance(value, dict):
        return
    if value.keys() & _SCOPED:
        if value["data"] and name.rpartition("/")[2] not in _HISTORY:
            yield name
        return
    for key, inner in value.items():
        yield from _filled(inner, name if key == "payload" else f"{name}/{key}")
