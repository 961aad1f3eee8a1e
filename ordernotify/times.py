"""Durations and points in time as a person writes them: `10m` ago, or a moment in ISO 8601."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from ordernotify.errors import UsageError

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?[smhdw])+")
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhdw])")


def now() -> datetime:
    """Return the time of this machine, in UTC; all code that shows or reads a time of day calls this."""
    return datetime.now(UTC)


def parse_duration(text: str) -> timedelta | None:
    """Read `90s`, `10m`, `2h30m`, `1d`, `2w`, or `0`; None if the text has another form."""
    written = text.strip().lower()
    if written == "0":
        return timedelta()
    if not _DURATION.fullmatch(written):
        return None
    try:
        return timedelta(
            seconds=sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _PART.findall(written))
        )
    except OverflowError:
        return timedelta.max


def parse_moment(text: str, now: datetime) -> datetime:
    """Read a time: `now`, a duration before it, or ISO 8601; without a zone it is local.

    Raises UsageError for anything else.
    """
    try:
        if text.strip().lower() == "now":
            return now
        duration = parse_duration(text)
        if duration is not None:
            return ago(now, duration)
        return datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            f"{text!r} is not a time",
            "Give how long ago, such as 10m, 2h30m or 1d; or an ISO 8601 time, such as 2026-03-01T12:00:00Z.",
        ) from None


def parse_range(
    since: str | None, until: str | None, now: datetime
) -> tuple[datetime | None, datetime | None]:
    """Read `--since` and `--until` as `parse_moment` does. Raises UsageError if they are reversed."""
    start, end = (parse_moment(text, now) if text else None for text in (since, until))
    if start is not None and end is not None and end < start:
        raise UsageError("--until is before --since", "Give a later --until, or an earlier --since.")
    return start, end


def milliseconds(moment: datetime) -> int:
    """Write a time in milliseconds since 1970; earlier times are 0."""
    return max(0, (moment - _EPOCH) // timedelta(milliseconds=1))


def ago(now: datetime, age: timedelta) -> datetime:
    """Return the time `age` before `now`, at the earliest 1970."""
    return now - age if age < now - _EPOCH else _EPOCH


def created_at_text(moment: datetime) -> str:
    """Write a time as `createdAt` has it, so that the two compare as texts do (milliseconds, UTC)."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
