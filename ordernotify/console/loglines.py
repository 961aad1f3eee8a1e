"""Log lines as the pages show them."""

from __future__ import annotations

from datetime import date
from typing import Any

from ordernotify.logs.events import LogEvent
from ordernotify.logs.filters import is_error
from ordernotify.render.log_lines import event_line

_YEAR_ONE = date(1, 1, 1)
_COLUMNS = 1000
"""A page wraps its lines by itself: customer and product, of 200 characters at most, are whole on it."""


def line_words(event: LogEvent) -> dict[str, Any]:
    """One log line as the page shows it: the words that `logs` prints, its level, and its order."""
    fields = event.fields or {}
    level = "error" if is_error(event) else str(fields.get("level", "")).lower()
    # The first word is the time, which the page writes by itself.
    words = event_line(event, _YEAR_ONE, short=True, columns=_COLUMNS)[1:]
    return {
        "id": event.event_id,
        "at": event.timestamp,
        "source": event.source,
        "level": level,
        "order_id": str(fields.get("orderId") or ""),
        "words": "".join(text for text, _ in words),
    }
