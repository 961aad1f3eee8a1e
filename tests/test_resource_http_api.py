from __future__ import annotations

from typing import Any

import pytest

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.errors import AccessDeniedError, NotOursError
from ordernotify.executor import Action, ApplyError
from ordernotify.resources.api.base import LOG_FORMATS
from ordernotify.resources.api.http_api import HttpApi
from ordernotify.resources.api.old_api import OldApi
from ordernotify.resources.base import UNKNOWN, Resource
from ordernotify.settings.model import ApiKind, Auth, Settings
from tests.account_snapshot import snapshot
from tests.provision_support import (
    ACCOUNT_ID,
    Account,
    Call,
    Send,
    answer_json,
    assert_settled,
    bring_about,
    changed_answer,
    changes_planned,
    connection_reset,
    planned_actions,
    refuse,
    set_up,
    step,
    tear_down,
)
from tests.test_fault_matrix import Fault, disturb

NAME = "order-api"
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT_ID}:function:processFileUpload"
URI = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"
ORIGINS = ("https://shop.example.com", "https://admin.example.com")


def http(cloud: Cloud, **settings: Any) -> list[Resource[Any]]:
    return [HttpApi(Settings(api=ApiKind.HTTP, **settings), cloud)]


def api_ids(account: Account) -> list[str]:
    return [api["ApiId"] for api in account.client("apigatewayv2").get_apis()["Items"]]


def read(account: Account) -> dict[str, Any]:
    """Read what matters of the only API, by boto3 alone."""
    client = account.client("apigatewayv2")
    (api,) = client.get_apis()["Items"]
    (route,) = client.get_routes(ApiId=api["ApiId"])["Items"]
    (integration,) = client.get_integrations(ApiId=api["ApiId"])["Items"]
    (stage,) = client.get_stages(ApiId=api["ApiId"])["Items"]
    assert route["Target"] == f"integrations/{integration['IntegrationId']}"
    return {
        "name": api["Name"],
        "protocol": api["ProtocolType"],
        "tags": api["Tags"],
        "cors": api.get("CorsConfiguration"),
        "route": (route["RouteKey"], route["AuthorizationType"]),
        "integration": (
            integration["IntegrationType"],
            integration["IntegrationMethod"],
            integration["PayloadFormatVersion"],
            integration["IntegrationUri"],
        ),
        "stage": (stage["StageName"], stage["AutoDeploy"]),
        "throttle": stage["DefaultRouteSettings"].get("ThrottlingRateLimit"),
        "log": stage.get("AccessLogSettings"),
    }


AS_DESCRIBED = {
    "name": NAME,
    "protocol": "HTTP",
    "tags": {"ordernotify:stack": "default"},
    "cors": None,
    "route": ("POST /orders", "NONE"),
    "integration": ("AWS_PROXY", "POST", "2.0", URI),
    "stage": ("prod", True),
    "throttle": None,
    "log": None,
}


def test_a_new_api_takes_orders_at_one_path_by_one_method(account: Account, cloud: Cloud) -> None:
    bring_about(http(cloud))
    assert read(account) == AS_DESCRIBED


def test_every_option_is_in_the_new_api(account: Account, cloud: Cloud) -> None:
    options: dict[str, Any] = {
        "auth": Auth.IAM,
        "cors_origins": ORIGINS,
        "rate": 50,
        "burst": 100,
        "stage": "v2",
        "access_logs": True,
    }
    bring_about(http(cloud, **options))
    group = f"arn:aws:logs:us-east-1:{ACCOUNT_ID}:log-group:/aws/vendedlogs/apigateway/order-api"
    assert read(account) == {
        **AS_DESCRIBED,
        "cors": {
            "AllowOrigins": sorted(ORIGINS),
            "AllowMethods": ["POST"],
            "AllowHeaders": [
                "authorization",
                "content-type",
                "idempotency-key",
                "x-amz-date",
                "x-amz-security-token",
                "x-api-key",
            ],
            "ExposeHeaders": ["idempotency-key", "idempotency-replayed", "retry-after"],
            "MaxAge": 600,
        },
        "route": ("POST /orders", "AWS_IAM"),
        "stage": ("v2", True),
        "throttle": 50.0,
        "log": {"DestinationArn": group, "Format": LOG_FORMATS[ApiKind.HTTP]},
    }
    assert_settled(account, http(cloud, **options))


@pytest.mark.parametrize("settings", [{"auth": Auth.IAM}, {"cors_origins": ORIGINS}], ids=str)
def test_an_option_is_turned_on_and_off(account: Account, cloud: Cloud, settings: dict[str, Any]) -> None:
    bring_about(http(cloud))
    bring_about(http(cloud, **settings))
    assert read(account) != AS_DESCRIBED
    assert_settled(account, http(cloud, **settings))
    bring_about(http(cloud))
    assert read(account) == AS_DESCRIBED


def test_cors_names_in_other_cases_and_another_order_are_the_same(account: Account, cloud: Cloud) -> None:
    bring_about(http(cloud, cors_origins=ORIGINS))
    client, api = account.client("apigatewayv2"), api_ids(account)[0]
    cors = client.get_api(ApiId=api)["CorsConfiguration"]
    cors["AllowHeaders"] = [name.title() for name in reversed(cors["AllowHeaders"])]
    cors["AllowOrigins"] = list(reversed(cors["AllowOrigins"]))
    client.update_api(ApiId=api, CorsConfiguration=cors)
    assert_settled(account, http(cloud, cors_origins=ORIGINS))


def test_a_route_that_was_opened_by_hand_is_closed_again(account: Account, cloud: Cloud) -> None:
    bring_about(http(cloud, auth=Auth.IAM))
    client, api = account.client("apigatewayv2"), api_ids(account)[0]
    (route,) = client.get_routes(ApiId=api)["Items"]
    client.update_route(ApiId=api, RouteId=route["RouteId"], AuthorizationType="NONE")
    assert changes_planned(http(cloud, auth=Auth.IAM), "api") == {"authorization": ("NONE", "AWS_IAM")}
    bring_about(http(cloud, auth=Auth.IAM))
    assert read(account)["route"] == ("POST /orders", "AWS_IAM")


@pytest.mark.parametrize("part", ["route", "integration", "stage"])
def test_a_part_that_disappeared_is_made_again(account: Account, cloud: Cloud, part: str) -> None:
    bring_about(http(cloud))
    client, api = account.client("apigatewayv2"), api_ids(account)[0]
    if part == "route":
        client.delete_route(ApiId=api, RouteId=client.get_routes(ApiId=api)["Items"][0]["RouteId"])
    elif part == "integration":
        found = client.get_integrations(ApiId=api)["Items"][0]["IntegrationId"]
        client.delete_integration(ApiId=api, IntegrationId=found)
    else:
        client.delete_stage(ApiId=api, StageName="prod")
    bring_about(http(cloud))
    assert read(account) == AS_DESCRIBED


def test_an_integration_with_another_payload_is_put_right(account: Account, cloud: Cloud) -> None:
    bring_about(http(cloud))
    client, api = account.client("apigatewayv2"), api_ids(account)[0]
    found = client.get_integrations(ApiId=api)["Items"][0]["IntegrationId"]
    client.update_integration(ApiId=api, IntegrationId=found, PayloadFormatVersion="1.0")
    assert set(changes_planned(http(cloud), "api")) == {"integration"}
    bring_about(http(cloud))
    assert read(account) == AS_DESCRIBED


def cut_off(operation: str) -> Any:
    """Break the first connection of an operation after it was applied (AWS-FACTS 21)."""
    left = [operation]

    def interfere(call: Call, send: Send) -> Any:
        if call.operation in left:
            left.remove(call.operation)
            send()
            raise connection_reset()
        return send()

    return interfere


@pytest.mark.usefixtures("quick_retries")
@pytest.mark.parametrize("operation", ["CreateApi", "CreateIntegration"])
def test_row_21_what_a_cut_off_create_left_twice_is_removed(
    account: Account, cloud: Cloud, operation: str
) -> None:
    account.interfere = cut_off(operation)
    bring_about(http(cloud))
    account.interfere = lambda call, send: send()
    bring_about(http(cloud))
    assert read(account) == AS_DESCRIBED
    assert_settled(account, http(cloud))


@pytest.mark.parametrize(
    ("operation", "text"),
    [
        ("CreateRoute", "Route with key POST /orders already exists for this API"),
        ("CreateStage", "Stage already exists"),
    ],
)
def test_row_21_a_part_that_an_earlier_attempt_made_is_no_error(
    account: Account, cloud: Cloud, operation: str, text: str
) -> None:
    account.interfere = refuse(operation, "ConflictException", text, status=409)
    bring_about(http(cloud))
    account.interfere = lambda call, send: send()
    bring_about(http(cloud))
    assert read(account) == AS_DESCRIBED


@pytest.mark.parametrize(
    "operation", ["CreateApi", "CreateIntegration", "CreateRoute", "CreateStage", "UpdateApi"]
)
def test_row_07_a_concurrent_change_is_waited_for(account: Account, cloud: Cloud, operation: str) -> None:
    text = "Unable to complete operation due to concurrent modification. Please try again later."
    account.interfere = refuse(operation, "ConflictException", text, times=3, status=409)
    bring_about(http(cloud, cors_origins=ORIGINS))
    account.interfere = lambda call, send: send()
    assert_settled(account, http(cloud, cors_origins=ORIGINS))


def test_row_10_a_caller_who_may_not_deliver_logs_is_told_what_to_ask_for(
    account: Account, cloud: Cloud
) -> None:
    text = "Insufficient permissions to enable logging"
    account.interfere = refuse("CreateStage", "BadRequestException", text, times=99)
    with pytest.raises(AccessDeniedError, match="may not deliver logs") as refused:
        http(cloud, access_logs=True)[0].create(step())
    assert "logs:CreateLogDelivery" in refused.value.hint
    assert "--no-access-logs" in refused.value.hint


def test_row_10_the_access_log_is_where_api_gateway_may_write(cloud: Cloud) -> None:
    described = http(cloud, access_logs=True)[0].described({})
    assert ":log-group:/aws/vendedlogs/" in described.access_log.destination


class EmptiedStage:
    """A stage whose throttle is 0 requests a second where none is given, as users of AWS have seen it."""

    def __init__(self, throttle: tuple[float, int] | None = None) -> None:
        self.throttle = throttle

    def __call__(self, call: Call, send: Send) -> Any:
        if call.operation in {"CreateStage", "UpdateStage"}:
            given = call.params.get("DefaultRouteSettings") or {}
            self.throttle = (given.get("ThrottlingRateLimit", 0.0), given.get("ThrottlingBurstLimit", 0))
            return send() if call.operation == "CreateStage" else answer_json({})
        return changed_answer(send(), self._show) if call.operation == "GetStages" else send()

    def _show(self, listed: dict[str, Any]) -> None:
        for stage in listed["items"]:
            rate, burst = self.throttle or (0.0, 0)
            stage["defaultRouteSettings"] = {"throttlingRateLimit": rate, "throttlingBurstLimit": burst}


def test_row_36_a_new_stage_that_would_refuse_everything_gets_the_accounts_limits(
    account: Account, cloud: Cloud
) -> None:
    account.interfere = stage = EmptiedStage()
    bring_about(http(cloud))
    assert stage.throttle == (10_000.0, 5_000)
    assert_settled(account, http(cloud))


def test_row_36_a_stage_without_its_throttle_any_more_gets_the_accounts_limits(
    account: Account, cloud: Cloud
) -> None:
    account.interfere = stage = EmptiedStage()
    bring_about(http(cloud, rate=50, burst=100))
    assert stage.throttle == (50.0, 100)
    bring_about(http(cloud))
    assert stage.throttle == (10_000.0, 5_000)
    assert_settled(account, http(cloud))


def test_row_20_an_api_is_found_by_name_and_tag(account: Account, cloud: Cloud) -> None:
    client = account.client("apigatewayv2")
    client.create_api(Name="order-api-dev", ProtocolType="HTTP", Tags={"ordernotify:stack": "dev"})
    client.create_api(Name=NAME, ProtocolType="HTTP")
    client.create_api(Name=NAME, ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action")
    ours = client.create_api(Name=NAME, ProtocolType="HTTP", Tags={"ordernotify:stack": "default"})
    live = http(cloud)[0].find()
    assert live is not None
    assert (live.owned, live.state.id) == (True, ours["ApiId"])


def test_an_api_without_the_tag_stops_the_plan_and_can_be_adopted(account: Account, cloud: Cloud) -> None:
    account.client("apigatewayv2").create_api(Name=NAME, ProtocolType="HTTP")
    with pytest.raises(NotOursError, match="the api order-api exists and does not belong to the stack"):
        provision.plan(http(cloud))
    list(provision.apply(http(cloud), provision.plan(http(cloud), adopt=True)))
    assert read(account) == AS_DESCRIBED
    assert_settled(account, http(cloud))


REST, HTTP = Settings(auth=Auth.API_KEY), Settings(api=ApiKind.HTTP)


@pytest.mark.parametrize(
    ("before", "after"), [(REST, HTTP), (HTTP, REST)], ids=["rest to http", "http to rest"]
)
def test_another_kind_of_api_takes_the_place_of_the_old_one(
    account: Account, cloud: Cloud, before: Settings, after: Settings
) -> None:
    set_up(before, cloud)
    resources = provision.declare(after, cloud)
    planned = provision.plan(resources)
    api = next(item for item in planned.items if item.key == "api")
    (kind, url) = api.changes
    assert (api.action, kind.before, kind.after) == (Action.REPLACE, before.api, after.api)
    assert (url.label, url.after) == ("invoke URL", UNKNOWN)
    assert str(url.before).endswith("/prod/orders")
    assert planned_actions(planned)["old-api"] is Action.DELETE
    account.forget_calls()
    set_up(after, cloud)
    called = [call.operation for call in account.changing_calls]
    gone = "DeleteRestApi" if after.api is ApiKind.HTTP else "DeleteApi"
    assert called.index(gone) > called.index("AddPermission"), "the new one works first"
    account.forget_calls()
    set_up(after, cloud)
    assert account.changing_calls == []
    kinds = {
        ApiKind.REST: len(account.client("apigateway").get_rest_apis()["items"]),
        ApiKind.HTTP: len(account.client("apigatewayv2").get_apis()["Items"]),
    }
    assert kinds == {after.api: 1, before.api: 0}
    assert account.client("apigateway").get_usage_plans()["items"] == [] or after.auth is Auth.API_KEY


def test_the_old_api_stays_when_the_new_one_fails_and_goes_next_time(account: Account, cloud: Cloud) -> None:
    set_up(Settings(), cloud)
    account.interfere = refuse("CreateStage", "BadRequestException", "not today", times=99)
    with pytest.raises(ApplyError, match="not today"):
        set_up(HTTP, cloud)
    account.interfere = lambda call, send: send()
    assert len(account.client("apigateway").get_rest_apis()["items"]) == 1
    set_up(HTTP, cloud)
    assert account.client("apigateway").get_rest_apis()["items"] == []
    assert read(account) == AS_DESCRIBED


@pytest.mark.parametrize("settings", [Settings(), HTTP], ids=["as rest", "as http"])
def test_teardown_removes_both_kinds_after_a_change_that_was_cut_off(
    account: Account, cloud: Cloud, settings: Settings
) -> None:
    set_up(Settings(), cloud)
    bring_about(http(cloud))
    tear_down(settings, cloud)
    assert account.client("apigateway").get_rest_apis()["items"] == []
    assert api_ids(account) == []


def test_others_apis_of_the_other_kind_are_left_alone(account: Account, cloud: Cloud) -> None:
    account.client("apigateway").create_rest_api(name=NAME)
    set_up(HTTP, cloud)
    tear_down(HTTP, cloud)
    assert len(account.client("apigateway").get_rest_apis()["items"]) == 1
    assert OldApi(HTTP, cloud).find() is None


def test_the_alarm_watches_this_api_by_its_id(account: Account, cloud: Cloud) -> None:
    described = Settings(api=ApiKind.HTTP, stage="v2")
    set_up(described, cloud)
    (alarm,) = account.client("cloudwatch").describe_alarms(AlarmNames=["processFileUpload-api-5xx"])[
        "MetricAlarms"
    ]
    watched = {item["Name"]: item["Value"] for item in alarm["Dimensions"]}
    assert (alarm["MetricName"], watched) == ("5xx", {"ApiId": api_ids(account)[0], "Stage": "v2"})
    assert_settled(account, provision.declare(described, cloud))


@pytest.mark.usefixtures("quick_retries")
@pytest.mark.parametrize(
    ("before", "after"), [(REST, HTTP), (HTTP, REST)], ids=["rest to http", "http to rest"]
)
def test_a_change_of_kind_that_was_cut_off_is_continued(before: Settings, after: Settings) -> None:
    def change(account: Account) -> None:
        set_up(after, account.cloud())

    with Account() as undisturbed:
        set_up(before, undisturbed.cloud())
        undisturbed.forget_calls()
        change(undisturbed)
        left, calls = snapshot(undisturbed.client), undisturbed.changing_calls
    for call in sorted(calls, key=str)[::4]:
        with Account() as account:
            set_up(before, account.cloud())
            disturb(account, change, Fault.DIES_AFTER, call)
            change(account)
            assert snapshot(account.client) == left, f"after {call}"
            assert_settled(account, provision.declare(after, account.cloud()))
