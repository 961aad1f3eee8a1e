"""One HTTP/1.1 exchange over a socket, every step of it bounded by one point in time."""

from __future__ import annotations

import io
import os
import socket
from functools import cache

TYPE_CHECKING = False  # `typing` is not imported at run time
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from ssl import SSLContext
    from typing import Any

MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""An item of 400 KB, the largest answer there is, stays below this in DynamoDB's JSON."""
MAX_LINE_BYTES = 64 * 1024


class TimeLeft:
    """The time until one point in time, for all steps of an attempt together.

    Args:
        until: the timer's time at which the attempt ends.
        timer: seconds that only go forward.
    """

    def __init__(self, until: float, timer: Callable[[], float]) -> None:
        self._until = until
        self._timer = timer

    def seconds(self) -> float:
        """Return what is left, more than 0; raises TimeoutError when nothing is."""
        left = self._until - self._timer()
        if left <= 0:
            raise TimeoutError("the time for this attempt is over")
        return left


def connect(host: str, port: int, tls: SSLContext | None, time_left: TimeLeft) -> socket.socket:
    """Open a TCP connection to the first address that answers, with TLS when a context is given.

    An address that swallows packets leaves the next ones their share of the time. The look-up of the name
    alone is not bounded by `time_left`: the system's resolver has limits of its own.

    Raises:
        OSError: no address could be reached in time, or TLS failed (`ssl.SSLError` is an OSError).
    """
    name = host.encode()  # for a str, the first connection would import Unicode's tables (IDNA)
    addresses = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    connection: socket.socket | None = None
    for index, (family, kind, protocol, _, address) in enumerate(addresses):
        try:
            connection = socket.socket(family, kind, protocol)
            connection.settimeout(time_left.seconds() / (len(addresses) - index))
            connection.connect(address)
            break
        except OSError:
            if connection is not None:
                connection.close()
            if index == len(addresses) - 1:
                raise
    assert connection is not None  # getaddrinfo raises where there is no address
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(time_left.seconds())  # bounds the handshake as a whole
        return tls.wrap_socket(connection, server_hostname=name) if tls else connection
    except OSError:
        connection.close()
        raise


def exchange(connection: socket.socket, request: bytes, time_left: TimeLeft) -> tuple[int, bytes, bool]:
    """Send a POST and read its answer: the status, the body, and whether the connection can be used again.

    Raises:
        OSError: the connection failed or the time was over; ConnectionError also for what is not HTTP, ends
            early or is larger than `MAX_ANSWER_BYTES`.
    """
    unsent = memoryview(request)
    while unsent:  # `sendall` of a TLS socket would give each record the whole timeout
        connection.settimeout(time_left.seconds())
        unsent = unsent[connection.send(unsent) :]
    try:
        return _read_answer(io.BufferedReader(_Incoming(connection, time_left)))
    except ValueError as error:
        raise ConnectionError(f"not an HTTP answer: {error}") from error


def _read_answer(incoming: io.BufferedReader) -> tuple[int, bytes, bool]:
    # Not with `http.client`: its import is a fifth of the function's, and it parses heads as emails.
    status, headers = _read_head(incoming)
    while 100 <= status < 200:  # "100 Continue": the answer itself follows
        status, headers = _read_head(incoming)
    if headers.get("transfer-encoding") == "chunked":
        body = b"".join(_chunks(incoming))
    elif "content-length" in headers:
        body = _read_bytes(incoming, int(headers["content-length"]))
    else:
        return status, incoming.read(), False  # it ends with the connection
    return status, body, headers.get("connection") != "close"


def _read_head(incoming: io.BufferedReader) -> tuple[int, dict[str, str]]:
    """Read the status, and the headers in lower case."""
    version, status = _read_line(incoming).split()[:2]
    if not version.startswith("HTTP/1."):
        raise ValueError(f"it begins with {version[:20]!r}")
    headers = {"connection": "close"} if version == "HTTP/1.0" else {}
    while line := _read_line(incoming):
        name, _, value = line.lower().partition(":")
        headers[name] = value.strip()
    return int(status), headers


def _chunks(incoming: io.BufferedReader) -> Iterator[bytes]:
    while size := int(_read_line(incoming).partition(";")[0], 16):
        yield _read_bytes(incoming, size)
        _read_line(incoming)
    while _read_line(incoming):  # headers after the body
        pass


def _read_line(incoming: io.BufferedReader) -> str:
    line = incoming.readline(MAX_LINE_BYTES)
    if not line.endswith(b"\n"):
        raise ConnectionError("the answer ends early, or a line of it has no end")
    return line.rstrip(b"\r\n").decode("latin-1")


def _read_bytes(incoming: io.BufferedReader, count: int) -> bytes:
    if not 0 <= count <= MAX_ANSWER_BYTES:
        raise ConnectionError(f"the answer is said to have {count} bytes")
    content = incoming.read(count)
    if len(content) < count:
        raise ConnectionError("the answer ends early")
    return content


class _Incoming(io.RawIOBase):
    """The bytes of one answer, as they come from the socket."""

    def __init__(self, connection: socket.socket, time_left: TimeLeft) -> None:
        self._connection = connection
        self._time_left = time_left
        self._received = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connection.settimeout(self._time_left.seconds())
        count = self._connection.recv_into(buffer)
        self._received += count
        if self._received > 2 * MAX_ANSWER_BYTES:  # the head and the frames of chunks count too
            raise ConnectionError("the answer has no end")
        return count


@cache
def tls_context() -> SSLContext:
    """Return the one context of this process; it trusts `AWS_CA_BUNDLE` where that is set."""
    import ssl

    return ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE"))
