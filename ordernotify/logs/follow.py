"""Following log events so that none is missed.

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

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ordernotify.aws.waiting import Clock
from ordernotify.logs.events import ACCESS_LOGS_HINT, LogEvent
from ordernotify.logs.reader import GroupMissingError, LogPage, PageSource
from ordernotify.logs.seen import DEEP_LOOK_BACK_SECONDS, REORDER_EVENTS, Seen

POLL_SECONDS = 1.0
"""The pause between two polls: a new event is shown within 2 s of becoming visible."""
LOOK_BACK_SECONDS = 120.0
"""How late an event may become visible and still be shown by the next poll."""
DEEP_EVERY_SECONDS = 60.0


def _ms(seconds: float) -> int:
    return int(seconds * 1000)


@dataclass(slots=True)
class _Source:
    """What is known of one source: from where it must be asked again, and what was shown."""

    reader: PageSource
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
        readers: Sequence[PageSource],
        since: int,
        clock: Clock,
        wall: Callable[[], float],
        tell: Callable[[str], None] = lambda _message: None,
    ) -> None:
        """Take the time to begin with (ms since 1970), and the clocks: to sleep, and of the day (s)."""
        self._sources = [_Source(reader, since) for reader in readers]
        self._clock = clock
        self._wall = wall
        self._tell = tell
        self._told = False
        # Seen, and not yielded yet: a poll that fails leaves them to the next one.
        self._found: list[LogEvent] = []

    def follow(self) -> Iterator[LogEvent]:
        """Yield each event once, soon after it becomes visible, until the caller stops.

        Within one poll the events are in order. Waits for a group that does not exist yet.
        """
        while True:
            yield from self.poll()
            self._clock.sleep(POLL_SECONDS)

    def poll(self) -> Iterator[LogEvent]:
        """Ask every source once; yield what is new, in order, when the poll ends or has to wait."""
        for source in self._sources:
            for page in self._pages(source):
                self._found.extend(filter(source.seen.add, page.events))
                if page.waiting or len(self._found) >= REORDER_EVENTS:
                    yield from _taken(self._found)
        self._tell_if_all_are_missing()
        yield from _taken(self._found)

    def _tell_if_all_are_missing(self) -> None:
        # One that is missing beside another is normal: the API logs only when it is asked to.
        missing = [source.missing for source in self._sources]
        if all(missing) and not self._told:
            api_alone = all(source.reader.source == "api" for source in self._sources)
            why = f": the API has no access logs. {ACCESS_LOGS_HINT}" if api_alone else ""
            self._tell(f"waiting for the log group {' or '.join(missing)}{why}")
            self._told = True

    def _pages(self, source: _Source) -> Iterator[LogPage]:
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
    ready = sorted(found, key=lambda event: event.sort_key)
    found.clear()
    return ready
