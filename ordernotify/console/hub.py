"""Tells every open page what the watcher sees, and remembers the newest of it; all of it is bounded."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from ordernotify.logs.events import LogEvent
from ordernotify.watch.served import Served
from ordernotify.watch.watcher import NEWEST_LINES, Look, Snapshot

WAITING_MESSAGES = 100
"""How far a page may lag behind before it is cut off; it then connects again and is up to date."""
MOVES_AT_ONCE = 12
"""How many orders of one look are shown moving; more would be a blur."""
HEARTBEAT_SECONDS = 15.0

Figures = Mapping[str, Any]


class Hub:
    """Where the watcher and the pages meet; used in one event loop only."""

    def __init__(self, figures: Callable[[Snapshot], Figures]) -> None:
        self._figures = figures
        self.snapshot = Snapshot()
        self.lines: deque[LogEvent] = deque(maxlen=NEWEST_LINES)
        self._pages: set[asyncio.Queue[str | None]] = set()
        self._first = True
        self._shown: Figures = {}

    def take(self, look: Look) -> None:
        """Note what a look brought, and tell the pages what changed."""
        before, self.snapshot = self.snapshot, look.snapshot
        self.lines.extend(look.lines)
        news = ["lines"] if look.lines else []
        news += ["orders", "inbox"] if look.answers or before.counted != look.snapshot.counted else []
        moves = [] if self._first else [_move(one) for one in look.answers[-MOVES_AT_ONCE:]]
        self._first = self._first and look.snapshot.present is not True
        figures = self._figures(look.snapshot)
        if figures != self._shown or news:
            self._shown = figures
            self._tell({"state": figures, "news": news, "moves": moves})

    def _tell(self, message: Mapping[str, Any]) -> None:
        text = json.dumps(message)
        for page in list(self._pages):
            try:
                page.put_nowait(text)
            except asyncio.QueueFull:
                self._pages.discard(page)
                page.get_nowait()
                page.put_nowait(None)

    def close(self) -> None:
        """End every page's stream."""
        for page in list(self._pages):
            self._pages.discard(page)
            if page.full():
                page.get_nowait()
            page.put_nowait(None)

    async def stream(self) -> AsyncIterator[str]:
        """Yield server-sent events for one page, beginning with the state as it is."""
        page: asyncio.Queue[str | None] = asyncio.Queue(WAITING_MESSAGES)
        self._pages.add(page)
        try:
            yield _event(json.dumps({"state": self._shown, "news": [], "moves": []}))
            while True:
                try:
                    text = await asyncio.wait_for(page.get(), HEARTBEAT_SECONDS)
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                if text is None:
                    return
                yield _event(text)
        finally:
            self._pages.discard(page)


def _event(text: str) -> str:
    # One line: JSON has no line breaks of its own.
    return f"retry: 1000\ndata: {text}\n\n"


def _move(one: Served) -> Mapping[str, Any]:
    return {
        "kind": one.kind,
        "stored": one.kind == "stored",
        "published": "published" in one.steps or one.notification == "sent",
    }
