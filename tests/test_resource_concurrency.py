from __future__ import annotations

from typing import Any

import pytest

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.executor import Action, ApplyError
from ordernotify.settings.model import Settings
from tests.provision_support import (
    Account,
    ManualClock,
    assert_deleted_twice,
    assert_made_again,
    assert_settled,
    bring_about,
    changes_planned,
    only,
    planned_actions,
    refuse,
    set_up,
    tear_down,
)

NAME = "processFileUpload"
RESERVED = Settings(concurrency=20)


def reserved(account: Account) -> int | None:
    answer = account.client("lambda").get_function_concurrency(FunctionName=NAME)
    found: int | None = answer.get("ReservedConcurrentExecutions")
    return found


def declared(cloud: Cloud, settings: Settings = RESERVED) -> tuple[Any, ...]:
    return provision.declare(settings, cloud)


def test_nothing_is_reserved_unless_it_is_asked_for(account: Account, cloud: Cloud) -> None:
    set_up(Settings(), cloud)
    assert reserved(account) is None


def test_executions_are_reserved_and_then_left_alone(account: Account, cloud: Cloud) -> None:
    set_up(RESERVED, cloud)
    assert reserved(account) == 20
    assert_settled(account, declared(cloud))


def test_another_number_is_put(account: Account, cloud: Cloud) -> None:
    set_up(RESERVED, cloud)
    more = declared(cloud, Settings(concurrency=30))
    assert changes_planned(more, "concurrency") == {"reserved": (20, 30)}
    bring_about(more)
    assert reserved(account) == 30


def test_a_function_that_was_throttled_by_hand_is_told(account: Account, cloud: Cloud) -> None:
    set_up(RESERVED, cloud)
    account.client("lambda").put_function_concurrency(FunctionName=NAME, ReservedConcurrentExecutions=1)
    assert changes_planned(declared(cloud), "concurrency") == {"reserved": (1, 20)}


def test_what_is_no_longer_described_is_given_back(account: Account, cloud: Cloud) -> None:
    set_up(RESERVED, cloud)
    planned = provision.plan(declared(cloud, Settings()))
    assert planned_actions(planned)["concurrency"] is Action.DELETE
    set_up(Settings(), cloud)
    assert reserved(account) is None


def test_a_reservation_that_disappeared_is_made_again(account: Account, cloud: Cloud) -> None:
    set_up(RESERVED, cloud)
    account.client("lambda").delete_function_concurrency(FunctionName=NAME)
    assert_made_again(account, declared(cloud), "concurrency")


def test_a_reservation_can_be_given_back_twice(account: Account, cloud: Cloud) -> None:
    set_up(RESERVED, cloud)
    assert_deleted_twice(only(declared(cloud), "concurrency"))


def test_the_reservation_of_somebody_elses_function_is_left_alone(account: Account, cloud: Cloud) -> None:
    set_up(Settings(), cloud)
    client = account.client("lambda")
    client.put_function_concurrency(FunctionName=NAME, ReservedConcurrentExecutions=5)
    arn = client.get_function(FunctionName=NAME)["Configuration"]["FunctionArn"]
    client.untag_resource(Resource=arn, TagKeys=["ordernotify:stack"])
    tear_down(Settings(), cloud)
    assert reserved(account) == 5


def test_row_19_an_account_that_cannot_spare_so_many_is_not_asked_again(
    account: Account, cloud: Cloud
) -> None:
    text = "decreases account's UnreservedConcurrentExecution below its minimum value of [10]."
    account.interfere = refuse("PutFunctionConcurrency", "InvalidParameterValueException", text, times=9)
    clock = ManualClock()
    with pytest.raises(ApplyError, match="cannot spare 20 concurrent executions") as failed:
        set_up(RESERVED, cloud, clock)
    assert "Service Quotas" in failed.value.hint
    tried = [call for call in account.calls if call.operation == "PutFunctionConcurrency"]
    assert len(tried) == 1
