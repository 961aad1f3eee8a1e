"""What the page is about: one stack, and how its operations are called for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ordernotify.aws.session import Cloud
from ordernotify.errors import OrderNotifyError
from ordernotify.orders.post import OrderClient
from ordernotify.settings.names import Names, Target
from ordernotify.stack.report import Describe


class UnreachableError(OrderNotifyError):
    """The place where the stack lives does not answer."""


@dataclass(frozen=True, slots=True)
class Site:
    """One stack; what the page needs beside its cloud comes from the command.

    `open_client` finds the API and reads its key. `writes` tells whether orders may be sent. `unreachable`
    says why the cloud does not answer; empty if it does.
    """

    cloud: Cloud
    names: Names
    stack: str
    describe: Describe
    open_client: Callable[[], OrderClient]
    writes: bool
    unreachable: Callable[[], str]

    @property
    def is_local(self) -> bool:
        """Whether the stack lives in the embedded cloud."""
        return self.cloud.target is Target.LOCAL

    @property
    def place(self) -> str:
        return "embedded cloud" if self.is_local else f"AWS {self.cloud.account}, {self.cloud.region}"

    def check_reachable(self) -> None:
        """Raise UnreachableError if the cloud does not answer; the page then says so at once."""
        why = self.unreachable()
        if why:
            raise UnreachableError(
                why, "`ordernotify local start` starts it again; this page then continues by itself."
            )
