"""The times that a person gives."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordernotify import times
from ordernotify.errors import UsageError
from ordernotify.times import parse_moment

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def milliseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def parse_time(text: str, now: datetime) -> int:
    return times.milliseconds(parse_moment(text, now))


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("10m", timedelta(minutes=10)),
        ("2h30m", timedelta(hours=2, minutes=30)),
        ("1d", timedelta(days=1)),
        (" 90S ", timedelta(seconds=90)),
        ("1.5h", timedelta(minutes=90)),
        ("1w", timedelta(weeks=1)),
        ("0s", timedelta()),
        ("now", timedelta()),
    ],
)
def test_an_age_is_counted_back_from_now(text: str, ago: timedelta) -> None:
    assert parse_time(text, NOW) == milliseconds(NOW - ago)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-02-28T10:30:00Z", datetime(2026, 2, 28, 10, 30, tzinfo=UTC)),
        ("2026-02-28T10:30:00.123+02:00", datetime(2026, 2, 28, 8, 30, 0, 123_000, tzinfo=UTC)),
        ("2026-02-28 10:30", datetime(2026, 2, 28, 10, 30).astimezone()),
        ("2026-02-28", datetime(2026, 2, 28).astimezone()),
    ],
)
def test_an_iso_time_without_a_zone_is_local(text: str, moment: datetime) -> None:
    assert parse_time(text, NOW) == milliseconds(moment)


@pytest.mark.parametrize("text", ["1900-01-01T00:00:00Z", "99999999d", "3000w"])
def test_what_is_before_1970_is_the_beginning(text: str) -> None:
    assert parse_time(text, NOW) == 0


@pytest.mark.parametrize("text", ["", " ", "10", "m", "10x", "10m5", "-5m", "yesterday", "2026-13-01", "٣m"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_time(text, NOW)

    assert raised.value.message == f"{text!r} is not a time"
    assert "10m, 2h30m or 1d" in raised.value.hint


@given(st.text(alphabet="0123456789wdhms.:-+TZ ", max_size=30) | st.text(max_size=20))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert parse_time(text, NOW) >= 0


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)),
    st.integers(-14 * 60, 14 * 60),
)
def test_an_iso_time_is_the_moment_that_it_names(local: datetime, offset: int) -> None:
    moment = local.replace(tzinfo=timezone(timedelta(minutes=offset)))

    assert parse_time(moment.isoformat(), NOW) == milliseconds(moment)


@given(st.integers(0, 300), st.integers(0, 100), st.integers(0, 100), st.integers(0, 100))
def test_the_parts_of_an_age_add_up(days: int, hours: int, minutes: int, seconds: int) -> None:
    ago = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)

    assert parse_time(f"{days}d{hours}h{minutes}m{seconds}s", NOW) == milliseconds(NOW - ago)


def test_an_age_beyond_every_calendar_is_the_beginning() -> None:
    assert parse_time("9" * 500 + "d", datetime(2026, 1, 1, tzinfo=UTC)) == 0


def test_a_range_that_is_reversed_is_refused() -> None:
    assert times.parse_range("2m", "1m", NOW) == (NOW - timedelta(minutes=2), NOW - timedelta(minutes=1))
    assert times.parse_range(None, None, NOW) == (None, None)
    with pytest.raises(UsageError, match="--until is before --since"):
        times.parse_range("1m", "2m", NOW)
