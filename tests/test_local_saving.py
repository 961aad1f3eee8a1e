from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from ordernotify.local.saving import LONGEST_SECONDS, QUIET_SECONDS, Saver, unsaved_since


class Time:
    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> float:
        return self.seconds


class Saves:
    """Counts saves; `seconds` long each, and failing as MiniStack's do: with a line in the log."""

    def __init__(self, clock: Time) -> None:
        self.clock, self.count, self.seconds, self.fails = clock, 0, 0.0, False

    def __call__(self) -> None:
        self.count += 1
        self.clock.seconds += self.seconds
        if self.fails:
            logging.getLogger("persistence").error("Persistence: failed to save sns: no space")


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def saves(clock: Time) -> Saves:
    return Saves(clock)


@pytest.fixture
def saver(saves: Saves, clock: Time, tmp_path: Path) -> Saver:
    return Saver(saves, tmp_path, clock.now)


def pass_time(saver: Saver, clock: Time, seconds: float) -> None:
    until = clock.seconds + seconds
    while clock.seconds < until:
        clock.seconds += QUIET_SECONDS / 4
        saver.save_if_due()


def test_a_change_is_saved_after_a_quiet_moment_and_once(
    saver: Saver, saves: Saves, clock: Time, tmp_path: Path
) -> None:
    saver.note_change()
    assert unsaved_since(tmp_path) is not None
    saver.save_if_due()
    assert saves.count == 0
    pass_time(saver, clock, 60)
    assert saves.count == 1
    assert unsaved_since(tmp_path) is None


def test_under_steady_traffic_it_is_saved_at_least_every_30_seconds(
    saver: Saver, saves: Saves, clock: Time
) -> None:
    for _ in range(1200):
        saver.note_change()
        pass_time(saver, clock, 0.5)
    assert 600 / 30 <= saves.count <= 600 / LONGEST_SECONDS


def test_slow_saves_do_not_put_the_next_one_off_for_longer_than_that(
    saver: Saver, saves: Saves, clock: Time
) -> None:
    saves.seconds = 4.0
    for _ in range(1200):
        saver.note_change()
        pass_time(saver, clock, 0.5)
    assert saves.count >= 600 / 30


def test_a_long_save_is_not_repeated_at_once(saver: Saver, saves: Saves, clock: Time) -> None:
    saves.seconds = 2.0
    for _ in range(20):
        saver.note_change()
        pass_time(saver, clock, 2)
    assert saves.count <= 3


def test_a_failed_save_leaves_the_mark_and_is_repeated(
    saver: Saver, saves: Saves, clock: Time, tmp_path: Path
) -> None:
    saves.fails = True
    saver.note_change()
    pass_time(saver, clock, 5)
    assert saves.count > 1
    assert unsaved_since(tmp_path) is not None
    saves.fails = False
    pass_time(saver, clock, 5)
    assert unsaved_since(tmp_path) is None


@pytest.mark.parametrize(("method", "marked"), [("GET", False), ("OPTIONS", False), ("POST", True)])
def test_reading_is_no_change(saver: Saver, tmp_path: Path, method: str, marked: bool) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        pass

    asyncio.run(saver.watched(app)({"type": "http", "method": method}, None, None))
    assert (unsaved_since(tmp_path) is not None) is marked
