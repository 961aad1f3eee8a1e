"""The embedded cloud saves its state by itself, so that a crash loses a few seconds and not everything.

The file `unsaved` in the cloud's folder is there while something is not saved; its time is that of the first
change. Whoever finds it beside a process that ended knows what was lost.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

App = Callable[
    [dict[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]
]

QUIET_SECONDS = 1.0
"""Changes are saved after this long without a request; after `setup`, for example."""
LONGEST_SECONDS = 25.0
"""Under steady traffic they are saved this long after the first change."""
REST_FACTOR = 10
"""After a save that took long, the next one waits this many times as long, up to LONGEST_SECONDS."""
MARK = "unsaved"
_READING = {"GET", "HEAD", "OPTIONS"}


def unsaved_since(folder: Path) -> float | None:
    """When the first change happened that is not saved, in seconds since 1970; None if all is saved."""
    try:
        return (folder / MARK).stat().st_mtime
    except OSError:
        return None


def forget_unsaved(folder: Path) -> None:
    """Note that nothing is left to save."""
    (folder / MARK).unlink(missing_ok=True)


class Saver:
    """Watches the requests of an ASGI app and calls `save` after something may have changed.

    `save` runs in the event loop: no request begins meanwhile, so that what is saved is consistent.
    """

    def __init__(
        self, save: Callable[[], None], folder: Path, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._save = save
        self._folder = folder
        self._now = now
        self._first: float | None = None
        self._last = 0.0
        self._not_before = 0.0

    def watched(self, app: App) -> Callable[..., Coroutine[Any, Any, None]]:
        async def watch(scope: dict[str, Any], receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                saving = asyncio.create_task(self._run())
                await app(scope, receive, send)  # it saves at its end
                saving.cancel()
                forget_unsaved(self._folder)
            elif scope["type"] == "http" and scope["method"] in _READING:
                await app(scope, receive, send)
            else:
                self.note_change()
                try:
                    await app(scope, receive, send)
                finally:
                    self.note_change()

        return watch

    def note_change(self) -> None:
        """Take note that something may have changed."""
        self._last = self._now()
        if self._first is None:
            self._first = self._last
            with suppress(OSError):
                (self._folder / MARK).touch()

    def save_if_due(self) -> None:
        """Save after a quiet moment, or long after the first change; a failed save is repeated."""
        now = self._now()
        if self._first is None or now < self._not_before:
            return
        if now - self._last < QUIET_SECONDS and now - self._first < LONGEST_SECONDS:
            return
        self._first = None
        with _Failures() as failures:
            self._save()
        self._not_before = self._now() + min(REST_FACTOR * (self._now() - now), LONGEST_SECONDS)
        if failures.seen:
            self._first = self._last = self._now()
        else:
            forget_unsaved(self._folder)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(QUIET_SECONDS / 4)
            self.save_if_due()


class _Failures(logging.Handler):
    """Notices a failed save: MiniStack says it only in its log."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen = False

    def emit(self, record: logging.LogRecord) -> None:
        self.seen = True

    def __enter__(self) -> _Failures:
        logging.getLogger("persistence").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("persistence").removeHandler(self)


def ministack_saver(environ: Mapping[str, str]) -> Saver:
    """The saver of MiniStack, which is told by its environment where its state is."""
    from ministack import app as ministack
    from ministack.core import persistence

    folder = Path(environ["STATE_DIR"]).parent
    return Saver(lambda: persistence.save_all(ministack._build_persistence_save_dict()), folder)
