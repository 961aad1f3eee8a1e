"""A stack as it is at this moment, in the terminal."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ordernotify.render import clean, json_document, out, show_table
from ordernotify.render.listing import order_table
from ordernotify.watch.history import PERCENTILES, History
from ordernotify.watch.served import KINDS
from ordernotify.watch.watcher import Snapshot, Watcher

SHOWN_ORDERS = 12
_UNKNOWN = "–"
_STATES = {"OK": ("ok", "green"), "ALARM": ("IN ALARM", "bold red")}


def show_live(watcher: Watcher, stack: str) -> None:
    """Show every look in place of the one before, until KeyboardInterrupt."""
    with Live(console=out, auto_refresh=False, screen=True) as live:
        while True:
            live.update(screen_of(watcher.look().snapshot, stack), refresh=True)
            time.sleep(watcher.pause)


def show_once(snapshot: Snapshot, stack: str, history: History | None = None) -> None:
    """Print one look, and a history where it is given."""
    show_table(screen_of(snapshot, stack))
    if history:
        out.print()
        show_table(_history(history))


def _history(history: History) -> Table:
    """The steps of a history in which something happened."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("From", *KINDS, "pending", *PERCENTILES):
        table.add_column(heading, no_wrap=True)
    for at, moment in enumerate(history.times()):
        counts = [history.kinds[kind][at] for kind in KINDS] + [history.pending[at]]
        if any(counts):
            times = [history.latency[name][at] for name in PERCENTILES]
            shown = [_UNKNOWN if value is None else f"{value:.0f} ms" for value in times]
            table.add_row(moment.astimezone().strftime("%m-%d %H:%M"), *(f"{n:g}" for n in counts), *shown)
    return table


def _history_document(history: History) -> list[dict[str, Any]]:
    return [
        {
            "from": moment.isoformat().replace("+00:00", "Z"),
            "answers": {kind: history.kinds[kind][at] for kind in KINDS},
            "leftPending": history.pending[at],
            "latencyMs": {name: history.latency[name][at] for name in PERCENTILES},
        }
        for at, moment in enumerate(history.times())
    ]


def screen_of(snapshot: Snapshot, stack: str) -> RenderableType:
    """Lay a snapshot out: counts and rates, then alarms, then the newest orders."""
    parts: list[RenderableType] = [Text(f"Stack {stack}", "bold")]
    if snapshot.trouble:
        parts.append(Text(f"Not up to date: {clean(snapshot.trouble)}", "bold red"))
    return Group(*parts, _figures(snapshot), Text(), _alarms(snapshot), Text(), _newest(snapshot))


def _figures(snapshot: Snapshot) -> Table:
    counted, rates = snapshot.counted, snapshot.rates
    least = "" if counted is None or counted.complete else "at least "
    kinds = rates.kinds or {}
    pending = sum(one.pending for one in snapshot.subscribers)
    table = Table.grid(padding=(0, 2))
    table.add_row("Orders", f"{least}{counted.orders}" if counted else _UNKNOWN)
    table.add_row("Notifications pending", f"{least}{counted.pending}" if counted else _UNKNOWN)
    table.add_row("Orders in the last minute", str(rates.per_minute))
    answers = ", ".join(f"{kind} {kinds.get(kind, 0)}" for kind in KINDS)
    table.add_row("Answers in ten minutes", answers)
    latency = f"p50 {rates.p50:.0f}, p95 {rates.p95:.0f}, p99 {rates.p99:.0f} ms" if rates.p99 else _UNKNOWN
    table.add_row("Latency of the function", latency)
    table.add_row("Subscribers", f"{len(snapshot.subscribers) - pending} confirmed, {pending} pending")
    return table


def _alarms(snapshot: Snapshot) -> Table:
    table = Table.grid(padding=(0, 2))
    for alarm in snapshot.alarms:
        table.add_row(clean(alarm.name), Text(*_STATES.get(alarm.state, ("no data yet", "dim"))))
    if not snapshot.alarms:
        table.add_row(Text("No alarm is known.", "dim"))
    return table


def _newest(snapshot: Snapshot) -> RenderableType:
    if not snapshot.newest:
        return Text("No order yet.", "dim")
    return order_table(snapshot.newest[:SHOWN_ORDERS])


def show_json(snapshot: Snapshot, history: History | None = None) -> None:
    counted, rates = snapshot.counted, snapshot.rates
    kinds = rates.kinds or {}
    document: dict[str, Any] = {
        "orders": counted and counted.orders,
        "pendingNotifications": counted and counted.pending,
        "countsComplete": counted is not None and counted.complete,
        "ordersPerMinute": rates.per_minute,
        "answers": {kind: kinds.get(kind, 0) for kind in KINDS},
        "latencyMs": {"p50": rates.p50, "p95": rates.p95, "p99": rates.p99},
        "alarms": [{"name": alarm.name, "state": alarm.state} for alarm in snapshot.alarms],
        "subscriptions": [
            {"protocol": one.protocol, "endpoint": one.endpoint, "state": one.state}
            for one in snapshot.subscribers
        ],
        "newest": list(snapshot.newest),
    }
    if history:
        document["history"] = _history_document(history)
    json_document(document)
