"""A setting is one row: the field of a dataclass with its option, check, record and help beside it.

The flag, the variable, the key in the file, the tag that records it and the line in docs/settings.md all
come from the row. A new setting is one field made by `setting`, and the place that uses it.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from ordernotify.errors import UsageError

VARIABLE_PREFIX = "ORDERNOTIFY_"
_TYPE_NAMES = {str: "a text in quotes", bool: "true or false", int: "a whole number", list: "a list of texts"}
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


class SettingsError(UsageError):
    """Settings that are not valid; `options` are those at fault, alone or together."""

    def __init__(self, message: str, hint: str, *options: str) -> None:
        super().__init__(message, hint)
        self.options = options


def _unchanged(value: Any) -> Any:
    return value


def _anything(value: Any) -> None:
    del value


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting. `read` parses what a person wrote; `check` raises UsageError for a wrong value."""

    help: str
    panel: str
    option: str = ""
    """The option without its hyphens in front; also the key in the file."""
    read: Callable[[Any], Any] = _unchanged
    check: Callable[[Any], None] = _anything
    recorded: bool = False
    """Whether setup keeps it in the account, as a tag of the function."""
    word: str = ""
    """A word that is accepted in place of a number; the field is then 0."""
    negative: bool = False
    """Whether there is a flag `--no-…` too."""
    field: str = ""
    default: Any = None
    kind: type = str
    """The type of one value."""
    container: type | None = None
    """What holds the values of a repeatable option: tuple or dict."""

    @property
    def variable(self) -> str:
        return f"{VARIABLE_PREFIX}{self.option.upper().replace('-', '_')}"

    def value(self, given: Any) -> Any:
        """Turn a value from a flag, a variable or the file into the field's; raises UsageError."""
        if self.container is None:
            return self._one(given)
        values = [self._one(one) for one in given]
        return dict(values) if self.container is dict else tuple(dict.fromkeys(values))

    def as_told(self, value: Any) -> Any:
        """Return the field's value as `value` takes it from a person: the word, where it stands for 0."""
        return self.word if self.word and value == 0 else value

    def check_field(self, value: Any) -> None:
        """Raise UsageError unless the field may have this value."""
        if self.container is not None:
            for one in value.items() if self.container is dict else value:
                self.check(one)
        elif value is not None and not (self.word and value == 0):
            self.check(value)

    def check_type(self, value: object) -> None:
        """Raise UsageError unless a value of the file has the type of this setting."""
        wanted = self._file_type
        fits = type(value) is wanted or (bool(self.word) and value == self.word)
        if fits and isinstance(value, list):
            fits = all(isinstance(one, str) for one in value)
        if not fits:
            raise UsageError(f"{self.option} must be {self._type_name}, not {value!r}", "Correct it.")

    def from_text(self, text: str) -> Any:
        """Read the text of a variable, as the file would hold it; a list is separated by spaces."""
        wanted = self._file_type
        if self.word and text == self.word:
            return text
        if wanted is list:
            return text.split()
        if wanted is str:
            return text
        if wanted is bool and text.lower() in _TRUE | _FALSE:
            return text.lower() in _TRUE
        if wanted is int and re.fullmatch(r"-?[0-9]+", text):
            return int(text)
        raise UsageError(f"{text!r} must be {self._type_name}", "Correct it, or unset the variable.")

    def to_tag(self, value: Any) -> str:
        """Write the field's value with the characters that every service takes in a tag (AWS-FACTS 30)."""
        text = " ".join(value).replace("*", "any") if self.container else str(value)
        return re.sub(r"[^\w .:/+@-]", lambda found: f"={ord(found[0]):02X}", text)

    def from_tag(self, text: str) -> Any:
        """Read what `to_tag` wrote."""
        text = re.sub(r"=([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), text)
        if self.container:
            return tuple(self.read("*" if part == "any" else part) for part in text.split())
        return text == "True" if self.kind is bool else self.kind(text)

    @property
    def _file_type(self) -> type:
        if self.container is not None:
            return list
        return str if issubclass(self.kind, str) else self.kind

    @property
    def _type_name(self) -> str:
        return _TYPE_NAMES[self._file_type] + (f" or {self.word!r}" if self.word else "")

    def _one(self, given: Any) -> Any:
        if self.word and given == self.word:
            return 0
        if issubclass(self.kind, StrEnum):
            try:
                return self.kind(given)
            except ValueError:
                raise UsageError(
                    f"{self.option} cannot be {given!r}", f"Use one of {', '.join(self.kind)}."
                ) from None
        value = self.read(given)
        self.check(value)
        return value


def setting(default: Any, text: str, *, panel: str, **more: Any) -> Any:
    """Declare a field of a dataclass as a setting; `text` is its help, `more` further attributes of the row.

    The option is the field's name unless `option` says otherwise. A callable default makes the value.
    """
    made = callable(default)
    metadata = {"row": Setting(help=text, panel=panel, default=default() if made else default, **more)}
    if made:
        return dataclasses.field(default_factory=default, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@functools.cache
def rows_of(described: type[Any]) -> tuple[Setting, ...]:
    """List the settings of a dataclass, in the order of its fields."""
    hints = get_type_hints(described)
    return tuple(_row(field, hints[field.name]) for field in _fields(described) if "row" in field.metadata)


def _fields(described: type[Any]) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(described)


def _row(field: dataclasses.Field[Any], hint: Any) -> Setting:
    row: Setting = field.metadata["row"]
    return dataclasses.replace(
        row,
        option=row.option or field.name.replace("_", "-"),
        field=field.name,
        kind=_kind(hint),
        container=_container(hint),
    )


def _container(hint: Any) -> type | None:
    return {tuple: tuple, Mapping: dict}.get(get_origin(hint))


def _kind(hint: Any) -> type:
    inner = [part for part in get_args(hint) if part not in (NoneType, Ellipsis)]
    kind: type = inner[0] if inner else hint
    return kind
