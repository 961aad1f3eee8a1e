from __future__ import annotations

from typing import Any

import pytest

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.errors import NotOursError
from ordernotify.resources.base import Resource
from ordernotify.resources.log_group import LogGroup
from ordernotify.settings.model import Settings
from tests.provision_support import (
    Account,
    assert_deleted_twice,
    assert_made_again,
    assert_settled,
    bring_about,
    changes_planned,
)

NAME = "/aws/lambda/processFileUpload"


def log_group(cloud: Cloud, **settings: Any) -> list[Resource[Any]]:
    return [LogGroup(Settings(**settings), cloud)]


def read(account: Account) -> dict[str, Any]:
    logs = account.client("logs")
    return {
        group["logGroupName"]: (
            group.get("retentionInDays"),
            logs.list_tags_for_resource(resourceArn=group["arn"].removesuffix(":*"))["tags"],
        )
        for group in logs.describe_log_groups()["logGroups"]
    }


def test_a_new_group_has_a_retention(account: Account, cloud: Cloud) -> None:
    bring_about(log_group(cloud))
    assert read(account) == {NAME: (30, {"ordernotify:stack": "default"})}


def test_a_group_as_described_is_left_alone(account: Account, cloud: Cloud) -> None:
    bring_about(log_group(cloud))
    assert_settled(account, log_group(cloud))


def test_another_retention_is_put(account: Account, cloud: Cloud) -> None:
    bring_about(log_group(cloud))
    assert changes_planned(log_group(cloud, log_retention=7), "log-group") == {"retention": (30, 7)}
    bring_about(log_group(cloud, log_retention=7))
    assert read(account) == {NAME: (7, {"ordernotify:stack": "default"})}


def test_a_removed_retention_is_put_back(account: Account, cloud: Cloud) -> None:
    bring_about(log_group(cloud))
    account.client("logs").delete_retention_policy(logGroupName=NAME)
    bring_about(log_group(cloud))
    assert read(account) == {NAME: (30, {"ordernotify:stack": "default"})}


def test_a_new_tag_is_added(account: Account, cloud: Cloud) -> None:
    bring_about(log_group(cloud))
    bring_about(log_group(cloud, tags={"team": "shop"}))
    assert read(account) == {NAME: (30, {"ordernotify:stack": "default", "team": "shop"})}


def test_a_group_of_somebody_else_stops_the_plan(account: Account, cloud: Cloud) -> None:
    account.client("logs").create_log_group(logGroupName=NAME)
    with pytest.raises(NotOursError):
        provision.plan(log_group(cloud))
    assert account.changing_calls == []


def test_a_group_that_disappeared_is_made_again(account: Account, cloud: Cloud) -> None:
    bring_about(log_group(cloud))
    account.client("logs").delete_log_group(logGroupName=NAME)
    assert_made_again(account, log_group(cloud), "log-group")


def test_a_group_can_be_deleted_twice(account: Account, cloud: Cloud) -> None:
    bring_about(log_group(cloud))
    assert_deleted_twice(log_group(cloud)[0])
