from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from moto.iam.models import AWSManagedPolicy, iam_backends

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.errors import WaitTimeoutError
from ordernotify.executor import Action
from ordernotify.resources.api.access_logs import (
    POLICY,
    ROLE_TIMEOUT_SECONDS,
    ApiLogRole,
)
from ordernotify.resources.api.base import LOG_FORMATS
from ordernotify.settings.model import ApiKind, Settings
from ordernotify.settings.names import API_LOG_ROLE
from tests.provision_support import (
    ACCOUNT_ID,
    Account,
    ManualClock,
    assert_settled,
    bring_about,
    planned_actions,
    refuse,
    set_up,
    step,
    tear_down,
)

LOGGED = Settings(access_logs=True, log_retention=7)
GROUP = "/aws/vendedlogs/apigateway/order-api"
ROLE = f"arn:aws:iam::{ACCOUNT_ID}:role/{API_LOG_ROLE}"
ANY_POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
)
NOT_READY = "The role ARN does not have required permissions configured"
NOT_WRITING = "API Gateway could not successfully write to CloudWatch Logs using the ARN specified"


def role(cloud: Cloud, settings: Settings = LOGGED) -> list[ApiLogRole]:
    return [ApiLogRole(settings, cloud)]


def set_role(account: Account) -> str | None:
    found: str | None = account.client("apigateway").get_account().get("cloudwatchRoleArn")
    return found


def groups(account: Account) -> dict[str, Any]:
    found = account.client("logs").describe_log_groups()["logGroups"]
    return {group["logGroupName"]: group.get("retentionInDays") for group in found}


@pytest.fixture(autouse=True)
def _managed_policy(account: Account) -> None:
    """Make AWS's own policy known; moto loads either all of them, which takes seconds, or none."""
    policy = AWSManagedPolicy.from_data(
        POLICY.rpartition("/")[2],
        ACCOUNT_ID,
        "us-east-1",
        {
            "Path": "/service-role/",
            "DefaultVersionId": "v1",
            "Document": {},
            "CreateDate": "2015-11-11T23:41:46+00:00",
            "UpdateDate": "2015-11-11T23:41:46+00:00",
        },
    )
    iam_backends[ACCOUNT_ID]["aws"].managed_policies[policy.arn] = policy


def test_row_09_the_setting_is_made_where_it_is_unset_and_kept(account: Account, cloud: Cloud) -> None:
    planned = provision.plan(provision.declare(LOGGED, cloud))
    (item,) = (item for item in planned.items if item.key == "api-log-role")
    assert (item.action, item.name) == (Action.CREATE, API_LOG_ROLE)
    assert item.reason == "API Gateway's setting for the whole account and region; teardown keeps it"
    set_up(LOGGED, cloud)
    assert set_role(account) == ROLE
    attached = account.client("iam").list_attached_role_policies(RoleName=API_LOG_ROLE)["AttachedPolicies"]
    assert [policy["PolicyName"] for policy in attached] == ["AmazonAPIGatewayPushToCloudWatchLogs"]
    assert "ordernotify:stack" not in str(account.client("iam").list_role_tags(RoleName=API_LOG_ROLE)["Tags"])
    assert_settled(account, provision.declare(LOGGED, cloud))
    removal = provision.plan_teardown(provision.declare(LOGGED, cloud), delete_orders=True)
    (kept,) = (item for item in removal.items if item.key == "api-log-role")
    assert (kept.action, kept.reason) == (Action.KEEP, "not this stack's alone")
    tear_down(LOGGED, cloud)
    assert set_role(account) == ROLE
    assert [role["RoleName"] for role in account.client("iam").list_roles()["Roles"]] == [API_LOG_ROLE]


def test_the_role_gets_the_boundary_and_the_path_of_the_organization(account: Account, cloud: Cloud) -> None:
    iam = account.client("iam")
    limits = iam.create_policy(PolicyName="limits", PolicyDocument=ANY_POLICY)["Policy"]["Arn"]
    placed = replace(LOGGED, permissions_boundary=limits, role_path="/team/")
    bring_about(role(cloud, placed))
    made = iam.get_role(RoleName=API_LOG_ROLE)["Role"]
    assert made["PermissionsBoundary"]["PermissionsBoundaryArn"] == limits
    assert set_role(account) == made["Arn"] == f"arn:aws:iam::{ACCOUNT_ID}:role/team/{API_LOG_ROLE}"


def test_row_34_a_new_role_that_iam_does_not_know_yet_is_waited_for(account: Account, cloud: Cloud) -> None:
    account.interfere = refuse("AttachRolePolicy", "NoSuchEntity", times=2, status=404)
    clock = ManualClock()
    bring_about(role(cloud), clock)
    assert set_role(account) == ROLE
    assert clock.time == 2


def test_row_09_a_setting_that_somebody_made_is_left_as_it_is(account: Account, cloud: Cloud) -> None:
    other = f"arn:aws:iam::{ACCOUNT_ID}:role/others"
    account.client("apigateway").update_account(
        patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": other}]
    )
    assert planned_actions(provision.plan(role(cloud))) == {}
    set_up(LOGGED, cloud)
    assert set_role(account) == other


@pytest.mark.parametrize("text", [NOT_READY, NOT_WRITING], ids=["row 9", "row 25"])
def test_row_09_and_25_the_new_role_is_waited_for(account: Account, cloud: Cloud, text: str) -> None:
    account.interfere = refuse("UpdateAccount", "BadRequestException", text, times=3)
    clock = ManualClock()
    bring_about(role(cloud), clock)
    assert set_role(account) == ROLE
    assert clock.time == 15


def test_row_09_a_role_that_is_never_usable_ends_in_an_error_that_says_so(
    account: Account, cloud: Cloud
) -> None:
    account.interfere = refuse("UpdateAccount", "BadRequestException", NOT_READY, times=10**6)
    clock = ManualClock()
    with pytest.raises(WaitTimeoutError, match="s for the role to be usable by API Gateway: The role ARN"):
        role(cloud)[0].create(step(clock=clock))
    assert ROLE_TIMEOUT_SECONDS <= clock.time < ROLE_TIMEOUT_SECONDS + 10


def test_row_09_the_quota_of_one_update_in_20_seconds_is_waited_for(account: Account, cloud: Cloud) -> None:
    account.interfere = refuse("UpdateAccount", "TooManyRequestsException", times=20, status=429)
    bring_about(role(cloud))
    assert set_role(account) == ROLE


def test_row_09_a_setting_that_was_cut_off_is_completed(account: Account, cloud: Cloud) -> None:
    account.client("iam").create_role(RoleName=API_LOG_ROLE, AssumeRolePolicyDocument="{}")
    bring_about(role(cloud))
    assert set_role(account) == ROLE


@pytest.mark.parametrize(
    "settings",
    [Settings(), Settings(api=ApiKind.HTTP), Settings(api=ApiKind.HTTP, access_logs=True)],
    ids=["rest", "http", "http with logs"],
)
def test_row_09_the_setting_is_made_only_for_the_logs_of_a_rest_api(
    account: Account, cloud: Cloud, settings: Settings
) -> None:
    set_up(settings, cloud)
    assert set_role(account) is None
    tear_down(settings, cloud)
    assert account.client("iam").list_roles()["Roles"] == []


@pytest.mark.parametrize("api", ApiKind)
def test_row_10_the_group_of_the_access_log_has_the_prefix_the_retention_and_the_tag(
    account: Account, cloud: Cloud, api: ApiKind
) -> None:
    settings = Settings(api=api, access_logs=True, log_retention=7)
    set_up(settings, cloud)
    assert groups(account) == {GROUP: 7, "/aws/lambda/processFileUpload": 7}
    tags = account.client("logs").list_tags_for_resource(
        resourceArn=f"arn:aws:logs:us-east-1:{ACCOUNT_ID}:log-group:{GROUP}"
    )["tags"]
    assert tags == {"ordernotify:stack": "default"}
    tear_down(settings, cloud)
    assert groups(account) == {}


def test_the_group_goes_when_access_logs_are_no_longer_described(account: Account, cloud: Cloud) -> None:
    set_up(LOGGED, cloud)
    account.forget_calls()
    set_up(Settings(log_retention=7), cloud)
    called = [call.operation for call in account.changing_calls]
    assert called.index("DeleteLogGroup") > called.index("UpdateStage"), "the stage forgets it first"
    assert groups(account) == {"/aws/lambda/processFileUpload": 7}


@pytest.mark.parametrize("api", ApiKind)
def test_a_line_of_the_access_log_is_json_whatever_is_missing(api: ApiKind) -> None:
    # API Gateway puts a hyphen where a variable has no value.
    line = LOG_FORMATS[api]
    variables = [part.partition('"')[0] for part in line.split('"$context.')[1:]]
    for variable in sorted(variables, key=len, reverse=True):
        line = line.replace(f"$context.{variable}", "-")
    assert json.loads(line) == dict.fromkeys(json.loads(LOG_FORMATS[api]), "-")
    assert "\n" not in line
