"""The log: one line of JSON for a request and one for its response, with secrets masked; and the metrics."""

from __future__ import annotations

import json
import re
import sys
import time

from ordernotify.function.exact_json import NOT_JSON, is_decimal, read_number
from ordernotify.function.order import MAX_DEPTH

TYPE_CHECKING = False  # `typing` is not imported at run time
if TYPE_CHECKING:
    from typing import Any

METRIC_NAMESPACE = "ordernotify"
METRIC_DIMENSION = "stack"
METRIC_ORDERS_REPLAYED = "OrdersReplayed"
METRIC_NOTIFICATIONS_PENDING = "NotificationsPending"

MASK = "***"
# Parts of names, compared without case, "-", "_" and spaces.
SECRET_NAMES = (
    *("authorization", "apikey", "authkey", "cookie", "credential", "password", "passwd", "passphrase"),
    *("privatekey", "pwd", "jwt", "secret", "signature", "token", "cardnumber", "creditcard", "cvc", "cvv"),
)
SECRET_WORDS = frozenset(("auth", "otp", "pin"))
"""Secret as a word of a name only: `shipping` and `author` are no secrets."""
MAX_LOG_LINE = 240_000  # CloudWatch's limit for an event is 256 KiB; the line is ASCII
MAX_LOG_VALUE = 8_000
MAX_LOG_TEXT = 2_048
_NOT_PART_OF_NAMES = str.maketrans("", "", "-_ ")
_WORD = r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])"
_CREDENTIALS = r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+"
_NAMED = r"(?<![\w-])([\w-]+(?: [\w-]+)?)\\*[\"']?\s{0,9}[:=]\s{0,9}"
"""A name of one or two words, maybe quoted, and what comes before its value."""
_VALUE = r"(?s)(\\*[\"'])(?:(?!(?<!\\)\1).)*(?:\1)?|[\[{].*|[^\s&,;}]+"
"""A value, up to its own closing quote at whatever level of escapes; a nested one up to the end."""


def is_secret(name: str) -> bool:
    """Tell whether values under this name are masked in the log."""
    plain = name.lower().translate(_NOT_PART_OF_NAMES)
    if any(secret in plain for secret in SECRET_NAMES):
        return True
    return any(word in plain for word in SECRET_WORDS) and any(
        word.lower() in SECRET_WORDS for word in re.findall(_WORD, name)
    )


def masked(value: Any, depth: int = 0) -> Any:
    """Copy a JSON value with secrets masked at any depth, and what is nested beyond reason left out."""
    if isinstance(value, str):
        return masked_text(value, depth)
    if isinstance(value, (dict, list)) and depth > MAX_DEPTH + 2:
        return "…"
    if isinstance(value, dict):
        return {
            str(name): MASK if is_secret(str(name)) and inner else masked(inner, depth + 1)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [masked(inner, depth + 1) for inner in value]
    return str(value) if isinstance(value, float) and value - value != 0 else value  # NaN, Infinity


def masked_text(text: str, depth: int = 0) -> str:
    """Mask secrets in a text: in the JSON that it is, or else what looks like `Bearer …` or `password=…`."""
    if text.lstrip()[:1] in ("{", "[", '"'):
        try:
            document = json.loads(text)
            inner = masked(document, depth + 1)
            return text if inner == document else json.dumps(inner, ensure_ascii=False)
        except NOT_JSON:
            pass
    lower = text.lower()
    if "bearer" in lower or "basic" in lower:
        text = re.sub(_CREDENTIALS, rf"\1 {MASK}", text)
    if ":" not in text and "=" not in text:
        return text
    if "\\u" in text:  # a name, and what follows it, may be written with escapes
        text = re.sub(r"(\\+)u([0-9a-fA-F]{4})", _unescaped, text)
    return _masked_values(text)


def _unescaped(code: re.Match[str]) -> str:
    character = chr(int(code[2], 16))
    if character == '"':  # stays at its level of escapes, so that it cannot end a value early
        return code[1] + character
    return character if character.isalnum() or character in "-_ :=" else code[0]


def _masked_values(text: str) -> str:
    parts, at = [], 0
    for name in re.finditer(_NAMED, text):
        if name.start() < at or not is_secret(name[1]):
            continue
        value = re.compile(_VALUE).match(text, name.end())
        if value:
            parts += [text[at : name.end()], MASK]
            at = value.end()
    return "".join(parts) + text[at:]


def _log_number(value: Any) -> Any:
    """Write what `json` cannot: a Decimal as a number if that keeps its value, else as text."""
    if is_decimal(value):
        number = float(value)
        return number if read_number(repr(number)) == value else str(value)
    return str(value)


_encode_log = json.JSONEncoder(default=_log_number, separators=(",", ":"), skipkeys=True).encode


def log_line(record: dict[str, Any]) -> str:
    """Write a record as one line of ASCII JSON, which no text of a customer can split or forge.

    A line that CloudWatch would cut is written with its long values cut; then it has `truncated`.
    """
    try:
        line = _encode_log(record)
        if len(line) <= MAX_LOG_LINE:
            return line
    except NOT_JSON:
        pass
    return _encode_log({name: _cut_for_log(value) for name, value in record.items()} | {"truncated": True})


def _cut_for_log(value: Any) -> Any:
    try:
        text = _encode_log(value)
    except NOT_JSON:
        return "…"
    return value if len(text) <= MAX_LOG_VALUE else text[:MAX_LOG_VALUE]


def write_log(line: str) -> None:
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except (OSError, ValueError):
        pass  # an order is not refused because its log cannot be written


def timestamp(seconds: float) -> str:
    """Write seconds since 1970 as ISO 8601 in UTC with milliseconds, such as 2025-01-31T12:00:00.000Z."""
    milliseconds = int(seconds * 1000)
    date_and_time = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(milliseconds // 1000))
    return f"{date_and_time}.{milliseconds % 1000:03d}Z"


def metrics(stack: str, counted: list[str], now: float) -> dict[str, Any]:
    """Return the fields that make a log line count 1 for each metric named; none for none.

    A metric is paid for in the hours in which it gets values: only what is rare, and what AWS does not count
    by itself, has one.
    Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    if not counted:
        return {}
    described = [{"Name": name, "Unit": "Count"} for name in counted]
    directive = {"Namespace": METRIC_NAMESPACE, "Dimensions": [[METRIC_DIMENSION]], "Metrics": described}
    return {
        "_aws": {"Timestamp": int(now * 1000), "CloudWatchMetrics": [directive]},
        METRIC_DIMENSION: stack,
        **dict.fromkeys(counted, 1),
    }
