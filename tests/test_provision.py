from __future__ import annotations

import threading
import time

import pytest
from botocore.awsrequest import AWSResponse

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import SystemClock
from ordernotify.errors import NotOursError, OrderNotifyError
from ordernotify.executor import Action, ApplyError, Event, Progress
from ordernotify.settings.model import ApiKind, Settings
from ordernotify.settings.names import Target
from tests.account_snapshot import snapshot
from tests.provision_support import (
    Account,
    Call,
    Interference,
    ManualClock,
    Send,
    full_settings,
    planned_actions,
    position,
    refuse,
    set_up,
    tear_down,
)

EVERYWHERE = pytest.mark.parametrize(
    ("api", "target"), [(api, target) for api in ApiKind for target in Target], ids=str
)
ROLE_NOT_READY = (
    "CreateFunction",
    "InvalidParameterValueException",
    "The role defined for the function cannot be assumed by Lambda.",
)


def last_states(events: list[Event]) -> dict[str, Progress]:
    return {event.item.key: event.progress for event in events}


# The plan


@EVERYWHERE
def test_reading_a_plan_changes_nothing(account: Account, api: ApiKind, target: Target) -> None:
    planned = provision.plan(provision.declare(full_settings(api=api), account.cloud(target)))
    assert set(planned_actions(planned).values()) == {Action.CREATE}
    assert account.changing_calls == []


@EVERYWHERE
def test_a_second_setup_makes_no_changing_call(account: Account, api: ApiKind, target: Target) -> None:
    set_up(full_settings(api=api), account.cloud(target))
    account.forget_calls()
    assert set_up(full_settings(api=api), account.cloud(target)) == []
    assert account.calls != []
    assert account.changing_calls == []


def test_a_plan_lists_the_items_in_the_order_of_the_declaration(cloud: Cloud) -> None:
    resources = provision.declare(full_settings(), cloud)
    planned = provision.plan(resources)
    assert [item.key for item in planned.items] == [resource.key for resource in resources]


def test_everything_is_read_side_by_side(account: Account) -> None:
    together = threading.Barrier(5, timeout=10)

    def interfere(call: Call, send: Send) -> AWSResponse:
        first_reads = {"DescribeTable", "GetTopicAttributes", "GetRole", "GetFunction", "DescribeLogGroups"}
        if call.operation in first_reads and not together.broken:
            together.wait()
            first_reads.discard(call.operation)
        return send()

    account.interfere = once_each(interfere)
    provision.plan(provision.declare(Settings(), account.cloud()))
    assert not together.broken


def once_each(interfere: Interference) -> Interference:
    """Interfere with the first call of each operation only."""
    seen: set[str] = set()

    def first_only(call: Call, send: Send) -> AWSResponse:
        if call.operation in seen:
            return send()
        seen.add(call.operation)
        return interfere(call, send)

    return first_only


def test_a_read_that_is_not_allowed_stops_the_plan_and_names_the_resource(account: Account) -> None:
    account.interfere = refuse("DescribeTable", "AccessDeniedException", "no", times=9)
    with pytest.raises(OrderNotifyError, match="could not read the table FileMetadata"):
        provision.plan(provision.declare(Settings(), account.cloud()))
    assert account.changing_calls == []


# Ours and not ours


def test_what_belongs_to_nobody_is_refused_and_taken_over_when_told(account: Account, cloud: Cloud) -> None:
    account.client("sns").create_topic(Name="file-upload-notification")
    with pytest.raises(NotOursError) as caught:
        set_up(Settings(), cloud)
    assert caught.value.message == (
        "the topic file-upload-notification exists and does not belong to the stack default"
    )
    assert "--adopt" in caught.value.hint
    assert account.changing_calls == []
    set_up(Settings(), cloud, adopt=True)
    account.forget_calls()
    set_up(Settings(), cloud)
    assert account.changing_calls == []


def test_what_belongs_to_another_stack_is_never_taken_over(account: Account, cloud: Cloud) -> None:
    tags = [{"Key": "ordernotify:stack", "Value": "other"}]
    account.client("sns").create_topic(Name="file-upload-notification", Tags=tags)
    with pytest.raises(NotOursError, match="belongs to the stack other, not to default"):
        set_up(Settings(), cloud, adopt=True)
    assert account.changing_calls == []


def test_teardown_leaves_what_is_not_ours(account: Account, cloud: Cloud) -> None:
    sns = account.client("sns")
    arn = sns.create_topic(Name="file-upload-notification")["TopicArn"]
    sns.subscribe(TopicArn=arn, Protocol="email", Endpoint="theirs@example.com")
    account.client("iam").create_role(RoleName="processFileUpload-role", AssumeRolePolicyDocument="{}")
    before = snapshot(account.client)
    planned = provision.plan_teardown(provision.declare(Settings(), cloud), delete_orders=True)
    kept = {item.key: (item.action, item.reason) for item in planned.items}
    not_ours = (Action.KEEP, "not made by this stack")
    assert kept == {"topic": not_ours, "subscriptions": not_ours, "role": not_ours}
    tear_down(Settings(), cloud)
    assert account.changing_calls == []
    assert snapshot(account.client) == before


# Carrying it out


def test_what_is_needed_comes_first(account: Account, cloud: Cloud) -> None:
    set_up(full_settings(), cloud)
    calls = account.changing_calls
    for earlier, later in [
        ("CreateTopic", "Subscribe"),
        ("CreateRole", "CreateFunction"),
        ("CreateLogGroup", "CreateFunction"),
        ("CreateFunction", "AddPermission"),
        ("CreateRestApi", "AddPermission"),
    ]:
        assert position(calls, earlier) < position(calls, later)


def test_each_item_tells_when_it_begins_and_when_it_is_done(cloud: Cloud) -> None:
    resources = provision.declare(full_settings(), cloud)
    planned = provision.plan(resources)
    events = list(provision.apply(resources, planned, ManualClock()))
    for item in planned.changes:
        assert [event.progress for event in events if event.item == item] == [Progress.STARTED, Progress.DONE]
    assert all(event.live is not None for event in events if event.progress is Progress.DONE)


def test_steps_that_do_not_need_each_other_run_side_by_side(account: Account, cloud: Cloud) -> None:
    independent = {"CreateTable", "CreateTopic", "CreateRole", "CreateLogGroup"}
    together = threading.Barrier(len(independent))

    def interfere(call: Call, send: Send) -> AWSResponse:
        if call.operation in independent:
            together.wait(timeout=10)
        return send()

    account.interfere = interfere
    events = set_up(Settings(), cloud)
    assert set(last_states(events).values()) == {Progress.DONE}


def test_a_wait_is_told_with_what_is_waited_for(account: Account, cloud: Cloud) -> None:
    account.interfere = refuse(*ROLE_NOT_READY, times=3)
    events = set_up(Settings(), cloud)
    waits = [event.detail for event in events if event.progress is Progress.WAITING]
    assert len(waits) == 3
    assert all(wait.startswith("waiting for the role to be usable, ") for wait in waits)


def test_a_failure_stops_only_what_depends_on_it_and_says_what_was_done(
    account: Account, cloud: Cloud
) -> None:
    account.interfere = refuse("CreateFunction", "ValidationException", "no such runtime")
    resources = provision.declare(Settings(), cloud)
    planned = provision.plan(resources)
    events: list[Event] = []
    with pytest.raises(ApplyError) as caught:
        events.extend(provision.apply(resources, planned, ManualClock()))
    states = last_states(events)
    assert states.pop("function") is Progress.FAILED
    skipped = {key for key, state in states.items() if state is Progress.SKIPPED}
    assert "permission" in skipped
    assert {state for key, state in states.items() if key not in skipped} == {Progress.DONE}
    assert caught.value.message == (
        "could not create the function processFileUpload: no such runtime (ValidationException) "
        f"({len(planned.changes) - len(skipped) - 1} done, 1 failed, {len(skipped)} not begun)"
    )
    assert caught.value.hint == "Run the same command again; it continues where it stopped."


def test_the_same_command_completes_what_failed(account: Account, cloud: Cloud) -> None:
    account.interfere = refuse("CreateFunction", "ValidationException", "no such runtime")
    with pytest.raises(ApplyError):
        set_up(Settings(), cloud)
    events = set_up(Settings(), cloud)
    assert set(last_states(events).values()) == {Progress.DONE}
    account.forget_calls()
    set_up(Settings(), cloud)
    assert account.changing_calls == []


def test_the_hint_of_the_first_failure_is_told(account: Account, cloud: Cloud) -> None:
    denied = "User: x is not authorized to perform: iam:CreateRole"
    account.interfere = refuse("CreateRole", "AccessDenied", denied)
    with pytest.raises(ApplyError, match="your user or role may not call iam:CreateRole") as caught:
        set_up(Settings(), cloud)
    assert "`ordernotify policy setup`" in caught.value.hint


@pytest.mark.parametrize("error", [ZeroDivisionError("oops"), SystemExit(3)], ids=repr)
def test_an_unexpected_error_in_a_step_is_told_and_nothing_hangs(
    account: Account, cloud: Cloud, error: BaseException
) -> None:
    def interfere(call: Call, send: Send) -> AWSResponse:
        if call.operation == "CreateRole":
            raise error
        return send()

    account.interfere = interfere
    with pytest.raises(ApplyError, match=f"unexpected {type(error).__name__}"):
        set_up(Settings(), cloud)


# Ctrl-C


def our_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("ordernotify")]


def interrupt_at_first_wait(cloud: Cloud) -> float:
    """Close the events as Ctrl-C does, as soon as something is waited for; returns the seconds that took."""
    resources = provision.declare(Settings(), cloud)
    events = provision.apply(resources, provision.plan(resources), SystemClock())
    next(event for event in events if event.progress is Progress.WAITING)
    began = time.monotonic()
    events.close()
    return time.monotonic() - began


def test_an_interruption_calls_the_waits_off_and_begins_nothing_new(account: Account, cloud: Cloud) -> None:
    account.interfere = refuse(*ROLE_NOT_READY, times=999)
    assert interrupt_at_first_wait(cloud) < 2.0
    assert our_threads() == []
    before = len(account.calls)
    time.sleep(0.05)
    assert len(account.calls) == before
    assert "AddPermission" not in [call.operation for call in account.calls]


def test_the_same_command_completes_what_was_interrupted(account: Account, cloud: Cloud) -> None:
    account.interfere = refuse(*ROLE_NOT_READY, times=999)
    interrupt_at_first_wait(cloud)
    account.interfere = lambda _call, send: send()
    set_up(Settings(), cloud)
    interrupted = snapshot(account.client)
    with_nothing_in_between(account)
    assert interrupted == snapshot(account.client)


def with_nothing_in_between(account: Account, settings: Settings | None = None) -> None:
    """Make the account anew and set the stack up in one go."""
    account.begin_anew()
    set_up(settings or Settings(), account.cloud())
