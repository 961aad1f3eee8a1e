from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.errors import NotOursError, WaitTimeoutError
from ordernotify.executor import Action, ApplyError
from ordernotify.resources.api.base import LOG_FORMATS, Throttle
from ordernotify.resources.api.old_api import OldApi
from ordernotify.resources.api.quota import QUOTA_TIMEOUT_SECONDS, is_api_busy
from ordernotify.resources.api.rest_api import RestApi
from ordernotify.resources.base import UNKNOWN, Resource
from ordernotify.settings.model import ApiKind, Auth, Settings
from tests.provision_support import (
    ACCOUNT_ID,
    Account,
    Call,
    ManualClock,
    Send,
    assert_settled,
    bring_about,
    changes_planned,
    only,
    planned_actions,
    refuse,
    set_up,
    step,
)

NAME = "order-api"
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT_ID}:function:processFileUpload"
URI = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"
ORIGIN = "https://shop.example.com"


def rest(cloud: Cloud, **settings: Any) -> list[Resource[Any]]:
    return [RestApi(Settings(**settings), cloud)]


def api_ids(account: Account) -> list[str]:
    return [api["id"] for api in account.client("apigateway").get_rest_apis()["items"]]


def read(account: Account) -> dict[str, Any]:
    """Read what matters of the only API, by boto3 alone."""
    client = account.client("apigateway")
    (api,) = client.get_rest_apis()["items"]
    resources = client.get_resources(restApiId=api["id"], embed=["methods"])["items"]
    stages = client.get_stages(restApiId=api["id"])["item"]
    deployments = client.get_deployments(restApiId=api["id"])["items"]
    return {
        "name": api["name"],
        "tags": api["tags"],
        "endpoint": api["endpointConfiguration"]["types"],
        "methods": {
            f"{method} {resource['path']}": (
                details["authorizationType"],
                details["apiKeyRequired"],
                details["methodIntegration"]["type"],
                details["methodIntegration"]["httpMethod"],
                details["methodIntegration"]["uri"],
            )
            for resource in resources
            for method, details in resource.get("resourceMethods", {}).items()
        },
        "stages": {stage["stageName"]: stage["deploymentId"] for stage in stages}
        == {"prod": deployments[0]["id"]},
        "deployments": len(deployments),
    }


POST = ("NONE", False, "AWS_PROXY", "POST", URI)
AS_DESCRIBED = {
    "name": NAME,
    "tags": {"ordernotify:stack": "default"},
    "endpoint": ["REGIONAL"],
    "methods": {"POST /orders": POST},
    "stages": True,
    "deployments": 1,
}


def test_a_new_api_takes_orders_at_one_path_by_one_method(account: Account, cloud: Cloud) -> None:
    bring_about(rest(cloud))
    assert read(account) == AS_DESCRIBED


def test_row_05_the_integration_method_is_post(account: Account, cloud: Cloud) -> None:
    bring_about(rest(cloud))
    assert read(account)["methods"]["POST /orders"][3] == "POST"


def test_row_05_statements_are_changed_one_at_a_time(account: Account, cloud: Cloud) -> None:
    set_up(Settings(cors_origins=("*",)), cloud)
    account.forget_calls()
    set_up(Settings(cors_origins=("*",), stage="v2"), cloud)
    changed = [
        (call.operation, call.params["StatementId"])
        for call in account.changing_calls
        if call.operation.endswith("Permission")
    ]
    assert changed == [
        ("RemovePermission", "ordernotify-api"),
        ("AddPermission", "ordernotify-api"),
        ("RemovePermission", "ordernotify-api-preflight"),
        ("AddPermission", "ordernotify-api-preflight"),
    ]
    permission = only(provision.declare(Settings(), cloud), "preflight-permission")
    assert "permission" in permission.needs


def test_row_05_an_http_api_needs_no_permission_for_preflights(account: Account, cloud: Cloud) -> None:
    set_up(Settings(api=ApiKind.HTTP, cors_origins=("*",)), cloud)
    policy = json.loads(account.client("lambda").get_policy(FunctionName="processFileUpload")["Policy"])
    assert [statement["Sid"] for statement in policy["Statement"]] == ["ordernotify-api"]


def busy(error_code: str, text: str) -> bool:
    return is_api_busy(ClientError({"Error": {"Code": error_code, "Message": text}}, "Any"))


def test_row_06_and_07_what_may_be_repeated_is_told_by_code_and_text() -> None:
    told = {
        "throttled": busy("TooManyRequestsException", "Rate exceeded"),
        "concurrent": busy(
            "ConflictException",
            "Unable to complete operation due to concurrent modification. Please try again later.",
        ),
        "limit": busy("LimitExceededException", "Maximum number of APIs"),
        "other conflict": busy("ConflictException", "Another resource with the same parent"),
    }
    assert told == {"throttled": True, "concurrent": True, "limit": False, "other conflict": False}


def test_row_06_a_quota_is_waited_for(account: Account, cloud: Cloud) -> None:
    # CreateRestApi once in 3 s: botocore's own attempts are used up long before a slow quota is free.
    account.interfere = refuse("CreateRestApi", "TooManyRequestsException", times=20, status=429)
    clock, told = ManualClock(), []
    planned = provision.plan(rest(cloud))
    for event in provision.apply(rest(cloud), planned, clock):
        told.append(event.detail)
    assert "waiting for API Gateway's quota, 6 s" in told
    assert read(account) == AS_DESCRIBED


def test_row_06_a_quota_that_never_frees_ends_in_an_error_that_says_so(
    account: Account, cloud: Cloud
) -> None:
    account.interfere = refuse(
        "CreateRestApi", "TooManyRequestsException", "Rate exceeded", times=10**6, status=429
    )
    clock = ManualClock()
    with pytest.raises(WaitTimeoutError, match=r"waited \d+ s for API Gateway's quota: Rate exceeded"):
        rest(cloud)[0].create(step(clock=clock))
    assert QUOTA_TIMEOUT_SECONDS <= clock.time < QUOTA_TIMEOUT_SECONDS + 10


def test_row_06_a_limit_is_no_quota_and_not_waited_for(account: Account, cloud: Cloud) -> None:
    account.interfere = refuse("CreateRestApi", "LimitExceededException", times=10**6, status=429)
    clock = ManualClock()
    with pytest.raises(ClientError, match="LimitExceededException"):
        rest(cloud)[0].create(step(clock=clock))
    assert clock.time == 0


def test_row_06_deleting_waits_for_its_quota_too(account: Account, cloud: Cloud) -> None:
    bring_about(rest(cloud))
    account.interfere = refuse("DeleteRestApi", "TooManyRequestsException", times=20, status=429)
    (api,) = rest(cloud)
    live = api.find()
    assert live is not None
    clock = ManualClock()
    api.delete(live, step(clock=clock))
    assert api_ids(account) == []
    assert clock.time > 0


CHANGING = (
    "CreateResource",
    "PutMethod",
    "PutIntegration",
    "CreateDeployment",
)


@pytest.mark.parametrize("operation", CHANGING)
def test_row_07_a_concurrent_change_is_waited_for(account: Account, cloud: Cloud, operation: str) -> None:
    text = "Unable to complete operation due to concurrent modification. Please try again later."
    account.interfere = refuse(operation, "ConflictException", text, times=3, status=409)
    bring_about(rest(cloud))
    account.interfere = lambda call, send: send()
    assert read(account) == AS_DESCRIBED
    assert_settled(account, rest(cloud))


def test_row_07_the_parts_of_an_api_are_changed_one_at_a_time(account: Account, cloud: Cloud) -> None:
    under_way, most = 0, 0

    def count(call: Call, send: Send) -> Any:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        answered = send()
        under_way -= 1
        return answered

    account.interfere = count
    bring_about(rest(cloud, cors_origins=(ORIGIN,), auth=Auth.API_KEY, rate=5, burst=5))
    assert most == 1


def test_row_08_the_api_is_deployed_after_its_integrations(account: Account, cloud: Cloud) -> None:
    bring_about(rest(cloud, cors_origins=(ORIGIN,)))
    called = [call.operation for call in account.changing_calls]
    assert called.count("CreateDeployment") == 1
    assert called.count("PutIntegration") == 2
    assert called.index("CreateDeployment") > max(
        place for place, name in enumerate(called) if name in {"PutIntegration", "PutGatewayResponse"}
    )


@pytest.mark.parametrize(
    "settings",
    [{"auth": Auth.IAM}, {"auth": Auth.API_KEY}, {"cors_origins": (ORIGIN,)}, {"cors_origins": ("*",)}],
    ids=str,
)
def test_row_08_a_change_of_the_api_is_deployed(
    account: Account, cloud: Cloud, settings: dict[str, Any]
) -> None:
    bring_about(rest(cloud))
    account.forget_calls()
    bring_about(rest(cloud, **settings))
    assert [call.operation for call in account.changing_calls].count("CreateDeployment") == 1
    assert read(account)["deployments"] == 1
    assert_settled(account, rest(cloud, **settings))
    bring_about(rest(cloud))
    assert read(account) == AS_DESCRIBED


def test_a_method_without_its_integration_is_completed(account: Account, cloud: Cloud) -> None:
    account.interfere = refuse("PutIntegration", "BadRequestException", "cut off here", times=1)
    with pytest.raises(ApplyError, match="cut off here"):
        bring_about(rest(cloud))
    bring_about(rest(cloud))
    assert read(account) == AS_DESCRIBED


def test_a_changed_integration_is_put_back_and_deployed(account: Account, cloud: Cloud) -> None:
    bring_about(rest(cloud))
    client, api = account.client("apigateway"), api_ids(account)[0]
    orders = next(r for r in client.get_resources(restApiId=api)["items"] if r["path"] == "/orders")
    client.put_integration(
        restApiId=api, resourceId=orders["id"], httpMethod="POST", type="MOCK", integrationHttpMethod="POST"
    )
    assert set(changes_planned(rest(cloud), "api")) == {"integration"}
    account.forget_calls()
    bring_about(rest(cloud))
    assert "CreateDeployment" in [call.operation for call in account.changing_calls]
    assert read(account) == AS_DESCRIBED


def test_a_stage_that_serves_another_deployment_is_deployed_to(account: Account, cloud: Cloud) -> None:
    bring_about(rest(cloud))
    client, api = account.client("apigateway"), api_ids(account)[0]
    other = client.create_deployment(restApiId=api, description="by hand")["id"]
    client.update_stage(
        restApiId=api,
        stageName="prod",
        patchOperations=[{"op": "replace", "path": "/deploymentId", "value": other}],
    )
    assert set(changes_planned(rest(cloud), "api")) == {"deployed", "other deployments"}
    bring_about(rest(cloud))
    assert read(account) == AS_DESCRIBED


def test_another_stage_takes_the_place_of_the_old_one(account: Account, cloud: Cloud) -> None:
    bring_about(rest(cloud))
    assert changes_planned(rest(cloud, stage="v2"), "api")["stages"] == (("prod",), ("v2",))
    bring_about(rest(cloud, stage="v2", rate=7, burst=9))
    client, api = account.client("apigateway"), api_ids(account)[0]
    (stage,) = client.get_stages(restApiId=api)["item"]
    everywhere = stage["methodSettings"]["*/*"]
    assert stage["stageName"] == "v2"
    assert (everywhere["throttlingRateLimit"], everywhere["throttlingBurstLimit"]) == (7.0, 9)
    assert_settled(account, rest(cloud, stage="v2", rate=7, burst=9))


def test_a_throttle_that_was_changed_by_hand_is_put_back(account: Account, cloud: Cloud) -> None:
    bring_about(rest(cloud, rate=50, burst=100))
    change: Any = {"op": "replace", "path": "/*/*/throttling/rateLimit", "value": "1"}
    account.client("apigateway").update_stage(
        restApiId=api_ids(account)[0], stageName="prod", patchOperations=[change]
    )
    assert changes_planned(rest(cloud, rate=50, burst=100), "api") == {
        "throttle": (Throttle(rate=1, burst=100), Throttle(rate=50, burst=100))
    }
    bring_about(rest(cloud, rate=50, burst=100))
    assert_settled(account, rest(cloud, rate=50, burst=100))


def test_a_page_may_read_the_answers_that_api_gateway_gives_itself(account: Account, cloud: Cloud) -> None:
    bring_about(rest(cloud, cors_origins=(ORIGIN,)))
    client, api = account.client("apigateway"), api_ids(account)[0]
    assert read(account)["methods"] == {"POST /orders": POST, "OPTIONS /orders": POST}
    expected = {
        "gatewayresponse.header.Access-Control-Allow-Origin": f"'{ORIGIN}'",
        "gatewayresponse.header.Vary": "'Origin'",
    }
    for kind in ("DEFAULT_4XX", "DEFAULT_5XX"):
        assert client.get_gateway_response(restApiId=api, responseType=kind)["responseParameters"] == expected


@pytest.mark.parametrize("auth", [Auth.API_KEY, Auth.IAM])
def test_a_preflight_is_answered_without_key_or_signature(account: Account, cloud: Cloud, auth: Auth) -> None:
    bring_about(rest(cloud, cors_origins=("*",), auth=auth))
    methods = read(account)["methods"]
    assert methods["OPTIONS /orders"] == POST
    assert methods["POST /orders"][:2] == (("AWS_IAM", False) if auth is Auth.IAM else ("NONE", True))


def test_the_access_log_is_turned_on_and_off(account: Account, cloud: Cloud) -> None:
    group = f"arn:aws:logs:us-east-1:{ACCOUNT_ID}:log-group:/aws/vendedlogs/apigateway/order-api"
    bring_about(rest(cloud, access_logs=True))
    client, api = account.client("apigateway"), api_ids(account)[0]
    settings = client.get_stage(restApiId=api, stageName="prod")["accessLogSettings"]
    assert settings == {"destinationArn": group, "format": LOG_FORMATS[ApiKind.REST]}
    assert_settled(account, rest(cloud, access_logs=True))
    bring_about(rest(cloud))
    assert "accessLogSettings" not in client.get_stage(restApiId=api, stageName="prod")


def test_row_09_a_stage_that_does_not_know_the_logging_role_yet_is_asked_again(
    account: Account, cloud: Cloud
) -> None:
    text = "CloudWatch Logs role ARN must be set in account settings to enable logging"
    account.interfere = refuse("UpdateStage", "BadRequestException", text, times=4)
    clock = ManualClock()
    bring_about(rest(cloud, access_logs=True), clock)
    assert len(clock.sleeps) == 4
    assert_settled(account, rest(cloud, access_logs=True))


def test_row_20_an_api_is_found_by_name_and_tag_on_any_page(account: Account, cloud: Cloud) -> None:
    client = account.client("apigateway")
    client.create_rest_api(name="order-api-dev", tags={"ordernotify:stack": "dev"})
    client.create_rest_api(name=NAME)
    bring_about_despite_the_other = client.create_rest_api(name=NAME, tags={"ordernotify:stack": "default"})
    for _ in range(30):
        client.create_rest_api(name="another")
    live = rest(cloud)[0].find()
    assert live is not None
    assert (live.owned, live.state.id) == (True, bring_about_despite_the_other["id"])


def test_an_api_of_this_name_without_the_tag_stops_the_plan(account: Account, cloud: Cloud) -> None:
    account.client("apigateway").create_rest_api(name=NAME)
    with pytest.raises(NotOursError, match="the api order-api exists and does not belong to the stack"):
        provision.plan(rest(cloud))


def test_a_second_api_of_ours_is_deleted_and_the_older_one_kept(account: Account, cloud: Cloud) -> None:
    bring_about(rest(cloud))
    (first,) = api_ids(account)
    account.client("apigateway").create_rest_api(name=NAME, tags={"ordernotify:stack": "default"})
    apis = {api["id"]: api["createdDate"] for api in account.client("apigateway").get_rest_apis()["items"]}
    oldest = min(apis, key=lambda api: (apis[api], api))
    assert changes_planned(rest(cloud), "api")["copies"] == (2, 1)
    bring_about(rest(cloud))
    assert api_ids(account) == [oldest]
    assert first in apis


def test_the_old_api_is_found_only_if_it_is_ours(account: Account, cloud: Cloud) -> None:
    account.client("apigateway").create_rest_api(name=NAME)
    old = OldApi(Settings(api=ApiKind.HTTP), cloud)
    assert old.find() is None
    assert planned_actions(provision.plan([old])) == {}


def test_the_permission_needs_the_api_first(cloud: Cloud) -> None:
    planned = provision.plan(provision.declare(Settings(), cloud))
    changed = {item.key: item for item in planned.items}
    assert changed["api"].action is Action.CREATE
    assert UNKNOWN not in str(changed["api"].changes)
