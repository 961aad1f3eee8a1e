"""The connections that orders go over: kept alive, through the proxy if there is one, each answer in time."""

from __future__ import annotations

import http.client
import io
import socket
import time
from typing import Any
from urllib.parse import unquote

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from ordernotify.aws.road import Road
from ordernotify.errors import OrderNotifyError

CONNECT_TIMEOUT_SECONDS = 5.0
READ_TIMEOUT_SECONDS = 32.0
"""How long the whole answer may take: API Gateway answers after 29 s at the latest."""


class _TimedStream(io.RawIOBase):
    """What comes from a socket, until a deadline: the socket's own timeout starts again with each byte."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase) -> None:
        super().__init__()
        self._sock, self._raw = sock, raw
        self._deadline = time.monotonic() + READ_TIMEOUT_SECONDS

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer takes too long")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    """An answer that must be complete, head and body, within READ_TIMEOUT_SECONDS."""

    def __init__(self, sock: socket.socket, *arguments: Any, **more: Any) -> None:
        super().__init__(sock, *arguments, **more)
        self.fp = io.BufferedReader(_TimedStream(sock, self.fp.detach()))


def _timed(pool: type[Any], connection: type[Any]) -> type[Any]:
    timed = type(f"Timed{connection.__name__}", (connection,), {"response_class": _TimedResponse})
    return type(f"Timed{pool.__name__}", (pool,), {"ConnectionCls": timed})


_POOLS = {
    "http": _timed(urllib3.HTTPConnectionPool, HTTPConnection),
    "https": _timed(urllib3.HTTPSConnectionPool, HTTPSConnection),
}


def open_pools(road: Road, connections: int) -> urllib3.PoolManager:
    """Make pools of at most this many connections to a host; nothing is sent yet.

    Raises OrderNotifyError for a proxy that is not a URL.
    """
    options: dict[str, Any] = {
        "maxsize": connections,
        "block": True,
        "timeout": urllib3.Timeout(connect=CONNECT_TIMEOUT_SECONDS, read=READ_TIMEOUT_SECONDS),
        "retries": False,
        "ca_certs": road.ca_bundle,
    }
    pools = _through_proxy(road.proxy, options) if road.proxy else urllib3.PoolManager(**options)
    pools.pool_classes_by_scheme = _POOLS
    return pools


def _through_proxy(proxy: str, options: dict[str, Any]) -> urllib3.ProxyManager:
    try:
        auth = urllib3.util.parse_url(proxy).auth
        headers = urllib3.make_headers(proxy_basic_auth=unquote(auth)) if auth else None
        return urllib3.ProxyManager(proxy, proxy_headers=headers, **options)
    except urllib3.exceptions.LocationValueError as error:
        # The URL itself is not shown: it may hold a password.
        raise OrderNotifyError(
            "the proxy that the environment names for the order API is not an http or https URL",
            "Correct HTTPS_PROXY, or name the API's host in NO_PROXY.",
        ) from error


def why_unanswered(error: urllib3.exceptions.HTTPError) -> str:
    """Say why there is no answer, without the class names in urllib3's own messages."""
    if isinstance(error, urllib3.exceptions.TimeoutError):
        return f"it was not complete within {READ_TIMEOUT_SECONDS:.0f} s"
    if isinstance(error, urllib3.exceptions.SSLError):
        return f"the certificate or TLS is not right: {error}"
    return "the connection was lost"


def why_refused(error: urllib3.exceptions.ProxyError) -> str:
    """Say why the proxy opens no connection."""
    cause = error.original_error
    if isinstance(cause, urllib3.exceptions.NewConnectionError | urllib3.exceptions.TimeoutError):
        return "it cannot be reached; HTTPS_PROXY names it"
    return str(cause)
