"""Typer's options: those of one command, those of every command, and those of settings, from their rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ordernotify.errors import UsageError
from ordernotify.settings.model import NAME_ROWS, SETTING_ROWS
from ordernotify.settings.names import PLACE_ROWS, Target
from ordernotify.settings.row import VARIABLE_PREFIX, Setting


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


def _stacks_here(ctx: typer.Context, incomplete: str) -> list[str]:
    """Name the stacks of this command line's place; none where it cannot be reached: nothing is started."""
    with suppress(Exception):  # Whatever fails, a half-typed command line is no place for an error.
        from ordernotify.cli.run import run_from
        from ordernotify.local import cloud as local
        from ordernotify.stack.discovery import stacks_present

        run = run_from(ctx, ctx.params.get("config"), verbose=False, bears_faults=True)
        if run.target is Target.AWS or local.status().running:
            return [name for name in sorted(stacks_present(run.reopened())) if name.startswith(incomplete)]
    return []


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
            autocompletion=_stacks_here if row.option == "stack" else None,
            parser=_number_or(row.word) if row.word else None,
            show_default=bool(row.default) or row.negative,
        ),
    ]


def _metavar(kind: type) -> str:
    return "N" if kind is int else "KIND" if issubclass(kind, StrEnum) else "TEXT"


COMMON_PANEL = "Common options"


class Color(StrEnum):
    """When to print colours."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


def _common(name: str, *short: str, help: str, **more: Any) -> Any:
    return typer.Option(
        f"--{name}",
        *short,
        envvar=f"{VARIABLE_PREFIX}{name.upper()}",
        show_envvar=False,
        help=help,
        rich_help_panel=COMMON_PANEL,
        **more,
    )


_WHERE = "ordernotify.toml, where it exists"
_Config = Annotated[
    Path | None, _common("config", metavar="FILE", help="The settings file.", show_default=_WHERE)
]
_VERBOSE_HELP = "Show the traceback of an error, and every field of a log line."
VerboseOption = Annotated[bool, _common("verbose", help=_VERBOSE_HELP)]
QuietOption = Annotated[bool, _common("quiet", "-q", help="Print the result and errors only.")]
_COLOR_HELP = "Colours: always, never, or auto (on a terminal, unless NO_COLOR is set)."
ColorOption = Annotated[Color, _common("color", metavar="WHEN", help=_COLOR_HELP)]
JsonOption = Annotated[bool, _common("json", help="Print the result as JSON.")]
"""For the commands that return something; everything else goes to stderr."""
COMMON_OPTIONS: Mapping[str, tuple[Any, Any]] = {
    "config": (_Config, None),
    **options_of(PLACE_ROWS),
    "quiet": (QuietOption, False),
    "verbose": (VerboseOption, False),
    "color": (ColorOption, Color.AUTO),
    **options_of(NAME_ROWS),
}
SETTING_OPTIONS = options_of(SETTING_ROWS)
"""The options that describe a stack; `setup` and `policy` take them."""
