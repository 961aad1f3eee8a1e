"""The local inbox: the emails and text messages that the subscribers of a local stack got.

The embedded cloud only logs email and SMS deliveries, so a queue of the stack receives a copy of every
notification. It holds the order and the subject; the text of each protocol is made from them by the function's
own code.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import urllib3
from botocore.exceptions import ClientError

from ordernotify.aws import Cloud, has_code, map_botocore_errors
from ordernotify.config import Names, Subscription
from ordernotify.errors import LocalCloudError, StackNotFoundError
from ordernotify.handler import texts
from ordernotify.resources.listing import list_subscriptions

TIMEOUT_SECONDS = 10.0
PROTOCOLS = ("email", "sms")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one subscriber; `received_at` is ISO 8601 in UTC, `subject` empty for an SMS."""

    to: str
    protocol: str
    subject: str
    text: str
    order_id: str
    received_at: str


def read_inbox(cloud: Cloud, names: Names) -> Iterator[Delivery]:
    """Yield every delivery, oldest first; reading removes nothing.

    Raises StackNotFoundError if the stack has no inbox, LocalCloudError if the embedded cloud does not answer.
    """
    with map_botocore_errors("read", "inbox", names.inbox_queue):
        try:
            url = cloud.sqs.get_queue_url(QueueName=names.inbox_queue)["QueueUrl"]
        except ClientError as error:
            if has_code(error, "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"):
                raise StackNotFoundError(
                    f"there is no inbox {names.inbox_queue}", "`ordernotify setup` makes the local stack."
                ) from error
            raise
        subscribers = list_subscriptions(cloud, cloud.arn("sns", names.topic))
    readers = [s for s in subscribers if s.protocol in PROTOCOLS]
    envelopes = [json.loads(body) for body in _peek(cloud, url)]
    for envelope in sorted(envelopes, key=lambda envelope: str(envelope.get("Timestamp"))):
        yield from _deliveries(envelope, readers)


def _deliveries(envelope: Mapping[str, Any], readers: Sequence[Subscription]) -> Iterator[Delivery]:
    order = json.loads(envelope["Message"], parse_float=Decimal)
    text = texts(order)
    for reader in readers:
        yield Delivery(
            to=reader.endpoint,
            protocol=reader.protocol,
            subject=str(envelope.get("Subject", "")) if reader.protocol == "email" else "",
            text=text[reader.protocol],
            order_id=str(order["orderId"]),
            received_at=str(envelope.get("Timestamp", "")),
        )


def _peek(cloud: Cloud, queue_url: str) -> list[str]:
    """Read the queue's messages without receiving them, which the embedded cloud offers besides SQS's own API."""
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
