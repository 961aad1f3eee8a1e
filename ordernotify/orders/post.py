"""Post one order to the API, with retries where they are safe and useful."""

from __future__ import annotations

import json
import math
import random
import threading
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import urllib3

from ordernotify.aws.road import DIRECT, Road
from ordernotify.aws.waiting import Clock, SystemClock
from ordernotify.errors import CancelledError, OrderNotifyError
from ordernotify.orders.connections import open_pools, why_refused, why_unanswered
from ordernotify.orders.pace import Pace

RETRY_SECONDS = 60.0
"""How long an order is retried, from its first request."""
UNREACHABLE_SECONDS = 10.0
"""How long an order is retried while no connection is possible."""
SETTLE_SECONDS = 20.0
"""How long a new API may refuse what it will take (AWS-FACTS 4), from a client's first refusal."""
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0

_SETTLING = {403, 404}
_MAX_ANSWER_BYTES = 1024 * 1024

Sign = Callable[[str, str, Mapping[str, str], bytes], Mapping[str, str]]
"""Returns the headers to send for a method, URL, headers and body; called for each attempt."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An order to be sent: the JSON text as it goes out, its key, and its line if it came from a file."""

    body: bytes
    key: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one field of an order."""

    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an order: the API's last answer, or why there was none (`status` 0).

    `seconds` is the time from the first request to the end of the last one, pauses between included.
    """

    status: int
    message: str
    order_id: str = ""
    faults: tuple[Fault, ...] = ()
    replayed: bool = False
    attempts: int = 1
    seconds: float = 0.0
    interrupted: bool = False
    headers: Mapping[str, str] = field(default_factory=dict, compare=False)
    """The headers of the last answer."""

    @property
    def accepted(self) -> bool:
        """Whether the order is stored, by the API's promise."""
        return 200 <= self.status < 300 and bool(self.order_id)

    @property
    def rejected(self) -> bool:
        """Whether the order itself is at fault; sent again, it would get the same answer."""
        return self.status in (400, 409, 413, 415, 422)

    @property
    def failed(self) -> bool:
        """Whether the order is neither known to be stored nor at fault."""
        return not (self.accepted or self.rejected)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One request's answer; the pause that the API asks for, and how long to go on trying (seconds)."""

    answer: Answer
    retry_after: float = 0.0
    patience: float = math.inf


@dataclass(slots=True)
class _Settling:
    """Whether the API may still be too new to know its own permissions; shared by a client's threads."""

    clock: Clock
    until: float | None = None
    over: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def may_repeat(self) -> bool:
        with self.lock:
            if self.until is None:
                self.until = self.clock.now() + SETTLE_SECONDS
            return not self.over and self.clock.now() < self.until


class OrderClient:
    """Posts orders to one URL over kept-alive connections; thread-safe."""

    def __init__(
        self,
        url: str,
        *,
        road: Road = DIRECT,
        connections: int = 1,
        sign: Sign | None = None,
        clock: Clock | None = None,
        retry_seconds: float = RETRY_SECONDS,
        pace: Pace = nullcontext,
        tell: Callable[[str], None] = lambda _message: None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Take the URL; nothing is sent yet.

        Each request waits for `pace`, also a repeated one: that may be the one which is published. `tell`
        hears why an order is retried. The clock's sleep raises CancelledError to end the waiting. Raises
        OrderNotifyError for something that is not a URL.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise OrderNotifyError(
                f"{url!r} is not the URL of an order API", "`ordernotify status` shows it."
            )
        self._url = url
        self._host = parts.hostname
        self._pools = open_pools(road, connections)
        self._sign = sign
        self._clock = clock or SystemClock()
        self._retry_seconds = retry_seconds
        self._pace = pace
        self._tell = tell
        self._jitter = jitter
        self._settling = _Settling(self._clock)

    def close(self) -> None:
        self._pools.clear()

    def send(self, draft: Draft) -> Answer:
        """Post the order until there is a final answer, and return it; a failure is an answer too.

        Raises CancelledError if it is cancelled before the first request.

        429, 5xx and lost connections are retried, always with the same key, so that nothing is made twice.
        The pauses double, with full jitter
        (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/), and are never
        shorter than the API's Retry-After.
        """
        started, attempts, now, answer = 0.0, 0, 0.0, Answer(0, "")
        try:
            while True:
                with self._pace():
                    started = started or self._clock.now()
                    attempts += 1
                    outcome = self._attempt(draft)
                now = self._clock.now()
                answer, pause = outcome.answer, max(self._pause(attempts), outcome.retry_after)
                longest = min(outcome.patience, self._retry_seconds)
                if not self._may_repeat(answer) or now - started + pause > longest:
                    break
                self._tell(answer.message)
                self._clock.sleep(pause)
        except CancelledError:
            if not attempts:
                raise
            answer = Answer(0, f"interrupted; the last try: {answer.message}", interrupted=True)
        return replace(answer, attempts=attempts, seconds=now - started)

    def _pause(self, attempts: int) -> float:
        longest: float = min(FIRST_PAUSE_SECONDS * 2 ** min(attempts, 10), LONGEST_PAUSE_SECONDS)
        return self._jitter() * longest

    def _may_repeat(self, answer: Answer) -> bool:
        if answer.accepted:
            self._settling.over = True
        elif answer.status in _SETTLING:
            return self._settling.may_repeat()
        return answer.status in (0, 429) or answer.status >= 500

    def _attempt(self, draft: Draft) -> _Attempt:
        headers: Mapping[str, str] = {"Content-Type": "application/json", "Idempotency-Key": draft.key}
        if self._sign:
            headers = self._sign("POST", self._url, headers, draft.body)
        try:
            response = self._pools.urlopen(
                "POST",
                self._url,
                redirect=False,
                body=draft.body,
                headers=headers,
                preload_content=False,
            )
            answer = replace(_read(response), headers=dict(response.headers))
            return _Attempt(answer, _retry_after(response.headers.get("Retry-After", "")))
        except urllib3.exceptions.NewConnectionError:
            message = f"no connection to {urlsplit(self._url).netloc} is possible"
            return _Attempt(Answer(0, message), patience=UNREACHABLE_SECONDS)
        except urllib3.exceptions.ProxyError as error:
            message = f"the proxy opens no connection to {self._host}: {why_refused(error)}"
            return _Attempt(Answer(0, message), patience=UNREACHABLE_SECONDS)
        except urllib3.exceptions.HTTPError as error:
            return _Attempt(Answer(0, f"no answer from {self._host}: {why_unanswered(error)}"))


def _read(response: urllib3.BaseHTTPResponse) -> Answer:
    status = response.status
    body = response.read(_MAX_ANSWER_BYTES + 1, decode_content=False)
    if len(body) > _MAX_ANSWER_BYTES:
        response.close()  # the rest of it may have no end
    else:
        response.release_conn()
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        return Answer(status, f"the API answered {status} with a text that is not its own")
    message = _text(document.get("message")) or _text(document.get("Message")) or f"the API answered {status}"
    order_id = _text(document.get("orderId"))
    if 200 <= status < 300 and not order_id:
        return Answer(status, f"the API answered {status} without an orderId: {message}")
    faults = tuple(
        Fault(_text(fault.get("field")), _text(fault.get("message")))
        for fault in _list(document.get("errors"))
        if isinstance(fault, dict)
    )
    replayed = response.headers.get("Idempotency-Replayed", "").lower() == "true"
    return Answer(status, message, order_id, faults, replayed)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _retry_after(text: str) -> float:
    """Read Retry-After: seconds, or an HTTP date (RFC 9110, 10.2.3); 0 for anything else."""
    if text.strip().isdecimal():
        return float(text)
    try:
        return max((parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds(), 0.0)
    except (TypeError, ValueError):
        return 0.0
