"""The whole path through the installed command: a real embedded cloud, real HTTP, a real function worker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.e2e.cloud import EmbeddedCloud, run_command, running_cloud

GUIDE_ORDER = {"customerName": "John Doe", "productName": "Wireless Mouse"}
KINDS = {
    "table",
    "topic",
    "subscriptions",
    "inbox",
    "role",
    "log-group",
    "function",
    "api",
    "permission",
    "alarm",
}


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[EmbeddedCloud]:
    with running_cloud(tmp_path / "state") as running:
        yield running


def ordernotify(cloud: EmbeddedCloud, *args: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = run_command(*args, environ=cloud.environ)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done


def document(cloud: EmbeddedCloud, *args: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(ordernotify(cloud, *args, "--json").stdout)
    return answer


def lines(cloud: EmbeddedCloud, *args: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ordernotify(cloud, *args, "--json").stdout.splitlines()]


def leftovers(cloud: EmbeddedCloud) -> dict[str, list[str]]:
    """Ask the cloud itself, not our own code, what is left in it."""
    aws = cloud.cloud()
    return {
        "tables": aws.dynamodb.list_tables()["TableNames"],
        "topics": [topic["TopicArn"] for topic in aws.sns.list_topics()["Topics"]],
        "subscriptions": [s["SubscriptionArn"] for s in aws.sns.list_subscriptions()["Subscriptions"]],
        "queues": aws.sqs.list_queues().get("QueueUrls", []),
        "roles": [role["RoleName"] for role in aws.iam.list_roles()["Roles"]],
        "functions": [f["FunctionName"] for f in aws.lambda_.list_functions()["Functions"]],
        "log groups": [group["logGroupName"] for group in aws.logs.describe_log_groups()["logGroups"]],
        "APIs": [api["id"] for api in aws.apigateway.get_rest_apis()["items"]],
        "alarms": [alarm["AlarmName"] for alarm in aws.cloudwatch.describe_alarms()["MetricAlarms"]],
    }


def test_an_order_travels_the_whole_way_and_teardown_leaves_nothing(cloud: EmbeddedCloud) -> None:
    before = leftovers(cloud)
    made = document(cloud, "setup", "--email", "you@example.com", "--phone", "+14155550100", "--yes")
    assert {resource["kind"] for resource in made["resources"]} == KINDS
    assert {resource["action"] for resource in made["resources"]} == {"create"}
    assert made["subscriptions"] == [
        {"protocol": "email", "endpoint": "you@example.com", "state": "confirmed"},
        {"protocol": "sms", "endpoint": "+14155550100", "state": "confirmed"},
    ]

    posted = urllib3.request("POST", made["url"], json=GUIDE_ORDER)
    assert posted.status == 201
    order_id = posted.json()["orderId"]
    assert posted.json()["message"] == "Order received"

    [order] = lines(cloud, "get-order", order_id)
    assert {field: order[field] for field in GUIDE_ORDER} == GUIDE_ORDER
    assert (order["FileName"], order["quantity"], order["notification"]) == (order_id, 1, "sent")

    inbox = lines(cloud, "inbox")
    assert [(d["to"], d["protocol"], d["orderId"]) for d in inbox] == [
        ("you@example.com", "email", order_id),
        ("+14155550100", "sms", order_id),
    ]
    assert "John Doe" in inbox[0]["text"]
    assert "Wireless Mouse" in inbox[0]["subject"]

    # Without --order, the requests by which setup saw that the URL answers are there too.
    events = [line for line in lines(cloud, "logs", "--order", order_id) if "event" in line]
    assert {line["event"] for line in events} == {"request", "response"}
    assert len({line["requestId"] for line in events}) == 1

    proof = document(cloud, "verify")
    assert proof["passed"] is True
    assert [check["passed"] for check in proof["checks"]] == [True] * 4

    assert not [url for url in leftovers(cloud)["queues"] if "-verify-" in url], "verify removes its queue"

    removed = document(cloud, "teardown", "--yes", "--delete-orders")
    assert {resource["kind"] for resource in removed["deleted"]} == KINDS
    assert removed["kept"] == []
    again = ordernotify(cloud, "teardown", "--yes")
    assert "Nothing to do" in again.stdout

    ordernotify(cloud, "local", "start")
    assert leftovers(cloud) == before


def test_a_second_setup_changes_nothing(embedded_cloud: EmbeddedCloud) -> None:
    document(embedded_cloud, "setup", "--stack", "twice", "--yes")
    again = document(embedded_cloud, "setup", "--stack", "twice", "--yes")
    assert {resource["action"] for resource in again["resources"]} == {"none"}
    assert "No changes." in ordernotify(embedded_cloud, "setup", "--stack", "twice", "--dry-run").stdout


def test_stack_and_orders_survive_a_stop_of_the_embedded_cloud(cloud: EmbeddedCloud) -> None:
    url = document(cloud, "setup", "--yes")["url"]
    sent = document(cloud, "send-order", "--customer", "Zoë", "--product", "Mouse")
    ordernotify(cloud, "local", "stop")
    ordernotify(cloud, "local", "start")
    [kept] = lines(cloud, "list-orders")
    assert (kept["orderId"], kept["customerName"]) == (sent["orderId"], "Zoë")
    assert urllib3.request("POST", url, json=GUIDE_ORDER).status == 201


@pytest.mark.long
def test_two_stacks_do_not_touch_each_other(cloud: EmbeddedCloud) -> None:
    first = document(cloud, "setup", "--yes")["url"]
    second = document(cloud, "setup", "--stack", "dev", "--yes")["url"]
    sent = document(cloud, "send-order", "--stack", "dev", "--customer", "A", "--product", "B")
    assert lines(cloud, "list-orders") == []
    assert [order["orderId"] for order in lines(cloud, "list-orders", "--stack", "dev")] == [sent["orderId"]]
    document(cloud, "teardown", "--stack", "dev", "--yes", "--delete-orders")
    assert urllib3.request("POST", first, json=GUIDE_ORDER).status == 201
    assert urllib3.request("POST", second, json=GUIDE_ORDER).status in {403, 404}
    assert document(cloud, "local", "status")["running"] is True


def test_the_printed_curl_line_works_when_pasted(embedded_cloud: EmbeddedCloud) -> None:
    printed = ordernotify(embedded_cloud, "setup", "--stack", "curl", "--yes").stdout
    [line] = [line for line in printed.splitlines() if line.strip().startswith("curl")]
    answer = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True, timeout=30)
    assert "201" in answer.stdout.splitlines()[0]
    assert "orderId" in answer.stdout


@pytest.mark.parametrize(
    ("args", "status", "sentence"),
    [
        (["status", "--stack", "nosuch"], 1, "there is no stack nosuch"),
        (["send-order", "--stack", "nosuch", "--customer", "A", "--product", "B"], 1, "no stack nosuch"),
        (["setup", "--email", "not-an-address"], 2, "is not an email address"),
        (["setup", "--phone", "555-0100"], 2, "is not a phone number in E.164 form"),
        (["setup", "--stack", "Not Valid"], 2, "the stack name 'Not Valid' is not valid"),
        (["setup", "--aws"], 1, "no AWS region is set"),
        (["setup", "--aws", "--region", "eu-west-1"], 1, "there are no AWS credentials"),
        (["setup", "--profile", "work"], 2, "--profile: a profile is for a stack in an AWS account"),
        (["setup", "--memory", "5"], 2, "the memory 5 MB is out of range"),
    ],
)
def test_bad_use_gets_one_clear_sentence_and_changes_nothing(
    embedded_cloud: EmbeddedCloud, args: list[str], status: int, sentence: str, tmp_path: Path
) -> None:
    before = leftovers(embedded_cloud)
    environ = {**embedded_cloud.environ, "HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}
    done = run_command(*args, environ=environ)
    assert done.returncode == status, done.stderr
    [error] = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert sentence in error
    assert "Hint: " in done.stderr
    assert "Traceback" not in done.stderr
    assert leftovers(embedded_cloud) == before


def test_a_closed_endpoint_is_told_in_one_sentence(tmp_path: Path) -> None:
    environ = {
        "PATH": os.environ["PATH"],
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "HOME": str(tmp_path),
    }
    done = run_command("setup", "--aws", "--yes", environ=environ)
    assert done.returncode == 1
    assert "Could not connect to the endpoint URL" in done.stderr
    assert "AWS_ENDPOINT_URL" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_imports_no_boto3() -> None:
    code = "import sys; sys.argv = ['ordernotify', '--help']\nfrom ordernotify.cli import main\n"
    code += "try:\n    main()\nexcept SystemExit:\n    pass\nprint('boto3' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
