"""The local inbox: the emails and text messages that the subscribers of a local stack got.

The embedded cloud only logs email and SMS deliveries, so a queue of the stack receives a copy of every
notification. It holds the order and the subject; the text of each protocol is made from them by the
function's own code. Who got it is worked out from the subscribers and filter policies of this moment.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import urllib3
from botocore.exceptions import ClientError

from ordernotify.aws.errors import has_code, map_botocore_errors
from ordernotify.aws.session import Cloud
from ordernotify.errors import LocalCloudError, StackNotFoundError
from ordernotify.function.notification import texts
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.filter_policy import (
    CannotEvaluateError,
    Scope,
    attribute_values,
    matches_attributes,
)
from ordernotify.resources.listing import SUBSCRIPTIONS, list_subscriptions
from ordernotify.resources.subscriber import Subscriber, read_subscribers
from ordernotify.settings.names import Names

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


def calls(cloud: Cloud, names: Names) -> Calls:
    """What reading the inbox calls, beside what the embedded cloud tells everybody on this machine."""
    return (
        allow("sqs", "GetQueueUrl", on=cloud.arn("sqs", names.inbox_queue)),
        allow("sns", "ListSubscriptionsByTopic", on=cloud.arn("sns", names.topic)),
        allow("sns", "GetSubscriptionAttributes", on=SUBSCRIPTIONS),
    )


def _tell_nobody(_message: str) -> None:
    pass


def read_inbox(
    cloud: Cloud,
    names: Names,
    tell: Callable[[str], None] = _tell_nobody,
    peek: Callable[[Cloud, str], list[str]] | None = None,
) -> Iterator[Delivery]:
    """Yield every delivery, oldest first; reading removes nothing.

    Filter policies on attributes are honoured with all of SNS's documented rules; one on the body lets no
    email or SMS through, because those are no JSON. `tell` gets a line for each subscriber whose policy
    cannot be evaluated (its messages are shown) or lets nothing through. `peek` reads the bodies of a queue.
    Raises StackNotFoundError if there is no inbox, LocalCloudError if the embedded cloud does not answer.
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
        listed = list_subscriptions(cloud, cloud.arn("sns", names.topic))
        readers = list(read_subscribers(cloud, [s for s in listed if s.protocol in PROTOCOLS]))
    filters = [Filter(reader, tell) for reader in readers if not reader.pending]
    envelopes = [json.loads(body) for body in (peek or peek_at_queue)(cloud, url)]
    for envelope in sorted(envelopes, key=lambda envelope: str(envelope.get("Timestamp"))):
        yield from _deliveries(envelope, filters)


class Filter:
    """Decides which notifications a subscriber gets; says once what it cannot decide."""

    def __init__(self, reader: Subscriber, tell: Callable[[str], None]) -> None:
        """Take the subscriber with its policy."""
        self.reader = reader
        self._tell = tell
        self._told = False

    def passes(self, envelope: Mapping[str, Any]) -> bool:
        """Whether the subscriber gets the notification in this envelope of SNS."""
        if not self.reader.filter_policy:
            return True
        if self.reader.scope is Scope.BODY:
            self._tell_once(
                "has a filter policy on the body: it gets nothing, because its messages are no JSON"
            )
            return False
        attributes = {
            name: attribute_values(str(one.get("Type")), str(one.get("Value")))
            for name, one in envelope.get("MessageAttributes", {}).items()
        }
        try:
            return matches_attributes(self.reader.filter_policy, attributes)
        except CannotEvaluateError as error:
            self._tell_once(f"has a filter policy that cannot be evaluated here ({error}): all is shown")
            return True

    def _tell_once(self, what: str) -> None:
        if not self._told:
            self._told = True
            self._tell(f"{self.reader.endpoint} {what}")


def _deliveries(envelope: Mapping[str, Any], filters: Sequence[Filter]) -> Iterator[Delivery]:
    order = json.loads(envelope["Message"], parse_float=Decimal)
    text = texts(order)
    for reader in (one.reader for one in filters if one.passes(envelope)):
        yield Delivery(
            to=reader.endpoint,
            protocol=reader.protocol,
            subject=str(envelope.get("Subject", "")) if reader.protocol == "email" else "",
            text=text[reader.protocol],
            order_id=str(order["orderId"]),
            received_at=str(envelope.get("Timestamp", "")),
        )


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
