"""What organizations ask of roles, and IAM's delay: paths, boundaries, and changes that must be repeated."""

from __future__ import annotations

from typing import Any

import pytest

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.errors import OrderNotifyError, UsageError
from ordernotify.executor import Action
from ordernotify.iam import policies
from ordernotify.resources.role import Role
from ordernotify.settings.model import ApiKind, Settings
from ordernotify.settings.recorded import settings_in_tags
from tests.provision_support import (
    ACCOUNT_ID,
    Account,
    ManualClock,
    assert_settled,
    bring_about,
    changes_planned,
    planned_actions,
    position,
    refuse,
    set_up,
    tear_down,
)

NAME = "processFileUpload-role"
BOUNDARY = f"arn:aws:iam::{ACCOUNT_ID}:policy/org/limits"
PLACED = Settings(permissions_boundary=BOUNDARY, role_path="/team/shop/")
ARN = f"arn:aws:iam::{ACCOUNT_ID}:role/team/shop/{NAME}"
OTHER = f"arn:aws:iam::{ACCOUNT_ID}:policy/other"


OTHER_TRUST = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", '
    '"Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}'
)


def role(cloud: Cloud, settings: Settings = PLACED) -> list[Role]:
    return [Role(settings, cloud)]


def found(account: Account) -> tuple[str, str]:
    made = account.client("iam").get_role(RoleName=NAME)["Role"]
    return made["Arn"], made.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "")


@pytest.fixture(autouse=True)
def _boundaries(account: Account) -> None:
    for path, name in (("/org/", "limits"), ("/", "other")):
        account.client("iam").create_policy(
            PolicyName=name,
            Path=path,
            PolicyDocument='{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", '
            '"Action": "*", "Resource": "*"}]}',
        )


def test_the_role_is_made_with_boundary_and_path_and_the_function_runs_as_it(
    account: Account, cloud: Cloud
) -> None:
    set_up(PLACED, cloud)
    assert found(account) == (ARN, BOUNDARY)
    configuration = account.client("lambda").get_function(FunctionName="processFileUpload")["Configuration"]
    assert configuration["Role"] == ARN
    assert_settled(account, provision.declare(PLACED, cloud))


def test_boundary_and_path_are_remembered_and_torn_down(account: Account, cloud: Cloud) -> None:
    set_up(PLACED, cloud)
    tags = account.client("lambda").list_tags(
        Resource=f"arn:aws:lambda:us-east-1:{ACCOUNT_ID}:function:processFileUpload"
    )["Tags"]
    assert settings_in_tags(tags) == {"permissions_boundary": BOUNDARY, "role_path": "/team/shop/"}
    tear_down(PLACED, cloud)
    assert account.client("iam").list_roles()["Roles"] == []


def test_a_changed_boundary_is_put_back_before_the_policy(account: Account, cloud: Cloud) -> None:
    bring_about(role(cloud))
    iam = account.client("iam")
    iam.put_role_permissions_boundary(RoleName=NAME, PermissionsBoundary=OTHER)
    iam.delete_role_policy(RoleName=NAME, PolicyName="ordernotify")
    assert changes_planned(role(cloud), "role").keys() == {"permissions boundary", "policy"}
    account.forget_calls()
    bring_about(role(cloud))
    calls = account.changing_calls
    assert position(calls, "PutRolePermissionsBoundary") < position(calls, "PutRolePolicy")
    assert found(account) == (ARN, BOUNDARY)


def test_a_boundary_that_is_not_described_is_left_alone(account: Account, cloud: Cloud) -> None:
    bring_about(role(cloud, Settings()))
    account.client("iam").put_role_permissions_boundary(RoleName=NAME, PermissionsBoundary=OTHER)
    assert_settled(account, role(cloud, Settings()))
    assert found(account)[1] == OTHER


def test_another_path_makes_the_role_anew_and_the_function_takes_it(account: Account, cloud: Cloud) -> None:
    set_up(Settings(), cloud)
    planned = provision.plan(provision.declare(PLACED, cloud))
    assert planned_actions(planned) == {"role": Action.REPLACE, "function": Action.UPDATE}
    account.forget_calls()
    set_up(PLACED, cloud)
    assert found(account) == (ARN, BOUNDARY)
    assert "DeleteFunction" not in {call.operation for call in account.calls}
    assert_settled(account, provision.declare(PLACED, cloud))


def test_an_interrupted_change_of_the_path_is_continued(account: Account, cloud: Cloud) -> None:
    set_up(Settings(), cloud)
    account.interfere = refuse("CreateRole", "AccessDenied", "not now")
    with pytest.raises(OrderNotifyError, match="not now"):
        set_up(PLACED, cloud)
    set_up(PLACED, cloud)
    assert_settled(account, provision.declare(PLACED, cloud))


def test_somebody_elses_role_with_another_path_is_not_replaced(account: Account, cloud: Cloud) -> None:
    account.client("iam").create_role(RoleName=NAME, AssumeRolePolicyDocument="{}", Path="/theirs/")
    with pytest.raises(OrderNotifyError, match="has the path /theirs/") as caught:
        provision.plan(role(cloud), adopt=True)
    assert caught.value.hint == "Give its path: --role-path /theirs/"


def test_the_policy_of_setup_grants_roles_with_this_boundary_only(cloud: Cloud) -> None:
    settings = Settings(permissions_boundary=BOUNDARY, role_path="/team/shop/", access_logs=True)
    calls = provision.setup_calls(provision.declare(settings, cloud))
    statements = policies.policy(calls, cloud).document["Statement"]
    widening = {"CreateRole", "PutRolePermissionsBoundary", "PutRolePolicy", "AttachRolePolicy"}
    granted = {
        action.removeprefix("iam:"): statement
        for statement in statements
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
        if action.removeprefix("iam:") in widening
    }
    assert granted.keys() == widening
    for statement in granted.values():
        assert statement["Condition"]["StringEquals"] == {"iam:PermissionsBoundary": BOUNDARY}
        assert ":role/team/shop/" in str(statement["Resource"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"role_path": "team/"},
        {"role_path": "/team"},
        {"role_path": "//"},
        {"role_path": "/team*/"},
        {"role_path": ""},
        {"permissions_boundary": "limits"},
        {"permissions_boundary": "arn:aws:iam::123456789012:role/limits"},
        {"role_arn": f"arn:aws:iam::{ACCOUNT_ID}:role/theirs", "role_path": "/team/"},
        {"role_arn": f"arn:aws:iam::{ACCOUNT_ID}:role/theirs", "permissions_boundary": BOUNDARY},
    ],
    ids=str,
)
def test_what_iam_would_refuse_or_nothing_would_use_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Settings(**wrong)


def test_with_a_given_role_they_are_for_the_role_of_the_apis_log() -> None:
    given = f"arn:aws:iam::{ACCOUNT_ID}:role/theirs"
    assert Settings(role_arn=given, role_path="/team/", access_logs=True).role_path == "/team/"
    with pytest.raises(UsageError):
        Settings(role_arn=given, role_path="/team/", access_logs=True, api=ApiKind.HTTP)


# AWS-FACTS 34.


@pytest.mark.parametrize(
    ("operation", "code"),
    [("PutRolePolicy", "NoSuchEntity"), ("PutRolePolicy", "ConcurrentModification")],
)
def test_row_34_a_new_role_that_iam_does_not_know_yet_is_waited_for(
    account: Account, cloud: Cloud, operation: str, code: str
) -> None:
    clock = ManualClock()
    account.interfere = refuse(operation, code, "The role cannot be found.", times=3, status=409)
    bring_about(role(cloud), clock)
    assert clock.time == 3
    assert_settled(account, role(cloud))


@pytest.mark.parametrize("operation", ["UpdateAssumeRolePolicy", "PutRolePermissionsBoundary", "TagRole"])
def test_row_34_a_change_is_repeated_while_iam_is_busy_with_another(
    account: Account, cloud: Cloud, operation: str
) -> None:
    bring_about(role(cloud))
    iam = account.client("iam")
    iam.update_assume_role_policy(RoleName=NAME, PolicyDocument=OTHER_TRUST)
    iam.put_role_permissions_boundary(RoleName=NAME, PermissionsBoundary=OTHER)
    tagged = [Role(Settings(permissions_boundary=BOUNDARY, role_path="/team/shop/", tags={"a": "b"}), cloud)]
    account.interfere = refuse(operation, "ConcurrentModification", times=2, status=409)
    bring_about(tagged)
    assert_settled(account, tagged)


def test_row_34_a_removal_is_repeated_while_iam_is_busy(account: Account, cloud: Cloud) -> None:
    set_up(PLACED, cloud)
    account.interfere = refuse("DeleteRole", "ConcurrentModification", times=2, status=409)
    tear_down(PLACED, cloud)
    assert account.client("iam").list_roles()["Roles"] == []


def test_row_34_the_wait_is_bounded(account: Account, cloud: Cloud) -> None:
    clock = ManualClock()
    account.interfere = refuse("PutRolePolicy", "NoSuchEntity", "gone", times=999)
    with pytest.raises(OrderNotifyError, match="waited 30 s for IAM to know the role: gone"):
        bring_about(role(cloud), clock)
    assert clock.time == 30
