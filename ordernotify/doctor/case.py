"""What is examined, and what a check finds."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from ordernotify.aws.session import Cloud
from ordernotify.errors import OrderNotifyError, UsageError
from ordernotify.iam.calls import Calls
from ordernotify.local.process import Host
from ordernotify.settings.model import Settings
from ordernotify.settings.names import Names, Target

Result = TypeVar("Result")


class CheckState(StrEnum):
    """What a check came to."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"
    UNCHECKED = "unchecked"
    """The check could not run, and says why: neither good nor bad."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a check found, and what to do about it."""

    state: CheckState
    detail: str
    remedy: str = ""

    @classmethod
    def ok(cls, detail: str) -> Diagnosis:
        """Nothing to do."""
        return cls(CheckState.OK, detail)

    @classmethod
    def of(cls, state: CheckState, error: OrderNotifyError) -> Diagnosis:
        """Take the words of an error."""
        return cls(state, error.message, error.hint)


@dataclass(frozen=True, slots=True)
class Case:
    """What is examined: the machine, the settings, the place, and the stack there."""

    target: Target
    stack: str
    open_place: Callable[[], Cloud]
    """Opens the place without a call; raises OrderNotifyError."""
    describe: Callable[[], Settings]
    """Describes the stack as told; raises UsageError."""
    describe_there: Callable[[Cloud], Settings]
    """Describes it as told, and for the rest as `setup` recorded it; asks the place."""
    find_names: Callable[[Cloud], Names]
    needed: Callable[[Cloud, Settings], Mapping[str, Calls]]
    """What the commands call, for each kind of policy."""
    faults: tuple[UsageError, ...] = ()
    """What is wrong with the settings file and the environment."""
    origins: tuple[str, ...] = ()
    """Where settings were told."""
    version_of: Callable[[str], str] = importlib.metadata.version
    local_host: Host = field(default_factory=Host)
    _read: dict[object, Future[Any]] = field(default_factory=dict)

    def once(self, read: Callable[[Case], Result]) -> Result:
        """Return what `read` returns or raises; the first check to ask reads it, the others wait for it."""
        mine: Future[Result] = Future()
        kept: Future[Result] = self._read.setdefault(read, mine)  # atomic: the first one stays
        if kept is mine:
            try:
                mine.set_result(read(self))
            except BaseException as error:  # noqa: BLE001 - every check that asks gets it
                mine.set_exception(error)
        return kept.result()

    def place(self) -> Cloud:
        """Return the place, without knowing whether it answers; raises OrderNotifyError."""
        return self.once(_open)

    def cloud(self) -> Cloud:
        """Return the place, which has told who calls; raises OrderNotifyError, the same for every check."""
        return self.once(_identify)

    def settings(self) -> Settings:
        """Describe the stack as `describe_there` does."""
        return self.once(_describe)

    def has_failed_by(self, error: OrderNotifyError) -> bool:
        """Whether the error is that of the place, and not of what a check looked at."""
        return error in (asked.exception() for step in (_open, _identify) if (asked := self._read.get(step)))


def _open(case: Case) -> Cloud:
    return case.open_place()


def _identify(case: Case) -> Cloud:
    cloud = case.place()
    cloud.account  # noqa: B018 - asks
    return cloud


def _describe(case: Case) -> Settings:
    return case.describe_there(case.cloud())


@dataclass(frozen=True, slots=True)
class CheckUp:
    """A check: its name, what looks, and the only place where it applies; None for both.

    `look` may raise what botocore and this package raise: then the check could not run.
    """

    name: str
    look: Callable[[Case], Diagnosis]
    target: Target | None = None
