"""How a stack is doing: its alarms, its orders, and its last errors."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ordernotify.aws.errors import map_botocore_errors
from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import Clock, SystemClock
from ordernotify.iam.calls import Calls, allow
from ordernotify.logs.events import LogEvent
from ordernotify.logs.reader import BackOff, GroupMissingError, GroupReader, function_calls
from ordernotify.orders.items import OrderCount, count_calls, count_orders
from ordernotify.resources.watches import watches
from ordernotify.settings.model import Settings
from ordernotify.settings.names import Names
from ordernotify.times import milliseconds

ALARMS = tuple(watch.what for watch in watches(Settings()))
"""What a stack's alarms watch: other stacks' alarms begin with the same letters."""
ERROR_AGES = (timedelta(minutes=15), timedelta(hours=2), timedelta(hours=24))
"""How far back to look for errors; each further step only if the ones before found too few."""
MOST_ERRORS = 3
MOST_ERROR_PAGES = 10
"""FilterLogEvents may answer with any number of empty pages; a search of a busy day has thousands."""
MOST_ERROR_SECONDS = 5.0
"""No further page is asked for after this time."""
ERROR_PATTERN = '{ $.level = "ERROR" }'


@dataclass(frozen=True, slots=True)
class AlarmState:
    """An alarm and what it says: OK, ALARM or INSUFFICIENT_DATA."""

    name: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class ErrorLine:
    """An error that the function logged; `timestamp` is ISO 8601 in UTC, as the function wrote it."""

    timestamp: str
    message: str
    order_id: str


@dataclass(frozen=True, slots=True)
class LastErrors:
    """The last errors, oldest first; unless `complete`, those found before the reading was ended."""

    lines: tuple[ErrorLine, ...] = ()
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Health:
    """How a stack is doing; `orders` is None if there is no table."""

    alarms: tuple[AlarmState, ...]
    orders: OrderCount | None
    errors: LastErrors


def calls(cloud: Cloud, names: Names) -> Calls:
    """What reading the alarms, the orders' number and the errors calls."""
    return (
        *count_calls(cloud, names),
        allow("cloudwatch", "DescribeAlarms", on=cloud.arn("cloudwatch", "alarm:*")),
        *function_calls(cloud, names),
    )


def read_health(cloud: Cloud, names: Names) -> Health:
    """Read how a stack is doing, side by side."""
    now = milliseconds(cloud.now())
    with ThreadPoolExecutor(3) as pool:
        alarms = pool.submit(read_alarms, cloud, names)
        orders = pool.submit(count_orders, cloud, names)
        errors = pool.submit(last_errors, cloud, names, now)
        return Health(alarms.result(), orders.result(), errors.result())


def read_alarms(cloud: Cloud, names: Names) -> tuple[AlarmState, ...]:
    """Read the states of the stack's alarms, by name."""
    found = []
    with map_botocore_errors("read", "alarms", names.alarm("*")):
        pages = cloud.cloudwatch.get_paginator("describe_alarms")
        for page in pages.paginate(AlarmNamePrefix=names.alarm(""), AlarmTypes=["MetricAlarm"]):
            found += [
                AlarmState(a["AlarmName"], a.get("StateValue", "INSUFFICIENT_DATA"), a.get("StateReason", ""))
                for a in page["MetricAlarms"]
            ]
    known = {names.alarm(what) for what in ALARMS}
    return tuple(sorted((a for a in found if a.name in known), key=lambda alarm: alarm.name))


def last_errors(cloud: Cloud, names: Names, now_ms: int, clock: Clock | None = None) -> LastErrors:
    """Return the MOST_ERRORS last errors that the function logged in ERROR_AGES before now (ms since 1970).

    Ends after MOST_ERROR_PAGES or MOST_ERROR_SECONDS with what was found. Raises AwsError.
    """
    clock = clock or SystemClock()
    deadline, left = clock.now() + MOST_ERROR_SECONDS, MOST_ERROR_PAGES
    reader = GroupReader(cloud.logs, "function", names.log_group, BackOff(clock))
    found: list[LogEvent] = []
    end = None
    with suppress(GroupMissingError):
        for age in ERROR_AGES:
            start = max(0, now_ms - age // timedelta(milliseconds=1))
            for page in reader.pages(start, end, ERROR_PATTERN):
                found += [event for event in page.events if _is_error(event)]
                left -= 1
                if not left or clock.now() >= deadline:
                    return LastErrors(_newest(found), complete=False)
            if len(found) >= MOST_ERRORS:
                break
            end = start - 1
    return LastErrors(_newest(found))


def _is_error(event: LogEvent) -> bool:
    return (event.fields or {}).get("level") == "ERROR"


def _newest(events: list[LogEvent]) -> tuple[ErrorLine, ...]:
    newest = sorted(events, key=lambda event: event.sort_key)[-MOST_ERRORS:]
    return tuple(_error_line(event.fields or {}) for event in newest)


def _error_line(fields: Mapping[str, Any]) -> ErrorLine:
    cause = fields.get("error")
    if isinstance(cause, Mapping) and cause.get("message"):
        text = f"{cause.get('step', 'call')} failed: {cause['message']}"
    else:
        text = str(fields.get("message") or cause or "")
    return ErrorLine(str(fields.get("timestamp", "")), text, str(fields.get("orderId") or ""))
