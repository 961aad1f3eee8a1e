"""`ordernotify local`: the embedded cloud by hand; the other commands start it when they need it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from ordernotify.cli import app
from ordernotify.cli.help import panel_of, tell
from ordernotify.cli.options import Color, ColorOption, JsonOption, QuietOption, VerboseOption
from ordernotify.cli.run import with_errors_shown
from ordernotify.errors import EXIT_FAILED

if TYPE_CHECKING:
    from collections.abc import Callable

    from ordernotify.local.cloud import LocalCloud

local = typer.Typer(
    help="Start, stop and look at the embedded cloud on this machine. "
    "Commands that need it start it by themselves.",
    no_args_is_help=True,
)
app.add_typer(local, name="local", rich_help_panel=panel_of("local"))


def start() -> LocalCloud:
    """Start the embedded cloud, with the stacks and orders that it saved last.

    It listens on 127.0.0.1 only, at port 4566 or the one in ORDERNOTIFY_LOCAL_PORT.
    Nothing happens if it is running.

    Example: ordernotify local start
    """
    from ordernotify.local import cloud

    return cloud.start()


def stop() -> LocalCloud:
    """Stop the embedded cloud; it saves its stacks and orders first.

    Nothing happens if it is not running.

    Example: ordernotify local stop
    """
    from ordernotify.local import cloud

    return cloud.stop()


def status() -> LocalCloud:
    """Say whether the embedded cloud is running, where, and where it keeps its state.

    The exit status is 0 in both cases.

    Example: ordernotify local status --json
    """
    from ordernotify.local import cloud

    return cloud.status()


def _register(name: str, act: Callable[[], LocalCloud]) -> None:
    def invoke(
        as_json: JsonOption = False,
        quiet: QuietOption = False,
        verbose: VerboseOption = False,
        color: ColorOption = Color.AUTO,
    ) -> None:
        from ordernotify import render

        render.configure(quiet=quiet, color=color)
        with_errors_shown(verbose, lambda: _show(act(), as_json))

    tell(local, name, invoke, act.__doc__)


def _show(cloud: LocalCloud, as_json: bool) -> None:
    from ordernotify.render import places

    places.show_warning(cloud)
    if as_json:
        places.show_cloud_json(cloud)
    else:
        places.show_cloud(cloud)
    if cloud.lost:
        raise typer.Exit(EXIT_FAILED)


for _name, _act in (("start", start), ("stop", stop), ("status", status)):
    _register(_name, _act)
