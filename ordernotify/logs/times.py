"""The times that a person gives: `10m` ago, or a moment in ISO 8601."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from ordernotify.errors import UsageError

_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)([wdhms])")
_AGE = re.compile(rf"(?:{_PART.pattern})+")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_time(text: str, now: datetime) -> int:
    """Turn `10m`, `2h30m`, `1d` (ago), `now` or an ISO 8601 time into milliseconds since 1970.

    `now` carries a zone. A time without a zone is local, and a date alone is its local midnight.
    Times before 1970 become 0: CloudWatch knows none. Raises UsageError for anything else.
    """
    stripped = text.strip()
    try:
        moment = _moment(stripped, now)
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(
            f"{text!r} is not a time",
            "Give how long ago, such as 10m, 2h30m or 1d; or an ISO 8601 time, such as 2026-03-01T12:00:00Z.",
        ) from error
    return max(0, (moment - _EPOCH) // timedelta(milliseconds=1))


def _moment(text: str, now: datetime) -> datetime:
    if text.lower() == "now":
        return now
    if _AGE.fullmatch(text.lower()):
        ago = sum((_length(*part) for part in _PART.findall(text.lower())), timedelta())
        # Longer ago than the calendar reaches is as good as the beginning.
        return now - ago if ago < now - _EPOCH else _EPOCH
    return datetime.fromisoformat(text).astimezone(UTC)


def _length(number: str, unit: str) -> timedelta:
    return timedelta(**{_UNITS[unit]: float(number)})
