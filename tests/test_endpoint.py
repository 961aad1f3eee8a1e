from __future__ import annotations

from typing import Any

import pytest

from ordernotify.aws.session import Cloud
from ordernotify.errors import AccessDeniedError, StackNotFoundError
from ordernotify.settings.model import ApiKind, Auth, Settings
from ordernotify.settings.names import Names
from ordernotify.stack.discovery import (
    InvokeEndpoint,
    find_endpoint,
    recorded_settings,
    stacks_present,
)
from tests.provision_support import Account, bring_about, refuse, set_up
from tests.test_resource_http_api import http

DEV = Names().for_stack("dev")


def rest_id(account: Account) -> str:
    return str(account.client("apigateway").get_rest_apis()["items"][0]["id"])


def http_id(account: Account) -> str:
    return str(account.client("apigatewayv2").get_apis()["Items"][0]["ApiId"])


def url(api: str, stage: str = "prod") -> str:
    return f"https://{api}.execute-api.us-east-1.amazonaws.com/{stage}/orders"


def test_a_rest_api_is_found(account: Account, cloud: Cloud) -> None:
    set_up(Settings(), cloud)
    api = rest_id(account)
    found = find_endpoint(cloud, Names(), "default")
    assert found == InvokeEndpoint(url(api), "prod", api, ApiKind.REST, Auth.NONE)


def test_an_http_api_is_found_with_its_stage_and_what_it_asks_for(account: Account, cloud: Cloud) -> None:
    set_up(Settings("dev", DEV, api=ApiKind.HTTP, auth=Auth.IAM, stage="v2"), cloud)
    api = http_id(account)
    found = find_endpoint(cloud, DEV, "dev")
    assert found == InvokeEndpoint(url(api, "v2"), "v2", api, ApiKind.HTTP, Auth.IAM)


def test_the_described_kind_wins_while_there_are_both(account: Account, cloud: Cloud) -> None:
    set_up(Settings(), cloud)
    bring_about(http(cloud))
    assert find_endpoint(cloud, Names(), "default").kind is ApiKind.REST


def test_no_stack_is_told_with_what_to_do(account: Account, cloud: Cloud) -> None:
    set_up(Settings("dev", DEV), cloud)
    account.client("apigateway").create_rest_api(name="order-api")
    with pytest.raises(StackNotFoundError) as missing:
        find_endpoint(cloud, Names(), "default")
    assert missing.value.message == "the stack default has no API order-api"
    assert "ordernotify setup" in missing.value.hint


@pytest.mark.parametrize("operation", ["GetRestApis", "GetApis", "ListTags"])
def test_a_denied_call_is_not_taken_for_absence(account: Account, cloud: Cloud, operation: str) -> None:
    set_up(Settings(), cloud)
    account.interfere = refuse(operation, "AccessDeniedException", "not authorized", times=99, status=403)
    with pytest.raises(AccessDeniedError):
        find_endpoint(cloud, Names(), "default")


RECORDED: dict[str, Any] = {
    "api": ApiKind.HTTP,
    "auth": Auth.IAM,
    "stage": "v2",
    "cors_origins": ("https://a.example.com", "*"),
    "access_logs": True,
    "rate": 5,
    "burst": 7,
    "memory": 512,
    "log_bodies": False,
}


def test_what_setup_was_told_is_read_back(account: Account, cloud: Cloud) -> None:
    set_up(Settings(**RECORDED), cloud)
    assert recorded_settings(cloud, Names(), "default") == RECORDED


def test_alarm_emails_are_read_from_their_topic_and_kept_in_no_tag(account: Account, cloud: Cloud) -> None:
    set_up(Settings(alarm_emails=("ops@example.com",)), cloud)
    function = cloud.arn("lambda", "function:processFileUpload")
    client = account.client("lambda")
    assert "ops@example.com" not in client.list_tags(Resource=function)["Tags"].values()
    assert recorded_settings(cloud, Names(), "default") == {"alarm_emails": ("ops@example.com",)}
    # What an older version recorded goes away.
    client.tag_resource(Resource=function, Tags={"ordernotify:setting:alarm_emails": "ops@example.com"})
    set_up(Settings(alarm_emails=("ops@example.com",)), cloud)
    assert "ordernotify:setting:alarm_emails" not in client.list_tags(Resource=function)["Tags"]


def test_what_is_the_default_again_is_recorded_no_more(account: Account, cloud: Cloud) -> None:
    set_up(Settings(memory=512, timeout=5), cloud)
    set_up(Settings(timeout=7), cloud)
    assert recorded_settings(cloud, Names(), "default") == {"timeout": 7}
    set_up(Settings(), cloud)
    assert recorded_settings(cloud, Names(), "default") == {}


def test_nothing_is_recorded_of_no_stack_or_of_anothers_function(account: Account, cloud: Cloud) -> None:
    assert recorded_settings(cloud, Names(), "default") == {}
    set_up(Settings(memory=512), cloud)
    assert recorded_settings(cloud, Names(), "dev") == {}


def test_stacks_are_present_by_their_apis_of_both_kinds(account: Account, cloud: Cloud) -> None:
    set_up(Settings(), cloud)
    set_up(Settings("dev", DEV, api=ApiKind.HTTP), cloud)
    account.client("apigateway").create_rest_api(name="somebody's")
    assert stacks_present(cloud) == {"default", "dev"}
