"""The guide's testing procedure on the live stack: each point is proved on one real order, none assumed."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ordernotify import times
from ordernotify.aws.errors import has_code, map_botocore_errors
from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import Clock, Patience, SystemClock
from ordernotify.errors import AwsError, OrderNotifyError
from ordernotify.iam.calls import Calls, allow
from ordernotify.logs.reader import function_calls, function_events
from ordernotify.orders.items import get_calls, get_order
from ordernotify.orders.post import Answer
from ordernotify.resources.delivery import queue_policy
from ordernotify.resources.listing import (
    NEW_TOPIC_SECONDS,
    SUBSCRIPTIONS,
    delete_queue,
    list_queues,
    queue_tags,
)
from ordernotify.settings.names import STACK_TAG, Names, Target

STORED_SECONDS = 5.0
NOTIFICATION_SECONDS = 30.0
LOG_MARGIN = timedelta(seconds=5)
LOG_LINES_SECONDS = 60.0
"""CloudWatch shows events seconds to minutes late (AWS-FACTS, CloudWatch Logs)."""
SUBSCRIPTION_SETTLES_SECONDS = 3.0
"""On AWS a new subscription may miss what is published in its first moments."""
LEFT_BEHIND_SECONDS = 3600.0
"""A queue of this age is no longer used by any run: its run was killed before it could remove it."""
TEST_ORDER = {"customerName": "John Doe", "productName": "Wireless Mouse"}
"""The guide's test order."""
CHECKS = ("response", "stored order", "notification", "log lines")

Probe = Callable[[], str | None]
"""Returns what it saw, or None while there is nothing to see; raises if nothing can come."""


@dataclass(frozen=True, slots=True)
class Check:
    """One point of the procedure; `detail` is what was seen, or what was not."""

    name: str
    passed: bool
    detail: str
    seconds: float = 0.0


def calls(cloud: Cloud, names: Names) -> Calls:
    """What the procedure calls; TagQueue is also checked for a queue made with tags."""
    queues = cloud.arn("sqs", f"{names.verify_queue_prefix}*")
    return (
        allow("sqs", "CreateQueue", "TagQueue", "ListQueueTags", "ReceiveMessage", "DeleteQueue", on=queues),
        allow("sqs", "ListQueues", on="*"),
        allow("sns", "Subscribe", on=cloud.arn("sns", names.topic)),
        allow("sns", "Unsubscribe", on=SUBSCRIPTIONS),
        *get_calls(cloud, names),
        *function_calls(cloud, names),
    )


def verify(
    cloud: Cloud,
    names: Names,
    stack: str,
    send: Callable[[Mapping[str, Any]], Answer],
    clock: Clock | None = None,
) -> Iterator[Check | Answer]:
    """Send the guide's test order and prove each point on it; yield the answer, and each check when decided.

    `send` posts an order and returns the answer; an error is a failed check. A temporary queue is subscribed
    to the topic and removed again, whatever happens; without the topic, the other points are still checked.
    Each of CHECKS is yielded once.
    """
    clock = clock or SystemClock()
    remove_old_queues(cloud, names, stack)
    with ExitStack() as cleanup:
        queue_url, no_queue = "", ""
        try:
            queue_url = cleanup.enter_context(temporary_queue(cloud, names, stack, clock))
        except OrderNotifyError as error:
            no_queue = error.message
        since = times.milliseconds(cloud.now() - LOG_MARGIN)
        began = clock.now()
        try:
            answer = send(TEST_ORDER)
        except OrderNotifyError as error:
            answer = Answer(0, error.message)
        else:
            yield answer
        yield _response_check(answer, clock.now() - began)
        if not answer.order_id:
            yield from (Check(name, False, "not tried: no order was accepted") for name in CHECKS[1:])
            return
        order_id = answer.order_id
        probes: dict[str, tuple[Probe, float]] = {
            CHECKS[1]: (lambda: _stored(cloud, names, order_id), STORED_SECONDS),
            CHECKS[2]: (lambda: _notified(cloud, queue_url, order_id), NOTIFICATION_SECONDS),
            CHECKS[3]: (lambda: _logged(cloud, names, order_id, since), LOG_LINES_SECONDS),
        }
        if no_queue:
            del probes[CHECKS[2]]
            yield Check(CHECKS[2], False, no_queue)
        yield from _decide(probes, clock)


def _response_check(answer: Answer, seconds: float) -> Check:
    if not answer.status:
        return Check(CHECKS[0], False, answer.message, seconds)
    passed = answer.status in {200, 201} and bool(answer.order_id)
    known = f"orderId {answer.order_id}, " if answer.order_id else ""
    return Check(CHECKS[0], passed, f"{answer.status}, {known}{answer.message!r}", seconds)


def _decide(probes: Mapping[str, tuple[Probe, float]], clock: Clock) -> Iterator[Check]:
    with ThreadPoolExecutor(len(probes)) as pool:
        checks = [pool.submit(_check, name, probe, limit, clock) for name, (probe, limit) in probes.items()]
        for check in as_completed(checks):
            yield check.result()


def _check(name: str, probe: Probe, limit: float, clock: Clock) -> Check:
    """Probe until something is seen, for at most `limit` seconds."""
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
    order = get_order(cloud, names, order_id)
    if order is None:
        return None
    kept = {field: order.get(field) for field in TEST_ORDER}
    if kept != TEST_ORDER:
        raise OrderNotifyError(f"the stored order differs from the one sent: {kept}")
    return f"{names.table} holds it, notification {order.get('notification', '?')}"


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
    lines = [event.fields for event in function_events(cloud, names, since) if event.fields]
    requested = {line.get("requestId") for line in lines if line.get("event") == "request"}
    for line in lines:
        answers = line.get("event") == "response" and line.get("orderId") == order_id
        if answers and line.get("requestId") in requested:
            return f"request and response of request {line['requestId']}"
    return None


@contextmanager
def temporary_queue(cloud: Cloud, names: Names, stack: str, clock: Clock) -> Iterator[str]:
    """Subscribe a new queue to the topic and yield its URL; remove both at the end, each whatever happens.

    The name holds the time, so that a later run can tell a queue that was left behind from one in use.
    Raises AwsError.
    """
    name = f"{names.verify_queue_prefix}{int(time.time())}-{secrets.token_hex(4)}"
    queue_arn, topic_arn = cloud.arn("sqs", name), cloud.arn("sns", names.topic)
    patience = Patience(clock)
    with map_botocore_errors("subscribe", "queue", name), ExitStack() as cleanup:
        url = cloud.sqs.create_queue(
            QueueName=name,
            Attributes={"Policy": queue_policy(queue_arn, topic_arn)},
            tags={STACK_TAG: stack},
        )["QueueUrl"]
        cleanup.callback(_remove_queue, cloud, url)
        subscription = patience.retry(
            lambda: cloud.sns.subscribe(
                TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn, ReturnSubscriptionArn=True
            ),
            when=lambda error: cloud.target is Target.AWS and has_code(error, "NotFound"),
            waiting_for="the topic",
            timeout=NEW_TOPIC_SECONDS,
        )["SubscriptionArn"]
        cleanup.callback(_unsubscribe, cloud, subscription, patience)
        if cloud.target is Target.AWS:
            clock.sleep(SUBSCRIPTION_SETTLES_SECONDS)
        yield url


def _unsubscribe(cloud: Cloud, subscription: str, patience: Patience) -> None:
    # A subscription to a queue may first read as pending (AWS-FACTS 24); SNS drops one whose queue is gone.
    with map_botocore_errors("remove", "subscription", subscription):
        patience.retry(
            lambda: cloud.sns.unsubscribe(SubscriptionArn=subscription),
            when=lambda error: has_code(error, "NotFound") or "pending confirmation" in str(error),
            waiting_for="the subscription",
            timeout=NEW_TOPIC_SECONDS,
        )


def _remove_queue(cloud: Cloud, url: str) -> None:
    with map_botocore_errors("remove", "queue", url.rpartition("/")[2]):
        delete_queue(cloud, url)


def remove_old_queues(cloud: Cloud, names: Names, stack: str) -> None:
    """Remove the queues that killed runs of this stack left an hour ago or earlier.

    Errors are ignored: what matters fails again later.
    """
    with suppress(AwsError), map_botocore_errors("list", "queues"):
        for name, url in list(list_queues(cloud, names.verify_queue_prefix)):
            made = names.verify_queue_made(name)
            if made is None or time.time() - made <= LEFT_BEHIND_SECONDS:
                continue
            if queue_tags(cloud, url).get(STACK_TAG) == stack:
                delete_queue(cloud, url)
