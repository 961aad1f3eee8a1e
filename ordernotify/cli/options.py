"""Typer's options for the settings, made from their rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from ordernotify.cli.complete import stacks_here
from ordernotify.errors import UsageError
from ordernotify.settings.model import SETTING_ROWS
from ordernotify.settings.row import Setting


def option(*flags: str, help: str, show_default: bool | str = False, **more: Any) -> Any:
    """Declare an option of one command; a default is shown only where `show_default` says so."""
    return typer.Option(*flags, help=help, show_default=show_default, **more)


def refuse_without_effect(options: Mapping[str, object], needed: str) -> None:
    """Raise UsageError for an option that was given and does nothing without the `needed` one."""
    for name, value in options.items():
        if value is not False and value not in (None, ""):
            raise UsageError(f"{name} has no effect without {needed}", f"Add {needed}, or leave it out.")


def options_of(rows: Iterable[Setting]) -> Mapping[str, tuple[Any, Any]]:
    """Return an option for each setting by the name of its parameter, each with its default."""
    return {row.option.replace("-", "_"): (_option(row), row.default or None) for row in rows}


def _number_or(word: str) -> Callable[[str], Any]:
    def parse(text: str) -> int | str:
        try:
            return text if text == word else int(text)
        except ValueError:
            raise typer.BadParameter(f"{text!r} is neither a whole number nor {word!r}.") from None

    return parse


def _option(row: Setting) -> Any:
    flag = f"--{row.option}" + (f"/--no-{row.option}" if row.negative else "")
    return Annotated[
        list[str] | None if row.container else row.kind | None,
        typer.Option(
            flag,
            help=row.help,
            metavar=None if row.kind is bool else _metavar(row.kind) + (row.word and f"|{row.word}"),
            rich_help_panel=row.panel,
            autocompletion=stacks_here if row.option == "stack" else None,
            parser=_number_or(row.word) if row.word else None,
            show_default=bool(row.default) or row.negative,
        ),
    ]


def _metavar(kind: type) -> str:
    return "N" if kind is int else "KIND" if issubclass(kind, StrEnum) else "TEXT"


SETTING_OPTIONS = options_of(SETTING_ROWS)
"""The options that describe a stack; `setup` and `policy` take them."""
