"""Send again what a subscriber did not take: the dead letters of the topic's subscriptions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from ordernotify.aws.errors import map_botocore_errors, read_or_none
from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import Clock, Patience, SystemClock
from ordernotify.errors import OrderNotifyError, StackNotFoundError
from ordernotify.iam.calls import Calls, allow
from ordernotify.orders.items import get_order
from ordernotify.orders.pace import Pace
from ordernotify.orders.redrive import Fate, Redriven, Sender
from ordernotify.resources.listing import NO_QUEUE
from ordernotify.settings.names import Names

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import ChangeMessageVisibilityBatchRequestEntryTypeDef

BATCH = 10
"""The most that SQS takes or hands out at once."""
HIDDEN_SECONDS = 300
"""How long SQS hides a letter that was handed out: if this run dies, it comes back after that."""
WAIT_SECONDS = 1
"""With a wait, SQS asks all of its servers; without one, an answer may leave letters out."""
READING_SECONDS = 30.0
"""Where letters keep coming, those that are left stay for the next run."""
UNKNOWN_ORDER = "(unknown order)"


@dataclass(frozen=True, slots=True)
class Letter:
    """A notification that was not taken: SQS's handle, and its order's id, which may be empty."""

    handle: str
    order_id: str


def calls(cloud: Cloud, names: Names) -> Calls:
    """What sending again calls beside what `redrive` does."""
    queue = cloud.arn("sqs", names.dead_letter_queue)
    return (
        allow("sqs", "GetQueueUrl", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", on=queue),
    )


def find_undelivered(cloud: Cloud, everywhere: Sequence[Names]) -> list[str]:
    """List the orders that have dead letters, each once; the letters stay.

    `everywhere` are the stack's names, and after those in use the ones with a former topic or table. Raises
    StackNotFoundError without any queue, AwsError when one cannot be read.
    """
    found: dict[str, None] = {}
    for box in _boxes(cloud, everywhere, SystemClock()):
        with box:
            found |= dict.fromkeys(letter.order_id or UNKNOWN_ORDER for letter in box.letters())
    return list(found)


def send_undelivered(
    cloud: Cloud, everywhere: Sequence[Names], pace: Pace = nullcontext, patience: Patience | None = None
) -> Iterator[Redriven]:
    """Publish the order of each dead letter again, then delete the letter, and yield each order's outcome.

    SNS does not tell which subscriber a letter was for, so all get the notification again and know it by its
    orderId. Publish comes before the deletion: killed between the two, the order is sent once more. An order
    is sent once, however many letters it has. A letter that names no order, or whose order cannot be sent,
    stays; one of an order that was deleted goes. A letter that comes while this runs stays: a subscriber may
    have refused what was sent right now.

    `everywhere` and what is raised are as with `find_undelivered`.
    """
    patience = patience or Patience()
    sender = Sender(cloud, everywhere[0], pace, patience)
    tables = list({names.table: names for names in everywhere}.values())
    fates: dict[str, Redriven] = {}
    for box in _boxes(cloud, everywhere, patience.clock):
        with box:
            for letter in box.letters():
                known = fates.get(letter.order_id)
                done = fates[letter.order_id] = known or _send(sender, letter.order_id, tables)
                if done.fate is not Fate.FAILED:
                    box.delete(letter)
                if not known:
                    yield done


def _boxes(cloud: Cloud, everywhere: Sequence[Names], clock: Clock) -> list[_Box]:
    names = dict.fromkeys(one.dead_letter_queue for one in everywhere)
    boxes = [_Box(cloud, name, url, clock) for name in names if (url := _queue_url(cloud, name))]
    if not boxes:
        raise StackNotFoundError(
            "this stack keeps no notifications that were not taken",
            "`ordernotify setup --dead-letters` makes a queue for them.",
        )
    return boxes


class _Box:
    """A queue, as a context: at the end, what was received and not deleted becomes visible again."""

    def __init__(self, cloud: Cloud, name: str, url: str, clock: Clock) -> None:
        self._sqs, self._name, self._url, self._clock = cloud.sqs, name, url, clock
        self._kept: dict[str, None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        handles = list(self._kept)
        for start in range(0, len(handles), BATCH):
            visible: list[ChangeMessageVisibilityBatchRequestEntryTypeDef] = [
                {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                for number, handle in enumerate(handles[start : start + BATCH])
            ]
            # A letter that cannot be given back comes back by itself.
            with suppress(ClientError, BotoCoreError):
                self._sqs.change_message_visibility_batch(QueueUrl=self._url, Entries=visible)

    def letters(self) -> list[Letter]:
        """Receive until the queue hands out nothing more, or its time is over; return what was there."""
        letters: list[Letter] = []
        end = self._clock.now() + READING_SECONDS
        while self._clock.now() < end:
            with map_botocore_errors("read", "queue", self._name):
                answer = self._sqs.receive_message(
                    QueueUrl=self._url,
                    MaxNumberOfMessages=BATCH,
                    WaitTimeSeconds=WAIT_SECONDS,
                    VisibilityTimeout=HIDDEN_SECONDS,
                    MessageAttributeNames=["orderId"],
                )
            found = [Letter(one["ReceiptHandle"], _order_id(one)) for one in answer.get("Messages", [])]
            if not found:
                break
            letters += found
            self._kept |= dict.fromkeys(letter.handle for letter in found)
        return letters

    def delete(self, letter: Letter) -> None:
        with map_botocore_errors("delete from", "queue", self._name):
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=letter.handle)
        del self._kept[letter.handle]


def _queue_url(cloud: Cloud, name: str) -> str | None:
    with map_botocore_errors("read", "queue", name):
        found = read_or_none(lambda: cloud.sqs.get_queue_url(QueueName=name), *NO_QUEUE)
    return found["QueueUrl"] if found else None


def _order_id(message: Mapping[str, Any]) -> str:
    """Read the order's id: from SQS's attributes (raw delivery), SNS's envelope, or the order itself."""
    raw = message.get("MessageAttributes", {}).get("orderId", {}).get("StringValue")
    envelope = _object(message["Body"])
    attribute = _mapping(_mapping(envelope.get("MessageAttributes")).get("orderId")).get("Value")
    order = _object(envelope.get("Message")) if "Message" in envelope else envelope
    return str(raw or attribute or order.get("orderId") or "")


def _object(text: Any) -> Mapping[str, Any]:
    try:
        return _mapping(json.loads(text))
    except (TypeError, ValueError):
        return {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _send(sender: Sender, order_id: str, tables: Sequence[Names]) -> Redriven:
    if not order_id:
        return Redriven(UNKNOWN_ORDER, Fate.FAILED, "a letter names no order; it stays in the queue")
    try:
        stored = (get_order(sender.cloud, names, order_id, sender.patience) for names in tables)
        order = next(filter(None, stored), None)
        if order is None:
            return Redriven(order_id, Fate.GONE)
        with sender.pace():
            sender.publish(order)
    except OrderNotifyError as error:
        return Redriven(order_id, Fate.FAILED, error.message)
    return Redriven(order_id, Fate.SENT)
