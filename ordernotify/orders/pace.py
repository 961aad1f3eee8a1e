"""The pace at which orders may go out while a mailbox gets each of them (AWS-FACTS 22)."""

from __future__ import annotations

import fcntl
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ordernotify.aws.errors import map_botocore_errors
from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import Clock
from ordernotify.errors import AccessDeniedError, OrderNotifyError
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.listing import SUBSCRIPTIONS, list_subscriptions
from ordernotify.resources.suspension import THROTTLED_RATE, find_mailboxes, suspension
from ordernotify.settings.names import Names, Target
from ordernotify.settings.places import state_home

MOST_A_SECOND = 8
"""Below the mailbox's 10, with room for an order from another sender."""
PUBLISHED_A_SECOND = 5
"""What `redrive` publishes, past the API's throttle: with orders that come at the throttle's rate, 10.

A burst of orders after a quiet time comes on top: the throttle alone admits 10 in that second, so that no
pace would be slow enough. `redrive` says so.
"""
SECOND = 1.0
_POLL_SECONDS = 0.05

Pace = Callable[[], AbstractContextManager[None]]
"""Waits until one more request may begin; the request is made inside of it."""


class Slots:
    """Lets at most `most` requests run, or have ended within the last second.

    So no second, wherever it begins, has more than `most` requests, however long each takes. Each slot is a
    file that is locked while its request runs and then holds the time until which it stays taken: all
    commands of this user on this machine share them, and a killed command frees its slot. The clock must be
    the same for all of them, as the monotonic one is.
    """

    def __init__(self, folder: Path, most: int, clock: Clock) -> None:
        """Make the folder; raises OrderNotifyError if that cannot be."""
        self._files = [folder / str(number) for number in range(most)]
        self._clock = clock
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(self._open(self._files[0]))
        except OSError as error:
            raise OrderNotifyError(
                f"cannot keep the pace of this machine's commands in {folder}: {error.strerror}",
                "Set XDG_STATE_HOME to a folder that is yours to write to.",
            ) from error

    @contextmanager
    def one(self) -> Iterator[None]:
        """Wait for a slot, and keep it until a second after the end; raises CancelledError."""
        slot = self._take()
        try:
            yield
        finally:
            os.pwrite(slot, f"{self._clock.now() + SECOND:<40.6f}".encode(), 0)
            os.close(slot)

    def _take(self) -> int:
        while True:
            pauses = [_POLL_SECONDS]
            for file in self._files:
                slot = self._open(file)
                try:
                    fcntl.flock(slot, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    os.close(slot)  # a request is under way
                    continue
                left = self._taken_for(slot)
                if left <= 0:
                    return slot
                os.close(slot)
                pauses.append(left)
            self._clock.sleep(min(pauses))

    def _taken_for(self, slot: int) -> float:
        """Read for how many seconds more the slot is taken; a time from before a restart counts as none."""
        left = 0.0
        with suppress(ValueError):
            left = float(os.pread(slot, 40, 0)) - self._clock.now()
        return left if left <= 2 * SECOND else 0.0

    @staticmethod
    def _open(file: Path) -> int:
        return os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


@dataclass(frozen=True, slots=True)
class CarefulPace:
    """A pace that must be kept: at most `most` requests a second, and why."""

    most: int
    reason: str
    pace: Pace


def calls(cloud: Cloud, names: Names) -> Calls:
    """What finding out who gets the orders by email calls; without the permission the pace is kept."""
    return (
        allow("sns", "ListSubscriptionsByTopic", on=cloud.arn("sns", names.topic)),
        allow("sns", "GetSubscriptionAttributes", on=SUBSCRIPTIONS),
    )


def sent_a_second(rate: int | None) -> int:
    """Return how many orders may be sent a second to an API of this described rate (see Settings)."""
    admitted = THROTTLED_RATE if rate is None else rate
    return min(MOST_A_SECOND, admitted or MOST_A_SECOND)


def careful_pace(cloud: Cloud, names: Names, most: int, clock: Clock) -> CarefulPace | None:
    """Return the pace to keep while a mailbox gets every order; None if there is no such mailbox.

    Only on AWS: the embedded cloud has no limit. Raises OrderNotifyError.
    """
    if cloud.target is not Target.AWS:
        return None
    topic = cloud.arn("sns", names.topic)
    try:
        with map_botocore_errors("read", "subscriptions of", names.topic):
            mailboxes = find_mailboxes(cloud, list_subscriptions(cloud, topic))
    except AccessDeniedError:
        reason = f"an email subscriber may get each of them (you may not list them), and {suspension()}"
    else:
        if not mailboxes:
            return None
        reason = f"{', '.join(sorted(mailboxes))} gets each by email, and {suspension()}"
    folder = state_home(os.environ, sys.platform) / "ordernotify" / "pace" / re.sub(r"[^\w-]", "_", topic)
    return CarefulPace(most, reason, Slots(folder, most, clock).one)
