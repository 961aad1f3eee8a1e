"""The Lambda function: takes an order from API Gateway, stores it in DynamoDB and publishes it to SNS.

What it uses is in `ordernotify.function`, and ships with it. It promises that an order answered with 2xx is
stored, that its notification goes out at least once, and that a repeat with the same `Idempotency-Key`
makes no second order:

    PutItem     if it does not exist, notification = pending   cut off here: `ordernotify redrive` sends it
    Publish                                                    cut off here: it is sent a second time
    UpdateItem  if still pending,     notification = sent

The function has no read permission. It learns what is stored under a key from the item that a failed
condition returns.

Environment, read at the first order: `TABLE_NAME`, `TOPIC_ARN`, `STACK`, `LOG_BODIES`, `CORS_ORIGIN`
(optional), `AWS_ENDPOINT_URL_DYNAMODB`, `AWS_ENDPOINT_URL_SNS`, and Lambda's own region and credentials.

Imports are few and late: a customer who meets a cold worker waits for each of them.
"""

from __future__ import annotations

import os
import time
from functools import cache

from ordernotify.function.api_event import (
    ProxyResponse,
    cors_headers,
    idempotency_key,
    is_probe,
    order_text,
    refused_body,
    request_method,
)
from ordernotify.function.aws_calls import NEVER, mark_sent, publish, put_item, stored_item
from ordernotify.function.aws_client import AwsClient, CallFailed
from ordernotify.function.connection import tls_context
from ordernotify.function.invocation import Invocation, InvocationLog
from ordernotify.function.log import (
    METRIC_NOTIFICATIONS_PENDING,
    METRIC_ORDERS_REPLAYED,
    log_line,
    timestamp,
    write_log,
)
from ordernotify.function.notification import notification
from ordernotify.function.order import Refusal, order_id, parse_order, request_hash, validate

TYPE_CHECKING = False  # `typing` is not imported at run time
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

# A repeat that arrives with the first request waits so long for it to publish, and then publishes itself.
REPEAT_PAUSES_SECONDS = (0.1, 0.3, 0.6)
REPEAT_WAITS_FOR_SECONDS = 2.0  # an order that is pending for longer has nobody who works on it


class Environment:
    """What the environment sets; raises KeyError with the name of the variable that is missing."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.table_name = environment["TABLE_NAME"]
        self.topic_arn = environment["TOPIC_ARN"]
        self.stack = environment.get("STACK", "default")
        self.log_bodies = environment.get("LOG_BODIES", "true").lower() != "false"
        self.cors_origins = environment.get("CORS_ORIGIN", "").split()
        self.region = environment["AWS_REGION"]
        self.dynamodb_endpoint = environment["AWS_ENDPOINT_URL_DYNAMODB"]
        self.sns_endpoint = environment["AWS_ENDPOINT_URL_SNS"]


class OrderFunction:
    """Takes events and returns proxy answers; keeps its connections from one order to the next.

    Args:
        dynamodb, sns: the clients of the two services.
        write: takes one log line.
        clock: seconds since 1970. timer: seconds that only go forward. random_bytes: like `os.urandom`.
        sleep: waits for seconds.
    """

    def __init__(
        self,
        environment: Environment,
        dynamodb: AwsClient,
        sns: AwsClient,
        *,
        write: Callable[[str], None] = write_log,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._environment = environment
        self._dynamodb = dynamodb
        self._sns = sns
        self._log = InvocationLog(write, clock, environment.stack, bodies=environment.log_bodies)
        self._clock = clock
        self._timer = timer
        self._sleep = sleep
        self._random_bytes = random_bytes

    def __call__(self, event: Any, context: Any = None) -> dict[str, Any]:
        """Answer one event; raises nothing."""
        invocation = Invocation(context, self._timer)
        try:
            answer = self._answer(event, invocation)
        except Refusal as refusal:
            body: dict[str, Any] = {"message": refusal.message}
            if refusal.errors:
                body["errors"] = refusal.errors
            answer = ProxyResponse(refusal.status, body)
        except Exception as error:  # noqa: BLE001 - the caller gets an answer whatever happens
            invocation.log["error"] = {
                "step": "handler",
                "code": type(error).__name__,
                "message": str(error)[:500],
            }
            answer = ProxyResponse(500, {"message": "The order could not be handled; the log says why"})
        self._log.response(invocation, answer)
        return answer.to_event(cors_headers(event, self._environment.cors_origins))

    def _answer(self, event: Any, invocation: Invocation) -> ProxyResponse:
        method = request_method(event)
        if method not in (None, "POST"):
            self._log.request(event, invocation)
            if method == "OPTIONS":
                return ProxyResponse(204, None)
            return ProxyResponse(405, {"message": "Orders are sent with POST"}, {"Allow": "POST, OPTIONS"})
        try:
            document = parse_order(order_text(event))
        except Refusal:
            self._log.request(event, invocation, refused_body(event))
            if is_probe(event):
                invocation.log["probe"] = True
            raise
        self._log.request(event, invocation, document)
        faults: list[dict[str, str]] = []
        key = idempotency_key(event, faults)
        order = validate(document, faults)
        invocation.step("validated")
        return self._take(order, key or self._random_bytes(16).hex(), invocation)

    def _take(self, order: dict[str, Any], key: str, invocation: Invocation) -> ProxyResponse:
        """Store, publish and mark a valid order."""
        new_id = order_id(self._environment.table_name, key)
        item = {
            "FileName": new_id,
            "orderId": new_id,
            **order,
            "createdAt": timestamp(self._clock()),
            "notification": "pending",
            "requestHash": request_hash(order),
        }
        invocation.log["orderId"] = new_id
        try:
            stored, ours = self._store(item, invocation)
        except CallFailed as failure:
            return self._not_stored(failure, key, invocation)
        replayed = not ours
        item = self._after_the_first_request(stored, invocation) if replayed else stored
        invocation.step("stored")
        if replayed:
            invocation.metrics.append(METRIC_ORDERS_REPLAYED)
        if item.get("notification") == "pending":
            published = self._notify(item, invocation)
        else:
            published = True
            invocation.log.update(notification=item.get("notification"), messageId=item.get("messageId"))
        return self._taken(new_id, replayed=replayed, published=published)

    def _store(self, item: dict[str, Any], invocation: Invocation) -> tuple[dict[str, Any], bool]:
        """Put the order if it does not exist; return what is stored now and whether this call stored it.

        Raises:
            CallFailed: it could not be stored. Refusal: 409, another order is stored under the key.
        """
        try:
            self._put(item, "attribute_not_exists(FileName)", {}, invocation)
        except CallFailed as failure:
            stored = stored_item(failure) if failure.code == "ConditionalCheckFailedException" else None
            if stored is None:
                raise
            if stored.get("requestHash") != item["requestHash"]:
                raise Refusal(409, "This Idempotency-Key was used before, with a different order") from None
            # After an attempt that was cut off, the item of this very moment is what that attempt stored.
            return stored, failure.maybe_applied and stored.get("createdAt") == item["createdAt"]
        return item, True

    def _after_the_first_request(self, stored: dict[str, Any], invocation: Invocation) -> dict[str, Any]:
        """Let the request that stored the order a moment ago publish it; return what is then stored.

        Without this, a repeat that arrives at the same moment would nearly always notify a second time. An
        order that is deleted meanwhile is neither put back nor announced: then its notification is `deleted`.
        """
        for pause in REPEAT_PAUSES_SECONDS:
            recent = str(stored.get("createdAt")) > timestamp(self._clock() - REPEAT_WAITS_FOR_SECONDS)
            in_time = self._timer() + 2 * pause < invocation.deadline
            if stored.get("notification") != "pending" or not recent or not in_time:
                break
            self._sleep(pause)
            try:
                self._put({"FileName": stored["FileName"]}, NEVER, {}, invocation)
            except CallFailed as failure:
                if failure.code != "ConditionalCheckFailedException":
                    break  # known as stored and pending: publishing is what is left to try
                stored = stored_item(failure) or {"notification": "deleted"}
        return stored

    def _put(
        self, item: Mapping[str, Any], condition: str, values: dict[str, Any], invocation: Invocation
    ) -> None:
        put_item(self._dynamodb, self._environment.table_name, item, condition, values, invocation.deadline)

    def _notify(self, item: dict[str, Any], invocation: Invocation) -> bool:
        """Publish a stored order and mark it as sent; return whether it was published."""
        invocation.log["notification"] = "pending"
        try:
            message_id = publish(
                self._sns, self._environment.topic_arn, notification(item), invocation.deadline
            )
        except CallFailed as failure:
            invocation.failed("publish", failure)
            invocation.metrics.append(METRIC_NOTIFICATIONS_PENDING)
            return False
        invocation.step("published")
        invocation.log["messageId"] = message_id
        try:
            self._mark(item, message_id, invocation)
            invocation.step("marked")
        except CallFailed as failure:
            if failure.code != "ConditionalCheckFailedException":
                invocation.failed("mark", failure)
                invocation.metrics.append(METRIC_NOTIFICATIONS_PENDING)
                return True
        invocation.log["notification"] = "sent"
        return True

    def _mark(self, item: dict[str, Any], message_id: str, invocation: Invocation) -> None:
        """Mark the order as sent; one that was deleted or marked meanwhile is left as it is.

        A role that the person gave may have the guide's PutItem alone: then the whole item is put.
        """
        table = self._environment.table_name
        try:
            mark_sent(self._dynamodb, table, item["FileName"], message_id, invocation.deadline)
        except CallFailed as failure:
            if failure.code != "AccessDeniedException":
                raise
            sent = item | {"notification": "sent", "messageId": message_id}
            self._put(sent, "notification = :pending", {":pending": "pending"}, invocation)

    def _not_stored(self, failure: CallFailed, key: str, invocation: Invocation) -> ProxyResponse:
        invocation.failed("store", failure)
        headers = {"Retry-After": "2"}
        if not failure.maybe_applied and failure.code != "ConditionalCheckFailedException":
            message = "The order could not be stored; nothing was kept. It is safe to repeat it"
            return ProxyResponse(503, {"message": message}, headers)
        # The table may hold it as pending: the alarm must tell, and the client know how to repeat it.
        invocation.metrics.append(METRIC_NOTIFICATIONS_PENDING)
        message = (
            "It is not known whether the order was stored. To have it exactly once, repeat it with the "
            f"header Idempotency-Key: {key}"
        )
        return ProxyResponse(503, {"message": message}, headers | {"Idempotency-Key": key})

    @staticmethod
    def _taken(new_id: str, *, replayed: bool, published: bool) -> ProxyResponse:
        message = "Order received"
        if not published:
            message += "; its notification is delayed and will be sent"
        status = 202 if not published else 200 if replayed else 201
        headers = {"Idempotency-Replayed": "true"} if replayed else {}
        return ProxyResponse(status, {"orderId": new_id, "message": message}, headers)


@cache
def _order_function() -> OrderFunction:
    environment = Environment(os.environ)
    dynamodb = AwsClient("dynamodb", environment.dynamodb_endpoint, environment.region)
    sns = AwsClient("sns", environment.sns_endpoint, environment.region)
    return OrderFunction(environment, dynamodb, sns)


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Answer an event of API Gateway (payload 1.0 or 2.0) or of a console test; Lambda's entry point."""
    try:
        function = _order_function()
    except Exception as error:  # noqa: BLE001 - a wrong setup is told in the log, and answered
        record = {"timestamp": timestamp(time.time()), "level": "ERROR", "event": "response", "status": 500}
        write_log(log_line(record | {"message": f"The function is not set up: {error!r}"}))
        return {"statusCode": 500, "headers": {}, "body": '{"message": "The function is not set up"}'}
    return function(event, context)


if os.environ.get("AWS_ENDPOINT_URL_DYNAMODB", "").startswith("https:") and "TABLE_NAME" in os.environ:
    # On Lambda: the certificates are loaded while the worker starts, when it has more CPU than for an order.
    tls_context()
