"""A log event, and the log groups that have them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ordernotify.aws.session import Cloud
from ordernotify.iam.calls import Calls, allow
from ordernotify.settings.names import Names

ACCESS_LOGS_HINT = "`ordernotify setup --access-logs` turns them on."


def log_groups(names: Names) -> Mapping[str, str]:
    return {"function": names.log_group, "api": names.api_log_group}


def calls(cloud: Cloud, names: Names) -> Calls:
    groups = [cloud.arn("logs", f"log-group:{group}:*") for group in log_groups(names).values()]
    return (allow("logs", "FilterLogEvents", on=groups),)


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One event. `timestamp` and `ingestion` are milliseconds since 1970, UTC."""

    source: str
    stream: str
    timestamp: int
    ingestion: int
    message: str
    """The text as it was logged, without the line break at its end."""
    event_id: str
    """CloudWatch's id, or one made from stream, time, text and position where it has none."""

    @property
    def fields(self) -> Mapping[str, Any] | None:
        """The message's keys and values if it is a JSON object, otherwise None. Do not change them."""
        return _json_object(self.message)

    @property
    def sort_key(self) -> tuple[int, int]:
        """CloudWatch's order of events: by timestamp, then by ingestion."""
        return (self.timestamp, self.ingestion)


def number_in(value: object) -> float | None:
    """The number that a field of a log line is; None for anything else."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


@lru_cache(maxsize=16)
def _json_object(message: str) -> Mapping[str, Any] | None:
    if not message.startswith("{"):
        return None
    try:
        value = json.loads(message, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
