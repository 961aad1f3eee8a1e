"""What a person told of a stack, each setting with its origin: flag, variable, or line of the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ordernotify.errors import UsageError
from ordernotify.settings.model import SETTING_ROWS, ApiKind, Settings
from ordernotify.settings.names import Names
from ordernotify.settings.production import additions
from ordernotify.settings.row import Setting, SettingsError


@dataclass(frozen=True, slots=True)
class Told:
    """Option values as they were written, with the origin of each; errors begin with it."""

    values: Mapping[str, Any] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def by_flags(cls, values: Mapping[str, Any]) -> Told:
        """Take values that were given on the command line."""
        return cls(values, {option: f"--{option}" for option in values})

    def over(self, other: Told) -> Told:
        """Add the settings of the other that are missing here."""
        return Told({**other.values, **self.values}, {**other.origins, **self.origins})

    def read(self, rows: Iterable[Setting]) -> dict[str, Any]:
        """Return the checked values of these settings, by field; raises UsageError for a wrong one."""
        fields: dict[str, Any] = {}
        for row in rows:
            if row.option in self.values:
                try:
                    fields[row.field] = row.value(self.values[row.option])
                except UsageError as error:
                    raise self.located(error, row.option) from None
        return fields

    def located(self, error: UsageError, *options: str) -> UsageError:
        """Put the origins of the options at fault, or of `options`, in front of the error."""
        if isinstance(error, SettingsError):
            options = error.options
        where = " and ".join(self.origins[option] for option in options if option in self.origins)
        return UsageError(f"{where}: {error.message}" if where else error.message, error.hint)


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
