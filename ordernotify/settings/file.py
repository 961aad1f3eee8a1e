"""The settings file: the options of `setup` by their own names, in TOML, checked line by line."""

from __future__ import annotations

import re
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ordernotify.errors import OrderNotifyError, UsageError
from ordernotify.settings.model import describe
from ordernotify.settings.names import DEFAULT_STACK, Names

DEFAULT_FILE = Path("ordernotify.toml")

OPTIONS: Mapping[str, type] = {
    "stack": str,
    "aws": bool,
    "region": str,
    "profile": str,
    "table-name": str,
    "topic-name": str,
    "function-name": str,
    "role-name": str,
    "api-name": str,
    "email": list,
    "phone": list,
    "alarm-email": list,
    "api": str,
    "auth": str,
    "stage": str,
    "cors-origin": list,
    "rate": int,
    "burst": int,
    "access-logs": bool,
    "role-arn": str,
    "runtime": str,
    "architecture": str,
    "memory": int,
    "timeout": int,
    "log-retention": int,
    "log-bodies": bool,
    "tag": list,
}
"""Every name that the file may hold, with its type; a list is one of texts."""

_TYPE_NAMES = {str: "a text in quotes", bool: "true or false", int: "a whole number", list: "a list of texts"}


def read_settings(path: Path) -> dict[str, Any]:
    """Read and check the file; returns its values by option name.

    Raises UsageError naming the file and the line for what is not TOML, an unknown name, a wrong type,
    or a value or combination that cannot be.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"cannot read the settings file {path}: {error}", "Check its name and mode."
        ) from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(
            f"{path} is not valid TOML: {error}", "https://toml.io describes the format."
        ) from error
    for name, value in values.items():
        _check(path, text, name, value)
    _check_together(path, text, values)
    return values


def _check_together(path: Path, text: str, values: Mapping[str, Any]) -> None:
    """Refuse impossible values and combinations with the line that makes them so."""
    told: dict[str, Any] = {}
    for name, value in values.items():
        told[name] = value
        try:
            describe(DEFAULT_STACK, Names(), told)
        except UsageError as error:
            if name in {"rate", "burst"} and {"rate", "burst"} & (values.keys() - told.keys()):
                continue  # its other half comes on a later line
            where = f"{path}, line {_line_of(name, text)}"
            raise UsageError(f"{where}: {error.message}", error.hint) from error


def _check(path: Path, text: str, name: str, value: object) -> None:
    where = f"{path}, line {_line_of(name, text)}"
    if name not in OPTIONS:
        raise UsageError(f"{where}: there is no setting {name!r}", f"The settings are: {', '.join(OPTIONS)}.")
    wanted = OPTIONS[name]
    fits = type(value) is wanted
    if wanted is list and isinstance(value, list):
        fits = all(isinstance(part, str) for part in value)
    if not fits:
        raise UsageError(
            f"{where}: {name} is to be {_TYPE_NAMES[wanted]}, not {value!r}", "Correct that line."
        )


def _line_of(name: str, text: str) -> int:
    """Find the line that sets `name`, for messages; 1 if it is written in a way that hides it."""
    pattern = re.compile(rf"""^\s*\[*\s*["']?{re.escape(name)}["']?\s*[.=\]]""")
    return next((number for number, line in enumerate(text.splitlines(), 1) if pattern.match(line)), 1)


def save_settings(path: Path, given: Mapping[str, Any]) -> None:
    """Write the given options into the file; what else it holds, comments included, stays as it is.

    The file is replaced at once or not at all. Raises OrderNotifyError if it cannot be written.
    """
    import tomlkit

    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        document = tomlkit.parse(before)
        document.update(given)
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


def settings_from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """Read the options that the environment gives as `ORDERNOTIFY_…`, in the form of the file's values.

    Lists are separated by spaces. Raises UsageError for a value of a wrong type.
    """
    values: dict[str, Any] = {}
    for name, wanted in OPTIONS.items():
        variable = f"ORDERNOTIFY_{name.upper().replace('-', '_')}"
        text = environ.get(variable)
        if text:
            values[name] = _from_text(variable, text, wanted)
    return values


def _from_text(variable: str, text: str, wanted: type) -> Any:
    if wanted is list:
        return text.split()
    if wanted is bool:
        if text.lower() in {"1", "true", "yes", "on"}:
            return True
        if text.lower() in {"0", "false", "no", "off"}:
            return False
    elif wanted is str:
        return text
    elif re.fullmatch(r"-?[0-9]+", text):
        return int(text)
    raise UsageError(f"{variable} is to be {_TYPE_NAMES[wanted]}, not {text!r}", "Correct or unset it.")
