from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.errors import NotOursError, OrderNotifyError
from ordernotify.executor import Action
from ordernotify.render.plans import plan_lines
from ordernotify.resources.api.key import ApiKey, find_api_keys
from ordernotify.resources.api.rest_api import RestApi
from ordernotify.resources.api.usage_plan import UsagePlan, UsagePlanState
from ordernotify.resources.base import UNKNOWN, Resource
from ordernotify.settings.model import Auth, Settings
from ordernotify.settings.names import Names
from tests.provision_support import (
    Account,
    assert_settled,
    bring_about,
    changes_planned,
    only,
    planned_actions,
    refuse,
    set_up,
    tear_down,
)

KEY, PLAN = "order-api-key", "order-api-plan"
OURS = {"ordernotify:stack": "default"}


def keyed(cloud: Cloud, **settings: Any) -> list[Resource[Any]]:
    described = Settings(auth=settings.pop("auth", Auth.API_KEY), **settings)
    return [RestApi(described, cloud), ApiKey(described, cloud), UsagePlan(described, cloud)]


def read(account: Account) -> dict[str, Any]:
    """Read the only key and the only plan, by boto3 alone."""
    client = account.client("apigateway")
    (api,) = client.get_rest_apis()["items"]
    (key,) = client.get_api_keys()["items"]
    (plan,) = client.get_usage_plans()["items"]
    keys = client.get_usage_plan_keys(usagePlanId=plan["id"])["items"]
    return {
        "key": (key["name"], key["enabled"], key["tags"]),
        "plan": (plan["name"], plan["tags"], plan.get("throttle")),
        "admitted": [found["id"] for found in keys] == [key["id"]],
        "stages": plan["apiStages"] == [{"apiId": api["id"], "stage": api_stage(account)}],
    }


def api_stage(account: Account) -> str:
    client = account.client("apigateway")
    (api,) = client.get_rest_apis()["items"]
    (stage,) = client.get_stages(restApiId=api["id"])["item"]
    return str(stage["stageName"])


AS_DESCRIBED = {"key": (KEY, True, OURS), "plan": (PLAN, OURS, None), "admitted": True, "stages": True}


def test_a_new_key_is_admitted_to_the_stage(account: Account, cloud: Cloud) -> None:
    bring_about(keyed(cloud))
    assert read(account) == AS_DESCRIBED


def test_a_key_as_described_is_left_alone(account: Account, cloud: Cloud) -> None:
    bring_about(keyed(cloud, rate=5, burst=7))
    assert_settled(account, keyed(cloud, rate=5, burst=7))


def test_a_stack_without_keys_has_neither_key_nor_plan(account: Account, cloud: Cloud) -> None:
    set_up(Settings(auth=Auth.IAM), cloud)
    assert account.client("apigateway").get_api_keys()["items"] == []
    assert account.client("apigateway").get_usage_plans()["items"] == []


def test_a_revoked_key_is_enabled_again(account: Account, cloud: Cloud) -> None:
    bring_about(keyed(cloud))
    client = account.client("apigateway")
    (key,) = client.get_api_keys()["items"]
    client.update_api_key(
        apiKey=key["id"], patchOperations=[{"op": "replace", "path": "/enabled", "value": "false"}]
    )
    assert changes_planned(keyed(cloud), "api-key") == {"enabled": (False, True)}
    bring_about(keyed(cloud))
    assert read(account) == AS_DESCRIBED


def test_a_stranger_in_the_plan_is_put_out(account: Account, cloud: Cloud) -> None:
    bring_about(keyed(cloud))
    client = account.client("apigateway")
    (plan,) = client.get_usage_plans()["items"]
    stranger = client.create_api_key(name="stranger", enabled=True)["id"]
    client.create_usage_plan_key(usagePlanId=plan["id"], keyId=stranger, keyType="API_KEY")
    assert set(changes_planned(keyed(cloud), "usage-plan")) == {"key"}
    bring_about(keyed(cloud))
    client.delete_api_key(apiKey=stranger)
    assert read(account) == AS_DESCRIBED


def test_the_throttle_of_the_plan_follows_the_options(account: Account, cloud: Cloud) -> None:
    for rate, burst in ((5, 7), (50, 100)):
        bring_about(keyed(cloud, rate=rate, burst=burst))
        assert read(account)["plan"][2] == {"rateLimit": float(rate), "burstLimit": burst}
    bring_about(keyed(cloud))
    assert read(account)["plan"][2] is None


def test_a_plan_for_another_stage_is_replaced_and_the_key_stays(account: Account, cloud: Cloud) -> None:
    bring_about(keyed(cloud))
    before = account.client("apigateway").get_api_keys()["items"][0]["id"]
    actions = planned_actions(provision.plan(keyed(cloud, stage="v2")))
    assert actions == {"api": Action.UPDATE, "usage-plan": Action.REPLACE}
    bring_about(keyed(cloud, stage="v2"))
    assert read(account) == AS_DESCRIBED
    assert account.client("apigateway").get_api_keys()["items"][0]["id"] == before


@pytest.mark.parametrize("stage", ["v9", ""])
def test_a_plan_for_somebody_elses_stage_or_for_none_is_not_taken_over(
    account: Account, cloud: Cloud, stage: str
) -> None:
    client, api_stages = account.client("apigateway"), []
    if stage:
        api = client.create_rest_api(name="theirs")["id"]
        root = client.get_resources(restApiId=api)["items"][0]["id"]
        client.put_method(restApiId=api, resourceId=root, httpMethod="GET", authorizationType="NONE")
        client.put_integration(restApiId=api, resourceId=root, httpMethod="GET", type="MOCK")
        client.create_deployment(restApiId=api, stageName=stage)
        api_stages = [{"apiId": api, "stage": stage}]
    before = client.create_usage_plan(name=PLAN, apiStages=api_stages)
    account.forget_calls()
    with pytest.raises(NotOursError, match="does not belong to the stack"):
        set_up(Settings(auth=Auth.API_KEY), cloud)
    with pytest.raises(OrderNotifyError, match=f"is for .*{stage or 'no stage'}: only a plan") as caught:
        set_up(Settings(auth=Auth.API_KEY), cloud, adopt=True)
    assert "--api-name" in caught.value.hint
    assert account.changing_calls == []
    assert client.get_usage_plans()["items"] == [{k: v for k, v in before.items() if k != "ResponseMetadata"}]


def test_key_and_plan_go_when_they_are_no_longer_described(account: Account, cloud: Cloud) -> None:
    set_up(Settings(auth=Auth.API_KEY), cloud)
    actions = planned_actions(provision.plan(provision.declare(Settings(), cloud)))
    assert (actions["api-key"], actions["usage-plan"]) == (Action.DELETE, Action.DELETE)
    set_up(Settings(), cloud)
    assert account.client("apigateway").get_api_keys()["items"] == []
    assert account.client("apigateway").get_usage_plans()["items"] == []


def test_teardown_takes_the_stage_out_of_the_plan_first(account: Account, cloud: Cloud) -> None:
    set_up(Settings(auth=Auth.API_KEY), cloud)
    account.forget_calls()
    tear_down(Settings(auth=Auth.API_KEY), cloud)
    called = [call.operation for call in account.changing_calls]
    order = [called.index(name) for name in ("UpdateUsagePlan", "DeleteUsagePlan", "DeleteRestApi")]
    assert order == sorted(order)
    assert account.client("apigateway").get_api_keys()["items"] == []


def test_another_stacks_key_is_not_touched(account: Account, cloud: Cloud) -> None:
    client = account.client("apigateway")
    client.create_api_key(name=f"{KEY}-dev", enabled=True, tags={"ordernotify:stack": "dev"})
    set_up(Settings(auth=Auth.API_KEY), cloud)
    tear_down(Settings(auth=Auth.API_KEY), cloud)
    assert [key["name"] for key in client.get_api_keys()["items"]] == [f"{KEY}-dev"]


@pytest.mark.parametrize("what", ["key", "plan"])
def test_a_key_or_plan_of_this_name_without_the_tag_stops_the_plan(
    account: Account, cloud: Cloud, what: str
) -> None:
    client = account.client("apigateway")
    if what == "key":
        client.create_api_key(name=KEY, enabled=True)
    else:
        client.create_usage_plan(name=PLAN)
    with pytest.raises(NotOursError, match="exists and does not belong to the stack default"):
        provision.plan(keyed(cloud))


def test_row_20_a_second_key_of_ours_is_deleted(account: Account, cloud: Cloud) -> None:
    bring_about(keyed(cloud))
    client = account.client("apigateway")
    client.create_api_key(name=KEY, enabled=True, tags=OURS)
    client.create_usage_plan(name=PLAN, tags=OURS)
    bring_about(keyed(cloud))
    assert read(account) == AS_DESCRIBED
    assert_settled(account, keyed(cloud))


@pytest.mark.parametrize("operation", ["CreateApiKey", "CreateUsagePlan", "CreateUsagePlanKey"])
def test_row_06_a_quota_is_waited_for(account: Account, cloud: Cloud, operation: str) -> None:
    account.interfere = refuse(operation, "TooManyRequestsException", times=20, status=429)
    bring_about(keyed(cloud))
    assert read(account) == AS_DESCRIBED


def test_row_21_a_key_that_an_earlier_attempt_put_into_the_plan_is_no_error(
    account: Account, cloud: Cloud
) -> None:
    text = "Usage Plan Key already exists"
    account.interfere = refuse("CreateUsagePlanKey", "ConflictException", text, status=409)
    bring_about(keyed(cloud))
    account.interfere = lambda call, send: send()
    bring_about(keyed(cloud))
    assert read(account) == AS_DESCRIBED


def test_the_value_of_the_key_is_in_no_plan(account: Account, cloud: Cloud) -> None:
    planned = bring_about(keyed(cloud))
    (key,) = account.client("apigateway").get_api_keys(includeValues=True)["items"]
    again = provision.plan(keyed(cloud, rate=1, burst=1))
    everything = f"{planned!r} {again!r} {[line.plain for line in plan_lines(again)]}"
    assert key["value"] not in everything
    assert not any(
        call.params.get("includeValues") or call.params.get("includeValue") for call in account.calls
    )


def test_what_is_not_known_before_the_api_is_made_is_said_so(cloud: Cloud) -> None:
    described = only(keyed(cloud), "usage-plan").described({})
    assert described == UsagePlanState(stage=UNKNOWN, key=UNKNOWN)


class TalkativeCloud:
    """Sends the values of keys unasked, as an emulator does."""

    apigateway: Any
    partition, region = "aws", "us-east-1"

    def __init__(self) -> None:
        self.apigateway = self

    def get_paginator(self, operation: str) -> Any:
        return self

    def get_tags(self, **_: object) -> dict[str, Any]:
        return {}

    def paginate(self, **_: object) -> list[dict[str, Any]]:
        made = datetime.fromtimestamp(0, UTC)
        return [{"items": [{"id": "1", "name": KEY, "value": "secret", "createdDate": made}]}]


def test_a_value_that_is_sent_unasked_is_dropped() -> None:
    (found,) = find_api_keys(TalkativeCloud(), Names())  # type: ignore[arg-type]
    assert "secret" not in str(found)
