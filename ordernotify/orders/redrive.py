"""Send the notifications that are still pending, at least once each."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from ordernotify.aws.errors import map_botocore_errors
from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import Patience
from ordernotify.errors import OrderNotifyError
from ordernotify.function.notification import notification
from ordernotify.iam.calls import Calls, allow
from ordernotify.orders.attributes import Order, plain_order
from ordernotify.orders.items import (
    PENDING,
    Condition,
    get_calls,
    get_order,
    mark_calls,
    mark_sent,
    patiently,
    read_calls,
    scan_pages,
)
from ordernotify.orders.pace import Pace
from ordernotify.orders.parallel import in_parallel
from ordernotify.settings.names import TABLE_KEY, Names
from ordernotify.times import ago, created_at_text

OLDER_THAN = timedelta(minutes=1)
"""Younger orders may still be worked on: the function's time limit is 15 s unless it was set otherwise."""


class Fate(StrEnum):
    """What became of one pending notification."""

    SENT = "sent"
    GONE = "gone"
    """Another redrive, or the customer's repeat, sent it meanwhile; or the order was deleted."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Redriven:
    """One order's outcome, and the reason if it failed."""

    order_id: str
    fate: Fate
    reason: str = ""


def calls(cloud: Cloud, names: Names) -> Calls:
    return (
        *read_calls(cloud, names),
        *get_calls(cloud, names),
        *mark_calls(cloud, names),
        allow("sns", "Publish", on=cloud.arn("sns", names.topic)),
    )


def find_pending(
    cloud: Cloud, names: Names, older_than: timedelta = OLDER_THAN, *, now: datetime | None = None
) -> Iterator[Order]:
    """Yield the orders whose notification has been pending for longer than the given age.

    An order without a time, which another program wrote, counts as old. The sequence is random.
    Raises StackNotFoundError, AwsError.
    """
    before = ago(now or datetime.now(UTC), older_than)
    condition = Condition(
        "#state = :pending AND (#created <= :before OR attribute_not_exists(#created))",
        {"#state": "notification", "#created": "createdAt"},
        {":pending": {"S": PENDING}, ":before": {"S": created_at_text(before)}},
    )
    for page in scan_pages(cloud, names, condition):
        orders = list(map(plain_order, page))
        # Two redrives at once read the same pages: in another sequence each, they seldom hold the same order.
        random.shuffle(orders)
        yield from orders


def redrive(
    cloud: Cloud,
    names: Names,
    older_than: timedelta = OLDER_THAN,
    *,
    concurrency: int = 16,
    pace: Pace = nullcontext,
    now: datetime | None = None,
    patience: Patience | None = None,
) -> Iterator[Redriven]:
    """Publish what is pending, exactly as the handler would have, and yield each order's outcome.

    An order is published before it is marked, as in the handler: killed between the two, it is sent again by
    the next redrive, and the receiver recognises the copy by its orderId. Two redrives at once both work:
    each goes through the orders in its own random sequence and reads an order again right before it
    publishes, so that only an order that both hold at the same moment is sent twice. Claiming an order first
    would lose its notification if the claimer died. Each publish waits for `pace`.

    Raises StackNotFoundError, AwsError if the table cannot be read; a failed publish is an outcome.
    """
    sender = Sender(cloud, names, pace, patience or Patience())
    return in_parallel(find_pending(cloud, names, older_than, now=now), sender.send, concurrency=concurrency)


@dataclass(frozen=True, slots=True)
class Sender:
    """Publishes one order after the other."""

    cloud: Cloud
    names: Names
    pace: Pace
    patience: Patience

    def send(self, order: Order) -> Redriven:
        """Publish what is still pending, and mark it."""
        with self.pace():
            return self._send(order)

    def _send(self, order: Order) -> Redriven:
        order_id = str(order[TABLE_KEY])
        try:
            stored = get_order(self.cloud, self.names, order_id, self.patience)
            if stored is None or stored.get("notification") != PENDING:
                return Redriven(order_id, Fate.GONE)
            message_id = self.publish(order)
            mark_sent(self.cloud, self.names, order_id, message_id, self.patience)
        except OrderNotifyError as error:
            return Redriven(order_id, Fate.FAILED, error.message)
        return Redriven(order_id, Fate.SENT)

    def publish(self, order: Order) -> str:
        """Publish the order's notification and return SNS's id of it."""
        try:
            message = notification(order)
        except Exception as error:  # one damaged item must not keep the others from being sent
            raise OrderNotifyError(f"its message could not be built: {error!r}") from error
        sns, topic = self.cloud.sns, self.cloud.arn("sns", self.names.topic)
        with map_botocore_errors("publish to", "topic", self.names.topic):
            return patiently(self.patience, lambda: sns.publish(TopicArn=topic, **message)["MessageId"])
