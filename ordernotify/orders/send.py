"""What `send-order` sends without a file: one order from its options, or the same one many times."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Mapping

from ordernotify.errors import UsageError
from ordernotify.orders.lines import any_number
from ordernotify.orders.post import Draft

_KEY = re.compile(r"[!-+.-~-]{1,255}")
_OWN_FIELDS = ("customerName", "productName", "quantity")


def order_body(
    customer: str, product: str, quantity: int | None = None, fields: Mapping[str, str] | None = None
) -> bytes:
    """Write an order as the JSON text that is sent.

    The value of a further field is taken as JSON where it is JSON (a number keeps its digits as they are
    written; `"007"` in quotes is text), and as text otherwise. Raises UsageError for a field that has an
    option of its own.
    """
    parts = [("customerName", json.dumps(customer)), ("productName", json.dumps(product))]
    if quantity is not None:
        parts.append(("quantity", str(quantity)))
    for name, value in (fields or {}).items():
        if name in _OWN_FIELDS:
            raise UsageError(
                f"{name} was given as a field", "Use --customer, --product and --quantity for these."
            )
        parts.append((name, _json_or_text(value)))
    return ("{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in parts) + "}").encode()


def _json_or_text(value: str) -> str:
    try:
        json.loads(value, parse_int=any_number, parse_float=any_number, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return json.dumps(value)
    return value.strip()


def _no_number(text: str) -> int:
    raise ValueError(text)  # NaN and Infinity, which JSON does not have


def random_key() -> str:
    """Make an idempotency key that no other order has."""
    return uuid.uuid4().hex


def check_key(key: str) -> None:
    """Raise UsageError for an idempotency key that the API would refuse or that is no header's value."""
    if not _KEY.fullmatch(key):
        raise UsageError(
            f"{key!r} cannot be an idempotency key",
            "Give 1 to 255 letters, digits and signs, without spaces and commas.",
        )


def repeated(body: bytes, count: int) -> Iterator[Draft]:
    """Yield the same order `count` times, each with its own key."""
    run = random_key()
    return (Draft(body, f"{run}-{number}") for number in range(1, count + 1))
