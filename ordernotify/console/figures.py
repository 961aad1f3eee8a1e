"""The numbers and states that every page shows, as words, from a snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ordernotify.console.site import Site
from ordernotify.settings.names import Names
from ordernotify.stack.health import AlarmState
from ordernotify.watch.served import KINDS
from ordernotify.watch.watcher import Snapshot

ALARM_PARTS = {
    "errors": "function",
    "throttles": "function",
    "duration": "function",
    "api-5xx": "api",
    "notifications-pending": "topic",
    "undelivered": "subscribers",
}
"""Which part of the path each alarm is about."""
UNKNOWN_TEXT = "–"


def figures(snapshot: Snapshot, site: Site) -> Mapping[str, Any]:
    """Return the texts by the names that the pages use, the state of each part's alarms, and the trouble.

    `about` names the stack and where it lives.
    """
    counted, rates, known = snapshot.counted, snapshot.rates, snapshot.present is True
    kinds = rates.kinds or {}
    pending_people = sum(one.pending for one in snapshot.subscribers)
    confirmed = len(snapshot.subscribers) - pending_people
    least = "" if counted is None or counted.complete else "≥ "
    texts = {
        "orders": f"{least}{counted.orders:,}" if counted else UNKNOWN_TEXT,
        "pending": f"{least}{counted.pending:,}" if counted else UNKNOWN_TEXT,
        "perMinute": f"{rates.per_minute:,}" if known else UNKNOWN_TEXT,
        "answers": f"{sum(kinds.values()):,}" if known else UNKNOWN_TEXT,
        "p50": milliseconds(rates.p50),
        "p95": milliseconds(rates.p95),
        "p99": milliseconds(rates.p99),
        "confirmed": str(confirmed) if known else UNKNOWN_TEXT,
        "unconfirmed": f"{pending_people} to confirm" if pending_people else "",
        **{kind: f"{kinds.get(kind, 0):,}" if known else UNKNOWN_TEXT for kind in KINDS},
    }
    return {
        "about": f"{site.stack}, {site.place}",
        "texts": texts,
        "parts": part_alarms(snapshot, site.names),
        "trouble": snapshot.trouble,
        "present": snapshot.present,
    }


def milliseconds(value: float) -> str:
    if not value:
        return UNKNOWN_TEXT
    return f"{value / 1000:.1f} s" if value >= 1000 else f"{value:.0f} ms"


def watched(alarm: AlarmState, names: Names) -> str:
    """Return what an alarm watches: its name without the part that all alarms of the stack share."""
    return alarm.name.removeprefix(names.alarm(""))


def part_alarms(snapshot: Snapshot, names: Names) -> dict[str, str]:
    """Return for each part with alarms `alarm`, `ok`, or empty where no alarm has data yet."""
    found: dict[str, str] = dict.fromkeys(ALARM_PARTS.values(), "")
    for alarm in snapshot.alarms:
        part = ALARM_PARTS.get(watched(alarm, names))
        if part and found[part] != "alarm":
            found[part] = {"ALARM": "alarm", "OK": "ok"}.get(alarm.state, found[part])
    return found
