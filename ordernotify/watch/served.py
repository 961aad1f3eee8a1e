"""The function's answers, as its log lines tell them, and the rates and latencies that follow from them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ordernotify.logs.events import LogEvent, number_in
from ordernotify.orders.bulk import percentile

WINDOW_SECONDS = 600
"""Rates and latencies cover the last ten minutes."""
MOST_SERVED = 20_000
"""The most answers that are kept; with more, the figures cover less than ten minutes."""
RATE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Served:
    """One answer of the function; `at` in ms since 1970, `milliseconds` the time that it took.

    `steps` are the milliseconds from the request to each step that was reached, by its name.
    """

    at: int
    status: int
    order_id: str
    milliseconds: float
    notification: str
    replayed: bool
    steps: Mapping[str, float]

    @property
    def kind(self) -> str:
        """One of KINDS."""
        if self.replayed:
            return "replayed"
        return {2: "stored", 4: "rejected"}.get(self.status // 100, "failed")


KINDS = ("stored", "replayed", "rejected", "failed")
"""What may become of an order: the answers 201 and 202, 200, 4xx and 5xx."""


def served(event: LogEvent) -> Served | None:
    """Read an answer from its log line; None for every other line, and for an answer to setup's question."""
    fields = event.fields
    if event.source != "function" or not fields or fields.get("event") != "response":
        return None
    if fields.get("probe"):
        return None
    steps = fields.get("steps")
    return Served(
        at=event.timestamp,
        status=int(number_in(fields.get("status")) or 0),
        order_id=str(fields.get("orderId") or ""),
        milliseconds=number_in(fields.get("durationMs")) or 0.0,
        notification=str(fields.get("notification") or ""),
        replayed=fields.get("replayed") is True,
        steps={str(k): number_in(v) or 0.0 for k, v in steps.items()} if isinstance(steps, Mapping) else {},
    )


@dataclass(frozen=True, slots=True)
class Rates:
    """How busy a stack is: orders in the last minute; answers by kind and latency (ms) in the last ten."""

    per_minute: int = 0
    kinds: Mapping[str, int] | None = None
    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0


class Activity:
    """Remembers the answers of the last ten minutes, in bounded memory."""

    def __init__(self) -> None:
        self._served: deque[Served] = deque(maxlen=MOST_SERVED)

    def add(self, answers: Iterable[Served]) -> None:
        """Note answers; they may come late and out of order."""
        self._served.extend(answers)

    def rates(self, now: int) -> Rates:
        """Sum up what happened until `now` (ms since 1970), and forget what is too old."""
        oldest, minute = now - WINDOW_SECONDS * 1000, now - RATE_SECONDS * 1000
        while self._served and self._served[0].at < oldest:
            self._served.popleft()
        recent = [one for one in self._served if one.at >= oldest]
        times = sorted(one.milliseconds for one in recent)
        p50, p95, p99 = (percentile(times, p) if times else 0.0 for p in (50, 95, 99))
        return Rates(
            per_minute=sum(one.at >= minute and one.kind == "stored" for one in recent),
            kinds=Counter(one.kind for one in recent),
            p50=p50,
            p95=p95,
            p99=p99,
        )
