"""The function, its table, its topics, and what watches them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ordernotify.export.found import FoundResource, FoundStack
from ordernotify.export.terraform.block import ONLY, Block, Template, importable, label_of, value
from ordernotify.resources.delivery import queue_policy
from ordernotify.resources.function_state import ROLE_ID_TAG
from ordernotify.resources.mailbox import READER_TAG, RETENTION_SECONDS
from ordernotify.resources.role_names import POLICY_NAME
from ordernotify.resources.subscriber import Subscriber, policy_json
from ordernotify.settings.model import ApiKind
from ordernotify.settings.names import MANAGED_TAG, STACK_TAG

NAME = "terraform"
CODE = "function.zip"
DEAD_LETTERS = "dead_letters"
"""The label of the queue for what subscribers do not take."""
LISTS = {("topic", "email"): "emails", ("topic", "sms"): "phones", ("alarm topic", "email"): "alarm_emails"}
"""The variables that hold addresses, by topic and protocol."""


def table(_stack: FoundStack, table: FoundResource) -> Iterator[Block]:
    name, _, kind = table.state.key.partition(" ")
    key = table.state.encrypted_with
    yield importable(
        "aws_dynamodb_table",
        "orders",
        table.name,
        name=table.name,
        billing_mode=table.state.billing,
        hash_key=name,
        attribute=[{"name": name, "type": kind.strip("()")}],
        deletion_protection_enabled=table.state.deletion_protection,
        point_in_time_recovery=[{"enabled": table.state.recovery}],
        server_side_encryption=[{"enabled": True, "kms_key_arn": key}] if key else [],
        tags=table.tags,
    )


def topic(stack: FoundStack, topic: FoundResource) -> Iterator[Block]:
    label = label_of(topic.key)
    yield importable(
        "aws_sns_topic",
        label,
        topic.arn,
        name=topic.name,
        policy=topic.state.policy,
        tags=topic.tags,
        kms_master_key_id=topic.state.encrypted_with,
    )
    yield from _subscriptions(stack, topic.key)


def _subscriptions(stack: FoundStack, topic: str) -> Iterator[Block]:
    """Write the addresses as lists, which a person changes; everybody else one by one."""
    listed: dict[str, dict[str, str]] = {}
    for number, one in enumerate(stack.subscribers.get(topic, ()), 1):
        variable = listed_in(stack, topic, one)
        if variable:
            imports = listed.setdefault(variable, {})
            imports.update({} if one.pending else {one.endpoint: one.arn or ""})
        elif not one.pending:
            yield Block(
                "aws_sns_topic_subscription",
                f"{one.protocol}_{number}",
                {
                    **_subscribed(topic, one.protocol, one.endpoint),
                    **_delivery(one),
                    **_redrive(stack, one.redrive),
                },
                {ONLY: one.arn or ""},
            )
    for variable, imports in listed.items():
        protocol = next(key[1] for key, value in LISTS.items() if value == variable)
        arguments = {
            "for_each": value(f"toset(var.{variable})"),
            **_subscribed(topic, protocol, value("each.value")),
            **_redrive(stack, _redrive_of_all(stack, topic)),
        }
        yield Block("aws_sns_topic_subscription", variable, arguments, imports)


def listed_in(stack: FoundStack, topic: str, subscriber: Subscriber) -> str:
    """Return the variable that holds this subscriber; empty for one that is written by itself."""
    alike = stack.redrive(topic, subscriber) == _redrive_of_all(stack, topic)
    plain = alike and not subscriber.filter_policy and not subscriber.raw
    return LISTS.get((topic, subscriber.protocol), "") if plain else ""


def _redrive_of_all(stack: FoundStack, topic: str) -> str:
    return stack.dead_letters if topic == "topic" else ""


def _redrive(stack: FoundStack, queue: str) -> dict[str, Any]:
    """Say where what a subscriber does not take goes to; no queue: nowhere."""
    if not queue:
        return {}
    if queue != stack.dead_letters:
        return {"redrive_policy": json.dumps({"deadLetterTargetArn": queue})}
    return {
        "redrive_policy": value(f"jsonencode({{deadLetterTargetArn = aws_sqs_queue.{DEAD_LETTERS}.arn}})")
    }


def _subscribed(topic: str, protocol: str, endpoint: str) -> dict[str, Any]:
    arn = value(f"aws_sns_topic.{label_of(topic)}.arn")
    return {"topic_arn": arn, "protocol": protocol, "endpoint": endpoint}


def _delivery(one: Subscriber) -> dict[str, Any]:
    arguments: dict[str, Any] = {"raw_message_delivery": True} if one.raw else {}
    if one.filter_policy:
        arguments["filter_policy"] = policy_json(one.filter_policy)
        arguments["filter_policy_scope"] = one.scope.aws_name
    return arguments


def inbox(stack: FoundStack, _inbox: FoundResource) -> Iterator[Block]:
    for number, box in enumerate(stack.mailboxes, 1):
        label = f"mailbox_{number}"
        yield importable(
            "aws_sqs_queue",
            label,
            box.url,
            name=box.name,
            policy=queue_policy(box.arn, stack.resources["topic"].arn),
            message_retention_seconds=RETENTION_SECONDS,
            tags={STACK_TAG: stack.settings.stack, READER_TAG: box.reader},
        )
        arguments = _subscribed("topic", "sqs", value(f"aws_sqs_queue.{label}.arn"))
        yield Block(
            "aws_sns_topic_subscription",
            label,
            {**arguments, **_delivery(box.subscription)},
            {ONLY: box.subscription.arn or ""},
        )


def dead_letters(_stack: FoundStack, queue: FoundResource) -> Iterator[Block]:
    """Write the queue for what subscribers do not take."""
    yield importable(
        "aws_sqs_queue",
        DEAD_LETTERS,
        queue.state.url,
        name=queue.name,
        policy=queue.state.policy,
        message_retention_seconds=queue.state.retention,
        # The provider takes one of the two.
        sqs_managed_sse_enabled="" if queue.state.encrypted_with else queue.state.encrypted,
        kms_master_key_id=queue.state.encrypted_with,
        tags=queue.tags,
    )


def role(_stack: FoundStack, role: FoundResource) -> Iterator[Block]:
    yield importable(
        "aws_iam_role",
        "function",
        role.name,
        name=role.name,
        description=role.state.description,
        path=role.state.path,
        permissions_boundary=role.state.boundary,
        assume_role_policy=role.state.trust,
        tags=role.tags,
    )
    yield importable(
        "aws_iam_role_policy",
        "function",
        f"{role.name}:{POLICY_NAME}",
        name=POLICY_NAME,
        role=value("aws_iam_role.function.name"),
        policy=role.state.policy,
    )


def log_group(_stack: FoundStack, group: FoundResource) -> Iterator[Block]:
    yield importable(
        "aws_cloudwatch_log_group",
        "function" if group.key == "log-group" else "api",
        group.name,
        name=group.name,
        retention_in_days=value("var.log_retention_days"),
        tags=group.tags,
        kms_key_id=group.state.encrypted_with,
    )


def function(stack: FoundStack, function: FoundResource) -> Iterator[Block]:
    """Write the function with the mark of its new owner, and its reserved concurrency."""
    state, own_role = function.state, "role" in stack.resources
    tags: dict[str, str] = {**function.tags, MANAGED_TAG: NAME}
    if own_role:
        tags[ROLE_ID_TAG] = value("aws_iam_role.function.unique_id")
    more: dict[str, Any] = {"tracing_config": [{"mode": "Active"}]} if state.tracing else {}
    if "concurrency" in stack.resources:
        more["reserved_concurrent_executions"] = stack.resources["concurrency"].state.reserved
    yield importable(
        "aws_lambda_function",
        "function",
        function.name,
        f"{CODE} is the code; a new one takes effect with the next apply.",
        function_name=function.name,
        description=state.description,
        role=value("aws_iam_role.function.arn") if own_role else state.role,
        runtime=state.runtime,
        handler=state.handler,
        architectures=[state.architecture],
        memory_size=state.memory,
        timeout=state.timeout,
        environment=[{"variables": dict(state.environment)}],
        filename=Template(f"${{path.module}}/{CODE}"),
        source_code_hash=value(f'filebase64sha256("${{path.module}}/{CODE}")'),
        kms_key_arn=state.encrypted_with,
        tags=tags,
        depends_on=["aws_cloudwatch_log_group.function"],
        **more,
    )


def alarm(_stack: FoundStack, alarm: FoundResource) -> Iterator[Block]:
    """Write an alarm; it names the API that it watches by reference."""
    state = alarm.state
    dimensions = dict(state.dimensions)
    if "ApiId" in dimensions:
        dimensions["ApiId"] = value("aws_apigatewayv2_api.orders.id")
    yield importable(
        "aws_cloudwatch_metric_alarm",
        label_of(alarm.key.removeprefix("alarm ")),
        alarm.name,
        alarm_name=alarm.name,
        alarm_description=state.description,
        namespace=state.namespace,
        metric_name=state.metric,
        dimensions=dimensions,
        statistic=state.statistic,
        period=state.period,
        evaluation_periods=state.evaluation_periods,
        threshold=state.threshold,
        comparison_operator=state.comparison,
        treat_missing_data=state.missing_data,
        actions_enabled=state.actions_enabled,
        alarm_actions=list(state.actions),
        ok_actions=list(state.ok_actions),
        tags=alarm.tags,
    )


def dashboard(stack: FoundStack, dashboard: FoundResource) -> Iterator[Block]:
    """Write the dashboard; it names an HTTP API, whose metrics have its id, by reference."""
    text = json.dumps(dashboard.state.body)
    if stack.settings.api is ApiKind.HTTP:
        text = Template(text.replace(stack.resources["api"].state.id, "${aws_apigatewayv2_api.orders.id}"))
    yield importable(
        "aws_cloudwatch_dashboard",
        "orders",
        dashboard.name,
        dashboard_name=dashboard.name,
        dashboard_body=text,
    )
