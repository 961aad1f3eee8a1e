"""How a stack is doing: its alarms, its orders, and its last errors."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ordernotify.aws.errors import map_botocore_errors
from ordernotify.aws.session import Cloud
from ordernotify.iam.calls import Calls, allow
from ordernotify.logs.reader import function_calls, function_events
from ordernotify.orders.items import OrderCount, count_calls
from ordernotify.settings.names import Names

ALARMS = ("errors", "throttles", "duration", "api-5xx", "notifications-pending")
"""What a stack's alarms watch: other stacks' alarms begin with the same letters."""
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
class Health:
    """How a stack is doing; `orders` is None if there is no table."""

    alarms: tuple[AlarmState, ...]
    orders: OrderCount | None
    errors: tuple[ErrorLine, ...]


def calls(cloud: Cloud, names: Names) -> Calls:
    """What reading the alarms, the orders' number and the errors calls."""
    return (
        *count_calls(cloud, names),
        allow("cloudwatch", "DescribeAlarms", on=cloud.arn("cloudwatch", "alarm:*")),
        *function_calls(cloud, names),
    )


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


def last_errors(cloud: Cloud, names: Names, since_ms: int, most: int = 3) -> tuple[ErrorLine, ...]:
    """Return the last errors that the function logged since then (ms since 1970), oldest first."""
    lines = (event.fields for event in function_events(cloud, names, since_ms, ERROR_PATTERN))
    errors = (_error_line(fields) for fields in lines if fields and fields.get("level") == "ERROR")
    return tuple(deque(errors, maxlen=most))


def _error_line(fields: Mapping[str, Any]) -> ErrorLine:
    cause = fields.get("error")
    if isinstance(cause, Mapping) and cause.get("message"):
        text = f"{cause.get('step', 'call')} failed: {cause['message']}"
    else:
        text = str(fields.get("message") or cause or "")
    return ErrorLine(str(fields.get("timestamp", "")), text, str(fields.get("orderId") or ""))
