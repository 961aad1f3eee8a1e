"""Subscribers of a real stack on the embedded cloud: what they get, and that it ends."""

from __future__ import annotations

import io
import json
import os
import time
import zipfile
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
import urllib3
from typer.testing import CliRunner, Result

from ordernotify.aws.session import Cloud
from ordernotify.cli import app
from ordernotify.cli import stack as _stack
from ordernotify.cli import subscribers as _subscribers
from ordernotify.settings.names import Names
from tests.e2e.cloud import EmbeddedCloud, running_cloud
from tests.e2e.little_stack import LAMBDA_TRUST

COMMANDS = (_stack, _subscribers)
"""Imported so that the commands are registered."""

STACK = "subs"
ARRIVAL_SECONDS = 10.0
QUIET_SECONDS = 0.5
RECEIVER = """
def handler(event, context):
    for record in event["Records"]:
        print("GOT " + record["Sns"]["Message"])
"""
Value = TypeVar("Value")


def invoke(embedded: EmbeddedCloud, *args: str) -> Result:
    """Run a command in this process, which saves the start of Python and the import of boto3 each time."""
    changed = {name: embedded.environ.get(name) for name in {*os.environ, *embedded.environ}}
    return CliRunner().invoke(app, args, env=changed, prog_name="ordernotify")


class Stack:
    """A stack of this module's own, driven by the commands."""

    def __init__(self, embedded: EmbeddedCloud) -> None:
        self.embedded = embedded
        self.cloud: Cloud = embedded.cloud()
        made = self.run("setup", "--email", "you@example.com", "--phone", "+14155550100", "--yes")
        self.url = str(made[0]["url"])

    def run(self, *args: str, status: int = 0) -> list[dict[str, Any]]:
        """Run a command; returns its JSON lines."""
        done = invoke(self.embedded, *args, "--stack", STACK, "--json")
        assert done.exit_code == status, done.stderr
        self.told = done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def order(self, **fields: Any) -> str:
        """Send an order; returns its id."""
        order = {"customerName": "Zoë", "productName": "Mouse", **fields}
        return str(urllib3.request("POST", self.url, json=order).json()["orderId"])


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_cloud(tmp_path_factory.mktemp("state")) as embedded:
        yield Stack(embedded)


@pytest.fixture
def queue(stack: Stack) -> Iterator[str]:
    """The URL of a queue of the person's."""
    url = stack.cloud.sqs.create_queue(QueueName="warehouse")["QueueUrl"]
    yield url
    stack.cloud.sqs.delete_queue(QueueUrl=url)


def eventually(probe: Callable[[], Value | None]) -> Value:
    until = time.monotonic() + ARRIVAL_SECONDS
    while (found := probe()) is None:
        assert time.monotonic() < until, "nothing arrived"
        time.sleep(0.05)
    return found


def received(stack: Stack, url: str, wait: int = 0) -> list[Any]:
    """Take the messages out of the queue."""
    answer = stack.cloud.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=wait)
    messages = answer.get("Messages", [])
    for message in messages:
        stack.cloud.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"]) for message in messages]


def test_a_queue_gets_the_orders_from_subscribe_to_unsubscribe(stack: Stack, queue: str) -> None:
    arn = stack.cloud.arn("sqs", "warehouse")
    [outcome] = stack.run("subscribe", arn)
    assert (outcome["action"], outcome["state"]) == ("subscribed", "confirmed")
    order_id = stack.order()
    [envelope] = eventually(lambda: received(stack, queue) or None)
    assert json.loads(envelope["Message"])["orderId"] == order_id

    [outcome] = stack.run("unsubscribe", arn)
    assert outcome["action"] == "unsubscribed"
    stack.order()
    time.sleep(QUIET_SECONDS)
    assert received(stack, queue) == []
    attributes = stack.cloud.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy"])
    assert "Policy" not in attributes.get("Attributes", {})
    [outcome] = stack.run("unsubscribe", arn, status=1)
    assert outcome["error"] == f"{arn} is not subscribed"


def test_without_our_statement_the_queue_gets_nothing(stack: Stack, queue: str) -> None:
    # Shows that the statement is what opens the queue: the embedded cloud enforces it, as AWS does.
    arn = stack.cloud.arn("sqs", "warehouse")
    stack.run("subscribe", arn)
    stack.cloud.sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": ""})
    stack.order()
    time.sleep(QUIET_SECONDS)
    assert received(stack, queue) == []
    [outcome] = stack.run("subscribe", arn)
    assert outcome["action"] == "updated"
    stack.order()
    assert eventually(lambda: received(stack, queue) or None)
    stack.run("unsubscribe", arn)


def test_a_queue_with_a_filter_on_the_body_gets_the_large_orders_raw(stack: Stack, queue: str) -> None:
    arn = stack.cloud.arn("sqs", "warehouse")
    policy = {"quantity": [{"numeric": [">=", 100]}]}
    [outcome] = stack.run(
        "subscribe", arn, "--filter-policy", json.dumps(policy), "--filter-scope", "body", "--raw-delivery"
    )
    assert (outcome["filterPolicy"], outcome["filterScope"], outcome["raw"]) == (policy, "body", True)
    stack.order(quantity=99)
    large = stack.order(quantity=100)
    assert eventually(lambda: [one["orderId"] for one in received(stack, queue)] or None) == [large]

    [outcome] = stack.run("subscribe", arn, "--filter-policy", "{}", "--no-raw-delivery")
    assert (outcome["action"], outcome["filterPolicy"], outcome["raw"]) == ("updated", None, False)
    small = stack.order(quantity=1)
    [envelope] = eventually(lambda: received(stack, queue) or None)
    assert json.loads(envelope["Message"])["orderId"] == small
    stack.run("unsubscribe", arn)


def test_a_function_gets_the_orders_from_subscribe_to_unsubscribe(stack: Stack) -> None:
    cloud = stack.cloud
    role = cloud.iam.create_role(RoleName="receiver", AssumeRolePolicyDocument=LAMBDA_TRUST)["Role"]
    logs = {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}
    cloud.iam.put_role_policy(
        RoleName="receiver",
        PolicyName="logs",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [logs]}),
    )
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("receiver.py", RECEIVER)
    cloud.lambda_.create_function(
        FunctionName="receiver",
        Runtime="python3.12",
        Role=role["Arn"],
        Handler="receiver.handler",
        Code={"ZipFile": code.getvalue()},
    )
    arn = cloud.arn("lambda", "function:receiver")

    def got() -> list[str] | None:
        try:
            events = cloud.logs.filter_log_events(logGroupName="/aws/lambda/receiver")["events"]
        except cloud.logs.exceptions.ResourceNotFoundException:
            return None
        found = [line for event in events for line in event["message"].splitlines() if "GOT " in line]
        return [json.loads(line.partition("GOT ")[2])["orderId"] for line in found] or None

    def statements() -> list[Any]:
        policy = json.loads(cloud.lambda_.get_policy(FunctionName="receiver")["Policy"])
        return list(policy["Statement"])

    [outcome] = stack.run("subscribe", arn)
    assert (outcome["action"], outcome["state"]) == ("subscribed", "confirmed")
    [statement] = statements()
    topic = cloud.arn("sns", f"file-upload-notification-{STACK}")
    assert statement["Condition"] == {"ArnLike": {"AWS:SourceArn": topic}}
    order_id = stack.order()
    assert eventually(got) == [order_id]

    stack.run("unsubscribe", arn)
    assert statements() == []
    stack.order()
    time.sleep(QUIET_SECONDS)
    assert got() == [order_id]
    cloud.lambda_.delete_function(FunctionName="receiver")


def test_an_https_url_is_pending(stack: Stack) -> None:
    [outcome] = stack.run("subscribe", "https://receiver.invalid/orders")
    assert (outcome["action"], outcome["state"]) == ("subscribed", "pending")
    found = {one["endpoint"]: one for one in stack.run("list-subscriptions")}
    assert list(found) == ["you@example.com", "+14155550100", "https://receiver.invalid/orders"]
    assert found["you@example.com"]["state"] == "confirmed"
    assert found["https://receiver.invalid/orders"]["state"] == "pending"
    assert any("-inbox-" in one["endpoint"] for one in stack.run("list-subscriptions", "--all"))
    stack.run("unsubscribe", "https://receiver.invalid/orders")


def test_the_inbox_honours_the_filter_policy_of_each_reader(stack: Stack, queue: str) -> None:
    # A queue of the person's beside the inbox's must not show up in it.
    arn = stack.cloud.arn("sqs", "warehouse")
    stack.run("subscribe", arn)
    stack.run("subscribe", "you@example.com", "--filter-policy", '{"eventType": ["order.shipped"]}')
    order_id = stack.order()
    assert [one["to"] for one in stack.run("inbox", "--order", order_id)] == ["+14155550100"]

    stack.run("subscribe", "you@example.com", "--filter-policy", '{"eventType": [{"prefix": "order."}]}')
    assert [one["to"] for one in stack.run("inbox", "--order", order_id)] == ["+14155550100"], (
        "as at the time"
    )
    order_id = stack.order()
    got = stack.run("inbox", "--order", order_id)
    assert {one["to"] for one in got} == {"you@example.com", "+14155550100"}
    stack.run("subscribe", "you@example.com", "--filter-policy", "{}")
    stack.run("unsubscribe", arn)


def test_the_inbox_keeps_what_came_and_shows_foreign_messages_as_they_are(stack: Stack) -> None:
    early = stack.order()
    stack.run("subscribe", "late@example.com")
    stack.cloud.sns.publish(TopicArn=stack.cloud.arn("sns", Names().for_stack(STACK).topic), Message="hi")
    stack.run("unsubscribe", "late@example.com")
    stack.order()

    got = stack.run("inbox", "--to", "late@example.com")
    assert [(one["text"], one["orderId"]) for one in got] == [("hi", None)]
    assert {one["to"] for one in stack.run("inbox", "--order", early)} == {"you@example.com", "+14155550100"}


def test_a_phone_is_subscribed_where_nobody_tells_of_a_sandbox(stack: Stack) -> None:
    [outcome] = stack.run("subscribe", "+14155550111")
    assert (outcome["protocol"], outcome["state"]) == ("sms", "confirmed")
    assert "sandbox" not in stack.told
    [outcome] = stack.run("unsubscribe", "+14155550111")
    assert outcome["action"] == "unsubscribed"


def test_without_a_stack_the_commands_say_so(stack: Stack) -> None:
    for command in (["subscribe", "a@example.com"], ["unsubscribe", "a@example.com"], ["list-subscriptions"]):
        done = invoke(stack.embedded, *command, "--stack", "nothing")
        assert done.exit_code == 1
        assert "there is no stack nothing here" in done.stderr
