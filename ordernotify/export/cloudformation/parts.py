"""The function, its table, its topics, and what watches them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ordernotify.export.cloudformation.declared import Declared, attribute, ref, sub, tag_items
from ordernotify.export.found import FoundResource, FoundStack
from ordernotify.resources.delivery import queue_policy
from ordernotify.resources.function_state import ROLE_ID_TAG
from ordernotify.resources.mailbox import READER_TAG, RETENTION_SECONDS
from ordernotify.resources.role_names import POLICY_NAME
from ordernotify.resources.subscriber import Subscriber
from ordernotify.settings.model import ApiKind
from ordernotify.settings.names import MANAGED_TAG, STACK_TAG

NAME = "cloudformation"
TABLE = "AWS::DynamoDB::Table"
SUBSCRIPTION = "AWS::SNS::Subscription"
DEAD_LETTERS = "DeadLetters"
"""The logical id of the queue for what subscribers do not take."""
_ADDRESSES = {("topic", "email"): "Email", ("topic", "sms"): "Phone", ("alarm topic", "email"): "AlarmEmail"}
"""The parameters that hold addresses begin so, by topic and protocol."""


def table(_stack: FoundStack, table: FoundResource) -> Iterator[Declared]:
    name, _, kind = table.state.key.partition(" ")
    properties = {
        "TableName": table.name,
        "BillingMode": table.state.billing,
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind.strip("()")}],
        "KeySchema": [{"AttributeName": name, "KeyType": "HASH"}],
        "DeletionProtectionEnabled": table.state.deletion_protection,
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": table.state.recovery},
        "Tags": tag_items(table.tags),
    }
    if key := table.state.encrypted_with:
        properties["SSESpecification"] = {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}
    yield Declared("Orders", TABLE, properties, {"TableName": table.name})


def topic(stack: FoundStack, topic: FoundResource) -> Iterator[Declared]:
    """Write a topic, its policy and everybody whom it tells."""
    logical_id = _topic_id(topic.key)
    properties = {
        "TopicName": topic.name,
        "KmsMasterKeyId": topic.state.encrypted_with,
        "Tags": tag_items(topic.tags),
    }
    yield Declared(logical_id, "AWS::SNS::Topic", properties, {"TopicArn": topic.arn})
    yield Declared(
        f"{logical_id}Policy",
        "AWS::SNS::TopicPolicy",
        {"Topics": [ref(logical_id)], "PolicyDocument": json.loads(topic.state.policy)},
        comment="An attribute of the topic, which cannot be imported: put over the same policy.",
    )
    for name, one in named_subscribers(stack, topic.key):
        listed = (topic.key, one.protocol) in _ADDRESSES
        endpoint = ref(name) if listed else one.endpoint
        yield _subscription(name, logical_id, one, endpoint, _redrive(stack, topic.key, one))


def _redrive(stack: FoundStack, topic: str, one: Subscriber) -> Any:
    """Name where what the subscriber does not take goes to; empty: nowhere."""
    queue = stack.redrive(topic, one)
    return attribute(DEAD_LETTERS, "Arn") if queue and queue == stack.dead_letters else queue


def _topic_id(key: str) -> str:
    return "Topic" if key == "topic" else "AlarmTopic"


def named_subscribers(stack: FoundStack, topic: str) -> Iterator[tuple[str, Subscriber]]:
    """Give each subscriber of a topic its name in the template, which is also its parameter's."""
    numbers: dict[str, int] = {}
    for one in stack.subscribers[topic]:
        stem = _ADDRESSES.get((topic, one.protocol), f"{_topic_id(topic)}{one.protocol.title()}")
        numbers[stem] = numbers.get(stem, 0) + 1
        yield f"{stem.replace('-', '')}{numbers[stem]}", one


def _subscription(name: str, topic: str, one: Subscriber, endpoint: Any, redrive: Any = "") -> Declared:
    properties: dict[str, Any] = {
        "TopicArn": ref(topic),
        "Protocol": one.protocol,
        "Endpoint": endpoint,
    }
    if one.filter_policy:
        properties |= {"FilterPolicy": one.filter_policy, "FilterPolicyScope": one.scope.aws_name}
    if one.raw:
        properties["RawMessageDelivery"] = True
    if redrive:
        properties["RedrivePolicy"] = {"deadLetterTargetArn": redrive}
    return Declared(
        f"{name}Subscription",
        SUBSCRIPTION,
        properties,
        None if one.pending else {"Arn": one.arn or ""},
        comment="Not confirmed yet, so not imported: asked to confirm again." if one.pending else "",
    )


def inbox(stack: FoundStack, _inbox: FoundResource) -> Iterator[Declared]:
    for number, box in enumerate(stack.mailboxes, 1):
        name = f"Mailbox{number}"
        properties = {
            "QueueName": box.name,
            "MessageRetentionPeriod": RETENTION_SECONDS,
            "Tags": tag_items({STACK_TAG: stack.settings.stack, READER_TAG: box.reader}),
        }
        yield Declared(name, "AWS::SQS::Queue", properties, {"QueueUrl": box.url})
        yield _queue_policy(name, queue_policy(box.arn, stack.resources["topic"].arn))
        yield _subscription(name, "Topic", box.subscription, attribute(name, "Arn"))


def dead_letters(_stack: FoundStack, queue: FoundResource) -> Iterator[Declared]:
    """Write the queue for what subscribers do not take."""
    properties = {
        "QueueName": queue.name,
        "MessageRetentionPeriod": queue.state.retention,
        **_queue_encryption(queue),
        "Tags": tag_items(queue.tags),
    }
    yield Declared(DEAD_LETTERS, "AWS::SQS::Queue", properties, {"QueueUrl": queue.state.url})
    yield _queue_policy(DEAD_LETTERS, queue.state.policy)


def _queue_encryption(queue: FoundResource) -> dict[str, Any]:
    """Name one of the two ways; SQS refuses both."""
    if key := queue.state.encrypted_with:
        return {"KmsMasterKeyId": key}
    return {"SqsManagedSseEnabled": queue.state.encrypted}


def _queue_policy(queue: str, policy: str) -> Declared:
    return Declared(
        f"{queue}Policy",
        "AWS::SQS::QueuePolicy",
        {"Queues": [ref(queue)], "PolicyDocument": json.loads(policy)},
        comment="An attribute of the queue, which cannot be imported: put over the same policy.",
    )


def role(_stack: FoundStack, role: FoundResource) -> Iterator[Declared]:
    """Write the role with its policy inside, so that one import has both."""
    policy = {"PolicyName": POLICY_NAME, "PolicyDocument": json.loads(role.state.policy)}
    properties = {
        "RoleName": role.name,
        "Description": role.state.description,
        "Path": role.state.path,
        "PermissionsBoundary": role.state.boundary,
        "AssumeRolePolicyDocument": json.loads(role.state.trust),
        "Policies": [policy],
        "Tags": tag_items(role.tags),
    }
    yield Declared("FunctionRole", "AWS::IAM::Role", properties, {"RoleName": role.name})


def log_group(_stack: FoundStack, group: FoundResource) -> Iterator[Declared]:
    properties = {
        "LogGroupName": group.name,
        "RetentionInDays": ref("LogRetentionDays"),
        "KmsKeyId": group.state.encrypted_with,
        "Tags": tag_items(group.tags),
    }
    logical_id = "FunctionLogs" if group.key == "log-group" else "ApiLogs"
    yield Declared(logical_id, "AWS::Logs::LogGroup", properties, {"LogGroupName": group.name})


def function(stack: FoundStack, function: FoundResource) -> Iterator[Declared]:
    """Write the function with the mark of its new owner, and its reserved concurrency."""
    state, own_role = function.state, "role" in stack.resources
    tags: dict[str, Any] = {**function.tags, MANAGED_TAG: NAME}
    if own_role:
        tags[ROLE_ID_TAG] = attribute("FunctionRole", "RoleId")
    properties = {
        "FunctionName": function.name,
        "Description": state.description,
        "Role": attribute("FunctionRole", "Arn") if own_role else state.role,
        "Runtime": state.runtime,
        "Handler": state.handler,
        "Architectures": [state.architecture],
        "MemorySize": state.memory,
        "Timeout": state.timeout,
        "Environment": {"Variables": dict(state.environment)},
        "KmsKeyArn": state.encrypted_with,
        "Code": {"S3Bucket": ref("CodeBucket"), "S3Key": ref("CodeKey")},
        "Tags": tag_items(tags),
    }
    if state.tracing:
        properties["TracingConfig"] = {"Mode": "Active"}
    if "concurrency" in stack.resources:
        properties["ReservedConcurrentExecutions"] = stack.resources["concurrency"].state.reserved
    yield Declared(
        "Function",
        "AWS::Lambda::Function",
        properties,
        {"FunctionName": function.name},
        depends_on=["FunctionLogs"],
        comment="The code is function.zip, in the bucket CodeBucket under CodeKey.",
    )


def alarm(_stack: FoundStack, alarm: FoundResource) -> Iterator[Declared]:
    """Write an alarm; it names the API that it watches by reference."""
    state = alarm.state
    properties = {
        "AlarmName": alarm.name,
        "AlarmDescription": state.description,
        "Namespace": state.namespace,
        "MetricName": state.metric,
        "Dimensions": [
            {"Name": name, "Value": ref("Api") if name == "ApiId" else value}
            for name, value in state.dimensions.items()
        ],
        "Statistic": state.statistic,
        "Period": state.period,
        "EvaluationPeriods": state.evaluation_periods,
        "Threshold": state.threshold,
        "ComparisonOperator": state.comparison,
        "TreatMissingData": state.missing_data,
        "ActionsEnabled": state.actions_enabled,
        "AlarmActions": list(state.actions),
        "OKActions": list(state.ok_actions),
        "Tags": tag_items(alarm.tags),
    }
    what = alarm.key.removeprefix("alarm ").title().replace("-", "")
    yield Declared(f"{what}Alarm", "AWS::CloudWatch::Alarm", properties, {"AlarmName": alarm.name})


def dashboard(stack: FoundStack, dashboard: FoundResource) -> Iterator[Declared]:
    """Write the dashboard; it names an HTTP API, whose metrics have its id, by reference."""
    text = json.dumps(dashboard.state.body)
    if stack.settings.api is ApiKind.HTTP:
        text = text.replace(stack.resources["api"].state.id, "${Api}")
    properties = {"DashboardName": dashboard.name, "DashboardBody": sub(text) if "${" in text else text}
    yield Declared("Dashboard", "AWS::CloudWatch::Dashboard", properties, {"DashboardName": dashboard.name})
