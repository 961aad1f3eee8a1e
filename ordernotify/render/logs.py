"""Log lines and an order's story, for a person and as JSON."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from rich.text import Text

from ordernotify.render import clean, json_text, note, one_line, out
from ordernotify.render.hints import pasteable

if TYPE_CHECKING:
    from ordernotify.logs.events import LogEvent
    from ordernotify.logs.trace import Trace

_PLATFORM = re.compile(r"(START|END|REPORT|INIT_START|INIT_REPORT|EXTENSION|TELEMETRY|RESTORE_\w+)\b")
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
# Half of a surrogate pair is no character and cannot be written.
_SURROGATE = re.compile("[\ud800-\udfff]")
_LEVEL_STYLES = {
    "ERROR": "bold red",
    "CRITICAL": "bold red",
    "FATAL": "bold red",
    "WARNING": "yellow",
    "WARN": "yellow",
    "INFO": "green",
    "DEBUG": "dim",
}
_INDENT = " " * 13
"""As wide as a time: what follows a line break cannot pass for a line of its own."""
_SHOWN_FIRST = {
    *("timestamp", "level", "event", "method", "path", "orderId"),
    *("status", "durationMs", "latencyMs", "message", "coldStart", "steps"),
}
_LEFT_OUT_ON_A_TERMINAL = {
    *("requestId", "apiRequestId", "extendedRequestId"),
    *("headers", "userAgent", "requestTime"),
}
# API Gateway writes "-" for what it does not have.
_NOTHING = (None, "-")
_LONGEST_ON_A_TERMINAL = 100

Segment = tuple[str, str]


def iso_time(milliseconds: float) -> str:
    """A time in ISO 8601, UTC, to the millisecond."""
    moment = datetime.fromtimestamp(round(milliseconds) / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def local_day(now: datetime) -> date:
    """The day that it is here."""
    return now.astimezone().date()


def local_time(milliseconds: float, today: date) -> str:
    """The local time of day to the millisecond, with the date if that is not today."""
    moment = datetime.fromtimestamp(round(milliseconds) / 1000).astimezone()
    clock = moment.strftime("%H:%M:%S.") + f"{moment.microsecond // 1000:03d}"
    return clock if moment.date() == today else f"{moment.date().isoformat()} {clock}"


def event_json(event: LogEvent) -> dict[str, Any]:
    """What `logs --json` prints of an event: our own lines' fields beside CloudWatch's, others' text."""
    fields = event.fields
    own: Mapping[str, Any] = {"message": event.message} if fields is None else fields
    return {
        "timestamp": iso_time(event.timestamp),
        "source": event.source,
        "eventId": event.event_id,
    } | {name: value for name, value in own.items() if name not in ("timestamp", "source", "eventId")}


def event_line(event: LogEvent, today: date, *, short: bool) -> list[Segment]:
    """One event as text and style; `short` leaves out what makes a line too long for a screen."""
    time: Segment = (local_time(event.timestamp, today) + " ", "dim")
    api: list[Segment] = [("api ", "cyan")] if event.source == "api" else []
    fields = event.fields
    if fields is None or "record" in fields:
        return [time, *api, *_foreign(event.message)]
    return [time, *api, *_own(fields, short)]


def _foreign(message: str) -> list[Segment]:
    lines = [clean(line) for line in _LINE_BREAK.split(message)]
    style = "dim" if _PLATFORM.match(message) or message.startswith("{") else ""
    if message.startswith(("[ERROR]", "Traceback ")):
        style = "red"
    return [(("\n" + _INDENT).join(lines), style)]


def _own(fields: Mapping[str, Any], short: bool) -> list[Segment]:
    left_out = _SHOWN_FIRST | _metric_names(fields) | (_LEFT_OUT_ON_A_TERMINAL if short else set())
    level = one_line(fields.get("level", ""))
    duration = fields.get("durationMs", fields.get("latencyMs"))
    words: list[Segment] = [
        (f"{level:<7}", _LEVEL_STYLES.get(level.upper(), "")) if level else ("", ""),
        (f"{one_line(fields.get('event', '')):<8}" if "event" in fields else "", ""),
        (" ".join(one_line(fields[name]) for name in ("method", "path") if fields.get(name)), ""),
        (one_line(fields.get("orderId") or ""), "bold"),
        (one_line(fields.get("status", "")), _status_style(fields.get("status"))),
        (f"{one_line(duration)} ms" if duration is not None else "", ""),
        (one_line(fields.get("message", "")), ""),
        ("(cold start)" if fields.get("coldStart") is True else "", "yellow"),
        (_steps(fields.get("steps")), "dim"),
        *(
            (f"{one_line(name)}={_value(value, short)}", "dim")
            for name, value in fields.items()
            if name not in left_out and value not in _NOTHING
        ),
    ]
    return _joined(words)


def _joined(words: Iterable[Segment]) -> list[Segment]:
    joined: list[Segment] = []
    for word in words:
        if word[0]:
            joined += [(" ", ""), word] if joined else [word]
    return joined


def _metric_names(fields: Mapping[str, Any]) -> set[str]:
    """The keys that are only there for CloudWatch's embedded metric format."""
    names = {"_aws"}
    directives = fields["_aws"].get("CloudWatchMetrics") if isinstance(fields.get("_aws"), Mapping) else None
    for directive in directives if isinstance(directives, list) else []:
        if isinstance(directive, Mapping):
            metrics, dimensions = directive.get("Metrics"), directive.get("Dimensions")
            names |= {str(each.get("Name")) for each in _list(metrics) if isinstance(each, Mapping)}
            names |= {str(name) for group in _list(dimensions) for name in _list(group)}
    return names


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _status_style(status: object) -> str:
    first = str(status)[:1]
    return {"2": "green", "4": "yellow", "5": "bold red"}.get(first, "")


def _steps(steps: object) -> str:
    if not isinstance(steps, Mapping) or not steps:
        return ""
    return f"({', '.join(f'{one_line(name)} {one_line(at)}' for name, at in steps.items())} ms)"


def _value(value: object, short: bool) -> str:
    text = one_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    return text[:_LONGEST_ON_A_TERMINAL] + "…" if short and len(text) > _LONGEST_ON_A_TERMINAL else text


class LinePrinter:
    """Prints log events on stdout in one of the three forms."""

    def __init__(self, *, as_json: bool, raw: bool, following: bool, now: Callable[[], datetime]) -> None:
        """Choose the form; `following` writes each line out at once; `now` tells which day is today."""
        self._now = now
        self._json = as_json
        self._raw = raw
        self._following = following

    def show(self, event: LogEvent) -> None:
        """Print one event."""
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
        line = event_line(event, local_day(self._now()), short=out.is_terminal)
        if out.is_terminal:
            out.print(Text.assemble(*line))
        else:  # a long log is written four times as fast without rich
            sys.stdout.write("".join(text for text, _ in line) + "\n")


def trace_json(trace: Trace) -> dict[str, Any]:
    """What `trace --json` prints."""
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
        "logLines": trace.lines,
        "missing": list(trace.missing),
        "hint": pasteable(trace.hint) or None,
        "order": trace.item,
    }


def show_trace(trace: Trace, now: datetime) -> None:
    """Print an order's story on one screen; what is missing goes to stdout too: it is part of the story."""
    for line in trace_lines(trace, local_day(now)):
        out.print(Text.assemble(*line))
    if trace.hint:
        note(trace.hint)


def trace_lines(trace: Trace, today: date) -> Iterable[list[Segment]]:
    """The lines of an order's story."""
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
    for each in trace.missing:
        yield [("Missing: ", "yellow"), (one_line(each), "")]


def _about(item: Mapping[str, Any]) -> str:
    product, customer = item.get("productName", "?"), item.get("customerName", "?")
    return one_line(
        f"{item.get('quantity', 1)} x {product} for {customer}, notification {item.get('notification', '?')}"
    )
