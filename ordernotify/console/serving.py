"""Serves the page on 127.0.0.1 until Ctrl-C, with Hypercorn."""

from __future__ import annotations

import asyncio
import secrets
import signal
import socket
from collections.abc import Callable

from hypercorn.asyncio import serve
from hypercorn.config import Config

from ordernotify.console.app import make_app
from ordernotify.console.guard import LOOPBACK, Guard
from ordernotify.console.site import Site
from ordernotify.errors import OrderNotifyError
from ordernotify.watch.watcher import Watcher

GRACE_SECONDS = 0.2
"""After Ctrl-C, running requests have this long to end."""


def serve_console(site: Site, watcher: Watcher, port: int, ready: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM; `ready` gets the address, with its secret, once it can be opened.

    Port 0 chooses a free one. Raises OrderNotifyError if the port is taken.
    """
    listening = _listen(port)
    port = listening.getsockname()[1]
    token = secrets.token_urlsafe(32)
    address = f"http://{LOOPBACK[0]}:{port}/?token={token}"
    app = make_app(site, watcher, token, port)
    asyncio.run(_serve(app, listening.detach(), lambda: ready(address)))


def _listen(port: int) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((LOOPBACK[0], port))
        listening.listen(100)
    except OSError as error:
        listening.close()
        raise OrderNotifyError(
            f"port {port} cannot be used: {error.strerror}", "Choose another --port, or leave it out."
        ) from error
    listening.setblocking(False)
    return listening


async def _serve(app: Guard, listening: int, ready: Callable[[], None]) -> None:
    config = Config()
    config.bind = [f"fd://{listening}"]
    config.graceful_timeout = GRACE_SECONDS
    config.accesslog = config.errorlog = None
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(one, stop.set)

    ready()

    async def stopped() -> None:
        await stop.wait()
        # Connections without a request are cut; asyncio would report each of them.
        loop.set_exception_handler(lambda _loop, _context: None)

    await serve(app, config, shutdown_trigger=stopped)  # type: ignore[arg-type]
