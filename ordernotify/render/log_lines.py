"""One log event as a line for a person, and as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len, set_cell_size

from ordernotify.logs.filters import is_platform
from ordernotify.render import clean, one_line, short_id

if TYPE_CHECKING:
    from ordernotify.logs.events import LogEvent

_LINE_BREAK = re.compile(r"\r\n|\r|\n")
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
_LEFT_OUT = {
    *("requestId", "apiRequestId", "extendedRequestId"),
    *("headers", "userAgent", "requestTime"),
}
"""Unless every field is asked for."""
# API Gateway writes "-" for what it does not have.
_NOTHING = (None, "-")
_LONGEST_VALUE = 100
_COLUMNS = 100
"""The line of an order that went well fits into this many columns."""

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


def event_line(event: LogEvent, today: date, *, short: bool, columns: int = _COLUMNS) -> list[Segment]:
    """One event as text and style; `short` keeps what a person looks for, in one line of so many columns."""
    time: Segment = (local_time(event.timestamp, today) + " ", "dim")
    api: list[Segment] = [("api ", "cyan")] if event.source == "api" else []
    fields = event.fields
    if fields is None or "record" in fields:
        return [time, *api, *_foreign(event)]
    if not short:
        return [time, *api, *_joined([*_first_words(fields), *_other_fields(fields, short=False)])]
    line = [time, *api, *_joined(_first_words({**fields, "orderId": short_id(fields.get("orderId") or "")}))]
    if event.source != "api" and fields.get("event") not in ("request", "response"):
        return [*line, *_after(_joined(_other_fields(fields, short=True)))]
    used = sum(cell_len(text) for text, _ in line)
    return [*line, *_after(_joined(_meaning(fields, columns - used - 1)))]


def _after(words: list[Segment]) -> list[Segment]:
    return [(" ", ""), *words] if words else []


def _foreign(event: LogEvent) -> list[Segment]:
    message = event.message
    lines = [clean(line).replace("\t", "  ") for line in _LINE_BREAK.split(message)]
    style = "dim" if is_platform(event) or message.startswith("{") else ""
    if message.startswith(("[ERROR]", "Traceback ")):
        style = "red"
    return [(("\n" + _INDENT).join(lines), style)]


def _first_words(fields: Mapping[str, Any]) -> list[Segment]:
    level = one_line(fields.get("level", ""))
    duration = fields.get("durationMs", fields.get("latencyMs"))
    return [
        (f"{level:<7}", _LEVEL_STYLES.get(level.upper(), "")) if level else ("", ""),
        (f"{one_line(fields.get('event', '')):<8}" if "event" in fields else "", ""),
        (" ".join(one_line(fields[name]) for name in ("method", "path") if fields.get(name)), ""),
        (one_line(fields.get("orderId") or ""), "bold"),
        (one_line(fields.get("status", "")), _status_style(fields.get("status"))),
        (f"{one_line(duration)} ms" if duration is not None else "", ""),
        (one_line(fields.get("message", "")), ""),
        ("(cold start)" if fields.get("coldStart") is True else "", "yellow"),
    ]


def _other_fields(fields: Mapping[str, Any], *, short: bool) -> Iterator[Segment]:
    yield _steps(fields.get("steps")), "dim"
    left_out = _SHOWN_FIRST | _metric_names(fields) | (_LEFT_OUT if short else set())
    for name, value in fields.items():
        if name not in left_out and value not in _NOTHING:
            yield f"{one_line(name)}={_value(value, short)}", "dim"


def _meaning(fields: Mapping[str, Any], columns: int) -> Iterator[Segment]:
    """Say what a request asks for, cut to this many columns, or all of what went wrong with it."""
    body = fields.get("body")
    if isinstance(body, Mapping) and "productName" in body:
        order = f"{body.get('quantity', 1)} x {body['productName']} for {body.get('customerName', '?')}"
        text = one_line(order)
        yield (text if cell_len(text) <= columns else set_cell_size(text, max(columns, 1) - 1) + "…"), "dim"
    faults = body.get("errors") if isinstance(body, Mapping) else None
    told = [f"{one.get('field')} {one.get('message')}" for one in _list(faults) if isinstance(one, Mapping)]
    yield one_line(f"({', '.join(told)})" if told else ""), "yellow"
    failure = fields.get("error")
    if isinstance(failure, Mapping):
        yield one_line(f"({failure.get('step', 'step')} failed: {failure.get('message', '')})"), "red"
    for name in ("error", "errorType", "integrationError"):
        value = fields.get(name)
        if isinstance(value, str) and value not in _NOTHING:
            yield f"{name}={one_line(value)}", "red"


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
    return text[:_LONGEST_VALUE] + "…" if short and len(text) > _LONGEST_VALUE else text
