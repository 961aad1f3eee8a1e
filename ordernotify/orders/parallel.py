"""Iterators that run side by side in threads, with bounded queues: memory stays flat whatever they yield."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_LOOK_SECONDS = 0.1
"""How often a thread that waits for room looks whether it is still wanted."""


@dataclass(frozen=True, slots=True)
class _End:
    """The last thing that a thread hands over: why it ended, or nothing."""

    error: BaseException | None = None


class Shared(Generic[Item]):
    """An iterator that several threads take from: each item goes to one of them."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._items = iter(items)
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        with self._lock:
            return next(self._items)


def merge(sources: Sequence[Iterable[Item]], *, buffered: int) -> Iterator[Item]:
    """Run each source in its own thread and yield what they yield, as it comes.

    At most `buffered` items wait for the consumer. The first error of a source is raised here. When the
    consumer stops early (an error, Ctrl-C, `close`), the threads stop at their next item; they are daemons,
    so that a call that hangs in one of them does not keep the command from ending.
    """
    out: queue.Queue[Item | _End] = queue.Queue(max(buffered, 1))
    stop = threading.Event()
    for number, source in enumerate(sources):
        threading.Thread(
            target=_hand_over, args=(source, out, stop), name=f"merge-{number}", daemon=True
        ).start()
    try:
        running = len(sources)
        while running:
            item = out.get()
            if not isinstance(item, _End):
                yield item
                continue
            running -= 1
            if item.error:
                raise item.error
    finally:
        stop.set()


def _hand_over(source: Iterable[Item], out: queue.Queue[Item | _End], stop: threading.Event) -> None:
    end = _End()
    try:
        for item in source:
            if not _put(out, item, stop):
                return
    except BaseException as error:  # noqa: BLE001 - raised again in the consumer's thread
        end = _End(error)
    _put(out, end, stop)


def _put(out: queue.Queue[Item | _End], item: Item | _End, stop: threading.Event) -> bool:
    while not stop.is_set():
        try:
            out.put(item, timeout=_LOOK_SECONDS)
        except queue.Full:
            continue
        return True
    return False


def in_parallel(
    items: Iterable[Item], work: Callable[[Item], Result], *, concurrency: int
) -> Iterator[Result]:
    """Do the work for each item, `concurrency` at a time, and yield the results as they come."""
    shared = Shared(items)
    return merge([map(work, shared) for _ in range(concurrency)], buffered=concurrency)
