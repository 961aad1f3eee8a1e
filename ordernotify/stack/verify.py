"""The guide's testing procedure on the live stack: each point is proved on one real order, none assumed."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ordernotify.aws.errors import has_code, map_botocore_errors
from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import Clock, SystemClock
from ordernotify.errors import OrderNotifyError
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.listing import SUBSCRIPTIONS
from ordernotify.resources.queue import queue_policy
from ordernotify.settings.names import (
    STACK_TAG,
    TABLE_KEY,
    Names,
    Target,
)

NOTIFICATION_SECONDS = 30.0
LOG_LINES_SECONDS = 60.0
"""CloudWatch shows events seconds to minutes late (AWS-FACTS, CloudWatch Logs)."""
SUBSCRIPTION_SETTLES_SECONDS = 3.0
"""On AWS a new subscription may miss what is published in its first moments."""
TEST_ORDER = {"customerName": "John Doe", "productName": "Wireless Mouse"}
"""The guide's test order."""
CHECKS = ("response", "stored order", "notification", "log lines")


@dataclass(frozen=True, slots=True)
class Answer:
    """The API's answer to the test order."""

    status: int
    order_id: str
    message: str


@dataclass(frozen=True, slots=True)
class Check:
    """One point of the procedure; `detail` is what was seen, or what was not."""

    name: str
    passed: bool
    detail: str
    seconds: float


def calls(cloud: Cloud, names: Names) -> Calls:
    """What the procedure calls; TagQueue is also checked for a queue made with tags."""
    queues = cloud.arn("sqs", f"{names.verify_queue_prefix}*")
    return (
        allow("sqs", "CreateQueue", "TagQueue", "ReceiveMessage", "DeleteQueue", on=queues),
        allow("sns", "Subscribe", on=cloud.arn("sns", names.topic)),
        allow("sns", "Unsubscribe", on=SUBSCRIPTIONS),
        allow("dynamodb", "GetItem", on=cloud.arn("dynamodb", f"table/{names.table}")),
        allow("logs", "FilterLogEvents", on=cloud.arn("logs", f"log-group:{names.log_group}:*")),
    )


def verify(
    cloud: Cloud,
    names: Names,
    stack: str,
    send: Callable[[Mapping[str, Any]], Answer],
    clock: Clock | None = None,
) -> Iterator[Check | Answer]:
    """Send the guide's test order and prove each point on it; yield the answer, and each check when decided.

    `send` posts an order and returns the answer; what it raises is a failed check. A temporary queue is
    subscribed to the topic meanwhile and removed again, whatever happens.
    """
    clock = clock or SystemClock()
    with _temporary_queue(cloud, names, stack, clock) as queue_url:
        since = int(time.time() * 1000) - 5000
        began = clock.now()
        try:
            answer = send(TEST_ORDER)
        except OrderNotifyError as error:
            yield Check(CHECKS[0], False, error.message, clock.now() - began)
            for name in CHECKS[1:]:
                yield Check(name, False, "not tried: no order was accepted", 0.0)
            return
        yield answer
        passed = answer.status in {200, 201} and bool(answer.order_id)
        detail = f"{answer.status}, orderId {answer.order_id}, {answer.message!r}"
        yield Check(CHECKS[0], passed, detail, clock.now() - began)
        probes: dict[str, Callable[[], str | None]] = {
            CHECKS[1]: lambda: _stored(cloud, names, answer.order_id),
            CHECKS[2]: lambda: _notified(cloud, queue_url, answer.order_id),
            CHECKS[3]: lambda: _logged(cloud, names, answer.order_id, since),
        }
        limits = {CHECKS[1]: 5.0, CHECKS[2]: NOTIFICATION_SECONDS, CHECKS[3]: LOG_LINES_SECONDS}
        with ThreadPoolExecutor(len(probes)) as pool:
            checks = [pool.submit(_check, name, probe, limits[name], clock) for name, probe in probes.items()]
            for check in as_completed(checks):
                yield check.result()


def _check(name: str, probe: Callable[[], str | None], limit: float, clock: Clock) -> Check:
    """Probe until it tells what it saw, for `limit` seconds at the most."""
    began = clock.now()
    while True:
        try:
            with map_botocore_errors("check", name):
                seen = probe()
        except OrderNotifyError as error:
            return Check(name, False, error.message, clock.now() - began)
        waited = clock.now() - began
        if seen is not None:
            return Check(name, True, seen, waited)
        if waited >= limit:
            return Check(name, False, f"nothing of this order within {limit:.0f} s", waited)
        clock.sleep(0.25)


def _stored(cloud: Cloud, names: Names, order_id: str) -> str | None:
    answer = cloud.dynamodb.get_item(
        TableName=names.table, Key={TABLE_KEY: {"S": order_id}}, ConsistentRead=True
    )
    item = answer.get("Item")
    if item is None:
        return None
    kept = {field: item.get(field, {}).get("S") for field in TEST_ORDER}
    if kept != TEST_ORDER:
        raise OrderNotifyError(f"the stored order differs from the one sent: {kept}")
    return f"{names.table} holds it, notification {item.get('notification', {}).get('S', '?')}"


def _notified(cloud: Cloud, queue_url: str, order_id: str) -> str | None:
    received = cloud.sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
    for message in received.get("Messages", ()):
        envelope = json.loads(message["Body"])
        if _order_of(envelope) == order_id:
            return f"received, message id {envelope.get('MessageId')}, subject {envelope.get('Subject')!r}"
    return None


def _order_of(envelope: Mapping[str, Any]) -> str | None:
    try:
        order = json.loads(envelope.get("Message", ""))
    except ValueError:
        return None
    return order.get("orderId") if isinstance(order, dict) else None


def _logged(cloud: Cloud, names: Names, order_id: str, since: int) -> str | None:
    lines = [line for line in _log_lines(cloud, names.log_group, since) if isinstance(line, dict)]
    answered = [line for line in lines if line.get("event") == "response" and line.get("orderId") == order_id]
    for response in answered:
        request_id = response.get("requestId")
        if any(line.get("event") == "request" and line.get("requestId") == request_id for line in lines):
            return f"request and response of request {request_id}"
    return None


def _log_lines(cloud: Cloud, group: str, since: int) -> Iterator[Any]:
    try:
        for page in cloud.logs.get_paginator("filter_log_events").paginate(
            logGroupName=group, startTime=since
        ):
            for event in page["events"]:
                try:
                    yield json.loads(event.get("message", ""))
                except ValueError:
                    continue
    except ClientError as error:
        if not has_code(error, "ResourceNotFoundException"):
            raise


@contextmanager
def _temporary_queue(cloud: Cloud, names: Names, stack: str, clock: Clock) -> Iterator[str]:
    """Subscribe a queue of our own to the topic; both are removed at the end."""
    name = f"{names.verify_queue_prefix}{secrets.token_hex(4)}"
    queue_arn, topic_arn = cloud.arn("sqs", name), cloud.arn("sns", names.topic)
    url = subscription = None
    try:
        with map_botocore_errors("subscribe", "queue", name):
            url = cloud.sqs.create_queue(
                QueueName=name,
                Attributes={"Policy": queue_policy(queue_arn, topic_arn)},
                tags={STACK_TAG: stack},
            )["QueueUrl"]
            subscription = cloud.sns.subscribe(
                TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn, ReturnSubscriptionArn=True
            )["SubscriptionArn"]
        if cloud.target is Target.AWS:
            clock.sleep(SUBSCRIPTION_SETTLES_SECONDS)
        yield url
    finally:
        with map_botocore_errors("remove", "queue", name):
            if subscription:
                cloud.sns.unsubscribe(SubscriptionArn=subscription)
            if url:
                cloud.sqs.delete_queue(QueueUrl=url)
