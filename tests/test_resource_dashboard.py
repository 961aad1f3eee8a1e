from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.errors import NotOursError
from ordernotify.executor import Action
from ordernotify.settings.model import ApiKind, Settings
from ordernotify.stack.report import report
from tests.cli_support import Typed, typed
from tests.provision_support import (
    ACCOUNT_ID,
    Account,
    assert_deleted_twice,
    assert_made_again,
    assert_settled,
    bring_about,
    changes_planned,
    only,
    planned_actions,
    set_up,
    step,
    tear_down,
)

__all__ = ["typed"]

NAME = "ordernotify-default-us-east-1"
SEEN = Settings(dashboard=True)
FOREIGN = json.dumps({"widgets": [{"type": "text", "properties": {"markdown": "ordernotify:stack=dev"}}]})


def body_of(account: Account, name: str = NAME) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        account.client("cloudwatch").get_dashboard(DashboardName=name)["DashboardBody"]
    )
    return found


def names(account: Account) -> list[str]:
    return [
        one["DashboardName"] for one in account.client("cloudwatch").list_dashboards()["DashboardEntries"]
    ]


def put(account: Account, body: str) -> None:
    account.client("cloudwatch").put_dashboard(DashboardName=NAME, DashboardBody=body)


def lines(account: Account) -> dict[str, set[str]]:
    """Write each graph's lines as words: `AWS/Lambda Duration FunctionName=processFileUpload p50`."""
    return {
        widget["properties"]["title"]: {
            " ".join(
                (
                    *line[:2],
                    *map("=".join, zip(line[2:-1:2], line[3:-1:2], strict=True)),
                    line[-1]["stat"],
                )
            )
            for line in widget["properties"]["metrics"]
        }
        for widget in body_of(account)["widgets"]
        if widget["type"] == "metric"
    }


def declared(cloud: Cloud, settings: Settings = SEEN) -> tuple[Any, ...]:
    return provision.declare(settings, cloud)


def test_no_dashboard_is_made_unless_it_is_asked_for(account: Account, cloud: Cloud) -> None:
    set_up(Settings(), cloud)
    assert names(account) == []


def test_a_dashboard_is_made_and_then_left_alone(account: Account, cloud: Cloud) -> None:
    set_up(SEEN, cloud)
    assert names(account) == [NAME]
    assert_settled(account, declared(cloud))


def test_it_shows_orders_answers_latencies_notifications_and_consumption(
    account: Account, cloud: Cloud
) -> None:
    set_up(SEEN, cloud)
    api, function, table = "ApiName=order-api Stage=prod", "FunctionName=processFileUpload", "FileMetadata"
    assert lines(account) == {
        "Orders": {
            f"AWS/DynamoDB SuccessfulRequestLatency TableName={table} Operation=PutItem SampleCount",
            "ordernotify OrdersReplayed stack=default Sum",
        },
        "Answers": {f"AWS/ApiGateway {one} {api} Sum" for one in ("Count", "4XXError", "5XXError")},
        "Latency of the API": {f"AWS/ApiGateway Latency {api} {p}" for p in ("p50", "p95", "p99")},
        "Duration of the function": {f"AWS/Lambda Duration {function} {p}" for p in ("p50", "p95", "p99")},
        "Function": {f"AWS/Lambda {one} {function} Sum" for one in ("Invocations", "Errors", "Throttles")},
        "Notifications": {
            "ordernotify NotificationsPending stack=default Sum",
            "AWS/SNS NumberOfNotificationsFailed TopicName=file-upload-notification Sum",
        },
        "Consumption of the table": {
            f"AWS/DynamoDB Consumed{one}CapacityUnits TableName={table} Sum" for one in ("Read", "Write")
        },
    }


def test_it_names_the_alarms_that_the_stack_has(account: Account, cloud: Cloud) -> None:
    set_up(SEEN, cloud)
    (shown,) = [widget for widget in body_of(account)["widgets"] if widget["type"] == "alarm"]
    alarms = account.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert set(shown["properties"]["alarms"]) == {alarm["AlarmArn"] for alarm in alarms}


def test_the_metrics_of_an_http_api_are_found_by_its_id(account: Account, cloud: Cloud) -> None:
    set_up(Settings(dashboard=True, api=ApiKind.HTTP), cloud)
    (api,) = account.client("apigatewayv2").get_apis()["Items"]
    dimensions = f"ApiId={api['ApiId']} Stage=prod"
    assert lines(account)["Answers"] == {
        f"AWS/ApiGateway {one} {dimensions} Sum" for one in ("Count", "4xx", "5xx")
    }


def test_widgets_do_not_overlap(account: Account, cloud: Cloud) -> None:
    set_up(SEEN, cloud)
    cells = [
        (x, y)
        for one in body_of(account)["widgets"]
        for x in range(one["x"], one["x"] + one["width"])
        for y in range(one["y"], one["y"] + one["height"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_the_same_body_written_in_another_way_is_no_difference(account: Account, cloud: Cloud) -> None:
    set_up(SEEN, cloud)
    put(account, json.dumps(body_of(account), indent=3, sort_keys=True))
    assert_settled(account, declared(cloud))


def test_a_changed_widget_is_put_back(account: Account, cloud: Cloud) -> None:
    set_up(SEEN, cloud)
    before = body_of(account)
    put(account, json.dumps({"widgets": before["widgets"][:2]}))
    assert set(changes_planned(declared(cloud), "dashboard")) == {"body"}
    bring_about(declared(cloud))
    assert body_of(account) == before


def test_one_that_is_no_longer_described_is_removed(account: Account, cloud: Cloud) -> None:
    set_up(SEEN, cloud)
    planned = provision.plan(declared(cloud, Settings()))
    assert planned_actions(planned)["dashboard"] is Action.DELETE
    set_up(Settings(), cloud)
    assert names(account) == []


def test_a_dashboard_that_disappeared_is_made_again(account: Account, cloud: Cloud) -> None:
    set_up(SEEN, cloud)
    account.client("cloudwatch").delete_dashboards(DashboardNames=[NAME])
    assert_made_again(account, declared(cloud), "dashboard")


def test_a_dashboard_can_be_deleted_twice(account: Account, cloud: Cloud) -> None:
    set_up(SEEN, cloud)
    assert_deleted_twice(only(declared(cloud), "dashboard"))


@pytest.mark.parametrize("body", [FOREIGN, "{}", '{"widgets": [{"type": "metric", "properties": {}}]}'])
def test_a_dashboard_of_somebody_else_is_left_alone(account: Account, cloud: Cloud, body: str) -> None:
    put(account, body)
    with pytest.raises(NotOursError, match=NAME):
        provision.plan(declared(cloud))
    set_up(Settings(), cloud)
    tear_down(Settings(), cloud)
    assert body_of(account) == json.loads(body)


def test_one_that_came_since_the_plan_is_not_written_over(account: Account, cloud: Cloud) -> None:
    put(account, FOREIGN)
    with pytest.raises(NotOursError, match=NAME):
        only(declared(cloud), "dashboard").create(step())
    assert body_of(account) == json.loads(FOREIGN)


def test_two_stacks_and_two_regions_have_names_of_their_own(cloud: Cloud) -> None:
    west = Cloud(boto3.Session(region_name="eu-west-1"))
    found = {
        only(declared(one, Settings(stack, dashboard=True)), "dashboard").arn
        for one in (cloud, west)
        for stack in ("default", "dev")
    }
    assert len(found) == 4
    assert f"arn:aws:cloudwatch::{ACCOUNT_ID}:dashboard/ordernotify-dev-eu-west-1" in found


@pytest.mark.parametrize(
    ("region", "home"),
    [
        ("eu-west-1", "https://eu-west-1.console.aws.amazon.com"),
        ("cn-north-1", "https://cn-north-1.console.amazonaws.cn"),
        ("us-gov-west-1", "https://us-gov-west-1.console.amazonaws-us-gov.com"),
    ],
)
def test_the_report_has_its_address_in_the_console_of_the_partition(
    account: Account, region: str, home: str
) -> None:
    cloud = Cloud(boto3.Session(region_name=region))
    dashboard = only(declared(cloud), "dashboard")
    assert report(SEEN, cloud, provision.compare([dashboard])).dashboard == ""
    dashboard.create(step())
    told = report(SEEN, cloud, provision.compare([dashboard]))
    name = f"ordernotify-default-{region}"
    assert told.dashboard == f"{home}/cloudwatch/home?region={region}#dashboards/dashboard/{name}"


def test_status_tells_its_address_where_it_has_one(
    cloud: Cloud, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    set_up(Settings(), cloud)
    assert "Dashboard:" not in typed("status").stdout
    assert json.loads(typed("status", "--json").stdout)["dashboard"] is None
    set_up(SEEN, cloud)
    home = "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1"
    address = f"{home}#dashboards/dashboard/{NAME}"
    assert f"Dashboard: {address}\n" in typed("status").stdout
    assert json.loads(typed("status", "--json").stdout)["dashboard"] == address
