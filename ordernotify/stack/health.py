"""How a stack is doing: its alarms, its orders, and its last errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ordernotify.aws.errors import has_code, map_botocore_errors
from ordernotify.aws.session import Cloud
from ordernotify.iam.calls import Calls, allow
from ordernotify.settings.names import Names

COUNTED_PAGES = 20
"""A table is read to at most this many pages of 1 MB to count it; beyond, the counts are a lower bound."""
ERROR_PATTERN = '{ $.level = "ERROR" }'
_ABSENT = "ResourceNotFoundException"


@dataclass(frozen=True, slots=True)
class AlarmState:
    """An alarm and what it says: OK, ALARM or INSUFFICIENT_DATA."""

    name: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class OrderCount:
    """How many orders there are and how many notifications are pending; `complete` or a lower bound."""

    orders: int
    pending: int
    complete: bool


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
        allow("logs", "FilterLogEvents", on=cloud.arn("logs", f"log-group:{names.log_group}:*")),
    )


def count_calls(cloud: Cloud, names: Names) -> Calls:
    """What counting the orders calls."""
    return (allow("dynamodb", "Scan", on=cloud.arn("dynamodb", f"table/{names.table}")),)


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


ALARMS = ("errors", "throttles", "duration", "api-5xx", "notifications-pending")
"""What a stack's alarms watch: other stacks' alarms begin with the same letters."""


def count_orders(cloud: Cloud, names: Names, pages: int = COUNTED_PAGES) -> OrderCount | None:
    """Count the orders and the pending notifications by reading the table; None if there is no table."""
    orders = pending = 0
    request: dict[str, Any] = {
        "TableName": names.table,
        "Select": "COUNT",
        "FilterExpression": "notification = :pending",
        "ExpressionAttributeValues": {":pending": {"S": "pending"}},
        "ConsistentRead": True,
    }
    with map_botocore_errors("count the orders in", "table", names.table):
        try:
            for _ in range(pages):
                page = cloud.dynamodb.scan(**request)
                orders += page["ScannedCount"]
                pending += page["Count"]
                if "LastEvaluatedKey" not in page:
                    return OrderCount(orders, pending, True)
                request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
        except ClientError as error:
            if has_code(error, _ABSENT):
                return None
            raise
    return OrderCount(orders, pending, False)


def last_errors(cloud: Cloud, names: Names, since_ms: int, most: int = 3) -> tuple[ErrorLine, ...]:
    """Return the last errors that the function logged since then, oldest first."""
    found: list[ErrorLine] = []
    pages = cloud.logs.get_paginator("filter_log_events")
    with map_botocore_errors("read", "log group", names.log_group):
        try:
            for page in pages.paginate(
                logGroupName=names.log_group, startTime=since_ms, filterPattern=ERROR_PATTERN
            ):
                found += [line for event in page["events"] if (line := _error_line(event))]
        except ClientError as error:
            if not has_code(error, _ABSENT):
                raise
    return tuple(found[-most:])


def _error_line(event: Mapping[str, Any]) -> ErrorLine | None:
    try:
        line = json.loads(event.get("message", ""))
    except ValueError:
        return None
    if not isinstance(line, dict) or line.get("level") != "ERROR":
        return None
    text = str(line.get("message") or line.get("error") or "")
    return ErrorLine(str(line.get("timestamp", "")), text, str(line.get("orderId") or ""))
