"""Options of the order commands, each with its environment variable."""

from __future__ import annotations

from typing import Any

import typer


def flag(
    name: str,
    help_text: str,
    *,
    metavar: str | None = None,
    default: str | bool = False,
    variable: str = "",
    smallest: float | None = None,
    largest: float | None = None,
) -> Any:
    """Make the option `name`; `default` is what the help says of it, where the value itself does not tell.

    The variable is ORDERNOTIFY_ and the name, unless that one means something else to another command.
    """
    return typer.Option(
        name,
        envvar=variable or f"ORDERNOTIFY_{name.removeprefix('--').upper().replace('-', '_')}",
        help=help_text,
        metavar=metavar,
        show_default=default,
        show_envvar=False,
        min=smallest,
        max=largest,
    )
