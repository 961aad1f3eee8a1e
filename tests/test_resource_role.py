from __future__ import annotations

import json
from typing import Any

import pytest

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.errors import NotOursError, OrderNotifyError
from ordernotify.resources.base import Resource
from ordernotify.resources.given_role import ExistingRole
from ordernotify.resources.role import Role
from ordernotify.settings.model import Settings
from tests.cli_support import Typed, typed
from tests.provision_support import (
    ACCOUNT_ID,
    Account,
    Call,
    Send,
    answer,
    assert_deleted_twice,
    assert_made_again,
    assert_settled,
    bring_about,
    changes_planned,
    refusal,
    refuse,
    set_up,
    tear_down,
)

__all__ = ["typed"]

NAME = "processFileUpload-role"
PREFIX = f"us-east-1:{ACCOUNT_ID}"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT_ID}},
        }
    ],
}
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "StoreOrders",
            "Effect": "Allow",
            "Action": ["dynamodb:PutItem"],
            "Resource": f"arn:aws:dynamodb:{PREFIX}:table/FileMetadata",
        },
        {
            "Sid": "PublishNotifications",
            "Effect": "Allow",
            "Action": ["sns:Publish"],
            "Resource": f"arn:aws:sns:{PREFIX}:file-upload-notification",
        },
        {
            "Sid": "WriteLogs",
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": f"arn:aws:logs:{PREFIX}:log-group:/aws/lambda/processFileUpload:*",
        },
        {
            "Sid": "MarkOrders",
            "Effect": "Allow",
            "Action": ["dynamodb:UpdateItem"],
            "Resource": f"arn:aws:dynamodb:{PREFIX}:table/FileMetadata",
            "Condition": {
                "ForAllValues:StringEquals": {
                    "dynamodb:Attributes": ["FileName", "messageId", "notification"]
                },
                "StringEqualsIfExists": {"dynamodb:ReturnValues": ["NONE", "UPDATED_NEW", "UPDATED_OLD"]},
            },
        },
    ],
}
AS_DESCRIBED = {
    "trust": TRUST,
    "inline": {"ordernotify": POLICY},
    "attached": [],
    "tags": [
        {"Key": "ordernotify:region", "Value": "us-east-1"},
        {"Key": "ordernotify:stack", "Value": "default"},
    ],
}
OTHER_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
OTHER_POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
}


def role(cloud: Cloud, **settings: Any) -> list[Resource[Any]]:
    return [Role(Settings(**settings), cloud)]


def read(account: Account) -> dict[str, Any]:
    iam = account.client("iam")
    inline = iam.list_role_policies(RoleName=NAME)["PolicyNames"]
    return {
        "trust": iam.get_role(RoleName=NAME)["Role"]["AssumeRolePolicyDocument"],
        "inline": {
            name: iam.get_role_policy(RoleName=NAME, PolicyName=name)["PolicyDocument"] for name in inline
        },
        "attached": iam.list_attached_role_policies(RoleName=NAME)["AttachedPolicies"],
        "tags": iam.list_role_tags(RoleName=NAME)["Tags"],
    }


def test_a_new_role_allows_what_the_function_needs_and_no_more(account: Account, cloud: Cloud) -> None:
    bring_about(role(cloud))
    assert read(account) == AS_DESCRIBED


def test_a_role_as_described_is_left_alone(account: Account, cloud: Cloud) -> None:
    bring_about(role(cloud))
    assert_settled(account, role(cloud))


def test_a_changed_trust_policy_is_put_back(account: Account, cloud: Cloud) -> None:
    bring_about(role(cloud))
    account.client("iam").update_assume_role_policy(RoleName=NAME, PolicyDocument=json.dumps(OTHER_TRUST))
    assert set(changes_planned(role(cloud), "role")) == {"trust"}
    bring_about(role(cloud))
    assert read(account) == AS_DESCRIBED


@pytest.mark.parametrize("removed", [True, False])
def test_a_changed_or_removed_policy_is_put_over_the_old_one(
    account: Account, cloud: Cloud, removed: bool
) -> None:
    bring_about(role(cloud))
    iam = account.client("iam")
    if removed:
        iam.delete_role_policy(RoleName=NAME, PolicyName="ordernotify")
    else:
        iam.put_role_policy(RoleName=NAME, PolicyName="ordernotify", PolicyDocument=json.dumps(OTHER_POLICY))
    assert set(changes_planned(role(cloud), "role")) == {"policy"}
    account.forget_calls()
    bring_about(role(cloud))
    assert [call.operation for call in account.changing_calls] == ["PutRolePolicy"]
    assert read(account) == AS_DESCRIBED


def test_a_new_tag_is_added(account: Account, cloud: Cloud) -> None:
    bring_about(role(cloud))
    bring_about(role(cloud, tags={"team": "shop"}))
    assert {tag["Key"]: tag["Value"] for tag in read(account)["tags"]} == {
        "ordernotify:region": "us-east-1",
        "ordernotify:stack": "default",
        "team": "shop",
    }


def test_a_role_of_somebody_else_stops_the_plan(account: Account, cloud: Cloud) -> None:
    account.client("iam").create_role(RoleName=NAME, AssumeRolePolicyDocument=json.dumps(TRUST))
    with pytest.raises(NotOursError):
        provision.plan(role(cloud))
    assert account.changing_calls == []


def test_a_role_that_disappeared_is_made_again(account: Account, cloud: Cloud) -> None:
    bring_about(role(cloud))
    account.client("iam").delete_role_policy(RoleName=NAME, PolicyName="ordernotify")
    account.client("iam").delete_role(RoleName=NAME)
    assert_made_again(account, role(cloud), "role")


def test_a_role_can_be_deleted_twice(account: Account, cloud: Cloud) -> None:
    bring_about(role(cloud))
    assert_deleted_twice(role(cloud)[0])


@pytest.mark.parametrize("operation", ["DeleteRolePolicy", "DetachRolePolicy"])
def test_a_policy_that_is_gone_by_now_does_not_keep_the_role(
    account: Account, cloud: Cloud, operation: str
) -> None:
    bring_about(role(cloud))
    iam = account.client("iam")
    managed = iam.create_policy(PolicyName="theirs", PolicyDocument=json.dumps(OTHER_POLICY))["Policy"]
    iam.attach_role_policy(RoleName=NAME, PolicyArn=managed["Arn"])

    def interfere(call: Call, send: Send) -> Any:
        answered = send()
        return refusal(call, "NoSuchEntity", "not found", 404) if call.operation == operation else answered

    account.interfere = interfere
    assert_deleted_twice(role(cloud)[0])


# A role that the person gives with --role-arn.

GIVEN = f"arn:aws:iam::{ACCOUNT_ID}:role/team/theirs"


def given(cloud: Cloud) -> list[Resource[Any]]:
    settings = Settings(role_arn=GIVEN)
    return [Role(settings, cloud), ExistingRole(settings, cloud)]


def give_role(account: Account, trust: object = TRUST) -> None:
    account.client("iam").create_role(
        RoleName="theirs", Path="/team/", AssumeRolePolicyDocument=json.dumps(trust)
    )


def simulated(missing: str = "", **decisions: str) -> Any:
    """Answer the simulation of policies in IAM's place; every action not named is allowed.

    `missing` is a condition key of the policies that the simulation was not given.
    """
    keys = f"<MissingContextValues><member>{missing}</member></MissingContextValues>" if missing else ""

    def interfere(call: Call, send: Send) -> Any:
        if call.operation != "SimulatePrincipalPolicy":
            return send()
        results = "".join(
            f"<member><EvalActionName>{action}</EvalActionName>{keys}"
            f"<EvalDecision>{decisions.get(action.partition(':')[2], 'allowed')}</EvalDecision></member>"
            for action in call.params["ActionNames"]
        )
        body = (
            "<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult>"
            f"<EvaluationResults>{results}</EvaluationResults>"
            "</SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
        )
        return answer(200, body.encode(), {"Content-Type": "text/xml"})

    return interfere


def test_a_given_role_is_used_as_it_is(account: Account, cloud: Cloud) -> None:
    give_role(account)
    account.interfere = simulated()
    assert_settled(account, given(cloud))


def test_a_given_role_that_lacks_a_permission_is_refused(account: Account, cloud: Cloud) -> None:
    give_role(account)
    account.interfere = simulated(Publish="implicitDeny", PutLogEvents="explicitDeny")
    with pytest.raises(OrderNotifyError, match="the role theirs lacks sns:Publish, logs:PutLogEvents"):
        provision.plan(given(cloud))


def test_a_given_role_whose_rights_depend_on_conditions_is_not_refused(
    account: Account, cloud: Cloud
) -> None:
    give_role(account)
    account.interfere = simulated("aws:SourceVpc", PutItem="implicitDeny", UpdateItem="implicitDeny")
    assert_settled(account, given(cloud))
    (said,) = provision.plan(given(cloud)).stays
    assert "the role theirs depend on aws:SourceVpc" in said
    account.interfere = simulated("aws:SourceVpc")
    assert provision.plan(given(cloud)).stays == ()


def test_a_given_role_that_lambda_may_not_assume_is_refused(account: Account, cloud: Cloud) -> None:
    give_role(account, OTHER_TRUST)
    account.interfere = simulated()
    with pytest.raises(OrderNotifyError, match="Lambda may not assume the role theirs"):
        provision.plan(given(cloud))


def test_a_given_role_that_does_not_exist_is_refused(cloud: Cloud) -> None:
    with pytest.raises(OrderNotifyError, match="does not exist"):
        provision.plan(given(cloud))


def test_a_given_role_with_the_guides_rights_alone_is_enough(account: Account, cloud: Cloud) -> None:
    give_role(account)
    account.interfere = simulated(UpdateItem="implicitDeny")
    assert_settled(account, given(cloud))


def test_who_may_not_simulate_policies_leaves_the_given_role_unchecked(
    account: Account, cloud: Cloud
) -> None:
    give_role(account)
    account.interfere = refuse("SimulatePrincipalPolicy", "AccessDenied", "not authorized", times=99)
    assert_settled(account, given(cloud))


def test_our_own_role_goes_when_another_is_given_and_that_one_is_never_removed(
    account: Account, cloud: Cloud
) -> None:
    bring_about(role(cloud))
    give_role(account)
    account.interfere = simulated()
    bring_about(given(cloud))
    names = [found["RoleName"] for found in account.client("iam").list_roles()["Roles"]]
    assert names == ["theirs"]
    planned = provision.plan_teardown(given(cloud), delete_orders=True)
    assert planned.changes == ()


OWN = f"arn:aws:iam::{ACCOUNT_ID}:role/{NAME}"


def test_the_stacks_own_role_stays_when_it_is_given(account: Account, cloud: Cloud) -> None:
    set_up(Settings(), cloud)
    settings = Settings(role_arn=OWN)
    account.interfere = simulated()
    set_up(settings, cloud)
    assert read(account) == AS_DESCRIBED
    assert provision.plan(provision.declare(settings, cloud)).changes == ()
    tear_down(settings, cloud)
    assert read(account) == AS_DESCRIBED, "a given role is never one to be removed"


def test_a_given_role_that_was_deleted_blocks_neither_status_nor_teardown(
    account: Account, typed: Typed
) -> None:
    give_role(account)
    account.interfere = simulated()
    assert typed("setup", "--role-arn", GIVEN).exit_code == 0
    account.client("iam").delete_role(RoleName="theirs")
    status = typed("status")
    assert status.exit_code == 0, status.output
    assert "given role" in status.stdout
    assert "missing" in status.stdout
    refused = typed("setup", "--role-arn", GIVEN, "--yes")
    assert refused.exit_code == 1
    assert f"the role {GIVEN} does not exist" in refused.stderr
    removed = typed("teardown", "--yes", "--delete-orders")
    assert removed.exit_code == 0, removed.output
    assert account.client("lambda").list_functions()["Functions"] == []
    assert "given role" not in removed.output
