"""Settings from the environment: `ORDERNOTIFY_` and the option's name."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from ordernotify.errors import UsageError
from ordernotify.settings.model import ROWS
from ordernotify.settings.row import VARIABLE_PREFIX
from ordernotify.settings.told import Told

OTHER_VARIABLES = tuple(
    f"{VARIABLE_PREFIX}{name}"
    for name in ("CONFIG", "VERBOSE", "QUIET", "COLOR", "JSON", "API_KEY", "LOCAL_PORT")
)
"""The variables that are no setting of a stack."""


def told_by_environment(environ: Mapping[str, str]) -> Told:
    """Read the settings from the environment; an empty variable counts as unset.

    Lists are separated by spaces. Raises UsageError for a wrong value, and for an unknown variable: a
    misspelled ORDERNOTIFY_STACK must not lead to another stack.
    """
    rows = {row.variable: row for row in ROWS}
    given = {name: text for name, text in environ.items() if name.startswith(VARIABLE_PREFIX) and text}
    known = [*rows, *OTHER_VARIABLES]
    for name in given:
        if name not in known:
            # Without the prefix, which makes everything look alike.
            near = get_close_matches(_plain(name), [_plain(one) for one in known], 1)
            raise UsageError(
                f"there is no setting {name}, which the environment sets",
                f"The nearest is {VARIABLE_PREFIX}{near[0]}. Correct or unset it."
                if near
                else f"Unset it: unset {name}",
            )
    values, origins = {}, {}
    for name, text in given.items():
        if name in rows:
            option = rows[name].option
            origins[option] = name
            try:
                values[option] = rows[name].from_text(text)
            except UsageError as error:
                raise UsageError(f"{name}: {error.message}", error.hint) from None
    told = Told(values, origins)
    told.read(ROWS)
    return told


def _plain(variable: str) -> str:
    return variable.removeprefix(VARIABLE_PREFIX)
