"""The command line: each command parses, calls one operation, renders, and sets the exit status."""

from __future__ import annotations

import codecs
import gc
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from ordernotify.cli.help import LifeOrder
from ordernotify.errors import EXIT_DONE, EXIT_INTERRUPTED

app = typer.Typer(
    name="ordernotify",
    cls=LifeOrder,
    help="Stand up, prove, run and remove a serverless order-notification system on AWS.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"ordernotify {version('ordernotify')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Do nothing: each command opens what it needs."""


def write_any_character() -> None:
    """Let a terminal that cannot show a character get its escape, in the form that JSON knows too."""
    codecs.register_error("escaped", _escaped)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="escaped")


def _escaped(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2)), error.end


def main() -> None:
    """Run the command line; the entry point of the installed command."""
    from ordernotify.cli.interrupt import INTERRUPTED, CtrlC, end_now

    if os.environ.get("COLUMNS") == "0":  # some terminals say so, and rich would write nothing
        del os.environ["COLUMNS"]
    ctrl_c = CtrlC()
    try:
        _run()
    except SystemExit as ended:
        if not ctrl_c.pressed:
            raise
        end_now(ended.code if isinstance(ended.code, int) else EXIT_DONE)
    except KeyboardInterrupt:
        from ordernotify import render

        render.error(*INTERRUPTED)
        end_now(EXIT_INTERRUPTED)


def _run() -> None:
    from ordernotify.cli import (  # noqa: F401 - they register their commands
        audit,
        cost,
        doctor,
        export,
        init,
        listing,
        local,
        logs,
        orders,
        place,
        policy,
        redrive,
        sending,
        stack,
        subscribers,
        teardown,
        watching,
    )

    write_any_character()
    _leave_only(sys.argv[1:2])
    try:
        app(prog_name="ordernotify")
    finally:
        # Python looks through all objects once more when it ends, which takes boto3's models 0.2 s and more.
        gc.freeze()


def _leave_only(named: Sequence[str]) -> None:
    """Keep the one command that is named, or of all what the list of them shows.

    Typer builds the parameters of all that are registered, which takes it 40 ms.
    """
    chosen = [command for command in app.registered_commands if command.name in named]
    if chosen:
        app.registered_commands, app.registered_groups = chosen, []
    elif not {*named} - {"-h", "--help"} and "_ORDERNOTIFY_COMPLETE" not in os.environ:
        for command in app.registered_commands:
            command.callback = _listed


def _listed() -> None:
    """Stands for a command in the list of all, without parameters."""
