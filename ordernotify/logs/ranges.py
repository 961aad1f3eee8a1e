"""Reading the events between two times, once."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ordernotify.errors import OrderNotifyError, StackNotFoundError
from ordernotify.logs.events import ACCESS_LOGS_HINT, LogEvent
from ordernotify.logs.reader import GroupMissingError, LogPage, PageSource
from ordernotify.logs.seen import DEEP_LOOK_BACK_SECONDS, Seen, in_order


@dataclass(frozen=True, slots=True)
class LogReader:
    """Reads the events of several sources between two times."""

    readers: Sequence[PageSource]
    stack: str = "default"

    def read(self, start: int, end: int | None = None, pattern: str = "") -> Iterator[LogEvent]:
        """Yield the events between two times (ms since 1970, inclusive) by timestamp, then ingestion.

        A source without a log group has no events. Raises OrderNotifyError if none has one.
        """
        missing: list[str] = []
        streams = [self._source(reader, missing, start, end, pattern) for reader in self.readers]
        yield from heapq.merge(*streams, key=lambda event: event.sort_key)
        if missing == ["api"] and len(self.readers) == 1:
            raise OrderNotifyError(f"the stack {self.stack} has no access logs of its API", ACCESS_LOGS_HINT)
        if len(missing) == len(self.readers):
            raise StackNotFoundError(
                f"the stack {self.stack} has no log group", "Run `ordernotify setup` first."
            )

    def _source(
        self, reader: PageSource, missing: list[str], start: int, end: int | None, pattern: str
    ) -> Iterator[LogEvent]:
        try:
            yield from in_order(_once_each(reader.pages(start, end, pattern)))
        except GroupMissingError:
            missing.append(reader.source)


def _once_each(pages: Iterable[LogPage]) -> Iterator[LogEvent]:
    seen = Seen()
    for page in pages:
        yield from filter(seen.add, page.events)
        if page.events:
            seen.forget_before(page.events[0].timestamp - int(DEEP_LOOK_BACK_SECONDS * 1000))
