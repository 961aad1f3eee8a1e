"""One exchange on the wire: read however it arrives, and over when its time is over."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordernotify.function import aws_client, connection
from ordernotify.function.connection import TimeLeft, exchange
from tests.handler_fakes import ENVIRONMENT

LATE_SECONDS = 0.05
"""How late a deadline may be noticed."""


class Wire:
    """A socket that takes everything and gives an answer in pieces."""

    def __init__(self, answer: bytes, size: int = 64) -> None:
        self._pieces = iter([answer[at : at + size] for at in range(0, len(answer), size)])
        self._rest = b""
        self.sent = b""

    def settimeout(self, seconds: float) -> None:
        assert seconds > 0

    def send(self, data: memoryview) -> int:
        self.sent += data[:7]
        return len(data[:7])

    def recv_into(self, buffer: memoryview) -> int:
        data = self._rest or next(self._pieces, b"")
        count = min(len(buffer), len(data))
        buffer[:count] = data[:count]
        self._rest = data[count:]
        return count


def ask(answer: bytes, size: int = 64, request: bytes = b"x") -> tuple[int, bytes, bool]:
    wire = Wire(answer, size)
    result = exchange(cast("socket.socket", wire), request, TimeLeft(1e12, time.monotonic))
    assert wire.sent == request
    return result


@given(body=st.binary(max_size=200), size=st.integers(1, 60), chunk=st.integers(1, 50))
def test_answers_are_read_however_they_arrive(body: bytes, size: int, chunk: int) -> None:
    plain = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    assert ask(plain, size) == (200, body, True)
    parts = [body[at : at + chunk] for at in range(0, len(body), chunk)]
    chunks = (
        b"".join(b"%X;x=y\r\n" % len(part) + part + b"\r\n" for part in parts) + b"0\r\nTrailer: 1\r\n\r\n"
    )
    chunked = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
    assert ask(chunked, size) == (400, body, True)
    last = plain.replace(b"Content", b"Connection: Close\r\nContent")
    assert ask(last + b"more", size) == (200, body, False)
    closed = b"HTTP/1.1 200 OK\r\n\r\n" + body
    assert ask(closed, size) == (200, body, False)
    assert ask(plain.replace(b"HTTP/1.1", b"HTTP/1.0"), size) == (200, body, False)


@given(body=st.binary(min_size=1, max_size=50), cut=st.integers(1, 50))
def test_a_body_that_ends_early_is_an_error(body: bytes, cut: int) -> None:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    with pytest.raises(ConnectionError):
        ask(whole[: -min(cut, len(body))])


def test_a_chunk_that_ends_early_is_an_error() -> None:
    whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"
    assert ask(whole) == (200, b"abcde", True)
    for cut in range(1, len(whole)):
        with pytest.raises(ConnectionError):
            ask(whole[:-cut])


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok",
        b"HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_answer_of_a_service_is_refused(answer: bytes) -> None:
    with pytest.raises(ConnectionError):
        ask(answer)


@given(data=st.binary(max_size=100))
def test_what_is_no_http_raises_only_what_the_client_catches(data: bytes) -> None:
    with suppress(OSError):
        ask(data + b"\r\n\r\n")
    with suppress(OSError):
        ask(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + data)


def test_a_silence_of_a_few_seconds_ends_an_attempt() -> None:
    waited: list[float] = []

    class Silent(Wire):
        def settimeout(self, seconds: float) -> None:
            waited.append(seconds)

        def recv_into(self, buffer: memoryview) -> int:
            raise TimeoutError

        def close(self) -> None:
            pass

    def connect(*_: Any) -> Any:
        return Silent(b"")

    client = client_of(9, connect=connect, sleep=lambda _: None)
    with pytest.raises(aws_client.CallFailed) as failed:
        client.call({"content-type": "x"}, b"", 1e12)
    assert failed.value.attempts == aws_client.ATTEMPTS
    assert 1 < min(waited) <= max(waited) <= 3, "five silences fit into the time of an order"


@given(request=st.binary(min_size=1, max_size=100))
def test_a_request_is_sent_whole_however_little_is_taken_at_once(request: bytes) -> None:
    assert ask(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", request=request)[0] == 200


@pytest.mark.parametrize("head", [b"Content-Length: 99999999999999", b"Content-Length: 9999999", b"A: b"])
def test_an_answer_beyond_reason_is_given_up(head: bytes) -> None:
    endless = b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + b"x" * (9 * 1024 * 1024)
    with pytest.raises(ConnectionError):
        ask(endless, 65536)


def test_an_answer_that_always_goes_on_ends_with_its_time() -> None:
    now = iter(range(1000))
    wire = Wire(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + b"x" * 9000, 10)
    with pytest.raises(TimeoutError):
        exchange(cast("socket.socket", wire), b"x", TimeLeft(100, lambda: next(now)))


# --- Deadlines, against real sockets


@contextmanager
def server(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Run `serve` for each connection; give the port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=run, args=(listener.accept()[0],), daemon=True).start()

    def run(accepted: socket.socket) -> None:
        with accepted, suppress(OSError):
            serve(accepted)

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def drips(accepted: socket.socket) -> None:
    accepted.recv(65536)
    accepted.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        accepted.sendall(b"x")
        time.sleep(0.01)


def trickles(accepted: socket.socket) -> None:
    accepted.recv(65536)
    accepted.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\n\r\n")
    while True:
        accepted.sendall(b"x")  # always something to read, never much


def drips_headers(accepted: socket.socket) -> None:
    accepted.recv(65536)
    accepted.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        accepted.sendall(b"x")
        time.sleep(0.01)


def floods(accepted: socket.socket) -> None:
    accepted.recv(65536)
    accepted.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        accepted.sendall(b"1;" + b"x" * 1000 + b"\r\nx\r\n")


def is_silent(accepted: socket.socket) -> None:
    while accepted.recv(65536):
        pass


def client_of(port: int, scheme: str = "http", **options: Any) -> aws_client.AwsClient:
    endpoint = f"{scheme}://127.0.0.1:{port}"
    return aws_client.AwsClient("sns", endpoint, "us-east-1", environment=ENVIRONMENT, **options)


def seconds_to_fail(client: aws_client.AwsClient, seconds: float) -> float:
    """Call until the deadline; give the shortest of a few times, as a busy machine may be late by itself."""
    taken: list[float] = []
    while not taken or (taken[-1] >= seconds + LATE_SECONDS and len(taken) < 5):
        started = time.monotonic()
        with pytest.raises(aws_client.CallFailed):
            client.call({"content-type": "x"}, b"y", started + seconds)
        taken.append(time.monotonic() - started)
    return min(taken)


@pytest.mark.parametrize("serve", [drips, trickles, drips_headers, floods, is_silent])
@pytest.mark.parametrize("attempt_seconds", [5.0, 0.11])
def test_the_deadline_holds_whatever_the_service_sends(
    serve: Callable[[socket.socket], None], attempt_seconds: float
) -> None:
    with server(serve) as port:
        assert seconds_to_fail(client_of(port, attempt_seconds=attempt_seconds), 0.4) < 0.4 + LATE_SECONDS


def test_the_deadline_holds_in_a_tls_handshake_that_never_ends() -> None:
    with server(is_silent) as port:
        assert seconds_to_fail(client_of(port, "https"), 0.4) < 0.4 + LATE_SECONDS


def test_the_deadline_holds_where_tls_is_dripped() -> None:
    def drips_records(accepted: socket.socket) -> None:
        accepted.recv(65536)
        accepted.sendall(b"\x16\x03\x03\x40\x00")  # the head of a handshake record of 16 KiB
        while True:
            accepted.sendall(b"\x02")
            time.sleep(0.01)

    with server(drips_records) as port:
        assert seconds_to_fail(client_of(port, "https"), 0.4) < 0.4 + LATE_SECONDS


class Unreachable(socket.socket):
    """A socket whose packets nobody answers, unless they go to `reachable`."""

    reachable = ""
    tried: list[str]

    def connect(self, address: Any) -> None:
        type(self).tried.append(address[0])
        if address[0] == self.reachable:
            super().connect(address)
            return
        timeout = self.gettimeout()
        assert timeout is not None
        time.sleep(timeout)
        raise TimeoutError("timed out")


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> type[Unreachable]:
    """Let every name have four addresses, of which the last may be reachable."""
    Unreachable.tried, Unreachable.reachable = [], ""
    hosts = ("127.0.0.4", "127.0.0.3", "127.0.0.2", "127.0.0.1")
    monkeypatch.setattr("socket.socket", Unreachable)
    monkeypatch.setattr(
        "socket.getaddrinfo",
        lambda _host, port, **_: [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in hosts
        ],
    )
    return Unreachable


def test_the_deadline_holds_over_several_addresses(unreachable: type[Unreachable]) -> None:
    assert seconds_to_fail(client_of(9), 0.4) < 0.4 + LATE_SECONDS
    assert len(unreachable.tried) >= 4


def test_addresses_that_nobody_answers_leave_time_for_the_one_that_does(
    unreachable: type[Unreachable],
) -> None:
    def answers(accepted: socket.socket) -> None:
        accepted.recv(65536)
        accepted.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    unreachable.reachable = "127.0.0.1"
    with server(answers) as port:
        client = client_of(port, attempt_seconds=0.4)
        assert client.call({"content-type": "x"}, b"y", time.monotonic() + 0.5) == b"ok"
        client.close()
    assert len(unreachable.tried) == 4


def test_a_refused_handshake_closes_the_connection() -> None:
    closed = threading.Event()

    def answers_plain_text(accepted: socket.socket) -> None:
        accepted.recv(65536)
        accepted.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        accepted.settimeout(5)
        with suppress(OSError):
            while accepted.recv(65536):
                pass
        closed.set()

    with server(answers_plain_text) as port, pytest.raises(ssl.SSLError):
        connection.connect(
            "127.0.0.1", port, ssl.create_default_context(), TimeLeft(time.monotonic() + 2, time.monotonic)
        )
    assert closed.wait(5)
