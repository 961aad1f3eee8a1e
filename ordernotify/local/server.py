"""The embedded cloud's program: MiniStack, closed to web pages and saving its state as it runs.

    python -m ordernotify.local.server

MiniStack answers everybody who reaches its port. It listens on 127.0.0.1 only, but a browser on this machine
reaches that address too: without the guard here any web page could empty the cloud by one POST, or make
functions in it, which run as the person. Web pages reach the order APIs alone, as on AWS; everything else
takes a signature in the header `Authorization`, which no page can send.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from ordernotify.local.saving import ministack_saver

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]

OWN_PATHS = "/_ministack/"
READ_PATHS = ("/_ministack/health", "/_ministack/sqs/messages")
"""What the tool reads of MiniStack's own paths; the others change the cloud without a signature."""
SIGNED = b"AWS4-HMAC-SHA256 "
"""How the header of a signed request begins. A page cannot send it without asking first, which is refused."""
BROWSER_HEADERS = (b"sec-fetch-site", b"origin", b"referer")
_ORDER_API = re.compile(r"/_aws/execute-api/[a-z0-9]+/[A-Za-z0-9_$-]+/.*", re.DOTALL)
_NAMES = re.compile(r"(127\.0\.0\.1|localhost)(:[0-9]+)?")
_REFUSAL = b'{"message": "This path of the embedded cloud is closed"}'


def is_refused(path: str, headers: Mapping[bytes, bytes]) -> bool:
    """Whether a request is refused: one of another host's name, of a web page, or without a signed header.

    A page that reached 127.0.0.1 by a name of its own (DNS rebinding) shows that name as `Host`. Browsers
    send `Sec-Fetch-Site` (https://www.w3.org/TR/fetch-metadata/), older ones `Origin` or `Referer`; a page
    can suppress all of them in an old browser, but cannot set `Authorization` in a simple request.
    A signature in the query is refused, because an image's address can hold one.
    """
    if not _NAMES.fullmatch(headers.get(b"host", b"").decode("latin-1")):
        return True
    if _ORDER_API.fullmatch(path):
        return False
    if any(name in headers for name in BROWSER_HEADERS):
        return True
    if path.startswith(OWN_PATHS):
        return path not in READ_PATHS
    return not headers.get(b"authorization", b"").startswith(SIGNED)


def guarded(app: App) -> App:
    """Wrap an ASGI app so that it sees no refused request."""

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or not is_refused(scope["path"], dict(scope["headers"])):
            await app(scope, receive, send)
        elif scope["type"] == "http":
            headers = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": _REFUSAL})
        else:
            await send({"type": "websocket.close"})

    return guard


def main() -> None:
    """Serve until SIGTERM, then save the state."""
    from ministack import app as ministack

    if sys.version_info >= (3, 12):
        # There Server.wait_closed waits for every connection, and one open stream would keep MiniStack from
        # saving its state: https://github.com/python/cpython/issues/104344.
        asyncio.Server.wait_closed = _closed  # type: ignore[method-assign]
    ministack.app = guarded(ministack_saver(os.environ).watched(ministack.app))
    ministack.main()


async def _closed(_server: asyncio.Server) -> None:
    pass


if __name__ == "__main__":
    main()
