"""A CloudWatch Logs that behaves as the real one does, on a clock that the test moves."""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from ordernotify.logs.events import LogEvent
from ordernotify.logs.follow import Follower
from ordernotify.logs.reader import FULL_PAGE, BackOff, GroupReader, LogPage, is_transient_or_offline

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_logs import CloudWatchLogsClient

BEGIN = 1_770_000_000
"""When the fake clock begins, in seconds since 1970."""


class TimeIsUpError(Exception):
    """The fake clock reached the end of the test."""


@dataclass
class FakeClock:
    """A clock that only sleeping moves; sleeping beyond `until` ends the test."""

    until: float = float("inf")
    seconds: float = 0.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds
        if self.seconds > self.until:
            raise TimeIsUpError

    def wall(self) -> float:
        return BEGIN + self.seconds


def ms(seconds: float) -> int:
    """Milliseconds since 1970 of a second of the fake clock."""
    return int((BEGIN + seconds) * 1000)


@dataclass(frozen=True)
class Stored:
    """An event as CloudWatch holds it: when it happened, and when it becomes visible, by the fake clock."""

    at: float
    visible: float
    message: str
    event_id: str | None
    stream: str = "stream"

    def answer(self) -> dict[str, Any]:
        event: dict[str, Any] = {
            "logStreamName": self.stream,
            "timestamp": ms(self.at),
            "ingestionTime": ms(self.visible),
            "message": self.message + "\n",
        }
        return event if self.event_id is None else event | {"eventId": self.event_id}


def late_events(count: int, seconds: float, latest: float, seed: int = 5) -> list[Stored]:
    """Events spread over `seconds`, each visible up to `latest` seconds after it happened."""
    chance = random.Random(seed)
    times = sorted(round(chance.uniform(0, seconds), 3) for _ in range(count))
    delays = [chance.choice((0.0, chance.uniform(0, 2), chance.uniform(0, latest))) for _ in times]
    return [
        Stored(at, at + delay, f"line {number}", f"id-{number}", f"stream-{number % 7}")
        for number, (at, delay) in enumerate(zip(times, delays, strict=True))
    ]


def client_error(code: str, status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": f"{code}!"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "FilterLogEvents",
    )


@dataclass
class FakeLogs:
    """Answers FilterLogEvents from `stored`; `trouble` adds empty pages, repeats and throttling."""

    clock: FakeClock
    stored: Sequence[Stored] = ()
    page_size: int = 100
    trouble: random.Random | None = None
    errors: list[ClientError] = field(default_factory=list)
    """Raised one by one before anything is answered."""
    exists_from: float = 0.0
    tokens: bool = True
    """False: as MiniStack, at most a full page and never a token."""
    skew: float = 0.0
    """How many seconds AWS's clock is ahead of this machine's."""
    takes: float = 0.0
    """How many seconds an answer takes."""
    requests: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ordered = sorted(self.stored, key=lambda event: (event.at, event.visible))
        self._times = [ms(event.at) for event in self._ordered]
        self._asked: tuple[Any, ...] = ()
        self._found: list[Stored] = []

    def filter_log_events(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request | {"asked": self.clock.seconds})
        self.clock.seconds += self.takes
        if self.errors:
            raise self.errors.pop(0)
        if self.clock.seconds < self.exists_from:
            raise client_error("ResourceNotFoundException")
        if self.trouble and self.trouble.random() < 0.15:
            raise client_error("ThrottlingException")
        found = self._visible(request)
        if not self.tokens:
            return self._answer(found[:FULL_PAGE])
        return self._page(found, request.get("nextToken"))

    def _visible(self, request: dict[str, Any]) -> list[Stored]:
        first, last = request["startTime"], request.get("endTime", float("inf"))
        pattern = request.get("filterPattern", "").strip('"')
        if self._asked == (asking := (first, last, pattern, self.clock.seconds)):
            return self._found  # the next page of the same
        self._asked = asking
        asked = slice(bisect_left(self._times, first), bisect_right(self._times, last))
        self._found = [
            event
            for event in self._ordered[asked]
            if event.visible <= self.clock.seconds and pattern in event.message
        ]
        return self._found

    def _page(self, found: list[Stored], token: str | None) -> dict[str, Any]:
        position = int(token.split("/")[0]) if token else 0
        if self.trouble and self.trouble.random() < 0.2:
            return self._answer([], f"{position}/{self.trouble.random()}")
        end = position + self.page_size
        page = found[position:end]
        if self.trouble and position and self.trouble.random() < 0.3:
            page = [*found[position - 2 : position], *page]  # ids that were on the page before
        return self._answer(page, f"{end}/" if end < len(found) else None)

    def _answer(self, page: Iterable[Stored], token: str | None = None) -> dict[str, Any]:
        date = formatdate(self.clock.wall() + self.skew, usegmt=True)
        answer: dict[str, Any] = {
            "events": [event.answer() for event in page],
            "ResponseMetadata": {"HTTPHeaders": {"date": date}},
        }
        return answer | ({"nextToken": token} if token else {})

    def reader(self, source: str = "function", *, following: bool = True) -> GroupReader:
        client = cast("CloudWatchLogsClient", self)
        back_off = BackOff(self.clock, is_transient_or_offline, None) if following else BackOff(self.clock)
        return GroupReader(client, source, f"/group/{source}", back_off)


def follower(*fakes: FakeLogs, since: float = 0.0, tell: Callable[[str], None] | None = None) -> Follower:
    clock = fakes[0].clock
    readers = [fake.reader(source) for fake, source in zip(fakes, ("function", "api"), strict=False)]
    return Follower(readers, ms(since), clock, clock.wall, tell or (lambda message: None))


@dataclass(frozen=True)
class Shown:
    """An event, and when it was shown by the fake clock."""

    event: LogEvent
    at: float


def until_time_is_up(events: Iterator[LogEvent], clock: FakeClock) -> list[Shown]:
    """Take events until the clock reaches its end."""
    shown: list[Shown] = []
    try:
        for event in events:
            shown.append(Shown(event, clock.seconds))
    except TimeIsUpError:
        pass
    return shown


@dataclass(frozen=True)
class OnePage:
    """A source of one page, or of the pages given."""

    given: tuple[LogPage, ...]
    source: str = "function"

    def pages(self, start: int, end: int | None = None, pattern: str = "") -> Iterator[LogPage]:
        yield from self.given


def event(message: str = "", at: int = 0, **changes: Any) -> LogEvent:
    """An event; `at` is in milliseconds."""
    values: dict[str, Any] = {
        "source": "function",
        "stream": "stream",
        "timestamp": at,
        "ingestion": at,
        "message": message,
        "event_id": f"{at}/{message}",
    }
    return LogEvent(**(values | changes))
