"""Each event once and in order, in bounded memory, although AWS repeats and shuffles them."""

from __future__ import annotations

import heapq
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator

from ordernotify.logs.events import LogEvent

DEEP_LOOK_BACK_SECONDS = 600.0
"""How late an event may become visible and still be shown."""
REORDER_EVENTS = 20_000
"""How many events are held to put them in order: two full pages."""
_BUCKET_MS = 10_000
_SHARDS = 256


class Seen:
    """Which events were shown, by id; forgotten by time, so that the memory is bounded.

    An id is kept as a hash of 8 bytes, because ten minutes may have millions of events. Two of a million
    events in the same ten seconds have the same hash, and one of them is not shown, once in 37 million times.
    """

    def __init__(self) -> None:
        self._hashes: dict[tuple[int, int], array[int]] = {}

    def add(self, event: LogEvent) -> bool:
        """Note the event; False if it was noted before."""
        # Sorted arrays: a set would take ten times the room. Many short ones, so that an insertion is cheap.
        number = hash(event.event_id)
        key = (event.timestamp // _BUCKET_MS, number % _SHARDS)
        hashes = self._hashes.get(key)
        if hashes is None:
            hashes = self._hashes[key] = array("q")
        place = bisect_left(hashes, number)
        if place < len(hashes) and hashes[place] == number:
            return False
        hashes.insert(place, number)
        return True

    def forget_before(self, timestamp: int) -> None:
        """Forget the events older than `timestamp` (ms); none of them is asked for again."""
        for key in [key for key in self._hashes if (key[0] + 1) * _BUCKET_MS <= timestamp]:
            del self._hashes[key]


def in_order(events: Iterable[LogEvent], depth: int = REORDER_EVENTS) -> Iterator[LogEvent]:
    """Sort events that are at most `depth` places away from where they belong, in constant memory."""
    waiting: list[tuple[tuple[int, int], int, LogEvent]] = []
    for position, event in enumerate(events):
        entry = (event.sort_key, position, event)
        if len(waiting) < depth:
            heapq.heappush(waiting, entry)
        else:
            yield heapq.heappushpop(waiting, entry)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]
