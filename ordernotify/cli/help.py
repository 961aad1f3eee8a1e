"""Help and wrong usage in the tool's own words: commands in the order of life, one form for all errors."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

from typer import Typer
from typer._click import Context, HelpFormatter, Parameter, types
from typer._click import exceptions as usage
from typer.core import TyperCommand, TyperGroup, TyperOption

from ordernotify.errors import EXIT_DONE, EXIT_USAGE

PANELS = {
    "Set up": ("init", "doctor", "setup", "verify", "url", "env", "list", "teardown"),
    "Orders": ("send-order", "list-orders", "get-order", "export-orders", "import-orders", "redrive"),
    "Watch": ("status", "logs", "trace", "top", "console"),
    "Subscribers": ("subscribe", "confirm", "unsubscribe", "list-subscriptions"),
    "Production": ("audit", "policy", "cost", "export-stack", "openapi"),
    "Local cloud": ("local", "inbox"),
}
"""The groups of commands in the order in which a person comes to need them."""

_ORDER = {name: (panel, place) for panel, names in PANELS.items() for place, name in enumerate(names)}
_EXAMPLE = "Example: "


def panel_of(name: str) -> str | None:
    """Return the group that a command is shown in; None for an inner command."""
    return _ORDER[name][0] if name in _ORDER else None


def help_of(docstring: str) -> str:
    """Write a docstring as help: its paragraphs fill the width, its examples keep their lines."""
    paragraphs = inspect.cleandoc(docstring).split("\n\n")
    told = [" ".join(one.split()) for one in paragraphs if not one.startswith(_EXAMPLE)]
    examples = [one.removeprefix(_EXAMPLE) for one in paragraphs if one.startswith(_EXAMPLE)]
    if examples:
        told.append("\n".join(["Examples:" if len(examples) > 1 else "Example:", *examples]))
    return "\n\n".join(told)


def tell(app: Typer, name: str, function: Callable[..., Any], docstring: str | None, **options: Any) -> None:
    """Register a command with the help that its docstring holds."""
    app.command(name, cls=ToldCommand, help=help_of(docstring or ""), **options)(function)


class ToldCommand(TyperCommand):
    """A command whose help leaves room for what its options mean: `--[no-]x` stands for both flags."""

    def format_help(self, ctx: Context, formatter: HelpFormatter) -> None:
        parameters = self.params
        self.params = [_folded(parameter) for parameter in parameters]
        try:
            super().format_help(ctx, formatter)
        finally:
            self.params = parameters


def _folded(parameter: Parameter) -> Parameter:
    folded = copy(parameter)
    if not isinstance(folded, TyperOption):
        return folded
    flag = parameter.opts[0].removeprefix("--")
    if parameter.secondary_opts == [f"--no-{flag}"]:
        folded.opts, folded.secondary_opts = [f"--[no-]{flag}"], []
        folded.show_default = "on" if parameter.default else False
    if isinstance(folded.show_default, str):
        # Typer would put it into parentheses, on a line of its own.
        folded.help = f"{folded.help} [dim]\\[default: {folded.show_default}][/dim]"
        folded.show_default = False
    if hasattr(parameter.type, "clamp"):
        # A range would stand as x>=1 beside the option; wrong values are told the range.
        folded.type = types.INT
    return folded


class LifeOrder(TyperGroup):
    """The commands in the order of life; wrong usage is told as every other error is."""

    def list_commands(self, ctx: Context) -> list[str]:
        """Name the commands in the order of help."""
        panels = list(PANELS)

        def place(name: str) -> tuple[int, int]:
            panel, number = _ORDER.get(name, (panels[-1], 0))
            return panels.index(panel), number

        return sorted(self.commands, key=place)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command line; standing alone, it ends the process with its status."""

        def run() -> Any:
            return super(LifeOrder, self).main(
                args, prog_name, complete_var, False, windows_expand_args, **extra
            )

        if not standalone_mode:
            return run()
        try:
            status = run()
        except usage.NoArgsIsHelpError:
            status = EXIT_USAGE
        except usage.ClickException as error:
            from ordernotify import render

            render.error(_message(error), _hint(error))
            status = error.exit_code
        sys.exit(status if isinstance(status, int) else EXIT_DONE)


def _message(error: usage.ClickException) -> str:
    if isinstance(error, usage.NoSuchOption):
        return f"there is no option {error.option_name}"
    if isinstance(error, usage.BadOptionUsage):
        return f"{error.option_name} {'takes no' if 'does not take' in error.message else 'needs a'} value"
    if isinstance(error, usage.MissingParameter) and error.param is not None:
        return f"{_name(error.param)} is missing"
    if isinstance(error, usage.BadParameter) and error.param is not None:
        wanted = _wanted(error.param.type)
        if wanted:
            return f"{_name(error.param)} must be {wanted}, not {error.message.partition(' is not ')[0]}"
        return f"{_name(error.param)}: {_plain(error.message)}"
    return _plain(error.format_message())


def _plain(message: str) -> str:
    return f"{message[:1].lower()}{message[1:].removesuffix('.')}"


def _name(parameter: Any) -> str:
    if parameter.param_type_name == "option":
        return str(max(parameter.opts, key=len))
    return str(parameter.metavar or parameter.name).removesuffix("...").strip("[]")


def _wanted(kind: Any) -> str:
    """Say what a value of this type must be; empty for a type without a rule."""
    if hasattr(kind, "choices"):
        return _one_of([str(getattr(choice, "value", choice)) for choice in kind.choices])
    if isinstance(kind, types.IntParamType | types.FloatParamType):
        noun = "a whole number" if isinstance(kind, types.IntParamType) else "a number"
        return noun + _bounds(getattr(kind, "min", None), getattr(kind, "max", None))
    return ""


def _bounds(least: float | None, most: float | None) -> str:
    if least is None:
        return "" if most is None else f" of at most {most}"
    return f" of at least {least}" if most is None else f" from {least} to {most}"


def _one_of(choices: Sequence[str]) -> str:
    return choices[0] if len(choices) == 1 else f"{', '.join(choices[:-1])} or {choices[-1]}"


def _hint(error: usage.ClickException) -> str:
    near = [one for one in getattr(error, "possibilities", None) or () if one != "--help"]
    if near:
        return f"Did you mean {_one_of(sorted(near))}?"
    context = getattr(error, "ctx", None)
    if isinstance(error, usage.NoSuchOption) and context and context.parent is None:
        return "Options stand behind their command, as in `ordernotify status --stack dev`."
    return f"`{context.command_path} --help` shows how it is used." if context else ""
