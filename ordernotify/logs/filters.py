"""Choosing log events: those with a text, with an error, or of every request that touched one order.

The choice is made here and not by CloudWatch: its filter patterns look for words, tell cases apart, and
mean different things to different emulators. Only the search for one order in a range asks CloudWatch to
filter, so that an order of last week is found without reading the week.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ordernotify.logs.events import LogEvent

MAX_REQUEST_SECONDS = 900
"""A function runs for 15 minutes at most, so that a request's lines are no further apart (Lambda quotas)."""
REQUEST_PATTERNS = 10
"""Up to how many requests are searched one by one; more are cheaper to find in one reading."""
PENDING_EVENTS = 50_000
"""How many lines are held while it is not known yet which order their request touches."""

_ERROR_LEVELS = {"ERROR", "CRITICAL", "FATAL"}
_ERROR_TEXT = re.compile(
    r"\[(?:ERROR|CRITICAL|FATAL)\]|\b(?:ERROR|CRITICAL|FATAL)\b|Traceback \(most recent call last\)"
    r"|Task timed out|Runtime exited|Process exited|Runtime\.\w+|Status: (?:error|timeout)",
)
_PLATFORM_TEXT = re.compile(r"(START|END|REPORT|INIT_START|INIT_REPORT|EXTENSION|TELEMETRY|RESTORE_\w+)\b")
_TRACEBACK = "Traceback (most recent call last)"
_FUNCTION_LINE_KEYS = ("requestId",)
_API_LINE_KEYS = ("requestId", "apiRequestId", "integrationRequestId", "lambdaRequestId", "functionRequestId")
_REQUEST_TEXT = re.compile(r"(?:RequestId: |\t)([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b")
_FIRST_ERROR_STATUS = 500


def _status(fields: Mapping[str, Any]) -> int:
    # The API's access log has its numbers as text.
    try:
        return int(fields.get("status", 0))
    except (TypeError, ValueError):
        return 0


def is_error(event: LogEvent) -> bool:
    """Whether the line reports an error: its level, a status of 500 or more, or a known text of Lambda."""
    fields = event.fields
    if fields is None:
        return bool(_ERROR_TEXT.search(event.message))
    if str(fields.get("level", "")).upper() in _ERROR_LEVELS or _status(fields) >= _FIRST_ERROR_STATUS:
        return True
    # An uncaught exception with JSON as the log format, and a timeout in Lambda's own JSON lines.
    record = fields.get("record")
    status = record.get("status") if isinstance(record, Mapping) else None
    return fields.get("errorType", "-") != "-" or status in ("error", "failure", "timeout")


def is_platform(event: LogEvent) -> bool:
    """Whether Lambda itself wrote the line: the start, the end and the report of a run, and the like."""
    fields = event.fields
    if fields is None:
        return _PLATFORM_TEXT.match(event.message) is not None
    return str(fields.get("type", "")).startswith("platform.") and "record" in fields


class ErrorLines:
    """Chooses errors, with the lines of a traceback if each came as its own event."""

    def __init__(self) -> None:
        self._in_traceback: set[tuple[str, str]] = set()

    def feed(self, event: LogEvent) -> list[LogEvent]:
        stream = (event.source, event.stream)
        if event.message.startswith(_TRACEBACK):
            self._in_traceback.add(stream)
            return [event]
        if stream in self._in_traceback:
            # The exception itself is the first line that is not indented.
            if not event.message.startswith((" ", "\t")):
                self._in_traceback.discard(stream)
            return [event]
        return [event] if is_error(event) else []


def request_ids(event: LogEvent) -> frozenset[str]:
    """The ids of the request that the line is about: Lambda's, and on a line of the API every id it has."""
    fields = event.fields
    if fields is None:
        return frozenset(_REQUEST_TEXT.findall(event.message))
    keys = _API_LINE_KEYS if event.source == "api" else _FUNCTION_LINE_KEYS
    record = fields.get("record")
    places = [fields, record] if isinstance(record, Mapping) else [fields]
    return _texts(place.get(key) for place in places for key in keys)


def _texts(values: Iterable[object]) -> frozenset[str]:
    # API Gateway writes "-" for a value that it does not have.
    return frozenset(value for value in values if isinstance(value, str) and value not in ("", "-"))


class _Requests:
    """The known requests that touched an order.

    A line of the function belongs to one by Lambda's request id only: the API's id, which the function logs
    as well, is the same in all console tests. It leads to the lines of the API, and not back.
    """

    def __init__(self) -> None:
        self.function_ids: set[str] = set()
        self.api_ids: set[str] = set()

    def learn(self, event: LogEvent) -> None:
        if event.source == "function":
            self.function_ids |= request_ids(event)
            self.api_ids |= _texts([(event.fields or {}).get("apiRequestId")])

    def have(self, event: LogEvent) -> bool:
        return self.include(request_ids(event))

    def include(self, ids: frozenset[str]) -> bool:
        return not (ids.isdisjoint(self.function_ids) and ids.isdisjoint(self.api_ids))


def mentions(order_id: str) -> Callable[[LogEvent], bool]:
    """Whether a line names this order, and not only one whose id contains this id."""
    pattern = re.compile(rf"(?<![\w-]){re.escape(order_id)}(?![\w-])")
    return lambda event: pattern.search(event.message) is not None


class OrderLines:
    """Chooses, while following, the lines of every request that touched one order.

    A request's first lines do not name the order yet: they are held until a later line does.
    """

    def __init__(self, order_id: str) -> None:
        self._mentions = mentions(order_id)
        self._requests = _Requests()
        self._pending: deque[tuple[LogEvent, frozenset[str]]] = deque(maxlen=PENDING_EVENTS)

    def feed(self, event: LogEvent) -> list[LogEvent]:
        """Give back the events that are chosen now: this one, and those held for its request."""
        ids = request_ids(event)
        if not self._mentions(event) and not self._requests.include(ids):
            if ids:
                self._pending.append((event, ids))
            return []
        self._requests.learn(event)
        chosen = [event]
        # A line of the function that is released may tell the id of the API's line.
        while released := [each for each in self._pending if self._requests.include(each[1])]:
            for held in released:
                self._requests.learn(held[0])
                self._pending.remove(held)
            chosen = [*(held for held, _ in released), *chosen]
        return sorted(chosen, key=lambda each: each.sort_key)


Read = Callable[[int, int | None, str], Iterator[LogEvent]]


def find_order_events(read: Read, order_id: str, start: int, end: int | None) -> list[LogEvent]:
    """Find the lines of every request that touched the order between two times (ms), in order.

    `read` is LogReader.read. A request's lines are found whole, also those outside of the two times.
    """
    named = list(filter(mentions(order_id), read(start, end, _phrase(order_id))))
    if not named:
        return []
    requests = _Requests()
    found: list[LogEvent] = []
    margin = MAX_REQUEST_SECONDS * 1000
    first, last = max(0, named[0].timestamp - margin), named[-1].timestamp + margin
    for event in named:
        requests.learn(event)
    # The function's lines come first: they tell the ids by which the API's lines are found.
    for ids in (requests.function_ids, requests.api_ids):
        patterns = list(map(_phrase, sorted(ids))) if len(ids) <= REQUEST_PATTERNS else [""]
        for pattern in patterns:
            found += filter(requests.have, read(first, last, pattern))
        for event in found:
            requests.learn(event)
    # By id, each once; those of one millisecond stay as they were read.
    unique = {(event.source, event.event_id): event for event in [*found, *named]}
    return sorted(unique.values(), key=lambda event: event.sort_key)


def _phrase(text: str) -> str:
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html: a phrase is quoted
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def chosen(
    events: Iterator[LogEvent],
    order: str | None = None,
    text: str | None = None,
    *,
    errors: bool = False,
    platform: bool = False,
) -> Iterator[LogEvent]:
    """Yield the events that match every filter given: an order, a text in any case, errors.

    The platform's lines are left out, unless they are asked for or report an error.
    """
    stages: list[Callable[[LogEvent], list[LogEvent]]] = []
    if order:
        stages.append(OrderLines(order).feed)
    if errors:
        stages.append(ErrorLines().feed)
    if text:
        part = text.casefold()
        stages.append(lambda event: [event] if part in event.message.casefold() else [])
    if not platform:
        stages.append(lambda event: [] if is_platform(event) and not is_error(event) else [event])
    for stage in stages:
        events = _through(events, stage)
    return events


def _through(events: Iterator[LogEvent], stage: Callable[[LogEvent], list[LogEvent]]) -> Iterator[LogEvent]:
    for event in events:
        yield from stage(event)
