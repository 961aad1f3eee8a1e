"""The calls to AWS that an order needs: PutItem, UpdateItem and Publish."""

from __future__ import annotations

import json

from ordernotify.function.aws_client import CallFailed, xml_text
from ordernotify.function.exact_json import number_text, read_number

TYPE_CHECKING = False  # `typing` is not imported at run time
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ordernotify.function.aws_client import AwsClient


NEVER = "attribute_exists(FileName) AND attribute_not_exists(FileName)"
"""A condition that always fails: a put on it changes nothing and brings back what is stored."""


class StoredSet(frozenset):  # type: ignore[type-arg]  # in 3.11, `frozenset[Any]` would be read at run time
    """A set that another program stored, with DynamoDB's name of its kind; written back as that set."""

    kind = ""


class StoredBinary(str):
    """A binary that another program stored, in base64; written back as a binary."""


def attribute_value(value: Any) -> dict[str, Any]:
    """Write a plain value as DynamoDB's JSON: `"a"` as `{"S": "a"}`."""
    if isinstance(value, StoredSet):
        return {value.kind: sorted(map(number_text, value) if value.kind == "NS" else value)}
    if isinstance(value, StoredBinary):
        return {"B": str(value)}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bool):
        return {"BOOL": value}
    if value is None:
        return {"NULL": True}
    if isinstance(value, dict):
        return {"M": {name: attribute_value(inner) for name, inner in value.items()}}
    if isinstance(value, list):
        return {"L": [attribute_value(inner) for inner in value]}
    return {"N": number_text(value)}


def plain_value(attribute: dict[str, Any]) -> Any:
    """Read one of DynamoDB's JSON values; the reverse of `attribute_value`."""
    ((kind, value),) = attribute.items()
    if kind == "N":
        return read_number(value)
    if kind == "M":
        return {name: plain_value(inner) for name, inner in value.items()}
    if kind == "L":
        return [plain_value(inner) for inner in value]
    if kind in ("SS", "NS", "BS"):
        stored = StoredSet(map(read_number, value) if kind == "NS" else value)
        stored.kind = kind
        return stored
    if kind == "B":
        return StoredBinary(value)
    return None if kind == "NULL" else value


def put_item(
    client: AwsClient,
    table: str,
    item: Mapping[str, Any],
    condition: str,
    values: Mapping[str, Any],
    deadline: float,
) -> None:
    """Put an item on a condition; `values` are those that the condition names.

    Raises:
        CallFailed: as `AwsClient.call`. Where a condition without values failed, it brings the `stored_item`.
    """
    request: dict[str, Any] = {
        "TableName": table,
        "Item": {name: attribute_value(value) for name, value in item.items()},
        "ConditionExpression": condition,
    }
    if values:
        request["ExpressionAttributeValues"] = {name: attribute_value(values[name]) for name in values}
    else:
        request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    _call_dynamodb(client, "PutItem", request, deadline)


def mark_sent(client: AwsClient, table: str, order_id: str, message_id: str, deadline: float) -> None:
    """Mark a pending order as sent. Attributes that other programs added meanwhile stay.

    Raises:
        CallFailed: as `AwsClient.call`; `ConditionalCheckFailedException` if it is not pending any more.
    """
    request = {
        "TableName": table,
        "Key": {"FileName": {"S": order_id}},
        "UpdateExpression": "SET notification = :sent, messageId = :id",
        "ConditionExpression": "notification = :pending",
        "ExpressionAttributeValues": {
            ":sent": {"S": "sent"},
            ":id": {"S": message_id},
            ":pending": {"S": "pending"},
        },
    }
    _call_dynamodb(client, "UpdateItem", request, deadline)


def _call_dynamodb(client: AwsClient, operation: str, request: dict[str, Any], deadline: float) -> None:
    target = f"DynamoDB_20120810.{operation}"
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": target}
    client.call(headers, json.dumps(request, separators=(",", ":")).encode(), deadline)


def stored_item(failure: CallFailed) -> dict[str, Any] | None:
    """Read the item that a failed condition returned, as plain values; None if there is none."""
    try:
        item = json.loads(failure.answer).get("Item")
        return {name: plain_value(attribute) for name, attribute in item.items()} if item else None
    except (ValueError, AttributeError, TypeError):
        return None


_FORM = [
    chr(code) if chr(code).isascii() and (chr(code).isalnum() or chr(code) in "-_.~") else f"%{code:02X}"
    for code in range(256)
]


def form_text(text: str) -> str:
    """Percent-encode text for a form, as `urllib.parse.quote(text, safe="")` does, without its import."""
    return "".join([_FORM[byte] for byte in text.encode()])


def publish(client: AwsClient, topic_arn: str, message: Mapping[str, Any], deadline: float) -> str:
    """Publish what `notification` built; return the MessageId.

    Raises:
        CallFailed: as `AwsClient.call`.
    """
    fields = {
        "Action": "Publish",
        "Version": "2010-03-31",
        "TopicArn": topic_arn,
        "Subject": message["Subject"],
    }
    fields |= {"Message": message["Message"], "MessageStructure": message["MessageStructure"]}
    for index, (name, value) in enumerate(message["MessageAttributes"].items(), 1):
        entry = f"MessageAttributes.entry.{index}."
        fields[entry + "Name"] = name
        fields[entry + "Value.DataType"] = value["DataType"]
        fields[entry + "Value.StringValue"] = value["StringValue"]
    body = "&".join([f"{name}={form_text(value)}" for name, value in fields.items()]).encode()
    headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    answer = client.call(headers, body, deadline)
    try:
        return xml_text(answer, "MessageId")
    except Exception:  # noqa: BLE001 - it was published: an answer that cannot be read must not undo that
        return ""
