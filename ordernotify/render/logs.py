"""Log lines as they come, and an order's story, for a person and as JSON."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from rich.text import Text

from ordernotify.render import clean, json_text, note, one_line, out, say
from ordernotify.render.hints import pasteable
from ordernotify.render.log_lines import Segment, event_json, event_line, iso_time, local_day, local_time

if TYPE_CHECKING:
    from ordernotify.logs.events import LogEvent
    from ordernotify.logs.trace import Trace

# Half of a surrogate pair is no character and cannot be written.
_SURROGATE = re.compile("[\ud800-\udfff]")


class LinePrinter:
    """Prints log events on stdout in one of the three forms."""

    def __init__(
        self,
        *,
        as_json: bool,
        raw: bool,
        following: bool,
        now: Callable[[], datetime],
        every_field: bool = False,
    ) -> None:
        """Choose the form; `following` writes each line out at once; `now` tells which day is today."""
        self._now = now
        self._every_field = every_field
        self._json = as_json
        self._raw = raw
        self._following = following

    def show(self, event: LogEvent) -> None:
        if self._json:
            sys.stdout.write(json_text(event_json(event)) + "\n")
        elif self._raw:
            # A file or a program gets what was logged; a terminal must not obey it.
            text = _SURROGATE.sub("�", event.message)
            sys.stdout.write((clean(text) if sys.stdout.isatty() else text) + "\n")
        else:
            self._show_readable(event)
        if self._following:
            sys.stdout.flush()

    def _show_readable(self, event: LogEvent) -> None:
        line = event_line(event, local_day(self._now()), short=not self._every_field)
        if out.is_terminal or out.color_system:
            out.print(Text.assemble(*line))
        else:  # a long log is written four times as fast without rich
            sys.stdout.write("".join(text for text, _ in line) + "\n")


def trace_json(trace: Trace) -> dict[str, Any]:
    item = trace.item or {}
    return {
        "orderId": trace.order_id,
        "found": trace.item is not None,
        "notification": item.get("notification"),
        "messageId": item.get("messageId"),
        "steps": [
            {"name": step.name, "at": None if step.at is None else iso_time(step.at), "detail": step.detail}
            for step in trace.steps
        ],
        "requests": list(trace.requests),
        "logLines": len(trace.events),
        "missing": list(trace.missing),
        "hint": pasteable(trace.hint) or None,
        "order": trace.item,
    }


def show_trace(trace: Trace, now: datetime) -> None:
    """Print an order's story on one screen; what is missing goes to stdout too: it is part of the story."""
    for line in _story(trace, local_day(now)):
        out.print(Text.assemble(*line))
    for each in trace.missing:
        say(out, one_line(each), ("Missing: ", "yellow"))
    if trace.hint:
        note(trace.hint)


def _story(trace: Trace, today: date) -> Iterable[list[Segment]]:
    yield [("Order ", "bold"), (one_line(trace.order_id), "bold")]
    if trace.item is not None:
        yield [(_about(trace.item), "")]
    names = [one_line(step.name) for step in trace.steps]
    times = [local_time(step.at, today) if step.at is not None else "(time unknown)" for step in trace.steps]
    wide, long = max(map(len, times), default=0), max(map(len, names), default=0)
    for time, name, step in zip(times, names, trace.steps, strict=True):
        style = "red" if " failed" in name else "green"
        detail = "  " + one_line(step.detail) if step.detail else ""
        yield [(f"  {time:<{wide}}  ", "dim"), (f"{name:<{long}}" if detail else name, style), (detail, "")]


def _about(item: Mapping[str, Any]) -> str:
    product, customer = item.get("productName", "?"), item.get("customerName", "?")
    return one_line(
        f"{item.get('quantity', 1)} x {product} for {customer}, notification {item.get('notification', '?')}"
    )
