"""A wall clock that stands still, at the hours and in the zones where a shown time may go wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from ordernotify import times

MOMENTS = [
    (datetime(2026, 3, 2, 0, 20), "UTC"),
    (datetime(2028, 2, 29, 0, 20), "Asia/Kathmandu"),
    (datetime(2026, 12, 31, 23, 59, 59), "UTC"),
    (datetime(2027, 1, 1, 0, 0, 30), "America/St_Johns"),
]
"""Local times and their zones."""


@pytest.fixture(params=MOMENTS, ids=[f"{moment:%Y-%m-%dT%H:%M:%S} {zone}" for moment, zone in MOMENTS])
def frozen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[datetime]:
    """The local time that it is, for this program, for the C library's zone and for the account in memory."""
    local, zone = request.param
    moment = local.replace(tzinfo=ZoneInfo(zone))
    naive_utc = moment.astimezone(UTC).replace(tzinfo=None)
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    monkeypatch.setattr(times, "now", lambda: moment.astimezone(UTC))
    # moto: which log events are too old or too new, and the answers' Date.
    monkeypatch.setattr("moto.logs.models.utcnow", lambda: naive_utc)
    monkeypatch.setattr("moto.core.responses.utcnow", lambda: naive_utc)
    yield moment
    monkeypatch.undo()
    time.tzset()
