"""Reading a range of events in order, and following them so that none is missed.

CloudWatch shows events late and out of order: an event may appear after newer ones did. A tail that
restarts at the newest timestamp it printed loses those (aws-cli, SAM, Chalice and Serverless do). Here:

    time     ----------------------------------------------------------->
    poll 1        [======== look back ========]now
    poll 2            [======== look back ========]now
    late                     x                       appears between the polls: poll 2 finds it

Every poll asks again for a window that begins LOOK_BACK_SECONDS before the last complete poll, and drops
what was shown already by its event id. Once in a while one looks back further, for the latest of all.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ordernotify.aws.waiting import Clock
from ordernotify.errors import StackNotFoundError
from ordernotify.logs.events import GroupMissingError, LogEvent, Page, Pages

POLL_SECONDS = 1.0
"""The pause between two polls: a new event is shown within 2 s of becoming visible."""
LOOK_BACK_SECONDS = 120.0
"""How late an event may become visible and still be shown by the next poll."""
DEEP_LOOK_BACK_SECONDS = 600.0
"""How late an event may become visible and still be shown within DEEP_EVERY_SECONDS."""
DEEP_EVERY_SECONDS = 60.0
REORDER_EVENTS = 20_000
"""How many events are held to put them in order: two full pages."""
_BUCKET_MS = 10_000


class Seen:
    """Which events were shown, by id; forgotten by time, so that the memory is bounded."""

    def __init__(self) -> None:
        """Begin with nothing shown."""
        self._ids: dict[int, set[str]] = {}

    def add(self, event: LogEvent) -> bool:
        """Note the event; False if it was noted before."""
        bucket = self._ids.setdefault(event.timestamp // _BUCKET_MS, set())
        if event.event_id in bucket:
            return False
        bucket.add(event.event_id)
        return True

    def forget_before(self, timestamp: int) -> None:
        """Forget the ids of events older than `timestamp` (ms); none of them is asked for again."""
        for bucket in [bucket for bucket in self._ids if (bucket + 1) * _BUCKET_MS <= timestamp]:
            del self._ids[bucket]

    def __len__(self) -> int:
        """How many ids are remembered."""
        return sum(map(len, self._ids.values()))


def _ms(seconds: float) -> int:
    return int(seconds * 1000)


def no_log_group(stack: str) -> StackNotFoundError:
    """The error for a stack of which no log group exists."""
    return StackNotFoundError(f"the stack {stack} has no log group", "Run `ordernotify setup` first.")


@dataclass(frozen=True, slots=True)
class LogReader:
    """Reads a range of events of several sources, once."""

    readers: Sequence[Pages]
    stack: str = "default"

    def read(self, start: int, end: int | None = None, pattern: str = "") -> Iterator[LogEvent]:
        """Yield the events between two times (ms since 1970, inclusive) by timestamp, then ingestion.

        A source without a log group has no events. Raises StackNotFoundError if none has one.
        """
        missing: list[str] = []
        streams = [self._source(reader, missing, start, end, pattern) for reader in self.readers]
        yield from heapq.merge(*streams, key=lambda event: event.order)
        if len(missing) == len(self.readers):
            raise no_log_group(self.stack)

    def _source(
        self, reader: Pages, missing: list[str], start: int, end: int | None, pattern: str
    ) -> Iterator[LogEvent]:
        try:
            yield from in_order(_once_each(reader.pages(start, end, pattern)))
        except GroupMissingError:
            missing.append(reader.source)


def _once_each(pages: Iterable[Page]) -> Iterator[LogEvent]:
    seen = Seen()
    for page in pages:
        yield from filter(seen.add, page.events)
        if page.events:
            seen.forget_before(page.events[0].timestamp - _ms(DEEP_LOOK_BACK_SECONDS))


def in_order(events: Iterable[LogEvent], depth: int = REORDER_EVENTS) -> Iterator[LogEvent]:
    """Sort events that are at most `depth` places away from where they belong, in constant memory."""
    waiting: list[tuple[tuple[int, int], int, LogEvent]] = []
    for position, event in enumerate(events):
        entry = (event.order, position, event)
        if len(waiting) < depth:
            heapq.heappush(waiting, entry)
        else:
            yield heapq.heappushpop(waiting, entry)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]


@dataclass(slots=True)
class _Source:
    """What is known of one source: from where it must be asked again, and what was shown."""

    reader: Pages
    since: int
    complete_to: int | None = None
    """The time (ms) of the last complete poll: everything visible by then was shown."""
    deep_due: float = 0.0
    seen: Seen = field(default_factory=Seen)
    missing: str = ""
    """The name of the group, if it did not exist at the last poll."""

    def start(self, deep: bool) -> int:
        """From which time (ms) on to ask."""
        if self.complete_to is None:
            return self.since
        return max(self.since, self.complete_to - _ms(DEEP_LOOK_BACK_SECONDS if deep else LOOK_BACK_SECONDS))

    def completed(self, asked_at: int) -> None:
        """Note that a poll which began at `asked_at` (ms) read all its pages."""
        # Never back: what was forgotten must not be asked for again after a clock was set back.
        self.complete_to = max(asked_at, self.complete_to or 0)
        self.seen.forget_before(self.complete_to - _ms(DEEP_LOOK_BACK_SECONDS))


class Follower:
    """Follows several sources from a time on."""

    def __init__(
        self,
        readers: Sequence[Pages],
        since: int,
        clock: Clock,
        wall: Callable[[], float] = time.time,
        tell: Callable[[str], None] = lambda _message: None,
    ) -> None:
        """Take the time to begin with (ms since 1970), and the clocks: to sleep, and of the day (s)."""
        self._sources = [_Source(reader, since) for reader in readers]
        self._clock = clock
        self._wall = wall
        self._tell = tell
        self._told = False

    @property
    def complete_to(self) -> int:
        """The time (ms since 1970) up to which what was visible was shown; 0 before the first poll."""
        return min((source.complete_to for source in self._sources if source.complete_to), default=0)

    @property
    def seen(self) -> Sequence[Seen]:
        """What is remembered of each source."""
        return [source.seen for source in self._sources]

    def follow(self) -> Iterator[LogEvent]:
        """Yield each event once, soon after it becomes visible, until the caller stops.

        Within one poll the events are in order. Waits for a group that does not exist yet.
        """
        while True:
            yield from self.poll()
            self._clock.sleep(POLL_SECONDS)

    def poll(self) -> Iterator[LogEvent]:
        """Ask every source once; yield what is new, in order."""
        for batch in self.poll_by_page():
            yield from batch

    def poll_by_page(self) -> Iterator[list[LogEvent]]:
        """Like poll; yields after every page, so that the caller can do other things meanwhile.

        Most batches are empty: what is new comes in order, when the poll ends or has to wait.
        """
        found: list[LogEvent] = []
        for source in self._sources:
            for page in self._pages(source):
                found.extend(filter(source.seen.add, page.events))
                yield _taken(found) if page.waiting or len(found) >= REORDER_EVENTS else []
        self._tell_if_all_are_missing()
        yield _taken(found)

    def _tell_if_all_are_missing(self) -> None:
        # One that is missing beside another is normal: the API logs only when it is asked to.
        missing = [source.missing for source in self._sources]
        if all(missing) and not self._told:
            self._tell(f"waiting for the log group {' or '.join(missing)}")
            self._told = True

    def _pages(self, source: _Source) -> Iterator[Page]:
        began, now = self._clock.now(), _ms(self._wall())
        deep = began >= source.deep_due
        asked_at: int | None = None
        try:
            for page in source.reader.pages(source.start(deep)):
                yield page
                if page.waiting:
                    continue
                asked_at = asked_at or page.server_time or now
                if page.events:  # keeps the memory flat while a long backlog is read
                    oldest = min(asked_at, page.events[0].timestamp)
                    source.seen.forget_before(oldest - _ms(DEEP_LOOK_BACK_SECONDS))
        except GroupMissingError as error:
            source.missing = str(error)
            return
        source.missing = ""
        source.completed(asked_at or now)
        if deep:
            source.deep_due = began + DEEP_EVERY_SECONDS


def _taken(found: list[LogEvent]) -> list[LogEvent]:
    ready = sorted(found, key=lambda event: event.order)
    found.clear()
    return ready
