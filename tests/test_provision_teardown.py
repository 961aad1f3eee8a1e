from __future__ import annotations

import pytest

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.executor import Action, ApplyError
from ordernotify.settings.model import ApiKind, Settings
from ordernotify.settings.names import Target
from tests.account_snapshot import snapshot
from tests.provision_support import (
    Account,
    full_settings,
    position,
    refuse,
    set_up,
    tear_down,
)

EVERYWHERE = pytest.mark.parametrize(
    ("api", "target"), [(api, target) for api in ApiKind for target in Target], ids=str
)


def test_teardown_goes_from_the_entrance_inwards(account: Account, cloud: Cloud) -> None:
    set_up(full_settings(), cloud)
    account.forget_calls()
    tear_down(Settings(), cloud)
    calls = account.changing_calls
    for earlier, later in [
        ("DeleteRestApi", "DeleteFunction"),
        ("DeleteFunction", "DeleteTable"),
        ("DeleteFunction", "DeleteRole"),
        ("DeleteFunction", "DeleteLogGroup"),
        ("Unsubscribe", "DeleteTopic"),
    ]:
        assert position(calls, earlier) < position(calls, later)


@EVERYWHERE
def test_teardown_leaves_nothing_and_has_then_nothing_to_do(
    account: Account, api: ApiKind, target: Target
) -> None:
    set_up(full_settings(api=api), account.cloud(target))
    tear_down(Settings(), account.cloud(target))
    assert snapshot(account.client) == {}
    account.forget_calls()
    resources = provision.declare(Settings(), account.cloud(target))
    assert provision.plan_teardown(resources, delete_orders=True).items == ()
    assert account.changing_calls == []


def test_the_orders_are_kept_unless_told_and_taken_back_by_the_next_setup(
    account: Account, cloud: Cloud
) -> None:
    set_up(Settings(), cloud)
    order = {"FileName": {"S": "order-1"}}
    account.client("dynamodb").put_item(TableName="FileMetadata", Item=order)
    planned = provision.plan_teardown(provision.declare(Settings(), cloud), delete_orders=False)
    kept = [(item.key, item.reason) for item in planned.items if item.action is Action.KEEP]
    assert kept == [("table", "holds the orders")]
    tear_down(Settings(), cloud, delete_orders=False)
    assert list(snapshot(account.client)) == ["dynamodb"]
    set_up(Settings(), cloud)
    assert account.client("dynamodb").scan(TableName="FileMetadata")["Items"] == [order]


def test_teardown_goes_on_beside_a_failure_and_completes_the_next_time(
    account: Account, cloud: Cloud
) -> None:
    set_up(full_settings(), cloud)
    account.interfere = refuse("DeleteRole", "DeleteConflict", "Cannot delete entity", times=9)
    with pytest.raises(ApplyError, match="could not delete the role"):
        tear_down(Settings(), cloud)
    assert list(snapshot(account.client)) == ["iam"]
    account.interfere = lambda _call, send: send()
    tear_down(Settings(), cloud)
    assert snapshot(account.client) == {}


def test_teardown_removes_what_a_killed_verify_left(account: Account, cloud: Cloud) -> None:
    set_up(Settings(), cloud)
    account.client("sqs").create_queue(
        QueueName="file-upload-notification-verify-0a1b2c3d", tags={"ordernotify:stack": "default"}
    )
    tear_down(Settings(), cloud)
    assert snapshot(account.client) == {}
