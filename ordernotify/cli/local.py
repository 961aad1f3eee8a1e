"""`ordernotify local`: the embedded cloud by hand; the other commands start it when they need it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from ordernotify.cli import app
from ordernotify.cli.help import panel_of, tell
from ordernotify.cli.run import JsonOption, with_errors_shown
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


def start(as_json: JsonOption = False) -> None:
    """Start the embedded cloud, with the stacks and orders that it saved last.

    It listens on 127.0.0.1 only, at port 4566 or the one in ORDERNOTIFY_LOCAL_PORT.
    Nothing happens if it is running.

    Example: ordernotify local start
    """
    from ordernotify.local import cloud

    _show(cloud.start, as_json)


def stop(as_json: JsonOption = False) -> None:
    """Stop the embedded cloud; it saves its stacks and orders first.

    Nothing happens if it is not running.

    Example: ordernotify local stop
    """
    from ordernotify.local import cloud

    _show(cloud.stop, as_json)


def status(as_json: JsonOption = False) -> None:
    """Say whether the embedded cloud is running, where, and where it keeps its state.

    The exit status is 0 in both cases.

    Example: ordernotify local status --json
    """
    from ordernotify.local import cloud

    _show(cloud.status, as_json)


def _show(act: Callable[[], LocalCloud], as_json: bool) -> None:
    def act_and_show() -> None:
        from ordernotify.render import local as render

        cloud = act()
        render.warning(cloud)
        if as_json:
            render.as_json(cloud)
        else:
            render.text(cloud)
        if cloud.lost:
            raise typer.Exit(EXIT_FAILED)

    with_errors_shown(False, act_and_show)


for _name, _command in (("start", start), ("stop", stop), ("status", status)):
    tell(local, _name, _command, _command.__doc__)
