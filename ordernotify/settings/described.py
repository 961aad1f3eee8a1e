"""The settings from what a person told, where, and from what `--production` adds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ordernotify.settings.model import SETTING_ROWS, ApiKind, Settings
from ordernotify.settings.names import Names
from ordernotify.settings.production import additions
from ordernotify.settings.row import SettingsError
from ordernotify.settings.told import Told


def describe(stack: str, names: Names, told: Told, recorded: Mapping[str, Any] | None = None) -> Settings:
    """Build the settings from what was told; `recorded` has fields that this wins over.

    Raises UsageError, naming where it was told, for an impossible value or combination.
    """
    given = told.read(SETTING_ROWS)
    described = {**(recorded or {}), **given}
    try:
        if given.get("production"):
            described |= _production(given, described)
        return Settings(stack=stack, names=names, **described)
    except SettingsError as error:
        raise told.located(error) from None


def _production(given: Mapping[str, Any], described: Mapping[str, Any]) -> dict[str, Any]:
    """Return what production adds; raises SettingsError where it asks for more than was told."""
    if "auth" not in given and "auth" not in described:
        raise SettingsError(
            "production asks who may send orders",
            "Give --auth api-key (REST) or --auth iam; --auth none for an API that is meant to be public.",
            "production",
        )
    if not described.get("alarm_emails"):
        raise SettingsError(
            "production asks who is told of alarms", "Give --alarm-email you@example.com.", "production"
        )
    rest = described.get("api", ApiKind.REST) is ApiKind.REST
    return {one.field: one.value for one in additions(given, rest=rest)}
