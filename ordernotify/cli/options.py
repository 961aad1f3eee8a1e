"""Typer's options for the settings, made from their rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from ordernotify.cli.complete import stacks_here
from ordernotify.settings.model import SETTING_ROWS
from ordernotify.settings.row import Setting


def options_of(rows: Iterable[Setting]) -> Mapping[str, tuple[Any, Any]]:
    """Return an option for each setting by the name of its parameter, each with its default."""
    return {row.option.replace("-", "_"): (_option(row), row.default or None) for row in rows}


def _option(row: Setting) -> Any:
    flag = f"--{row.option}" + (f"/--no-{row.option}" if row.negative else "")
    return Annotated[
        list[str] | None if row.container else row.kind | None,
        typer.Option(
            flag,
            help=row.help,
            metavar=None if row.kind is bool else _metavar(row.kind),
            rich_help_panel=row.panel,
            autocompletion=stacks_here if row.option == "stack" else None,
            show_default=bool(row.default) or row.negative,
        ),
    ]


def _metavar(kind: type) -> str:
    return "N" if kind is int else "KIND" if issubclass(kind, StrEnum) else "TEXT"


SETTING_OPTIONS = options_of(SETTING_ROWS)
"""The options that describe a stack; `setup` and `policy` take them."""
