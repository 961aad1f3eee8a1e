"""Send many orders: in parallel, at a rate, in constant memory."""

from __future__ import annotations

import math
import threading
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from ordernotify.aws.waiting import Clock, SystemClock
from ordernotify.errors import CancelledError, OrderNotifyError, UsageError
from ordernotify.orders.lines import Broken
from ordernotify.orders.parallel import Shared
from ordernotify.orders.post import Answer, Draft
from ordernotify.orders.source import Record

TICK_SECONDS = 0.1
GRACE_SECONDS = 3.0
"""After Ctrl-C, wait this long for running requests: most are answered, and the command ends within 5 s."""
FAILURES_IN_A_ROW = 5
"""The run ends after this many failed orders in a row, or twice the concurrency if that is more."""

Reject = Callable[["Rejected"], None]


@dataclass(frozen=True, slots=True)
class Rejected:
    """An order that was not taken: its line (0 without a file), status (0 without one), reason and text."""

    line: int
    status: int
    reason: str
    text: str


@dataclass(slots=True)
class Summary:
    """What became of the orders so far; times in seconds.

    `sent` orders went out at least once; each is `accepted`, `rejected` by the API or `failed`. `malformed`
    lines were not sent and count as rejected too. `answers` counts by HTTP status. `stopped` says why the
    run ended before the orders did. The percentiles come with the end of the run.
    """

    sent: int = 0
    accepted: int = 0
    rejected: int = 0
    failed: int = 0
    malformed: int = 0
    replayed: int = 0
    retries: int = 0
    seconds: float = 0.0
    answers: Counter[int] = field(default_factory=Counter)
    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0
    interrupted: bool = False
    stopped: str = ""

    @property
    def per_second(self) -> float:
        """Orders that were answered or given up, per second."""
        return self.sent / self.seconds if self.seconds else 0.0

    @property
    def complete(self) -> bool:
        """Whether every order of the run is stored."""
        return not (self.rejected or self.failed or self.interrupted or self.stopped)

    def add(self, answer: Answer) -> None:
        self.sent += 1
        self.retries += answer.attempts - 1
        self.accepted += answer.accepted
        self.rejected += answer.rejected
        self.failed += answer.failed
        self.replayed += answer.replayed
        if answer.status:
            self.answers[answer.status] += 1


def percentile(ascending: Sequence[float], percent: float) -> float:
    """Return the value that `percent` of all are at or below; 0 if there are none."""
    return ascending[max(math.ceil(len(ascending) * percent / 100), 1) - 1] if ascending else 0.0


class _Pacer:
    """Spreads the orders evenly; no burst makes up for lost time."""

    def __init__(self, rate: float, clock: Clock) -> None:
        self._interval = 1 / rate if rate else 0.0
        self._clock = clock
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        if not self._interval:
            return
        with self._lock:
            now = self._clock.now()
            slot = max(now, self._next)
            self._next = slot + self._interval
        if slot > now:
            self._clock.sleep(slot - now)


class BulkRun:
    """One run: threads take orders from the same iterator, one at a time, and send them.

    The clock's `cancelled` must also end the pauses of `send`: Ctrl-C sets it. Running requests are then
    waited for; those that do not return count as failed. They may have been stored; sending the same file
    again makes nothing twice.
    """

    def __init__(
        self,
        records: Iterable[Record],
        send: Callable[[Draft], Answer],
        *,
        concurrency: int = 1,
        rate: float = 0.0,
        reject: Reject = lambda _rejected: None,
        clock: SystemClock | None = None,
    ) -> None:
        """Take the orders and how to send one; `rate` is orders per second, 0 for as fast as it goes."""
        self._clock = clock or SystemClock()
        self._records = Shared(records)
        self._send = send
        self._concurrency = concurrency
        self._pacer = _Pacer(rate, self._clock)
        self._reject = reject
        self._lock = threading.Lock()
        self._so_far = Summary()
        self._latencies = array("d")  # 8 MB for a million orders
        self._in_flight = 0
        self._failed_in_a_row = 0
        self._running = concurrency
        self._idle = threading.Event()
        self._error: Exception | None = None
        self._stopped = ""
        self._interrupted = False
        self._started = 0.0

    def run(self, tick: Callable[[Summary], None] = lambda _summary: None) -> Summary:
        """Send all orders and return the summary; `tick` gets the state ten times a second.

        Raises UsageError if the file as a whole cannot be used; then nothing was sent.
        """
        self._started = self._clock.now()
        try:
            for number in range(self._concurrency):
                threading.Thread(target=self._work, name=f"send-{number}", daemon=True).start()
            while not self._idle.wait(TICK_SECONDS):
                tick(self._summary(ended=False))
        except KeyboardInterrupt:
            self._interrupted = True
            self._wait_for_requests()
        if isinstance(self._error, UsageError):
            raise self._error
        return self._summary(ended=True)

    def _summary(self, *, ended: bool) -> Summary:
        with self._lock:
            summary = replace(
                self._so_far,
                answers=Counter(self._so_far.answers),
                seconds=self._clock.now() - self._started,
                interrupted=self._interrupted,
                stopped=self._stopped,
            )
            if ended:
                summary.sent += self._in_flight
                summary.failed += self._in_flight
                ascending = array("d", sorted(self._latencies))
                summary.p50, summary.p95, summary.p99 = (percentile(ascending, p) for p in (50, 95, 99))
        return summary

    def _wait_for_requests(self) -> None:
        try:
            self._clock.cancelled.set()
            deadline = self._clock.now() + GRACE_SECONDS
            # Not for the threads: one may be reading a stdin that never ends.
            while self._in_flight and self._clock.now() < deadline:
                self._idle.wait(TICK_SECONDS)
        except KeyboardInterrupt:
            pass  # pressed again: the person does not want to wait

    def _work(self) -> None:
        try:
            for record in self._records:
                if not self._take(record):
                    break
        except Exception as error:  # noqa: BLE001 - the run ends, and run() says why
            self._stop(error)
        with self._lock:
            self._running -= 1
            if not self._running:
                self._idle.set()

    def _take(self, record: Record) -> bool:
        if self._clock.cancelled.is_set():
            return False
        if isinstance(record, Broken):
            with self._lock:
                self._so_far.malformed += 1
                self._so_far.rejected += 1
                self._reject(Rejected(record.line, 0, record.reason, record.text))
            return True
        try:
            self._pacer.wait()
            self._send_one(record)
        except CancelledError:
            return False
        return True

    def _send_one(self, draft: Draft) -> None:
        with self._lock:
            self._in_flight += 1
        try:
            answer = self._send(draft)
        except CancelledError:  # before anything was sent
            with self._lock:
                self._in_flight -= 1
            raise
        with self._lock:
            self._in_flight -= 1
            self._so_far.add(answer)
            if answer.status:
                self._latencies.append(answer.seconds)
            self._failed_in_a_row = self._failed_in_a_row + 1 if answer.failed else 0
            in_a_row = self._failed_in_a_row
            if not answer.accepted:
                self._reject(Rejected(draft.line, answer.status, reason_of(answer), draft.body.decode()))
        if in_a_row >= max(FAILURES_IN_A_ROW, 2 * self._concurrency):
            self._stop(OrderNotifyError(f"none of the last {in_a_row} orders got through: {answer.message}"))

    def _stop(self, error: Exception) -> None:
        with self._lock:
            if self._error is None and not self._interrupted:
                self._error = error
                self._stopped = error.message if isinstance(error, OrderNotifyError) else str(error)
        self._clock.cancelled.set()


def reason_of(answer: Answer) -> str:
    """Say why an order was not taken, with every fault of it."""
    faults = "; ".join(
        f"{fault.field}: {fault.message}" if fault.field else fault.message for fault in answer.faults
    )
    return f"{answer.message}: {faults}" if faults else answer.message
