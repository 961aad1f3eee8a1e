"""The order: what a customer may send, and what is derived from it."""

from __future__ import annotations

import hashlib
import json

from ordernotify.function.exact_json import (
    NUMBER,
    TWICE,
    Unfit,
    is_decimal,
    is_storable_number,
    read_json,
    to_json,
)

TYPE_CHECKING = False  # `typing` is not imported at run time
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

RESERVED = ("FileName", "orderId", "createdAt", "notification", "messageId", "requestHash")
"""Names that the system sets; an order that brings one is refused."""

MAX_DOCUMENT_BYTES = 64 * 1024
MAX_NAME_CHARACTERS = 200
MAX_QUANTITY = 1_000_000
MAX_OTHER_FIELDS = 32
MAX_FIELD_NAME_CHARACTERS = 64
# DynamoDB nests 32 levels. Whether the item and the innermost value count is not said: 30 is safe either way.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MAX_DEPTH = 30
MAX_FAULTS = 100

CONTROLS = dict.fromkeys((*range(32), *range(127, 160), 0x2028, 0x2029), " ")


class Refusal(Exception):  # noqa: N818 - not a fault of the program: the answer to a request that cannot be taken
    """The answer to a request that is not taken: the HTTP status, a message and the faults, one per field."""

    def __init__(self, status: int, message: str, errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors


def parse_order(text: str) -> Any:
    """Read an order's JSON, at most 64 KiB; numbers keep their exact decimal value (int or Decimal).

    The guide's envelope `{"body": "<the order as text>"}` is opened. A field given twice is a fault, because
    parsers differ in which of the two they keep.

    Raises:
        Refusal: 413 over the size; 400 when it is not JSON, or nested too deeply.
    """
    document = _parse_json(text)
    if not isinstance(document, dict) or "body" not in document or has_names(document):
        return document
    inner = document["body"]
    return _parse_json(inner) if isinstance(inner, str) else inner


def _parse_json(text: str) -> Any:
    if len(text) > MAX_DOCUMENT_BYTES or (
        not text.isascii() and len(text.encode("utf-8", "surrogatepass")) > MAX_DOCUMENT_BYTES
    ):
        raise Refusal(413, f"The order is larger than {MAX_DOCUMENT_BYTES} bytes")
    try:
        return read_json(text.removeprefix("\ufeff"))  # Windows tools write a byte order mark
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Refusal(400, f"The body is not JSON: {error.msg} at {place}") from None
    except RecursionError:
        raise Refusal(400, "The body is nested too deeply") from None


def has_names(document: dict[str, Any]) -> bool:
    """Tell whether it has a name that only an order has."""
    return "customerName" in document or "productName" in document


def validate(document: Any, faults: Sequence[dict[str, str]] = ()) -> dict[str, Any]:
    """Check what `parse_order` read; return the order: names trimmed, quantity an int, other fields as given.

    Args:
        document: the order.
        faults: faults of the request that are known already, reported with those of the order.

    Raises:
        Refusal: 400 with every fault at once.
    """
    if not isinstance(document, dict):
        raise Refusal(400, 'The order must be a JSON object, such as {"customerName": …, "productName": …}')
    faults = list(faults)
    order = {name: _name(document, name, faults) for name in ("customerName", "productName")}
    order["quantity"] = _quantity(document.get("quantity", 1), faults)
    others = {name: value for name, value in document.items() if name not in order}
    if len(others) > MAX_OTHER_FIELDS:
        faults.append(fault("", f"has {len(others)} other fields; at most {MAX_OTHER_FIELDS} are taken"))
    for name, value in others.items():
        _check_field_name(name, faults)
        _check_value(value, name, faults)
        if len(faults) > MAX_FAULTS:
            faults[MAX_FAULTS:] = [fault("", "has more faults than are listed here")]
            break
    if faults:
        raise Refusal(400, "The order is not valid", faults)
    return order | others


def fault(field: str, message: str) -> dict[str, str]:
    return {"field": field if len(field) <= 200 else field[:200] + "…", "message": message}


def _name(document: dict[str, Any], field: str, faults: list[dict[str, str]]) -> Any:
    value = document.get(field)
    if not isinstance(value, str):
        reason = "must be text" if field in document else "is required"
        faults.append(fault(field, value.reason if isinstance(value, Unfit) else reason))
        return None
    name = value.strip()
    if not 1 <= len(name) <= MAX_NAME_CHARACTERS:
        faults.append(fault(field, f"must have 1 to {MAX_NAME_CHARACTERS} characters"))
    elif name.translate(CONTROLS) != name:
        faults.append(fault(field, "must not have control characters or line breaks"))
    elif not _is_text(name):
        faults.append(fault(field, "has half of a surrogate pair, which is no character"))
    return name


def _quantity(value: Any, faults: list[dict[str, str]]) -> int:
    # The Decimal 2.0 is a whole number; a text or a boolean is not.
    whole = isinstance(value, int) or is_decimal(value)
    if whole and not isinstance(value, bool) and 1 <= value <= MAX_QUANTITY and value == int(value):
        return int(value)
    reason = f"must be a whole number from 1 to {MAX_QUANTITY}"
    faults.append(fault("quantity", TWICE.reason if value is TWICE else reason))
    return 0


def _check_field_name(name: str, faults: list[dict[str, str]]) -> None:
    if name in RESERVED:
        faults.append(fault(name, "is set by the system"))
    elif len(name) > MAX_FIELD_NAME_CHARACTERS:
        faults.append(fault(name, f"has a name of more than {MAX_FIELD_NAME_CHARACTERS} characters"))
    else:
        _check_nested_name(name, name, faults)


def _check_nested_name(name: str, path: str, faults: list[dict[str, str]]) -> None:
    if not name:
        faults.append(fault(path, "has an empty name"))
    elif not _is_text(name):
        faults.append(fault(path, "has half of a surrogate pair in its name, which is no character"))


def _check_value(value: Any, path: str, faults: list[dict[str, str]], depth: int = 1) -> None:
    """Collect what DynamoDB could not store, or would return changed."""
    if len(faults) > MAX_FAULTS:
        return
    if isinstance(value, str):
        if not _is_text(value):
            faults.append(fault(path, "has half of a surrogate pair, which is no character"))
    elif isinstance(value, (dict, list)):
        if depth > MAX_DEPTH:
            faults.append(fault(path, f"is nested more than {MAX_DEPTH} levels deep"))
        elif isinstance(value, dict):
            for name, inner in value.items():
                _check_nested_name(name, f"{path}.{name}", faults)
                _check_value(inner, f"{path}.{name}", faults, depth + 1)
        else:
            for index, inner in enumerate(value):
                _check_value(inner, f"{path}[{index}]", faults, depth + 1)
    elif isinstance(value, Unfit):
        faults.append(fault(path, value.reason))
    elif is_decimal(value) and not is_storable_number(value):
        faults.append(fault(path, NUMBER.reason))


def _is_text(value: str) -> bool:
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def order_id(table_name: str, key: str) -> str:
    """Derive the order id from an idempotency key: a UUID of version 8 (RFC 9562) from a one-way hash."""
    digits = hashlib.sha256(f"ordernotify\0{table_name}\0{key}".encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-8{digits[13:16]}-a{digits[17:20]}-{digits[20:32]}"


def request_hash(order: Mapping[str, Any]) -> str:
    """Hash what the customer ordered; equal orders have equal hashes, however their JSON was written."""
    return hashlib.sha256(to_json(order).encode()).hexdigest()
