"""A table and a topic that were made a moment ago: AWS-FACTS 23 and 24."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from botocore.awsrequest import AWSResponse

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import Patience
from ordernotify.errors import AwsError, StackNotFoundError
from ordernotify.executor import Action, Progress
from ordernotify.orders.items import get_order
from ordernotify.orders.query import OrderQuery, get_orders, list_orders
from ordernotify.orders.redrive import find_pending
from ordernotify.resources.table import Table
from ordernotify.settings.model import Settings
from ordernotify.settings.names import STACK_TAG, Names
from ordernotify.stack import left
from tests.account_snapshot import snapshot
from tests.aws_answers import Call, Send, changed_answer, refusal
from tests.cli_support import Typed, typed
from tests.moto_account import Account
from tests.provision_support import ManualClock, planned_actions, set_up, tear_down

__all__ = ["typed"]
MADE_AFTER = 4
"""How often the table is described before it is active."""
SETTINGS = Settings(emails=("you@example.com",), alarm_emails=("ops@example.com",))


class NewTable:
    """A table that is CREATING for a while and has no tags meanwhile; they come one call later still."""

    def __init__(self) -> None:
        self.described = 0
        self.tags_asked = 0

    def __call__(self, call: Call, send: Send) -> AWSResponse:
        if call.operation == "DescribeTable":
            self.described += 1
            if self.described <= MADE_AFTER:
                return changed_answer(send(), lambda body: body["Table"].update(TableStatus="CREATING"))
        if call.operation == "ListTagsOfResource":
            self.tags_asked += 1
            if self.described <= MADE_AFTER + 1:
                return refusal(call, "ResourceNotFoundException", "Requested resource not found: ResourcArn")
        return send()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    clock = ManualClock()
    monkeypatch.setattr(Table, "reading", Patience(clock))
    return clock


def test_row_23_a_table_that_is_being_made_is_waited_for_before_its_tags_are_read(
    account: Account, clock: ManualClock
) -> None:
    set_up(SETTINGS, account.cloud())
    account.interfere = new = NewTable()
    planned = provision.plan(provision.declare(SETTINGS, account.cloud()))
    assert planned.changes == ()
    assert new.tags_asked == 2, "never while it is CREATING, and once more when it was not known yet"
    assert clock.sleeps


@pytest.mark.usefixtures("clock")
def test_row_23_a_teardown_at_that_moment_removes_the_table(account: Account) -> None:
    set_up(SETTINGS, account.cloud())
    account.interfere = NewTable()
    tear_down(SETTINGS, account.cloud())
    assert snapshot(account.client) == {}


@pytest.mark.usefixtures("clock")
def test_row_23_setup_that_was_cut_off_while_the_table_is_made_goes_on(account: Account) -> None:
    cloud = account.cloud()
    resources = provision.declare(SETTINGS, cloud)
    events = provision.apply(resources, provision.plan(resources), ManualClock())
    for event in events:
        if event.item.key == "table" and event.progress is Progress.STARTED:
            break
    events.close()
    account.interfere = NewTable()
    set_up(SETTINGS, account.cloud())
    account.interfere = lambda _call, send: send()
    assert provision.plan(provision.declare(SETTINGS, account.cloud())).changes == ()


@pytest.mark.parametrize(
    "read",
    [
        lambda cloud: list(list_orders(cloud, Names(), OrderQuery())),
        lambda cloud: get_orders(cloud, Names(), ["0b8f7a52-3c1d-4e5f-8a9b-1c2d3e4f5a6b"]),
        lambda cloud: list(find_pending(cloud, Names())),
    ],
    ids=["list-orders", "get-order", "redrive"],
)
def test_row_23_order_commands_say_that_the_table_is_being_made(
    account: Account, read: Callable[[Cloud], object]
) -> None:
    set_up(SETTINGS, account.cloud())
    new = NewTable()

    def interfere(call: Call, send: Send) -> AWSResponse:
        if call.operation in ("Scan", "BatchGetItem", "GetItem"):
            return refusal(call, "ResourceNotFoundException", "Requested resource not found")
        return new(call, send)

    account.interfere = interfere
    with pytest.raises(AwsError) as refused:
        read(account.cloud())
    assert refused.value.message == "the orders' table FileMetadata is still being made"
    assert refused.value.hint == "Try again in a moment."


def test_who_may_not_describe_the_table_is_told_that_there_is_none(account: Account) -> None:
    def interfere(call: Call, send: Send) -> AWSResponse:
        if call.operation == "DescribeTable":
            return refusal(call, "AccessDeniedException", "not authorized")
        return send()

    account.interfere = interfere
    with pytest.raises(StackNotFoundError, match="there is no orders' table"):
        get_order(account.cloud(), Names(), "0b8f7a52")


def test_row_24_a_new_topic_that_is_not_known_yet_is_waited_for(account: Account) -> None:
    unknown = {"SetTopicAttributes": 3, "Subscribe": 2}

    def interfere(call: Call, send: Send) -> AWSResponse:
        if unknown.get(call.operation, 0) > 0:
            unknown[call.operation] -= 1
            return refusal(call, "NotFound", "Topic does not exist", 404)
        return send()

    account.interfere = interfere
    set_up(SETTINGS, account.cloud())
    assert set(unknown.values()) == {0}
    account.interfere = lambda _call, send: send()
    assert provision.plan(provision.declare(SETTINGS, account.cloud())).changes == ()


def test_row_24_setup_again_makes_a_topic_that_reads_as_missing_its_own(account: Account) -> None:
    set_up(SETTINGS, account.cloud())

    def interfere(call: Call, send: Send) -> AWSResponse:
        reads = call.service == "sns" and call.operation in {"GetTopicAttributes", "ListSubscriptionsByTopic"}
        return refusal(call, "NotFound", "Topic does not exist", 404) if reads else send()

    account.interfere = interfere
    planned = provision.plan(provision.declare(SETTINGS, account.cloud()))
    assert planned_actions(planned)["topic"] is Action.CREATE
    set_up(SETTINGS, account.cloud())
    account.interfere = lambda _call, send: send()
    assert provision.plan(provision.declare(SETTINGS, account.cloud())).changes == ()


class NotKnownYet:
    """Reads of topics, or of roles, answer that there is none, until the clock shows `seconds`."""

    def __init__(self, clock: ManualClock, seconds: float, what: str) -> None:
        self.clock, self.seconds, self.what = clock, seconds, what
        self.reads = 0

    def __call__(self, call: Call, send: Send) -> AWSResponse:
        if call.operation in {"topic": {"GetTopicAttributes"}, "role": {"GetRole"}}[self.what]:
            self.reads += 1
            if self.clock.now() < self.seconds:
                code = "NotFound" if self.what == "topic" else "NoSuchEntity"
                return refusal(call, code, "there is none", 404)
        return send()


@pytest.mark.parametrize("what", ["topic", "role"])
def test_row_24_34_what_was_made_a_moment_ago_is_removed_although_it_is_not_known_at_first(
    account: Account, typed: Typed, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Setup was cut off right after CreateTopic, or CreateRole."""
    clock = ManualClock()
    monkeypatch.setattr(left, "SystemClock", lambda: clock)
    resources = provision.declare(Settings(), account.cloud())
    first = [one for one in resources if one.key in {"table", "topic", "role"}]
    list(provision.apply(first, provision.plan(first), ManualClock()))
    account.interfere = NotKnownYet(clock, 20, what)
    done = typed("teardown", "--yes", "--delete-orders")
    assert (done.exit_code, "Removed 3 resources." in done.stdout) == (0, True), done.output
    assert snapshot(account.client) == {}
    assert 20 <= clock.now() < 30


def test_row_24_a_whole_stack_is_looked_at_once_more_and_not_waited_for(
    account: Account, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the alarms' topic, which is new, is not known at first."""
    clock = ManualClock()
    monkeypatch.setattr(left, "SystemClock", lambda: clock)
    set_up(Settings(), account.cloud())
    tags = [{"Key": STACK_TAG, "Value": "default"}]
    account.client("sns").create_topic(Name=Names().alarm_topic, Tags=tags)
    first: list[str] = []

    def once_unknown(call: Call, send: Send) -> AWSResponse:
        if call.operation == "GetTopicAttributes" and call.name.endswith(Names().alarm_topic):
            first.append(call.name)
            if len(first) == 1:
                return refusal(call, "NotFound", "there is none", 404)
        return send()

    account.interfere = once_unknown
    done = typed("teardown", "--yes", "--delete-orders")
    assert done.exit_code == 0, done.output
    assert snapshot(account.client) == {}
    assert len(first) == 2
    assert clock.sleeps == []


def test_row_24_what_never_comes_is_not_waited_for_longer_than_it_may_take(
    account: Account, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    monkeypatch.setattr(left, "SystemClock", lambda: clock)
    table = [one for one in provision.declare(Settings(), account.cloud()) if one.key == "table"]
    list(provision.apply(table, provision.plan(table), ManualClock()))
    done = typed("teardown", "--yes", "--delete-orders")
    assert (done.exit_code, "Removed 1 resource" in done.stdout) == (0, True), done.output
    assert 30 <= clock.now() < 31
    assert typed("teardown", "--yes").exit_code == 0
    assert clock.now() < 31, "where nothing is, nothing is waited for"
