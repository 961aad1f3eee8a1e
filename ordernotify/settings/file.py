"""The settings file: the options of `setup` by their own names, in TOML, checked line by line."""

from __future__ import annotations

import re
import tempfile
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ordernotify.errors import OrderNotifyError, UsageError
from ordernotify.settings.model import ROWS
from ordernotify.settings.told import Told

DEFAULT_FILE = Path("ordernotify.toml")


def told_by_file(path: Path) -> Told:
    """Read and check the file; an underscore in a name counts as a hyphen.

    Raises UsageError, naming the file and the line, for what is not TOML, an unknown name, a wrong type, or
    an impossible value.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"cannot read the settings file {path}: {getattr(error, 'strerror', None) or error}",
            "Check its name and mode.",
        ) from error
    try:
        written = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(
            f"{path} is not valid TOML: {error}", "https://toml.io describes the format."
        ) from error
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for key, value in written.items():
        where = f"{path}, line {_line_of(key, text)}"
        option = key.replace("_", "-")
        if option in values:
            raise UsageError(f"{where}: {option} is set a second time", "Remove one of the lines.")
        _check(option, value, where)
        values[option], origins[option] = value, where
    told = Told(values, origins)
    told.read(ROWS)
    return told


def _check(option: str, value: object, where: str) -> None:
    rows = {row.option: row for row in ROWS}
    if option not in rows:
        near = get_close_matches(option, rows, 1)
        hint = f"The nearest is {near[0]}." if near else f"The settings are: {', '.join(rows)}."
        raise UsageError(f"{where}: there is no setting {option!r}", hint)
    try:
        rows[option].check_type(value)
    except UsageError as error:
        raise UsageError(f"{where}: {error.message}", error.hint) from None


def _line_of(key: str, text: str) -> int:
    """Find the line that sets `key`, for messages; 1 if it is written in a way that hides it."""
    pattern = re.compile(rf"""^\s*\[*\s*["']?{re.escape(key)}["']?\s*[.=\]]""")
    return next((number for number, line in enumerate(text.splitlines(), 1) if pattern.match(line)), 1)


def save_settings(path: Path, given: Mapping[str, Any]) -> None:
    """Write the given options into the file; what else it holds, comments included, stays as it is.

    The file is replaced at once or not at all; a symbolic link stays one, and its target is replaced. Raises
    OrderNotifyError if it cannot be written.
    """
    import tomlkit

    try:
        path = path.resolve()
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        document = tomlkit.parse(before)
        spelled = {key.replace("_", "-"): key for key in document}
        for option, value in given.items():
            document[spelled.get(option, option)] = list(value) if isinstance(value, tuple) else value
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as new:
            new.write(tomlkit.dumps(document))
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
        Path(new.name).chmod(mode)
        Path(new.name).replace(path)
    except OSError as error:
        raise OrderNotifyError(
            f"could not save the settings to {path}: {error.strerror}", "Choose another file with --config."
        ) from error
