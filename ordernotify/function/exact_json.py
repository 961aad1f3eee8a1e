"""JSON with exact numbers: read without loss, and written as one text for one value."""

from __future__ import annotations

import json

TYPE_CHECKING = False  # `typing` is not imported at run time
if TYPE_CHECKING:
    from typing import Any

# DynamoDB numbers: 38 digits, 1E-130 to 9.99…E+125.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MAX_DIGITS = 38
MIN_EXPONENT = -130
MAX_EXPONENT = 125
NOT_JSON = (TypeError, ValueError, RecursionError)
"""What `json` raises for a value that JSON cannot say."""


class Unfit:
    """Stands in a document for a value that JSON can write and an order cannot have; says why."""

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


NUMBER = Unfit(
    f"must be a number of at most {MAX_DIGITS} digits, from 1E{MIN_EXPONENT} to 9.9E+{MAX_EXPONENT}"
)
TWICE = Unfit("is given twice")


def read_json(text: str) -> Any:
    """Read JSON; numbers become int or Decimal. What an order cannot have becomes an `Unfit`.

    Raises:
        json.JSONDecodeError, RecursionError: it is not JSON, or nested too deeply.
    """
    return json.loads(
        text,
        parse_float=_decimal,
        parse_int=_integer,
        parse_constant=lambda _: NUMBER,
        object_pairs_hook=_unique_fields,
    )


def read_number(text: str) -> Any:
    """Read a number as DynamoDB writes it: int, or Decimal."""
    return _integer(text) if text.isdecimal() else _decimal(text)


def _integer(text: str) -> Any:
    return int(text) if len(text) <= MAX_DIGITS else _decimal(text)


def _decimal(text: str) -> Any:
    from decimal import Decimal, InvalidOperation

    try:
        return Decimal(text)
    except InvalidOperation:
        return NUMBER


def _unique_fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                fields[name] = TWICE
            seen.add(name)
    return fields


def is_decimal(value: Any) -> bool:
    """Tell a Decimal, without importing `decimal`, which few orders need."""
    return hasattr(value, "as_tuple")


def _decimal_parts(value: Any) -> tuple[str, str, int]:
    """Split a Decimal into sign, digits without outer zeros, and the power of ten of the last digit."""
    sign, digit_tuple, exponent = value.as_tuple()
    all_digits = "".join(map(str, digit_tuple)).lstrip("0")
    digits = all_digits.rstrip("0")
    return "-" if sign else "", digits, exponent + len(all_digits) - len(digits)


def is_storable_number(value: Any) -> bool:
    """Tell whether DynamoDB keeps this Decimal exactly."""
    _, digits, exponent = _decimal_parts(value)
    magnitude = exponent + len(digits) - 1
    return not digits or (len(digits) <= MAX_DIGITS and MIN_EXPONENT <= magnitude <= MAX_EXPONENT)


def number_text(value: Any) -> str:
    """Write an int or Decimal as the one text of its value: 1, 1.0 and 1E+0 are "1".

    DynamoDB returns numbers in its own form; with this, an order that was read back has the message of the
    first one. At most 12 zeros are written out: a short text like 1e125 must not grow much, or a document
    within its limit would make a message beyond SNS's.
    """
    if isinstance(value, int) and -(10**12) < value < 10**12:
        return str(int(value))
    if not is_decimal(value):
        value = _decimal(str(value))
    sign, digits, exponent = _decimal_parts(value)
    point = len(digits) + exponent  # the number of digits before the decimal point
    if not digits:
        return "0"
    if 0 <= exponent <= 12:
        return sign + digits + "0" * exponent
    if exponent < 0 < point:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if exponent < 0 and point > -6:
        return f"{sign}0.{'0' * -point}{digits}"
    fraction = "." + digits[1:] if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{fraction}E{point - 1:+d}"


quote = json.JSONEncoder(ensure_ascii=False).encode


def to_json(value: Any) -> str:
    """Write plain values as compact JSON, names sorted, numbers exact: equal values give equal texts."""
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, dict):
        return "{" + ",".join([f"{quote(name)}:{to_json(value[name])}" for name in sorted(value)]) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join([to_json(inner) for inner in value]) + "]"
    if value is None or isinstance(value, bool):
        return "null" if value is None else "true" if value else "false"
    if isinstance(value, (int, float)) or is_decimal(value):
        return number_text(value)
    if isinstance(value, (set, frozenset)):  # no order has one: another program stored it
        return "[" + ",".join(sorted(map(to_json, value))) + "]"
    return quote(str(value))
