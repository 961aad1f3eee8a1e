from __future__ import annotations

from typing import Any

import pytest

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.errors import NotOursError, OrderNotifyError
from ordernotify.resources.table import Table
from ordernotify.settings.model import Settings
from ordernotify.settings.names import Target
from tests.provision_support import (
    Account,
    assert_deleted_twice,
    assert_made_again,
    assert_settled,
    bring_about,
    changes_planned,
)

NAME = "FileMetadata"
OURS = {"Key": "ordernotify:stack", "Value": "default"}


def table(cloud: Cloud, **settings: Any) -> list[Table]:
    return [Table(Settings(**settings), cloud)]


def read(account: Account) -> dict[str, Any]:
    dynamodb = account.client("dynamodb")
    described = dynamodb.describe_table(TableName=NAME)["Table"]
    backups = dynamodb.describe_continuous_backups(TableName=NAME)["ContinuousBackupsDescription"]
    return {
        "key": described["KeySchema"],
        "types": described["AttributeDefinitions"],
        "billing": described["BillingModeSummary"]["BillingMode"],
        "protected": described["DeletionProtectionEnabled"],
        "recovery": backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"],
        "tags": dynamodb.list_tags_of_resource(ResourceArn=described["TableArn"])["Tags"],
    }


def expected(*, protected: bool) -> dict[str, Any]:
    return {
        "key": [{"AttributeName": "FileName", "KeyType": "HASH"}],
        "types": [{"AttributeName": "FileName", "AttributeType": "S"}],
        "billing": "PAY_PER_REQUEST",
        "protected": protected,
        "recovery": "ENABLED" if protected else "DISABLED",
        "tags": [OURS],
    }


@pytest.mark.parametrize(("target", "protected"), [(Target.AWS, True), (Target.LOCAL, False)])
def test_a_new_table_is_as_the_guide_has_it_and_protected_in_an_account(
    account: Account, target: Target, protected: bool
) -> None:
    bring_about(table(account.cloud(target)))
    assert read(account) == expected(protected=protected)


def test_a_table_as_described_is_left_alone(account: Account, cloud: Cloud) -> None:
    bring_about(table(cloud))
    assert_settled(account, table(cloud))


def test_changed_billing_is_put_back(account: Account, cloud: Cloud) -> None:
    bring_about(table(cloud))
    account.client("dynamodb").update_table(
        TableName=NAME,
        BillingMode="PROVISIONED",
        ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
    )
    assert changes_planned(table(cloud), "table") == {"billing": ("PROVISIONED", "PAY_PER_REQUEST")}
    bring_about(table(cloud))
    assert read(account) == expected(protected=True)


def test_removed_protection_is_put_back(account: Account, cloud: Cloud) -> None:
    bring_about(table(cloud))
    account.client("dynamodb").update_table(TableName=NAME, DeletionProtectionEnabled=False)
    assert changes_planned(table(cloud), "table") == {"deletion protection": (False, True)}
    bring_about(table(cloud))
    assert read(account) == expected(protected=True)


def test_recovery_that_was_turned_off_is_turned_on_again(account: Account, cloud: Cloud) -> None:
    bring_about(table(cloud))
    account.client("dynamodb").update_continuous_backups(
        TableName=NAME, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )
    assert changes_planned(table(cloud), "table") == {"point-in-time recovery": (False, True)}
    bring_about(table(cloud))
    assert read(account) == expected(protected=True)


def test_a_new_tag_is_added_and_a_foreign_one_is_left(account: Account, cloud: Cloud) -> None:
    bring_about(table(cloud))
    arn = table(cloud)[0].arn
    foreign = {"Key": "cost-centre", "Value": "7"}
    account.client("dynamodb").tag_resource(ResourceArn=arn, Tags=[foreign])
    assert_settled(account, table(cloud))
    bring_about(table(cloud, tags={"team": "shop"}))
    by_key = {tag["Key"]: tag["Value"] for tag in read(account)["tags"]}
    assert by_key == {"ordernotify:stack": "default", "cost-centre": "7", "team": "shop"}


def test_a_table_with_another_key_stops_the_plan_and_keeps_its_orders(account: Account, cloud: Cloud) -> None:
    account.client("dynamodb").create_table(
        TableName=NAME,
        AttributeDefinitions=[{"AttributeName": "OrderId", "AttributeType": "N"}],
        KeySchema=[{"AttributeName": "OrderId", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=[OURS],
    )
    with pytest.raises(OrderNotifyError) as caught:
        provision.plan(table(cloud))
    assert caught.value.message == (
        "the table FileMetadata has the key OrderId (N) and not FileName (S): "
        "a table's key cannot be changed, and replacing the table would delete the orders in it"
    )


def test_a_table_of_somebody_else_stops_the_plan(account: Account, cloud: Cloud) -> None:
    account.client("dynamodb").create_table(
        TableName=NAME,
        AttributeDefinitions=[{"AttributeName": "FileName", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "FileName", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    with pytest.raises(NotOursError):
        provision.plan(table(cloud))
    assert account.changing_calls == []


def test_a_table_that_disappeared_is_made_again(account: Account, local_cloud: Cloud) -> None:
    bring_about(table(local_cloud))
    account.client("dynamodb").delete_table(TableName=NAME)
    assert_made_again(account, table(local_cloud), "table")


@pytest.mark.parametrize("target", Target)
def test_a_table_can_be_deleted_twice(account: Account, target: Target) -> None:
    cloud = account.cloud(target)
    bring_about(table(cloud))
    assert_deleted_twice(table(cloud)[0])
    assert account.client("dynamodb").list_tables()["TableNames"] == []
