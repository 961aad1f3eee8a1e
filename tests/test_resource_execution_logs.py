from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.errors import UsageError
from ordernotify.executor import Action
from ordernotify.settings.model import ApiKind, Settings
from tests.provision_support import (
    Account,
    assert_made_again,
    assert_settled,
    changes_planned,
    only,
    planned_actions,
    position,
    set_up,
    step,
    tear_down,
)
from tests.test_declared_calls import known_to_aws

LOGGED = Settings(execution_logs=True, log_retention=7)
TAGGED = {"ordernotify:stack": "default"}


@pytest.fixture(autouse=True)
def _managed_policy(account: Account) -> None:
    account.interfere = known_to_aws


def stage(account: Account) -> dict[str, Any]:
    client = account.client("apigateway")
    (api,) = client.get_rest_apis()["items"]
    found: dict[str, Any] = client.get_stage(restApiId=api["id"], stageName="prod")
    return found


def group_name(account: Account) -> str:
    (api,) = account.client("apigateway").get_rest_apis()["items"]
    return f"API-Gateway-Execution-Logs_{api['id']}/prod"


def groups(account: Account) -> dict[str, Any]:
    logs = account.client("logs")
    return {
        group["logGroupName"]: (
            group.get("retentionInDays"),
            logs.list_tags_for_resource(resourceArn=group["arn"].removesuffix(":*"))["tags"],
        )
        for group in logs.describe_log_groups()["logGroups"]
        if group["logGroupName"].startswith("API-Gateway")
    }


def declared(cloud: Cloud, settings: Settings = LOGGED) -> tuple[Any, ...]:
    return provision.declare(settings, cloud)


def level(account: Account) -> tuple[str, bool]:
    setting = stage(account)["methodSettings"]["*/*"]
    return setting["loggingLevel"], setting["dataTraceEnabled"]


def test_a_stage_logs_every_step_without_bodies_to_a_group_with_a_retention(
    account: Account, cloud: Cloud
) -> None:
    set_up(LOGGED, cloud)
    assert level(account) == ("INFO", False)
    assert groups(account) == {group_name(account): (7, TAGGED)}
    assert_settled(account, declared(cloud))


def test_bodies_that_are_logged_since_somebody_changed_the_stage_are_told_and_stopped(
    account: Account, cloud: Cloud
) -> None:
    set_up(LOGGED, cloud)
    (api,) = account.client("apigateway").get_rest_apis()["items"]
    account.client("apigateway").update_stage(
        restApiId=api["id"],
        stageName="prod",
        patchOperations=[{"op": "replace", "path": "/*/*/logging/dataTrace", "value": "true"}],
    )
    assert changes_planned(declared(cloud), "api") == {"execution logs": ("INFO with bodies", "INFO")}
    set_up(LOGGED, cloud)
    assert level(account) == ("INFO", False)


def test_a_throttle_and_the_logs_go_independently(account: Account, cloud: Cloud) -> None:
    set_up(Settings(execution_logs=True, rate=50, burst=100), cloud)
    set_up(Settings(execution_logs=True), cloud)
    setting = stage(account)["methodSettings"]["*/*"]
    assert (setting["throttlingRateLimit"], setting["loggingLevel"]) == (10_000, "INFO")
    set_up(Settings(rate=50, burst=100), cloud)
    setting = stage(account)["methodSettings"]["*/*"]
    assert (setting["throttlingRateLimit"], setting["loggingLevel"]) == (50, "OFF")


def test_a_group_that_api_gateway_made_gets_the_retention_and_the_tag(account: Account, cloud: Cloud) -> None:
    set_up(Settings(), cloud)
    account.client("logs").create_log_group(logGroupName=group_name(account))
    assert planned_actions(provision.plan(declared(cloud)))["execution-logs"] is Action.UPDATE
    set_up(LOGGED, cloud)
    assert groups(account) == {group_name(account): (7, TAGGED)}


def test_the_group_of_another_api_is_nobodys_business(account: Account, cloud: Cloud) -> None:
    foreign = "API-Gateway-Execution-Logs_0123456789/prod"
    account.client("logs").create_log_group(logGroupName=foreign)
    set_up(LOGGED, cloud)
    tear_down(Settings(), cloud)
    assert groups(account) == {foreign: (None, {})}


def test_a_group_that_disappeared_is_made_again(account: Account, cloud: Cloud) -> None:
    set_up(LOGGED, cloud)
    account.client("logs").delete_log_group(logGroupName=group_name(account))
    assert_made_again(account, declared(cloud), "execution-logs")


def test_the_group_goes_when_the_logs_are_no_longer_described(account: Account, cloud: Cloud) -> None:
    set_up(LOGGED, cloud)
    account.forget_calls()
    set_up(Settings(), cloud)
    assert groups(account) == {}
    # moto does not carry it out; the embedded cloud does, see tests/e2e/test_api_options.py.
    patches = [call.params["patchOperations"] for call in account.calls if call.operation == "UpdateStage"]
    assert patches == [[{"op": "remove", "path": "/*/*"}]]


def test_teardown_deletes_the_group_after_the_api_and_its_late_lines(account: Account, cloud: Cloud) -> None:
    set_up(LOGGED, cloud)
    account.forget_calls()
    tear_down(LOGGED, cloud)
    assert groups(account) == {}
    deleted = [(call.operation, call.name) for call in account.changing_calls]
    names = [name for operation, name in deleted if operation == "DeleteLogGroup"]
    assert any(name.startswith("API-Gateway") for name in names)
    at = [operation for operation, _ in deleted].index("DeleteRestApi")
    assert all(deleted.index(one) > at for one in deleted if one[1].startswith("API-Gateway"))


def test_a_group_that_a_cut_off_teardown_left_is_found_by_its_tag(account: Account, cloud: Cloud) -> None:
    set_up(LOGGED, cloud)
    api = only(declared(cloud), "api")
    live = api.find()
    assert live is not None
    api.delete(live, step())
    assert len(groups(account)) == 1
    tear_down(Settings(), cloud)
    assert groups(account) == {}


def test_the_role_that_api_gateway_logs_with_is_tagged(account: Account, cloud: Cloud) -> None:
    set_up(Settings(execution_logs=True, tags={"team": "shop"}), cloud)
    tags = account.client("iam").list_role_tags(RoleName="ordernotify-apigateway-logs")["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"team": "shop", "ordernotify:shared": "account"}


def test_an_http_api_has_none() -> None:
    with pytest.raises(UsageError, match="an HTTP API has no execution logs"):
        Settings(api=ApiKind.HTTP, execution_logs=True)


# Traces, which are the stage's too.


def traced(account: Account) -> tuple[bool, str]:
    configuration = account.client("lambda").get_function(FunctionName="processFileUpload")["Configuration"]
    return stage(account).get("tracingEnabled", False), configuration["TracingConfig"]["Mode"]


def sends_traces(account: Account) -> bool:
    policy = account.client("iam").get_role_policy(
        RoleName="processFileUpload-role", PolicyName="ordernotify"
    )["PolicyDocument"]
    return any("xray:PutTraceSegments" in statement["Action"] for statement in policy["Statement"])


def test_function_and_stage_are_traced_with_the_rights_for_it(account: Account, cloud: Cloud) -> None:
    set_up(Settings(tracing=True), cloud)
    assert traced(account) == (True, "Active")
    assert sends_traces(account)
    assert_settled(account, declared(cloud, Settings(tracing=True)))


def test_nothing_is_traced_unless_it_is_asked_for_or_any_more(account: Account, cloud: Cloud) -> None:
    set_up(Settings(), cloud)
    assert traced(account) == (False, "PassThrough")
    assert not sends_traces(account)
    set_up(Settings(tracing=True), cloud)
    set_up(Settings(), cloud)
    assert traced(account) == (False, "PassThrough")
    assert not sends_traces(account)


def test_the_role_may_send_traces_before_the_function_does(account: Account, cloud: Cloud) -> None:
    set_up(Settings(), cloud)
    account.forget_calls()
    set_up(Settings(tracing=True), cloud)
    calls = account.changing_calls
    assert position(calls, "PutRolePolicy") < position(calls, "UpdateFunctionConfiguration")


def test_tracing_that_was_turned_off_by_hand_is_told(account: Account, cloud: Cloud) -> None:
    set_up(Settings(tracing=True), cloud)
    cloud.lambda_.update_function_configuration(
        FunctionName="processFileUpload", TracingConfig={"Mode": "PassThrough"}
    )
    assert changes_planned(declared(cloud, Settings(tracing=True)), "function") == {"tracing": (False, True)}


def test_a_new_api_gets_a_group_of_its_own_in_the_same_run(account: Account, cloud: Cloud) -> None:
    set_up(LOGGED, cloud)
    (old,) = groups(account)
    account.client("apigateway").delete_rest_api(restApiId=old.split("_")[1].partition("/")[0])
    set_up(LOGGED, cloud)
    assert groups(account) == {old: (7, TAGGED), group_name(account): (7, TAGGED)}
    assert_settled(account, declared(cloud))
    tear_down(LOGGED, cloud)
    assert groups(account) == {}, "the old one too"


def test_the_group_of_another_api_of_the_stack_is_not_one_that_was_left(
    account: Account, cloud: Cloud
) -> None:
    set_up(LOGGED, cloud)
    other = replace(LOGGED, names=replace(LOGGED.names, api="other"))
    assert only(declared(cloud, other), "execution-logs").find() is None


def test_only_groups_that_the_policies_name_are_looked_into(account: Account, cloud: Cloud) -> None:
    foreign = "API-Gateway-Execution-Logs_0123456789/dev"
    account.client("logs").create_log_group(logGroupName=foreign)
    set_up(Settings(), cloud)
    account.forget_calls()
    tear_down(LOGGED, cloud)
    read = [str(call.params) for call in account.calls if call.operation == "ListTagsForResource"]
    assert [one for one in read if foreign in one] == []


@pytest.mark.parametrize("settings", [Settings(), LOGGED])
def test_looking_lists_apis_and_groups_once(account: Account, cloud: Cloud, settings: Settings) -> None:
    set_up(settings, cloud)
    account.forget_calls()
    only(declared(cloud, settings), "execution-logs").find()
    listings = [call.operation for call in account.calls if call.operation != "ListTagsForResource"]
    assert sorted(listings) == ["DescribeLogGroups", "GetRestApis"]
