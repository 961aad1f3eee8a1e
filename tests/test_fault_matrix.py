"""Every fault at every changing call of setup and of teardown, and then the same command again.

The calls are recorded from an undisturbed run, so a new resource is covered without a word here. The suite
takes a fixed sample; `TESTS_FAULT_MATRIX=full` takes every case, and `pytest -s` prints how many.
"""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import pytest
from botocore.awsrequest import AWSResponse

from ordernotify.errors import OrderNotifyError
from ordernotify.iam.kms import needed_statements
from ordernotify.settings.model import ApiKind, Auth, Settings
from ordernotify.settings.names import Target
from tests.account_snapshot import READERS, is_empty, snapshot
from tests.keys import ALIAS, make_key
from tests.provision_support import (
    Account,
    Call,
    Send,
    connection_reset,
    pass_through,
    server_error,
    set_up,
    tear_down,
    throttled,
)
from tests.web_acls import the_web_acl

FULL = os.environ.get("TESTS_FAULT_MATRIX") == "full"
pytestmark = pytest.mark.grows


class Fault(StrEnum):
    """What happens to one call."""

    DIES_AFTER = "the process dies right after it"
    THROTTLED = "throttled twice"
    THROTTLED_ON = "throttled however often it is repeated"
    ERROR_BEFORE = "answered 500, not applied"
    ERROR_AFTER = "answered 500, but applied"
    ERROR_ON = "answered 500 however often it is repeated"
    RESET_BEFORE = "connection reset before it was applied"
    RESET_AFTER = "connection reset after it was applied"
    OFFLINE_BEFORE = "offline from this call on"
    OFFLINE_AFTER = "offline from the answer to this call on"


LASTING = {
    Fault.DIES_AFTER,
    Fault.THROTTLED_ON,
    Fault.ERROR_ON,
    Fault.OFFLINE_BEFORE,
    Fault.OFFLINE_AFTER,
}
"""Those that botocore's retries cannot absorb: the command fails, and is given again."""


class DiedError(Exception):
    """Stands for the end of the process: no code of ours handles it."""


class Disturbance:
    """One fault at one call; `reached` tells whether the call came."""

    def __init__(self, fault: Fault, at: Call) -> None:
        self.fault = fault
        self.at = at
        self.reached = False
        self._requests = 0

    def __call__(self, call: Call, send: Send) -> AWSResponse:
        """Answer in AWS's place, or let the request through."""
        repeated = self.fault in LASTING and self.reached and _what(call) == _what(self.at)
        if call != self.at and not repeated:
            if self.reached and self.fault is Fault.DIES_AFTER:
                raise DiedError
            if self.reached and self.fault in {Fault.OFFLINE_BEFORE, Fault.OFFLINE_AFTER}:
                raise connection_reset()
            return send()
        self.reached = True
        self._requests += 1
        return self._disturb(call, send, first=self._requests == 1)

    def _disturb(self, call: Call, send: Send, *, first: bool) -> AWSResponse:
        match self.fault:
            case Fault.DIES_AFTER:
                send()
                raise DiedError
            case Fault.THROTTLED:
                return throttled(call) if self._requests <= 2 else send()
            case Fault.THROTTLED_ON:
                return throttled(call)
            case Fault.ERROR_BEFORE:
                return server_error() if first else send()
            case Fault.ERROR_ON:
                return server_error()
            case Fault.ERROR_AFTER | Fault.RESET_AFTER | Fault.OFFLINE_AFTER if first:
                send()
                if self.fault is Fault.ERROR_AFTER:
                    return server_error()
                raise connection_reset()
            case Fault.OFFLINE_BEFORE | Fault.OFFLINE_AFTER:
                raise connection_reset()
            case Fault.RESET_BEFORE if first:
                raise connection_reset()
            case _:
                return send()


def _what(call: Call) -> tuple[str, str, str]:
    return call.service, call.operation, call.name


@dataclass(frozen=True, slots=True)
class Place:
    """A kind of stack, and where it is made."""

    api: ApiKind
    target: Target

    def __str__(self) -> str:
        """Name the place in a test's id."""
        return f"{self.api}-{self.target}"

    @property
    def settings(self) -> Settings:
        """Describe a stack in which every kind of resource occurs."""
        return Settings(
            api=self.api,
            # An HTTP API has no keys.
            auth=Auth.API_KEY if self.api is ApiKind.REST else Auth.NONE,
            cors_origins=("https://shop.example.com",),
            rate=50,
            burst=100,
            emails=("you@example.com", "two@example.com"),
            phones=("+14155550100",),
            alarm_emails=("ops@example.com",),
            tracing=True,
            dead_letters=True,
            dashboard=True,
            concurrency=20,
            kms_key=ALIAS,
        )

    def give_setup(self, account: Account) -> None:
        """Run `setup` with objects of its own, as a new process would; key and web ACL are the person's."""
        aliases = account.client("kms").list_aliases()["Aliases"]
        if ALIAS not in {one["AliasName"] for one in aliases}:
            make_key(account, *needed_statements(self.settings, account.cloud(self.target)))
        web_acl = the_web_acl(account) if self.api is ApiKind.REST else None
        set_up(replace(self.settings, waf_acl=web_acl), account.cloud(self.target))

    def give_teardown(self, account: Account) -> None:
        """Run `teardown` with objects of its own, as a new process would; it is not told the settings."""
        tear_down(Settings(), account.cloud(self.target))


PLACES = [Place(ApiKind.REST, Target.AWS), Place(ApiKind.HTTP, Target.LOCAL)]
"""Together they have every resource: the kinds of API share nothing with the inbox of the embedded cloud."""


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """What setup leaves when nothing happens, and the changing calls of setup and of teardown."""

    left: dict[str, object]
    setup_calls: tuple[Call, ...]
    teardown_calls: tuple[Call, ...]


@functools.cache
def undisturbed(place: Place) -> Undisturbed:
    """Record an undisturbed run."""
    with Account() as account:
        place.give_setup(account)
        left, setup_calls = snapshot(account.client), tuple(account.changing_calls)
        account.forget_calls()
        place.give_teardown(account)
        assert is_empty(snapshot(account.client))
        return Undisturbed(left, setup_calls, tuple(account.changing_calls))


def sampled(calls: Sequence[Call], fault: Fault) -> list[Call]:
    """Choose the calls to disturb: all of them, or one that differs from fault to fault."""
    ordered = sorted(calls, key=str)
    one = list(Fault).index(fault) * len(ordered) // len(Fault)
    return ordered if FULL else [ordered[one]]


def disturb(account: Account, command: Callable[[Account], None], fault: Fault, at: Call) -> None:
    """Give the command with the fault; a lasting one must end it with an error that is meant for a person."""
    disturbance = Disturbance(fault, at)
    account.forget_calls()
    account.interfere = disturbance
    if fault in LASTING:
        with pytest.raises(OrderNotifyError):
            command(account)
    else:
        command(account)
    assert disturbance.reached, f"{at} did not come"
    account.interfere = pass_through


@pytest.mark.usefixtures("quick_retries")
@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("place", PLACES, ids=str)
def test_setup_again_after_a_fault_ends_as_if_nothing_had_happened(
    place: Place, fault: Fault, record_property: Callable[[str, object], None]
) -> None:
    calls = sampled(undisturbed(place).setup_calls, fault)
    for call in calls:
        with Account() as account:
            disturb(account, place.give_setup, fault, call)
            if fault in LASTING:
                place.give_setup(account)
            assert snapshot(account.client) == undisturbed(place).left, f"{call}: {fault}"
            account.forget_calls()
            place.give_setup(account)
            assert account.changing_calls == []
            place.give_teardown(account)
            assert snapshot(account.client) == {}, f"{call}: {fault}, then teardown"
    tell_count(place, "setup", fault, calls, record_property)


@pytest.mark.usefixtures("quick_retries")
@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("place", PLACES, ids=str)
def test_teardown_again_after_a_fault_leaves_nothing(
    place: Place, fault: Fault, record_property: Callable[[str, object], None]
) -> None:
    calls = sampled(undisturbed(place).teardown_calls, fault)
    for call in calls:
        with Account() as account:
            place.give_setup(account)
            disturb(account, place.give_teardown, fault, call)
            if fault in LASTING:
                place.give_teardown(account)
            assert snapshot(account.client) == {}, f"{call}: {fault}"
            account.forget_calls()
            place.give_teardown(account)
            assert account.changing_calls == []
    tell_count(place, "teardown", fault, calls, record_property)


def tell_count(
    place: Place, command: str, fault: Fault, calls: Sequence[Call], record: Callable[[str, object], None]
) -> None:
    """Print how many cases were tried; `pytest -s` shows it, and a JUnit report keeps it."""
    record("cases", len(calls))
    print(f"{len(calls):4} cases: {command} of {place}: {fault}")


def test_the_snapshot_reads_every_service_that_is_changed() -> None:
    changed = {
        call.service
        for place in PLACES
        for call in (*undisturbed(place).setup_calls, *undisturbed(place).teardown_calls)
    }
    # The reader of the APIs reads with a stage which web ACL it has.
    assert changed - {"wafv2"} <= READERS.keys()
    assert "webAclArn" in str(undisturbed(PLACES[0]).left["apigateway"])


def test_the_changing_calls_are_the_same_in_every_run() -> None:
    for place in PLACES:
        once, again = undisturbed(place), undisturbed.__wrapped__(place)
        assert Counter(once.setup_calls) == Counter(again.setup_calls)
        assert Counter(once.teardown_calls) == Counter(again.teardown_calls)
