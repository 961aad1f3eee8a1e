"""Bounded waiting: the clock, retries filtered by code and message, and polling."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from botocore.exceptions import ClientError

from ordernotify.aws.errors import error_text, is_throttled
from ordernotify.errors import AwsError, CancelledError, WaitTimeoutError

FIRST_STEP_SECONDS = 0.25
STEP_SHARE = 0.05
"""The pause between two questions, as a share of the time waited so far."""
LONGEST_STEP_SECONDS = 5.0
Result = TypeVar("Result")


class Clock(Protocol):
    """Reads the time and waits; tests pass their own."""

    def now(self) -> float:
        """Seconds of a clock that never goes back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait; raises CancelledError if the work is cancelled meanwhile."""
        ...


@dataclass(slots=True)
class SystemClock:
    """The machine's clock; `cancelled` wakes every sleeper."""

    cancelled: threading.Event = field(default_factory=threading.Event)

    def now(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait, unless cancelled."""
        if self.cancelled.wait(seconds):
            raise CancelledError("interrupted")


@dataclass(frozen=True, slots=True)
class Patience:
    """Bounded waiting for AWS; `tell` hears what it waits for, and the error at the end names it."""

    clock: Clock = field(default_factory=SystemClock)
    tell: Callable[[str], None] = lambda _message: None

    def retry(
        self,
        call: Callable[[], Result],
        *,
        when: Callable[[ClientError], bool],
        waiting_for: str,
        timeout: float = 120.0,
        step: float = FIRST_STEP_SECONDS,
    ) -> Result:
        """Make the call again while it fails with an error for which `when` is true.

        `timeout` and `step` (between two attempts, at least) are seconds. Raises WaitTimeoutError naming
        `waiting_for` when the time is up, and any other error at once.
        """
        started = self.clock.now()
        while True:
            try:
                return call()
            except ClientError as error:
                if not when(error):
                    raise
                cause = error
            self._pause(started, timeout, step, waiting_for, cause)

    def until(
        self,
        reached: Callable[[], bool],
        *,
        waiting_for: str,
        timeout: float = 120.0,
        step: float = FIRST_STEP_SECONDS,
    ) -> None:
        """Ask until `reached` is true; raises WaitTimeoutError after `timeout` seconds.

        A question that AWS throttles counts as not reached yet (AWS-FACTS 21).
        """
        started = self.clock.now()
        while True:
            cause: ClientError | AwsError | None = None
            try:
                if reached():
                    return
            except (ClientError, AwsError) as error:
                if not is_throttled(error):
                    raise
                cause = error
            self._pause(started, timeout, step, waiting_for, cause)

    def _pause(
        self,
        started: float,
        timeout: float,
        step: float,
        waiting_for: str,
        cause: ClientError | AwsError | None,
    ) -> None:
        waited = self.clock.now() - started
        if waited >= timeout:
            why = error_text(cause) if isinstance(cause, ClientError) else cause and cause.message
            raise WaitTimeoutError(
                f"waited {waited:.0f} s for {waiting_for}" + (f": {why}" if why else ""),
                "Run the same command again; it continues where it stopped.",
            ) from cause
        self.tell(f"waiting for {waiting_for}, {waited:.0f} s")
        pause = max(step, min(waited * STEP_SHARE, LONGEST_STEP_SECONDS))
        self.clock.sleep(min(pause, max(timeout - waited, 0.05)))
