"""`console` and `top`: a stack as it is at this moment, in a browser or in the terminal."""

from __future__ import annotations

import importlib.util
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ordernotify.cli import app
from ordernotify.cli.access import KeyFileOption, find_access
from ordernotify.cli.options import JsonOption, option
from ordernotify.cli.run import Run, command
from ordernotify.errors import OrderNotifyError, UsageError
from ordernotify.extras import install_command
from ordernotify.settings.names import Names, Target

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ordernotify.aws.session import Cloud
    from ordernotify.orders.post import OrderClient
    from ordernotify.watch.watcher import Watcher

_PORT: Any = {"metavar": "N", "min": 0, "max": 65_535, "show_default": "any free one"}
_LIBRARIES = ("starlette", "hypercorn", "jinja2")


@command(app, "console")
def console(
    run: Run,
    port: Annotated[int, option("--port", help="Listen at this port.", **_PORT)] = 0,
    no_open: Annotated[bool, option("--no-open", help="Do not open the browser.")] = False,
    write: Annotated[bool, option("--write", help="Let the page send orders to a stack on AWS.")] = False,
    api_key_file: KeyFileOption = None,
) -> None:
    """Open a local page that shows the whole system at work; Ctrl-C ends it.

    It listens on 127.0.0.1 only, and opens to the address that is printed, which holds a secret. On AWS it
    changes nothing, unless --write lets it send orders.

    Example: ordernotify console
    """
    if write and run.target is Target.LOCAL:
        raise UsageError("--write has no effect without --aws", "Leave it out: a local page may send orders.")
    missing = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        raise OrderNotifyError(
            f"the page needs what is not installed: {', '.join(missing)}",
            f"Install it with: `{install_command('console')}`",
        )
    cloud, names = run.open()
    from ordernotify import render
    from ordernotify.console.serving import serve_console
    from ordernotify.console.site import Site

    watched = cloud.impatient() if run.target is Target.LOCAL else cloud
    site = Site(
        cloud=watched,
        names=names,
        stack=run.stack,
        describe=run.settings,
        open_client=lambda: _open_client(run, cloud, names, api_key_file),
        writes=write or run.target is Target.LOCAL,
        unreachable=_unreachable(run),
    )

    def ready(address: str) -> None:
        typer.echo(address)
        render.note("Ctrl-C ends it. The address holds a secret: it opens to nobody else.")
        if not no_open:
            _open_browser(address)

    serve_console(site, _watcher(run, watched, names), port, ready)


def _open_client(run: Run, cloud: Cloud, names: Names, api_key_file: Path | None) -> OrderClient:
    from ordernotify.orders.post import OrderClient

    access = find_access(run, cloud, names, api_key_file)
    return OrderClient(access.url, road=access.road, sign=access.sign)


def _watcher(run: Run, cloud: Cloud, names: Names) -> Watcher:
    from ordernotify.watch.watcher import Watcher

    return Watcher(cloud, names, run.stack, unreachable=_unreachable(run))


def _unreachable(run: Run) -> Callable[[], str]:
    if run.target is Target.AWS:
        return lambda: ""
    from ordernotify.local import cloud as local

    def why() -> str:
        found = local.status()
        return "" if found.running else found.warning or f"the embedded cloud at {found.endpoint} is gone"

    return why


def _open_browser(address: str) -> None:
    """Open the person's browser where there is a screen; a text browser would take the terminal."""
    import webbrowser

    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return
    with suppress(webbrowser.Error):
        webbrowser.open(address)


@command(app, "top")
def top(
    run: Run,
    once: Annotated[bool, option("--once", help="Show one look and end.")] = False,
    span: Annotated[
        str | None, option("--span", metavar="SPAN", help="With the history of this time: 1h, 24h or 7d.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Watch counts, rates, the newest orders and the alarms in the terminal until Ctrl-C.

    Without a terminal, and with --json or --span, it shows one look and ends.

    Example: ordernotify top
    """
    cloud, names = run.open()
    from ordernotify.render import top as screen

    watcher = _watcher(run, cloud.impatient() if run.target is Target.LOCAL else cloud, names)
    if json or once or span or not sys.stdout.isatty():
        from ordernotify.watch.history import read_history

        history = read_history(cloud, names, run.stack, span) if span else None
        look = watcher.look()
        if look.snapshot.trouble:
            raise OrderNotifyError(look.snapshot.trouble, "`ordernotify status` tells more.")
        if json:
            screen.show_json(look.snapshot, history)
        else:
            screen.show_once(look.snapshot, run.stack, history)
        return
    with suppress(KeyboardInterrupt):
        screen.show_live(watcher, run.stack)
