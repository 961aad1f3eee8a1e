"""The settings that a person gave, each with its origin: flag, variable, or line of the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ordernotify.errors import UsageError
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
