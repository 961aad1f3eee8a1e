"""The embedded cloud's program: MiniStack, closed to web pages, and able to stop on Python 3.12 and later.

    python -m ordernotify.local.server

MiniStack answers everybody who reaches its port. It listens on 127.0.0.1 only, but a browser on this machine
reaches that address too: without the guard here any web page could empty the cloud by one POST, or make
functions in it, which run as the person. Web pages get through to the order APIs alone, as on AWS.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]

ORDER_APIS = "/_aws/execute-api/"
OWN_PATHS = "/_ministack/"
READ_PATHS = ("/_ministack/health", "/_ministack/sqs/messages")
"""What the tool reads of MiniStack's own paths; the others change the cloud without a signature."""
_REFUSAL = b'{"message": "This path of the embedded cloud is closed"}'


def is_refused(path: str, headers: dict[bytes, bytes]) -> bool:
    """Whether a request is refused: MiniStack's unsigned paths, another host's name, and web pages.

    A page that reached 127.0.0.1 by a name of its own (DNS rebinding) shows that name as `Host`; one of
    another origin, `Origin` (https://fetch.spec.whatwg.org/#origin-header).
    """
    if path.startswith(OWN_PATHS) and path not in READ_PATHS:
        return True
    name = headers.get(b"host", b"").decode("latin-1").rpartition(":")[0]
    if name not in {"127.0.0.1", "localhost"} and not name.endswith(".localhost"):
        return True
    return b"origin" in headers and not path.startswith(ORDER_APIS)


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
    ministack.app = guarded(ministack.app)
    ministack.main()


async def _closed(_server: asyncio.Server) -> None:
    pass


if __name__ == "__main__":
    main()
