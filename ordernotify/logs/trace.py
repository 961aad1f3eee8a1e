"""One order's story: what happened to it and when, from its item and its log lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ordernotify.aws.session import Cloud
from ordernotify.errors import StackNotFoundError
from ordernotify.logs.events import LogEvent, number_in
from ordernotify.orders.items import get_calls, get_order
from ordernotify.settings.names import Names

BEFORE_CREATION_MS = 60_000
"""How long before the item's createdAt its request may have begun."""
_STEP_NAMES = ("validated", "stored", "published", "marked")


FindEvents = Callable[[str, int], Sequence[LogEvent]]
"""Returns the log events of every request that touched the order, since a time (ms since 1970), in order."""


@dataclass(frozen=True, slots=True)
class TraceStep:
    """Something that happened to the order; `at` is in milliseconds since 1970, None if unknown."""

    name: str
    at: float | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """What is known about one order."""

    order_id: str
    item: Mapping[str, Any] | None
    """The order as it is stored; None if the table does not hold it."""
    steps: tuple[TraceStep, ...]
    requests: tuple[str, ...]
    """The ids of the requests that touched it, oldest first."""
    events: Sequence[LogEvent]
    """The log lines of those requests, in order."""
    missing: tuple[str, ...]
    """What could not be found, and why that may be."""
    hint: str = ""

    @property
    def known(self) -> bool:
        return self.item is not None or bool(self.events)


calls = get_calls
"""What reading the order calls; the log events come from the caller."""


def trace_order(
    cloud: Cloud, names: Names, order_id: str, find_events: FindEvents, since: int | None, default_since: int
) -> Trace:
    """Gather one order's story.

    The logs are read from `since` (ms since 1970); without it from a minute before the order was created,
    or from `default_since` if the table does not hold it. Raises StackNotFoundError if there is no table.
    """
    item = get_order(cloud, names, order_id)
    created = _milliseconds(item.get("createdAt")) if item else None
    if since is None:
        since = default_since if created is None else int(created) - BEFORE_CREATION_MS
    try:
        events = find_events(order_id, since)
        unread = ""
    except StackNotFoundError as error:
        events, unread = (), error.message
    return tell_story(order_id, item, events, unread)


def tell_story(
    order_id: str, item: Mapping[str, Any] | None, events: Sequence[LogEvent], unread: str = ""
) -> Trace:
    """Put the item and the log events together; `unread` says why there are no events at all."""
    requests = _requests(events)
    steps: list[TraceStep] = []
    for number, lines in enumerate(requests.values()):
        steps += _request_steps(lines, repeated=number > 0)
    steps += _from_item(item, steps)
    return Trace(
        order_id=order_id,
        item=item,
        steps=tuple(sorted(steps, key=lambda step: (step.at is None, step.at))),
        requests=tuple(requests),
        events=events,
        missing=tuple(_missing(order_id, item, events, {step.name for step in steps}, unread)),
        hint=_hint(item),
    )


def _requests(events: Iterable[LogEvent]) -> dict[str, list[LogEvent]]:
    """The function's own lines by request id, in order."""
    requests: dict[str, list[LogEvent]] = {}
    for event in events:
        request = (event.fields or {}).get("requestId")
        if event.source == "function" and isinstance(request, str):
            requests.setdefault(request, []).append(event)
    return requests


def _request_steps(lines: Sequence[LogEvent], repeated: bool) -> list[TraceStep]:
    by_event = {str((line.fields or {}).get("event")): line for line in lines}
    request, response = by_event.get("request"), by_event.get("response")
    again = " again" if repeated else ""
    answer = (response.fields or {}) if response else {}
    began = _began(request, response)
    steps = [] if began is None else [TraceStep("received" + again, began, f"request {_request_id(lines)}")]
    offsets = answer.get("steps")
    for name in _STEP_NAMES:
        offset = number_in(offsets.get(name)) if isinstance(offsets, Mapping) else None
        # A repeated request is checked against what is stored; it stores nothing.
        if offset is not None and began is not None and not (answer.get("replayed") and name == "stored"):
            steps.append(TraceStep(name + again, began + offset, _detail(name, answer)))
    return steps + (_answer_steps(response, again) if response else [])


def _began(request: LogEvent | None, response: LogEvent | None) -> float | None:
    """Return when the request came in; the response's own duration is the best source."""
    duration = number_in((response.fields or {}).get("durationMs")) if response else None
    if response is not None and duration is not None:
        return _logged_at(response) - duration
    return _logged_at(request) if request else None


def _detail(step: str, answer: Mapping[str, Any]) -> str:
    if step == "published" and answer.get("messageId"):
        return f"message {answer['messageId']}"
    return "as sent" if step == "marked" else ""


def _answer_steps(response: LogEvent, again: str) -> list[TraceStep]:
    answer = response.fields or {}
    at = _logged_at(response)
    steps = []
    failure = answer.get("error")
    if isinstance(failure, Mapping):
        why = f"{failure.get('code', '')}: {failure.get('message', '')}"
        steps.append(TraceStep(f"{failure.get('step', 'step')} failed{again}", at, why))
    duration = number_in(answer.get("durationMs"))
    took = f" in {duration:g} ms" if duration is not None else ""
    repeat = ", a repeat: nothing new was stored" if answer.get("replayed") else ""
    steps.append(TraceStep("answered" + again, at, f"status {answer.get('status', '?')}{took}{repeat}"))
    return steps


def _request_id(lines: Sequence[LogEvent]) -> str:
    return str((lines[0].fields or {}).get("requestId", ""))


def _logged_at(event: LogEvent) -> float:
    """When the line was written: by its own timestamp, else by CloudWatch's."""
    own = _milliseconds((event.fields or {}).get("timestamp"))
    return float(event.timestamp) if own is None else own


def _from_item(item: Mapping[str, Any] | None, steps: Sequence[TraceStep]) -> list[TraceStep]:
    if item is None:
        return []
    told = {step.name for step in steps}
    more = []
    if "stored" not in told:
        more.append(TraceStep("stored", _milliseconds(item.get("createdAt")), "by the item's createdAt"))
    if item.get("messageId") and "published" not in told:
        more.append(TraceStep("published", None, f"message {item['messageId']}"))
    return more


def _missing(
    order_id: str, item: Mapping[str, Any] | None, events: Sequence[LogEvent], told: set[str], unread: str
) -> Iterable[str]:
    if item is None:
        yield f"The table does not hold the order {order_id}: it was never stored, or was deleted."
    if unread:
        yield f"The logs cannot be read: {unread}."
    elif not events:
        yield (
            "No log line names the order: the lines may not have arrived yet (it can take some minutes), "
            "their retention may be over, or they are older than --since."
        )
    elif "answered" not in told:
        yield "The response is not logged (yet): the function is running, or failed before it answered."
    if item is not None and item.get("notification") == "pending":
        yield "The notification is not out yet: the order is stored and its notification is pending."


def _hint(item: Mapping[str, Any] | None) -> str:
    pending = item is not None and item.get("notification") == "pending"
    return "Run `ordernotify redrive` to send the pending notifications." if pending else ""


def _milliseconds(text: object) -> float | None:
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000
