"""The local inbox: the emails and text messages that the subscribers of a local stack got.

The embedded cloud only logs email and SMS deliveries, so each subscriber has a mailbox: a queue to which the
topic sends the same notifications. It holds the order; the text of each protocol is made from it by the
function's own code. A message that is no order is shown as it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import urllib3

from ordernotify.aws.errors import map_botocore_errors, read_or_none
from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import Clock
from ordernotify.errors import LocalCloudError, StackNotFoundError
from ordernotify.function.notification import texts
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources import mailbox
from ordernotify.resources.listing import NO_TOPIC
from ordernotify.resources.mailbox import Mailbox
from ordernotify.settings.names import Names

TIMEOUT_SECONDS = 10.0
POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one subscriber; `received_at` is ISO 8601 in UTC.

    `subject` is empty for an SMS, and `order_id` if the message is no order.
    """

    to: str
    protocol: str
    subject: str
    message: str
    """What the topic sent: the order as JSON, or any text."""
    order_id: str
    received_at: str
    message_id: str = ""

    @property
    def text(self) -> str:
        """What the subscriber reads; made when it is asked for, for an inbox may be long."""
        order = _order_in(self.message)
        return texts(order)[self.protocol] if order else self.message


Peek = Callable[[Cloud, str], list[str]]
"""Reads the bodies in the queue with this URL, and removes none."""


def calls(cloud: Cloud, names: Names) -> Calls:
    """What reading the inbox calls, beside what the embedded cloud tells everybody on this machine."""
    topic = cloud.arn("sns", names.topic)
    return (*mailbox.list_calls(cloud, names), allow("sns", "GetTopicAttributes", on=topic))


def read_inbox(
    cloud: Cloud, names: Names, stack: str, peek: Peek | None = None, *, newest: int | None = None
) -> list[Delivery]:
    """Return every delivery, oldest first; reading removes nothing.

    With `newest`, only this many of each mailbox, the last that came.
    Raises StackNotFoundError if there is no topic, LocalCloudError if the embedded cloud does not answer.
    """
    with map_botocore_errors("read", "inbox of", names.topic):
        _check_topic(cloud, names)
        boxes = list(mailbox.list_mailboxes(cloud, names, stack))
    peek = peek or peek_at_queue
    found = [_delivery(box, body) for box in boxes for body in peek(cloud, box.url)[-(newest or 0) :]]
    return sorted(found, key=lambda one: (one.received_at, one.message_id, one.protocol, one.to))


def follow_inbox(
    read: Callable[[], list[Delivery]], clock: Clock, skipped: Iterable[Delivery] = ()
) -> Iterator[Delivery]:
    """Yield each delivery but the skipped once, those that are there and then new ones, without end."""
    shown = {(one.message_id, one.to) for one in skipped}
    while True:
        for one in read():
            if (one.message_id, one.to) not in shown:
                shown.add((one.message_id, one.to))
                yield one
        clock.sleep(POLL_SECONDS)


def _check_topic(cloud: Cloud, names: Names) -> None:
    arn = cloud.arn("sns", names.topic)
    if read_or_none(lambda: cloud.sns.get_topic_attributes(TopicArn=arn), *NO_TOPIC) is None:
        raise StackNotFoundError(
            f"there is no topic {names.topic} here", "`ordernotify setup` makes the local stack."
        )


def _delivery(box: Mailbox, body: str) -> Delivery:
    envelope = _json_object(body) or {"Message": body}
    message = str(envelope.get("Message", ""))
    order = _order_in(message)
    return Delivery(
        to=box.address,
        protocol=box.protocol,
        subject=str(envelope.get("Subject") or "") if box.protocol == "email" else "",
        message=message,
        order_id=order["orderId"] if order else "",
        received_at=str(envelope.get("Timestamp", "")),
        message_id=str(envelope.get("MessageId", "")),
    )


def _order_in(message: str) -> Mapping[str, Any] | None:
    order = _json_object(message) or {}
    is_order = all(isinstance(order.get(name), str) for name in ("orderId", "customerName", "productName"))
    return order if is_order else None


def _json_object(text: str) -> Mapping[str, Any] | None:
    try:
        value = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def peek_at_queue(cloud: Cloud, queue_url: str) -> list[str]:
    """Read a queue's messages without receiving them, which the embedded cloud offers besides SQS's API."""
    query = urlencode({"QueueUrl": queue_url, "account": cloud.account, "region": cloud.region})
    try:
        answer = urllib3.request(
            "GET", f"{cloud.endpoint}/_ministack/sqs/messages?{query}", timeout=TIMEOUT_SECONDS, retries=2
        )
        queues = answer.json()["messages"].get(cloud.account, {}).get(cloud.region, {})
    except (urllib3.exceptions.HTTPError, ValueError, KeyError) as error:
        raise LocalCloudError(
            f"the embedded cloud did not show the inbox: {error}",
            "`ordernotify local status` tells how it is.",
        ) from error
    return [message["Body"] for messages in queues.values() for message in messages]
