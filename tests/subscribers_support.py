"""What the tests of subscribers share: a topic, a queue and a function in memory; pending ones."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from ordernotify.aws.session import Cloud
from ordernotify.resources.subscriber import Subscriber
from ordernotify.settings.names import STACK_TAG, Names
from ordernotify.subscribers.change import SubscriberOutcome, subscribe, unsubscribe
from ordernotify.subscribers.endpoints import Wanted, parse_endpoint
from ordernotify.subscribers.topic import list_subscribers
from tests.moto_account import REGION
from tests.provision_support import ACCOUNT_ID, Account, Call, Send, answer, refusal

NAMES = Names()
STACK = "default"
TOPIC_ARN = f"arn:aws:sns:{REGION}:{ACCOUNT_ID}:{NAMES.topic}"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:orders"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:receiver"
EMAIL = "you@example.com"
SHIPPED = {"eventType": ["order.shipped"]}
RECEIVED = {"eventType": ["order.received"]}
OTHERS = {"Sid": "others", "Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": QUEUE}


@pytest.fixture
def topic(account: Account) -> str:
    """The stack's topic."""
    tags = [{"Key": STACK_TAG, "Value": STACK}]
    return str(account.client("sns").create_topic(Name=NAMES.topic, Tags=tags)["TopicArn"])


@pytest.fixture
def queue(account: Account) -> str:
    """Make a queue of the person's."""
    account.client("sqs").create_queue(QueueName="orders")
    return QUEUE


@pytest.fixture
def function(account: Account) -> str:
    """A function of the person's."""
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    role = account.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("m.py", "def handler(event, context): pass")
    account.client("lambda").create_function(
        FunctionName="receiver",
        Runtime="python3.12",
        Role=role,
        Handler="m.handler",
        Code={"ZipFile": code.getvalue()},
    )
    return FUNCTION


def add(cloud: Cloud, *endpoints: str, **wanted: Any) -> list[SubscriberOutcome]:
    """Subscribe, as the command does."""
    parsed = [parse_endpoint(text) for text in endpoints]
    return list(subscribe(cloud, NAMES, STACK, parsed, Wanted(**wanted)))


def remove(cloud: Cloud, *endpoints: str) -> list[SubscriberOutcome]:
    return list(unsubscribe(cloud, NAMES, STACK, endpoints))


def listed(cloud: Cloud, *, everything: bool = False) -> list[Subscriber]:
    return list(list_subscribers(cloud, NAMES, STACK, everything=everything))


def queue_policy(account: Account) -> Any:
    """The queue's policy, as an observer reads it."""
    sqs = account.client("sqs")
    url = sqs.get_queue_url(QueueName="orders")["QueueUrl"]
    text = (
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]).get("Attributes", {}).get("Policy")
    )
    return json.loads(text) if text else None


def set_queue_policy(account: Account, policy: Any) -> None:
    sqs = account.client("sqs")
    url = sqs.get_queue_url(QueueName="orders")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})


def function_statements(account: Account) -> list[Any]:
    policy: list[Any] = json.loads(account.client("lambda").get_policy(FunctionName="receiver")["Policy"])[
        "Statement"
    ]
    return policy


def subscription_attributes(account: Account, endpoint: str) -> dict[str, str]:
    sns = account.client("sns")
    found = sns.list_subscriptions_by_topic(TopicArn=TOPIC_ARN)["Subscriptions"]
    arn = next(one["SubscriptionArn"] for one in found if one["Endpoint"] == endpoint)
    attributes: dict[str, str] = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    return attributes


class Pending:
    """Makes subscriptions pending, as AWS does with emails, which moto confirms by itself.

    Listings show a word in place of the ARN; the attributes say so; they cannot be removed (AWS-FACTS 13).
    """

    def __init__(self, *, word: str = "PendingConfirmation") -> None:
        self.word = word
        self.calls: list[str] = []

    def __call__(self, call: Call, send: Send) -> AWSResponse:
        self.calls.append(call.operation)
        if call.operation == "Unsubscribe":
            text = (
                "Invalid parameter: SubscriptionArn Reason: Cannot unsubscribe a subscription that is pending"
            )
            return refusal(call, "InvalidParameter", f"{text} confirmation")
        sent = send()
        body = sent.content.decode()
        if call.operation == "ListSubscriptionsByTopic":
            start, end = "<SubscriptionArn>", "</SubscriptionArn>"
            for part in body.split(start)[1:]:
                body = body.replace(start + part.partition(end)[0] + end, start + self.word + end)
        if call.operation == "GetSubscriptionAttributes":
            key = "<key>PendingConfirmation</key>"
            before, _, after = body.partition(key)
            body = before + key + after.replace("false", "true", 1)
        return answer(sent.status_code, body.encode(), {"Content-Type": "text/xml"})
