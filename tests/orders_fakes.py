"""An order API with faults to order, an account with a table, and a clock that tests turn."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
from boto3.dynamodb.types import TypeSerializer
from moto import mock_aws

from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import SystemClock
from ordernotify.errors import CancelledError
from ordernotify.settings.names import Names

NAMES = Names()
_SESSION = boto3.Session("testing", "testing", region_name="us-east-1")
"""One for all tests: it keeps the service descriptions, which take long to read; clients are new for each."""


@dataclass(frozen=True)
class Reply:
    """What the API does with one request, in place of taking the order."""

    status: int = 0
    body: Mapping[str, Any] | bytes = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    reset: bool = False
    """The connection is cut, without an answer."""
    stored: bool = False
    """The order is stored all the same."""


Script = Callable[[int, str, dict[str, Any]], Reply | None]
"""Chooses what happens to the n-th request (from 1), with its key and order; None: the order is taken."""


class FakeApi:
    """Takes orders by the contract: 201, a replay 200, another order under a used key 409."""

    def __init__(self) -> None:
        self.script: Script = lambda _number, _key, _order: None
        self.orders: dict[str, dict[str, Any]] = {}
        self.keys: list[str] = []
        self.requests: list[tuple[Mapping[str, str], bytes]] = []
        self.connections = 0
        self.url = ""
        self._lock = threading.Lock()

    def answer(self, headers: Mapping[str, str], body: bytes) -> Reply:
        with self._lock:
            self.requests.append((headers, body))
            key, order = headers["Idempotency-Key"], json.loads(body)
            reply = self.script(len(self.requests), key, order)
            if reply is None or reply.stored:
                taken = self._take(key, order)
                reply = reply or taken
            return reply

    def _take(self, key: str, order: dict[str, Any]) -> Reply:
        known = self.orders.get(key)
        if known is None:
            self.orders[key] = order
            self.keys.append(key)
            return Reply(201, {"orderId": f"id-{key}", "message": "Order received"})
        if known != order:
            return Reply(409, {"message": "This Idempotency-Key was used before, with a different order"})
        replayed = {"Idempotency-Replayed": "true"}
        return Reply(200, {"orderId": f"id-{key}", "message": "Order received"}, replayed)


def _handler_for(api: FakeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            api.connections += 1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            reply = api.answer(dict(self.headers), body)
            if reply.reset:
                # A reset, not an orderly end: what a crashing proxy does.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True
                return
            text = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            head = f"HTTP/1.1 {reply.status} X\r\nContent-Length: {len(text)}\r\n"
            head += "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
            self.wfile.write(head.encode() + b"\r\n" + text)

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def finish(self) -> None:
            if not self.wfile.closed:
                with suppress(OSError):
                    super().finish()

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # clients that are killed or cut off are what these tests are about


@contextmanager
def running_api(api: FakeApi | None = None, tls: ssl.SSLContext | None = None) -> Iterator[FakeApi]:
    """Serve a fake API on a free port of this machine."""
    api = api or FakeApi()
    server = _Server(("127.0.0.1", 0), _handler_for(api))
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    api.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}/prod/orders"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class TurnedClock(SystemClock):
    """A clock that stands still; sleeping turns it on and is written down."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 1000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        if self.cancelled.is_set():
            raise CancelledError("interrupted")
        self.slept.append(seconds)
        self.time += seconds


@contextmanager
def mocked_cloud() -> Iterator[Cloud]:
    """Give an account in this process that has the orders' table, empty."""
    with mock_aws():
        cloud = Cloud(_SESSION)
        cloud.dynamodb.create_table(
            TableName=NAMES.table,
            AttributeDefinitions=[{"AttributeName": "FileName", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "FileName", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield cloud


def put(cloud: Cloud, order_id: str, **attributes: Any) -> None:
    """Store one order."""
    put_many(cloud, [{"orderId": order_id, **attributes}])


def put_many(cloud: Cloud, orders: Sequence[Mapping[str, Any]]) -> None:
    """Store orders, as plain values, under their orderId."""
    serialize = TypeSerializer().serialize
    for start in range(0, len(orders), 25):
        requests: Any = [
            {"PutRequest": {"Item": {name: serialize(value) for name, value in item.items()}}}
            for item in ({"FileName": order["orderId"], **order} for order in orders[start : start + 25])
        ]
        cloud.dynamodb.batch_write_item(RequestItems={NAMES.table: requests})
