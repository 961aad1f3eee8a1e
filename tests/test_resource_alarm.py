from __future__ import annotations

from typing import Any

import pytest

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.errors import NotOursError
from ordernotify.resources.alarm import Alarm
from ordernotify.resources.base import Resource
from ordernotify.resources.watches import watches
from ordernotify.settings.model import Settings
from tests.provision_support import (
    ACCOUNT_ID,
    Account,
    assert_deleted_twice,
    assert_made_again,
    assert_settled,
    bring_about,
    changes_planned,
    refuse,
)

NAME = "processFileUpload-errors"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT_ID}:processFileUpload-alarms"


def alarms(cloud: Cloud, **settings: Any) -> list[Resource[Any]]:
    described = Settings(**settings)
    return [Alarm(described, cloud, watch) for watch in watches(described)]


def errors_alarm(cloud: Cloud, **settings: Any) -> list[Resource[Any]]:
    return [alarm for alarm in alarms(cloud, **settings) if alarm.name == NAME]


def read(account: Account) -> dict[str, dict[str, Any]]:
    cloudwatch = account.client("cloudwatch")
    return {
        alarm["AlarmName"]: {
            "metric": f"{alarm['Namespace']} {alarm['MetricName']}",
            "dimensions": {item["Name"]: item["Value"] for item in alarm["Dimensions"]},
            "when": f"{alarm['Statistic']} {alarm['ComparisonOperator']} {alarm['Threshold']:g}",
            "over": alarm["Period"] * alarm["EvaluationPeriods"],
            "without data": alarm["TreatMissingData"],
            "enabled": alarm["ActionsEnabled"],
            "tells": alarm["AlarmActions"],
            "tags": cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"],
        }
        for alarm in cloudwatch.describe_alarms()["MetricAlarms"]
    }


def expected(metric: str, dimensions: dict[str, str], when: str, tells: list[str]) -> dict[str, Any]:
    return {
        "metric": metric,
        "dimensions": dimensions,
        "when": when,
        "over": 300,
        "without data": "notBreaching",
        "enabled": True,
        "tells": tells,
        "tags": [{"Key": "ordernotify:stack", "Value": "default"}],
    }


ONE = "Sum GreaterThanOrEqualToThreshold 1"
FUNCTION = {"FunctionName": "processFileUpload"}


def all_expected(tells: list[str]) -> dict[str, dict[str, Any]]:
    slow = "Maximum GreaterThanOrEqualToThreshold 12000"
    api = {"ApiName": "order-api", "Stage": "prod"}
    return {
        NAME: expected("AWS/Lambda Errors", FUNCTION, ONE, tells),
        "processFileUpload-throttles": expected("AWS/Lambda Throttles", FUNCTION, ONE, tells),
        "processFileUpload-duration": expected("AWS/Lambda Duration", FUNCTION, slow, tells),
        "processFileUpload-api-5xx": expected("AWS/ApiGateway 5XXError", api, ONE, tells),
        "processFileUpload-notifications-pending": expected(
            "ordernotify NotificationsPending", {"stack": "default"}, ONE, tells
        ),
    }


def test_new_alarms_watch_what_would_lose_or_delay_an_order(account: Account, cloud: Cloud) -> None:
    bring_about(alarms(cloud))
    assert read(account) == all_expected(tells=[])


def test_alarms_tell_those_who_are_to_be_told(account: Account, cloud: Cloud) -> None:
    bring_about(alarms(cloud, alarm_emails=("ops@example.com",)))
    assert read(account) == all_expected(tells=[TOPIC])


def test_alarms_as_described_are_left_alone(account: Account, cloud: Cloud) -> None:
    bring_about(alarms(cloud))
    assert_settled(account, alarms(cloud))


@pytest.mark.parametrize(
    ("attribute", "changed"),
    [
        ("namespace", {"Namespace": "Other"}),
        ("metric", {"MetricName": "Invocations"}),
        ("dimensions", {"Dimensions": [{"Name": "FunctionName", "Value": "other"}]}),
        ("statistic", {"Statistic": "Average"}),
        ("period", {"Period": 60}),
        ("evaluation periods", {"EvaluationPeriods": 3}),
        ("threshold", {"Threshold": 100.0}),
        ("comparison", {"ComparisonOperator": "GreaterThanThreshold"}),
        ("missing data", {"TreatMissingData": "breaching"}),
        ("actions enabled", {"ActionsEnabled": False}),
        ("actions", {"AlarmActions": [TOPIC]}),
        ("ok actions", {"OKActions": [TOPIC]}),
    ],
)
def test_a_changed_attribute_is_put_back(
    account: Account, cloud: Cloud, attribute: str, changed: dict[str, Any]
) -> None:
    bring_about(errors_alarm(cloud))
    before = read(account)
    account.client("cloudwatch").put_metric_alarm(
        **{
            "AlarmName": NAME,
            "Namespace": "AWS/Lambda",
            "MetricName": "Errors",
            "Dimensions": [{"Name": "FunctionName", "Value": "processFileUpload"}],
            "Statistic": "Sum",
            "Period": 300,
            "EvaluationPeriods": 1,
            "Threshold": 1.0,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "TreatMissingData": "notBreaching",
            "ActionsEnabled": True,
            "Tags": [{"Key": "ordernotify:stack", "Value": "default"}],
            **changed,
        }
    )
    assert set(changes_planned(errors_alarm(cloud), "alarm errors")) == {attribute}
    bring_about(errors_alarm(cloud))
    assert read(account) == before


def test_a_new_timeout_moves_the_threshold_of_slowness(account: Account, cloud: Cloud) -> None:
    bring_about(alarms(cloud))
    assert changes_planned(alarms(cloud, timeout=5), "alarm duration") == {"threshold": (12_000.0, 4_000.0)}
    bring_about(alarms(cloud, timeout=5))
    assert_settled(account, alarms(cloud, timeout=5))


def test_a_new_tag_is_added(account: Account, cloud: Cloud) -> None:
    bring_about(errors_alarm(cloud))
    bring_about(errors_alarm(cloud, tags={"team": "shop"}))
    assert {tag["Key"]: tag["Value"] for tag in read(account)[NAME]["tags"]} == {
        "ordernotify:stack": "default",
        "team": "shop",
    }


def test_an_alarm_of_somebody_else_stops_the_plan(account: Account, cloud: Cloud) -> None:
    account.client("cloudwatch").put_metric_alarm(
        AlarmName=NAME,
        Namespace="AWS/Lambda",
        MetricName="Errors",
        Statistic="Sum",
        Period=300,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
    )
    with pytest.raises(NotOursError):
        provision.plan(errors_alarm(cloud))
    assert account.changing_calls == []


def test_an_alarm_that_disappeared_is_made_again(account: Account, cloud: Cloud) -> None:
    bring_about(alarms(cloud))
    account.client("cloudwatch").delete_alarms(AlarmNames=[NAME])
    assert_made_again(account, alarms(cloud), "alarm errors")


def test_an_alarm_can_be_deleted_twice(account: Account, cloud: Cloud) -> None:
    bring_about(errors_alarm(cloud))
    assert_deleted_twice(errors_alarm(cloud)[0])


def test_an_alarm_that_somebody_deletes_meanwhile_is_gone(account: Account, cloud: Cloud) -> None:
    bring_about(errors_alarm(cloud))
    planned = provision.plan_teardown(errors_alarm(cloud), delete_orders=True)
    account.interfere = refuse("DeleteAlarms", "ResourceNotFound", "the alarm does not exist", status=404)
    list(provision.apply(errors_alarm(cloud), planned))


def test_the_alarm_of_pending_notifications_never_says_ok(account: Account, cloud: Cloud) -> None:
    """No new failure is no sign that what is pending was sent."""
    bring_about(alarms(cloud, alarm_emails=("ops@example.com",)))
    found = account.client("cloudwatch").describe_alarms()["MetricAlarms"]
    silent = [alarm["AlarmName"] for alarm in found if not alarm["OKActions"]]
    assert silent == ["processFileUpload-notifications-pending"]
    assert all(alarm["AlarmActions"] == [TOPIC] for alarm in found)
