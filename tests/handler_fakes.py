"""A stand-in for DynamoDB and SNS on a local port: speaks their wire formats, fails as it is told."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl

from ordernotify import handler
from ordernotify.function import aws_calls, aws_client

PUT, PUBLISH, MARK, MARK_BY_PUT = "put", "publish", "mark", "mark by put"
ASKED = "attribute_exists(FileName) AND attribute_not_exists(FileName)"
"""Never holds: the function asks what is stored, without storing anything."""
TABLE = "FileMetadata"
TOPIC = "arn:aws:sns:us-east-1:123456789012:file-upload-notification"
ENVIRONMENT = {
    "TABLE_NAME": TABLE,
    "TOPIC_ARN": TOPIC,
    "STACK": "default",
    "LOG_BODIES": "true",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI",
    "AWS_SESSION_TOKEN": "session",
}
DYNAMODB_ERROR = "com.amazonaws.dynamodb.v20120810#"


class FakeAws:
    """What the function and `redrive` call of DynamoDB and SNS, for one table and one topic, with faults.

    `fail(step, fault, times)` makes the next calls of a step (`PUT`, `PUBLISH`, `MARK`, `MARK_BY_PUT`) fail:
    `throttled`, `500`, `denied`: answered so, not applied; `500 after`: applied, then answered so;
    `reset before`, `reset after`: the connection is reset before or after the call is applied;
    `timeout`, `timeout after`: no answer comes; the call is not applied, or is.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.items: dict[str, dict[str, Any]] = {}
        self.published: list[dict[str, str]] = []
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.hold = threading.Event()
        self.reached: dict[str, threading.Event] = defaultdict(threading.Event)
        self.connections = 0
        self.close_after_answer = False
        self._open: list[socket.socket] = []
        self._faults: dict[str, deque[str]] = defaultdict(deque)
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        scheme = "https" if tls else "http"
        self.endpoint = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> FakeAws:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hold.set()
        # A thread that is blocked in accept() is not woken by close() on Linux; shutdown() does.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop_connections()

    def fail(self, step: str, fault: str, times: int = 1) -> None:
        self._faults[step].extend([fault] * times)

    def heal(self) -> None:
        self._faults.clear()

    def drop_connections(self) -> None:
        """Close every connection, as the services do with those that are idle."""
        with self._lock:
            connections, self._open = self._open, []
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def orders(self) -> list[dict[str, Any]]:
        """Give the items as plain values."""
        return [{n: aws_calls.plain_value(a) for n, a in item.items()} for item in self.items.values()]

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self.connections += 1
                self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
                with self._lock:
                    self._open.append(connection)
            stream = connection.makefile("rb")
            with connection, stream:
                while request_line := stream.readline():
                    headers = {}
                    while (line := stream.readline().strip()) != b"":
                        name, _, value = line.decode("latin-1").partition(": ")
                        headers[name.lower()] = value
                    body = stream.read(int(headers["content-length"]))
                    if not self._answer(connection, request_line.decode(), headers, body):
                        return
        except (OSError, ValueError):
            return  # the client went away

    def _answer(self, connection: socket.socket, line: str, headers: dict[str, str], body: bytes) -> bool:
        """Take one request; return whether the connection stays open."""
        with self._lock:
            self.requests.append((line, headers, body))
        assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        step = {"": PUBLISH, "PutItem": PUT, "UpdateItem": MARK}.get(operation, operation)
        if step == PUT and b":pending" in body:
            step = MARK_BY_PUT
        fault = self._faults[step].popleft() if self._faults[step] else ""
        if fault == "hold before":
            self.reached[step].set()
            self.hold.wait(20)
        apply = fault in ("", "hold before") or fault.endswith("after")
        with self._lock:
            status, answer = self._apply(operation, body) if apply else (200, b"")
        if fault == "hold after":
            self.reached[step].set()
            self.hold.wait(20)
        return self._reply(connection, fault, status, answer, is_json=bool(operation))

    def _reply(
        self, connection: socket.socket, fault: str, status: int, answer: bytes, *, is_json: bool
    ) -> bool:
        if fault.startswith("reset"):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        if fault.startswith("timeout"):
            self.hold.wait(20)
            return False
        errors = {
            "throttled": (400, "ThrottlingException" if is_json else "Throttling", "Rate exceeded"),
            "500": (500, "InternalServerError" if is_json else "InternalFailure", "Internal error"),
            "500 after": (500, "InternalServerError" if is_json else "InternalFailure", "Internal error"),
            "denied": (
                400 if is_json else 403,
                "AccessDeniedException" if is_json else "AuthorizationError",
                "User: x is not authorized to perform this & that",
            ),
        }
        if fault in errors:
            status, code, message = errors[fault]
            answer = dynamodb_error(code, message) if is_json else sns_error(code, message)
        kind = "application/x-amz-json-1.0" if is_json else "text/xml"
        close = "connection: close\r\n" if self.close_after_answer else ""
        head = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\n{close}content-length: {len(answer)}\r\n\r\n"
        connection.sendall(head.encode() + answer)
        return not self.close_after_answer

    def _apply(self, operation: str, body: bytes) -> tuple[int, bytes]:
        if not operation:
            return self._publish(body)
        request = json.loads(body)
        assert request["TableName"] == TABLE
        if operation == "UpdateItem":
            return self._update(request)
        if operation == "DescribeTable":
            return 200, b'{"Table": {}}'
        if operation == "GetItem":
            item = self.items.get(request["Key"]["FileName"]["S"])
            return 200, json.dumps({"Item": item} if item else {}).encode()
        if operation == "Scan":
            found = [item for item in self.items.values() if item["notification"] == {"S": "pending"}]
            return 200, json.dumps({"Items": found, "Count": len(found), "ScannedCount": 9}).encode()
        return self._put(request)

    def _update(self, request: dict[str, Any]) -> tuple[int, bytes]:
        assert request["UpdateExpression"] == "SET notification = :sent, messageId = :id"
        assert request["ConditionExpression"] == "notification = :pending"
        values = request["ExpressionAttributeValues"]
        item = self.items.get(request["Key"]["FileName"]["S"])
        if item is None or item["notification"] != values[":pending"]:
            return 400, dynamodb_error("ConditionalCheckFailedException", "The conditional request failed")
        item |= {"notification": values[":sent"], "messageId": values[":id"]}
        return 200, b"{}"

    def _put(self, request: dict[str, Any]) -> tuple[int, bytes]:
        item = request["Item"]
        key = item["FileName"]["S"]
        old = self.items.get(key)
        if request["ConditionExpression"] == "attribute_not_exists(FileName)":
            holds = old is None
        elif request["ConditionExpression"] == ASKED:
            holds = False
        else:
            assert request["ConditionExpression"] == "notification = :pending"
            wanted = request["ExpressionAttributeValues"][":pending"]
            holds = old is not None and old["notification"] == wanted
        if not holds:
            returned = request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and old
            message = "The conditional request failed"
            return 400, dynamodb_error("ConditionalCheckFailedException", message, item=returned or None)
        self.items[key] = item
        return 200, b"{}"

    def _publish(self, body: bytes) -> tuple[int, bytes]:
        fields = dict(parse_qsl(body.decode(), strict_parsing=True, keep_blank_values=True))
        if fields["Action"] == "GetCallerIdentity":
            answer = "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account>"
            return 200, (answer + "</GetCallerIdentityResult></GetCallerIdentityResponse>").encode()
        assert fields["TopicArn"] == TOPIC
        check_message(fields)
        self.published.append(fields)
        document = f"<PublishResponse><PublishResult><MessageId>m-{len(self.published)}</MessageId>"
        return 200, (document + "</PublishResult></PublishResponse>").encode()


def check_message(fields: dict[str, str]) -> None:
    """Hold what SNS requires and the emulators do not check (AWS-FACTS, "SNS messages")."""
    subject, message = fields["Subject"], fields["Message"]
    assert subject.isascii()
    assert subject.isprintable()
    assert 1 <= len(subject) < 100
    assert subject[0].isalnum()
    names = [name for name in fields if name.startswith("MessageAttributes")]
    size = sum(len(fields[name].encode()) for name in names) + len(message.encode())
    assert size <= 262_144
    assert fields["MessageStructure"] == "json"
    assert {"default", "email", "sms"} <= json.loads(message).keys()


def dynamodb_error(code: str, message: str, *, item: dict[str, Any] | None = None) -> bytes:
    document = {"__type": DYNAMODB_ERROR + code, "message": message} | ({"Item": item} if item else {})
    return json.dumps(document).encode()


def sns_error(code: str, message: str) -> bytes:
    text = message.replace("&", "&amp;").replace("<", "&lt;")
    return (
        '<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type>'
        f"<Code>{code}</Code><Message>{text}</Message></Error><RequestId>r</RequestId></ErrorResponse>"
    ).encode()


class Context:
    """Lambda's context object, with so many seconds left."""

    aws_request_id = "5f3c9a70-0000-4000-8000-000000000001"

    def __init__(self, seconds: float = 10.0) -> None:
        self._end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._end - time.monotonic()) * 1000))


class Shop:
    """The function with its own connections to a `FakeAws`, and the log lines that it wrote."""

    def __init__(self, aws: FakeAws, *, attempt_seconds: float = 0.25, **environment: str) -> None:
        self.lines: list[str] = []
        self.aws = aws
        settings = handler.Environment(
            ENVIRONMENT
            | {"AWS_ENDPOINT_URL_DYNAMODB": aws.endpoint, "AWS_ENDPOINT_URL_SNS": aws.endpoint}
            | environment
        )
        clients = [
            aws_client.AwsClient(
                service,
                aws.endpoint,
                "us-east-1",
                sleep=lambda seconds: time.sleep(seconds / 20),
                attempt_seconds=attempt_seconds,
                environment=ENVIRONMENT,
            )
            for service in ("dynamodb", "sns")
        ]
        self.clients = clients
        self.pauses: list[float] = []
        self.during_pause: Callable[[], None] = lambda: None
        self.function = handler.OrderFunction(settings, *clients, write=self.lines.append, sleep=self._pause)

    def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.during_pause()
        time.sleep(seconds / 20)

    def __enter__(self) -> Shop:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self.clients:
            client.close()

    def send(self, order: Any, *, key: str | None = None, seconds: float = 10.0) -> Reply:
        """POST an order as an API of payload 1.0 does."""
        body = order if isinstance(order, str) else json.dumps(order)
        event = {"httpMethod": "POST", "path": "/orders", "body": body, "isBase64Encoded": False}
        event["headers"] = {"Idempotency-Key": key} if key else None
        return Reply(self.function(event, Context(seconds)))

    def log(self) -> list[dict[str, Any]]:
        """Give the log lines read as JSON."""
        return [json.loads(line) for line in self.lines]


@contextmanager
def open_shop(*, attempt_seconds: float = 0.25, **environment: str) -> Iterator[Shop]:
    """Give a function with a `FakeAws` of its own."""
    with FakeAws() as aws, Shop(aws, attempt_seconds=attempt_seconds, **environment) as shop:
        yield shop


class Reply:
    """A proxy answer, checked to be one."""

    def __init__(self, answer: dict[str, Any]) -> None:
        json.dumps(answer)  # Lambda must be able to
        assert answer.keys() == {"statusCode", "headers", "body", "isBase64Encoded"}
        assert type(answer["statusCode"]) is int
        assert answer["isBase64Encoded"] is False
        assert all(isinstance(value, str) for value in answer["headers"].values())
        self.status: int = answer["statusCode"]
        self.headers: dict[str, str] = answer["headers"]
        self.body: dict[str, Any] = json.loads(answer["body"]) if answer["body"] else {}
        assert self.status == 204 or self.body["message"]

    @property
    def fields(self) -> set[str]:
        """The fields that have a fault."""
        return {error["field"] for error in self.body["errors"]}


def notified(aws: FakeAws) -> list[str]:
    """Give the order id of every published message, in order."""
    return [json.loads(json.loads(fields["Message"])["default"])["orderId"] for fields in aws.published]
