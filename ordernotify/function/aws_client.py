"""A client for one AWS service: signed POSTs over a kept-alive connection, retried until a deadline."""

from __future__ import annotations

import json
import os
import time
from select import select

from ordernotify.function.connection import TimeLeft, connect, exchange, tls_context
from ordernotify.function.signature import authorization

TYPE_CHECKING = False  # `typing` is not imported at run time
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from socket import socket
    from ssl import SSLContext

RETRIED_CODES = frozenset(
    (
        *("InternalError", "InternalFailure", "InternalServerError", "ServiceUnavailable"),
        *("RequestTimeout", "RequestTimeoutException", "PriorRequestNotComplete", "RequestLimitExceeded"),
        *("RequestThrottled", "RequestThrottledException", "Throttled", "ThrottledException"),
        *("Throttling", "ThrottlingException", "TooManyRequestsException"),
        *("ProvisionedThroughputExceededException", "KMSThrottling"),
    )
)
ATTEMPTS = 5
ATTEMPT_SECONDS = 2.5  # both services answer in milliseconds; a longer silence is a lost packet
SHORTEST_ATTEMPT_SECONDS = 0.02
BACKOFF_SECONDS = 0.1
LONGEST_BACKOFF_SECONDS = 2.0


class CallFailed(Exception):  # noqa: N818 - reads as a statement where it is caught
    """A call to AWS that failed.

    Attributes:
        code: AWS's error code, or the name of the exception that the connection raised.
        maybe_applied: whether an attempt may have taken effect all the same (cut off, timed out, or 5xx).
        answer: the body of the error answer.
        attempts: how many were made.
    """

    def __init__(
        self, code: str, message: str, *, retry: bool, maybe_applied: bool, answer: bytes = b""
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.retry = retry
        self.maybe_applied = maybe_applied
        self.answer = answer
        self.attempts = 0


class AwsClient:
    """One AWS service, called with signed POSTs over a kept-alive connection, by one thread.

    boto3 takes four times as long to import, and as much more CPU per order (`benchmarks/handler.py`). This
    client does only what an order needs: POST, Signature Version 4, retries with full jitter inside the time
    left, and a new connection where the kept one was closed while the worker was frozen.

    Args:
        service: the name in the signature, `dynamodb` or `sns`.
        endpoint: the URL of the service.
        connect: opens a connection; like `connection.connect`.
        timer: seconds that only go forward. `clock`: seconds since 1970. `random`: from 0 to below 1.
        attempt_seconds: how long one attempt may take.
        environment: has the credentials, which are read for each request.
    """

    def __init__(
        self,
        service: str,
        endpoint: str,
        region: str,
        *,
        connect: Callable[[str, int, SSLContext | None, TimeLeft], socket] = connect,
        timer: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] | None = None,
        attempt_seconds: float = ATTEMPT_SECONDS,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        scheme, _, rest = endpoint.partition("://")
        authority, _, path = rest.partition("/")
        self.host_header = authority.lower()
        host, port = self.host_header, ""
        if host.rfind(":") > host.rfind("]"):  # a colon inside brackets is part of an IPv6 address
            host, _, port = host.rpartition(":")
        self.host = host.strip("[]")
        self.path = "/" + path
        self.service, self.region = service, region
        self.tls = tls_context() if scheme == "https" else None
        self.port = int(port) if port else 443 if self.tls else 80
        self._connect, self._timer, self._clock, self._sleep = connect, timer, clock, sleep
        self._random = random or _random
        self._attempt_seconds, self._environment = attempt_seconds, environment
        self._connection: socket | None = None
        self._in_doubt = False

    def call(self, headers: Mapping[str, str], body: bytes, deadline: float) -> bytes:
        """POST a request until it succeeds; return the answer's body.

        Args:
            headers: those of the operation with lower-case names, at least `content-type`.
            deadline: the timer's time at which the call ends, whatever it waits for.

        Raises:
            CallFailed: refused for good, or still failing after the last attempt or at the deadline.
        """
        maybe_applied = False
        failure = CallFailed("OutOfTime", "no time was left to try", retry=False, maybe_applied=False)
        for attempt in range(1, ATTEMPTS + 1):
            left = deadline - self._timer()
            if left < SHORTEST_ATTEMPT_SECONDS:
                break
            try:
                return self._attempt(headers, body, min(left, self._attempt_seconds))
            except CallFailed as failed:
                failure = failed
                failure.attempts = attempt
                maybe_applied = maybe_applied or failure.maybe_applied
            pause = self._random() * min(LONGEST_BACKOFF_SECONDS, BACKOFF_SECONDS * 2 ** (attempt - 1))
            if not failure.retry or attempt == ATTEMPTS or self._timer() + pause >= deadline:
                break
            self._sleep(pause)
        failure.maybe_applied = maybe_applied
        raise failure

    def _attempt(self, headers: Mapping[str, str], body: bytes, seconds: float) -> bytes:
        time_left = TimeLeft(self._timer() + seconds, self._timer)
        try:
            status, answer = self._exchange(headers, body, time_left)
        except OSError as error:
            code = type(error).__name__
            raise CallFailed(code, str(error), retry=True, maybe_applied=self._in_doubt) from error
        if status == 200:
            return answer
        failure = _service_error(status, answer)
        failure.maybe_applied |= self._in_doubt
        raise failure

    def _exchange(self, headers: Mapping[str, str], body: bytes, time_left: TimeLeft) -> tuple[int, bytes]:
        """Send the request once, or twice if the kept connection dies under it, which is no fault of AWS.

        `_in_doubt` then tells whether AWS may have read a request that it did not answer.
        """
        self._in_doubt = sent_before = False
        reused = self._is_open()
        while True:
            try:
                if self._connection is None:
                    self._connection = self._connect(self.host, self.port, self.tls, time_left)
                self._in_doubt = True
                status, answer, keep = exchange(self._connection, self._request(headers, body), time_left)
            except OSError as error:
                self.close()
                if not reused or isinstance(error, TimeoutError):
                    raise
                reused, sent_before = False, True
            else:
                self._in_doubt = sent_before
                if not keep:
                    self.close()
                return status, answer

    def _is_open(self) -> bool:
        """Tell whether there is a kept connection to use; one that is readable now was closed by AWS."""
        if self._connection is None:
            return False
        try:
            if not select([self._connection], [], [], 0)[0]:
                return True
        except (OSError, ValueError):
            pass
        self.close()
        return False

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _request(self, headers: Mapping[str, str], body: bytes) -> bytes:
        environment = self._environment
        signed = dict(headers)
        signed["host"] = self.host_header
        signed["x-amz-date"] = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._clock()))
        token = environment.get("AWS_SESSION_TOKEN")
        if token:
            signed["x-amz-security-token"] = token
        signed["authorization"] = authorization(
            signed,
            body,
            service=self.service,
            region=self.region,
            path=self.path,
            access_key=environment.get("AWS_ACCESS_KEY_ID", ""),
            secret_key=environment.get("AWS_SECRET_ACCESS_KEY", ""),
        )
        trace = environment.get("_X_AMZN_TRACE_ID")
        if trace:  # lets Lambda detect loops through SNS, as the SDKs do
            signed["x-amzn-trace-id"] = trace
        signed["user-agent"] = "ordernotify"
        signed["content-length"] = str(len(body))
        lines = "".join([f"{name}: {value}\r\n" for name, value in signed.items()])
        head = f"POST {self.path} HTTP/1.1\r\n{lines}\r\n"
        return head.encode("latin-1") + body


def _service_error(status: int, answer: bytes) -> CallFailed:
    code, message = _error_details(answer)
    code = code or f"HTTP{status}"
    retry = status >= 500 or status == 429 or code in RETRIED_CODES
    return CallFailed(code, message, retry=retry, maybe_applied=status >= 500, answer=answer)


def _error_details(answer: bytes) -> tuple[str, str]:
    """Find the code and the message in an error answer of DynamoDB (JSON) or SNS (XML)."""
    try:
        if answer.lstrip().startswith(b"<"):
            return xml_text(answer, "Code"), xml_text(answer, "Message")
        document = json.loads(answer)
        code = str(document.get("__type") or document.get("code") or "").rpartition("#")[2]
        return code, str(document.get("message") or document.get("Message") or "")
    except Exception:  # noqa: BLE001 - a proxy or a broken service may send anything; the status still counts
        return "", answer[:200].decode("utf-8", "replace")


def xml_text(document: bytes, name: str) -> str:
    """Return the text of the first element of that name, in any namespace; "" if there is none."""
    _, found, rest = document.partition(f"<{name}>".encode())
    text, ended, _ = rest.partition(b"<")
    if found and ended and b"&" not in text and b"\r" not in text and text:
        return text.decode()
    from xml.etree import ElementTree  # only for what needs a parser: it takes milliseconds to import

    for element in ElementTree.fromstring(document).iter():
        if element.tag.rpartition("}")[2] == name:
            return element.text or ""
    return ""


def _random() -> float:
    return int.from_bytes(os.urandom(4), "big") / 2**32
