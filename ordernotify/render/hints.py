"""The commands in a text carry what this command was told, so that they can be pasted as they stand."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any

_COMMAND = re.compile(r"`ordernotify (?P<words>[^`]+)`")
_DESCRIBING = ("setup", "policy", "cost")
"""The commands that describe a stack: they take its settings beside the place."""
_told: ContextVar[tuple[Mapping[str, Any], Mapping[str, Any]]] = ContextVar("_told", default=({}, {}))


def begin_command(place: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Remember the options on the command line that say which stack is meant, and those that describe it."""
    _told.set((place, settings))


def add_settings(settings: Mapping[str, Any]) -> None:
    """Remember what else describes the stack; the options on the command line win."""
    place, told = _told.get()
    _told.set((place, {**settings, **told}))


def pasteable(text: str) -> str:
    """Give each `ordernotify …` in the text the options by which it works on the stack of this command."""
    return _COMMAND.sub(lambda match: f"`ordernotify {_completed(match['words'])}`", text)


def _completed(words: str) -> str:
    command = words.split()[0]
    if command == "local":  # knows no stack
        return words
    place, settings = _told.get()
    told = {**settings, **place} if command in _DESCRIBING else place
    more = [shlex.join(option) for option in _options(told) if option[0] not in words.split()]
    return " ".join([words, *more])


def _options(told: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for option, value in told.items():
        if isinstance(value, bool):
            yield (f"--{option}" if value else f"--no-{option}",)
        else:
            for one in value if isinstance(value, list | tuple) else [value]:
                yield f"--{option}", str(one)
