"""Write docs/commands.md and docs/settings.md from the program itself; `make docs` runs this."""

from __future__ import annotations

import importlib
import pkgutil
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import typer

import ordernotify.cli
from ordernotify.settings.model import NAME_ROWS, SETTING_ROWS
from ordernotify.settings.names import PLACE_ROWS
from ordernotify.settings.row import Setting

FOLDER = Path(__file__).parent
_COMMON = {"--config", "--json", "--quiet", "--color", "--verbose"}
_WIDTH = 110
_NOTE = "<!-- Made by `make docs` from the program. -->\n"


def pages() -> dict[str, str]:
    """Return the text of each generated page by its file's name."""
    return {"commands.md": _commands_page(), "settings.md": _settings_page()}


def commands() -> Iterator[tuple[str, Any]]:
    """Yield every command with its full name."""
    for module in pkgutil.iter_modules(ordernotify.cli.__path__):
        importlib.import_module(f"ordernotify.cli.{module.name}")

    def walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        if not hasattr(command, "commands"):
            yield " ".join(path), command
            return
        for name in command.list_commands(None):
            yield from walk(command.commands[name], (*path, name))

    return walk(typer.main.get_command(ordernotify.cli.app), ())


def _commands_page() -> str:
    listed = list(commands())
    common = {f"--{row.option}" for row in (*PLACE_ROWS, *NAME_ROWS)} | _COMMON
    settings = {f"--{row.option}" for row in SETTING_ROWS}
    parts = [
        "# Commands\n",
        _NOTE,
        'Every command takes the options of [Settings, "Every command"](settings.md#every-command). With\n'
        "`--json` the result is on stdout, one document or one per line; everything else goes to stderr.\n"
        "Exit status: 0 done, 1 failed, 2 wrong usage, 3 differences (`--exit-code`), 130 interrupted.\n",
    ]
    for name, command in listed:
        parts.append(f"## {name}\n")
        parts.append(f"    {_usage(name, command)}\n")
        parts.append(_help(command.help))
        own = [one for one in command.params if _name(one) not in common]
        # Where the settings are a command's options, their page says what they are.
        takes_settings = settings <= {_name(one) for one in own}
        rows = [_row(one) for one in own if not (takes_settings and _name(one) in settings)]
        if takes_settings:
            parts.append("Takes the [settings of a stack](settings.md#a-stack).\n")
        if rows:
            parts.append("| Option | |\n|---|---|\n" + "".join(rows))
    return "\n".join(parts)


def _usage(name: str, command: Any) -> str:
    arguments = [_argument(one) for one in command.params if one.param_type_name == "argument"]
    return " ".join(["ordernotify", name, *arguments, "[OPTIONS]"])


def _argument(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _name(parameter: Any) -> str:
    longest: str = max(parameter.opts, key=len)
    return longest


def _row(parameter: Any) -> str:
    names = [*parameter.opts, *parameter.secondary_opts]
    shown = ", ".join(f"`{name}`" for name in names)
    if parameter.param_type_name == "argument":
        shown = f"`{_argument(parameter)}`"
    elif parameter.metavar:
        shown += f" {parameter.metavar}".replace("|", "\\|")
    default = parameter.show_default if isinstance(parameter.show_default, str) else ""
    if parameter.show_default is True and parameter.default not in (None, False, "", ()):
        default = f"`{parameter.default}`"
    text = (parameter.help or "").replace("|", "\\|")
    return f"| {shown} | {text}{f' Default: {default}.' if default else ''} |\n"


def _help(text: str) -> str:
    """Lay a help text out: paragraphs as they are, the examples as code."""
    return "\n".join(
        "".join(f"    {line}\n" for line in one.splitlines()[1:])
        if one.startswith(("Example:", "Examples:"))
        else f"{textwrap.fill(one, _WIDTH)}\n"
        for one in text.split("\n\n")
    )


def _settings_page() -> str:
    return f"""# Settings

{_NOTE}
A setting comes from the flag, else from its variable in the environment (lists separated by spaces), else
from the settings file, else it has its default. The file is `ordernotify.toml`, or the one given with
`--config`; its keys are the options without the hyphens in front:

    stack = "shop"
    email = ["orders@example.com"]
    memory = 512

`setup --save` writes the flags that were given into the file. What is no longer described goes back to its
default; the plan shows that first, and on a terminal `setup` asks before it changes what exists (`--yes` for
scripts). A wrong value, an unknown key and an unknown `ORDERNOTIFY_…` variable are refused before anything is
changed.

## Every command

{_table((*PLACE_ROWS, *NAME_ROWS))}
`--config FILE` names the settings file, `--json` prints the result as JSON, `--quiet` prints the result and
errors only, `--color` is `always`, `never` or `auto`, and `--verbose` shows the traceback of an error.
`ORDERNOTIFY_CONFIG`, `ORDERNOTIFY_JSON`, `ORDERNOTIFY_QUIET`, `ORDERNOTIFY_COLOR` and `ORDERNOTIFY_VERBOSE`
stand for them.

## A stack

`setup` and `policy` take these too.

{_table(SETTING_ROWS)}
## Other variables

`ORDERNOTIFY_API_KEY` holds the API key that orders are sent with, and `ORDERNOTIFY_LOCAL_PORT` is the
embedded cloud's port. Options of a single call (`--customer`, `--since`, `--yes`) have no variable.
"""


def _table(rows: Iterable[Setting]) -> str:
    lines = ["| Option | Variable | Default | |", "|---|---|---|---|"]
    for row in rows:
        flag = f"`--{row.option}`" + (f" / `--no-{row.option}`" if row.negative else "")
        lines.append(f"| {flag} | `{row.variable}` | {_shown(row.default)} | {row.help} |")
    return "".join(f"{line}\n" for line in lines)


def _shown(default: Any) -> str:
    if isinstance(default, bool):
        return "on" if default else "off"
    return f"`{default}`" if default else ""


if __name__ == "__main__":
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
