"""The AWS Lambda function: takes an order from API Gateway, stores it in DynamoDB, publishes it to SNS.

One file, standard library only, deployed as `handler.py` with the handler `handler.handler`. It promises
that an order answered with 2xx is stored, that its notification goes out at least once, and that a repeat
with the same `Idempotency-Key` makes no second order:

    PutItem  if it does not exist, notification = pending   fails after this: `ordernotify redrive` sends it
    Publish                                                 fails after this: it is sent a second time
    PutItem  if still pending,     notification = sent

PutItem and Publish are all that the function may do. It has no read permission, and learns what is stored
under a key from the item that a failed condition returns.

An order's JSON is read strictly: a field given twice is refused, because parsers differ in which they keep.

Environment, read at the first order: `TABLE_NAME`, `TOPIC_ARN`, `STACK`, `LOG_BODIES`, `CORS_ORIGIN`
(optional), `AWS_ENDPOINT_URL_DYNAMODB`, `AWS_ENDPOINT_URL_SNS`, and Lambda's own region and credentials.

Imports are few and late on purpose: they are part of every answer that meets a cold worker.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import socket
import sys
import time
from select import select

TYPE_CHECKING = False  # `typing` is not imported at run time
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from ssl import SSLContext
    from typing import Any

# --- The order: rules and limits ------------------------------------------------------------------

RESERVED = ("FileName", "orderId", "createdAt", "notification", "messageId", "requestHash")
"""Names that the system sets; an order that brings one is refused."""

# Attributes of an item that are no part of its message.
NOT_IN_MESSAGE = ("FileName", "notification", "messageId", "requestHash")

MAX_DOCUMENT_BYTES = 64 * 1024
MAX_NAME_CHARACTERS = 200
MAX_QUANTITY = 1_000_000
MAX_OTHER_FIELDS = 32
MAX_FIELD_NAME_CHARACTERS = 64
# DynamoDB nests 32 levels. Whether the item and the innermost value count is not said: 30 is safe either way.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MAX_DEPTH = 30
# DynamoDB numbers: 38 digits, 1E-130 to 9.99…E+125 (same page).
MAX_DIGITS = 38
MIN_EXPONENT = -130
MAX_EXPONENT = 125
MAX_FAULTS = 100

_CONTROLS = dict.fromkeys((*range(32), *range(127, 160), 0x2028, 0x2029), " ")


class _Unfit:
    """Stands in a document for a value that JSON can write and an order cannot have; says why."""

    def __init__(self, reason: str) -> None:
        """Keep the reason."""
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


_NUMBER = _Unfit(
    f"must be a number of at most {MAX_DIGITS} digits, from 1E{MIN_EXPONENT} to 9.9E+{MAX_EXPONENT}"
)
_TWICE = _Unfit("is given twice")


class Refusal(Exception):  # noqa: N818 - not an error of ours: the answer to a request that cannot be taken
    """The answer to a request that is not taken: the HTTP status, a message and the faults, one per field."""

    def __init__(self, status: int, message: str, errors: list[dict[str, str]] | None = None) -> None:
        """Keep the answer."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors


def _parse_int(text: str) -> Any:
    return int(text) if len(text) <= MAX_DIGITS else _parse_decimal(text)


def _parse_decimal(text: str) -> Any:
    from decimal import Decimal, InvalidOperation

    try:
        return Decimal(text)
    except InvalidOperation:
        return _NUMBER


def _unique_fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                fields[name] = _TWICE
            seen.add(name)
    return fields


def parse_order(text: str) -> Any:
    """Read JSON text of at most 64 KiB; numbers keep their exact decimal value (int or Decimal).

    The guide's envelope `{"body": "<the order as text>"}` is opened.

    Raises:
        Refusal: 413 over the size; 400 when it is not JSON, or nested too deeply.
    """
    document = _parse_json(text)
    if not isinstance(document, dict) or "body" not in document or _has_names(document):
        return document
    inner = document["body"]
    return _parse_json(inner) if isinstance(inner, str) else inner


def _parse_json(text: str) -> Any:
    if len(text) > MAX_DOCUMENT_BYTES or (
        not text.isascii() and len(text.encode("utf-8", "surrogatepass")) > MAX_DOCUMENT_BYTES
    ):
        raise Refusal(413, f"The order is larger than {MAX_DOCUMENT_BYTES} bytes")
    try:
        return json.loads(
            text.removeprefix("\ufeff"),  # Windows tools write a byte order mark
            parse_float=_parse_decimal,
            parse_int=_parse_int,
            parse_constant=lambda _: _NUMBER,
            object_pairs_hook=_unique_fields,
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Refusal(400, f"The body is not JSON: {error.msg} at {place}") from None
    except RecursionError:
        raise Refusal(400, "The body is nested too deeply") from None


def _has_names(document: dict[str, Any]) -> bool:
    return "customerName" in document or "productName" in document


def validate(document: Any, faults: Sequence[dict[str, str]] = ()) -> dict[str, Any]:
    """Check what `parse_order` read; return the order: names trimmed, quantity an int, other fields as given.

    Args:
        document: the order.
        faults: faults of the request that are known already; they are reported with those of the order.

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
        faults.append(_fault("", f"has {len(others)} other fields; at most {MAX_OTHER_FIELDS} are taken"))
    for name, value in others.items():
        _check_field_name(name, faults)
        _check_value(value, name, faults)
        if len(faults) > MAX_FAULTS:
            faults[MAX_FAULTS:] = [_fault("", "has more faults than are listed here")]
            break
    if faults:
        raise Refusal(400, "The order is not valid", faults)
    return order | others


def _fault(field: str, message: str) -> dict[str, str]:
    return {"field": field if len(field) <= 200 else field[:200] + "…", "message": message}


def _name(document: dict[str, Any], field: str, faults: list[dict[str, str]]) -> Any:
    value = document.get(field)
    if not isinstance(value, str):
        reason = "must be text" if field in document else "is required"
        faults.append(_fault(field, value.reason if isinstance(value, _Unfit) else reason))
        return None
    name = value.strip()
    if not 1 <= len(name) <= MAX_NAME_CHARACTERS:
        faults.append(_fault(field, f"must have 1 to {MAX_NAME_CHARACTERS} characters"))
    elif name.translate(_CONTROLS) != name:
        faults.append(_fault(field, "must not have control characters or line breaks"))
    elif not _is_text(name):
        faults.append(_fault(field, "has half of a surrogate pair, which is no character"))
    return name


def _quantity(value: Any, faults: list[dict[str, str]]) -> int:
    # A Decimal such as 2.0 is a whole number; a text or a boolean is none.
    whole = isinstance(value, int) or _is_decimal(value)
    if whole and not isinstance(value, bool) and 1 <= value <= MAX_QUANTITY and value == int(value):
        return int(value)
    reason = f"must be a whole number from 1 to {MAX_QUANTITY}"
    faults.append(_fault("quantity", _TWICE.reason if value is _TWICE else reason))
    return 0


def _check_field_name(name: str, faults: list[dict[str, str]]) -> None:
    if name in RESERVED:
        faults.append(_fault(name, "is set by the system"))
    elif len(name) > MAX_FIELD_NAME_CHARACTERS:
        faults.append(_fault(name, f"has a name of more than {MAX_FIELD_NAME_CHARACTERS} characters"))
    else:
        _check_nested_name(name, name, faults)


def _check_nested_name(name: str, path: str, faults: list[dict[str, str]]) -> None:
    if not name:
        faults.append(_fault(path, "has an empty name"))
    elif not _is_text(name):
        faults.append(_fault(path, "has half of a surrogate pair in its name, which is no character"))


def _check_value(value: Any, path: str, faults: list[dict[str, str]], depth: int = 1) -> None:
    """Collect what DynamoDB could not store, or not give back as it came."""
    if len(faults) > MAX_FAULTS:
        return
    if isinstance(value, str):
        if not _is_text(value):
            faults.append(_fault(path, "has half of a surrogate pair, which is no character"))
    elif isinstance(value, (dict, list)):
        if depth > MAX_DEPTH:
            faults.append(_fault(path, f"is nested more than {MAX_DEPTH} levels deep"))
        elif isinstance(value, dict):
            for name, inner in value.items():
                _check_nested_name(name, f"{path}.{name}", faults)
                _check_value(inner, f"{path}.{name}", faults, depth + 1)
        else:
            for index, inner in enumerate(value):
                _check_value(inner, f"{path}[{index}]", faults, depth + 1)
    elif isinstance(value, _Unfit):
        faults.append(_fault(path, value.reason))
    elif _is_decimal(value) and not _is_storable_number(value):
        faults.append(_fault(path, _NUMBER.reason))


def _is_text(value: str) -> bool:
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


# --- Numbers and JSON: one text for one value -----------------------------------------------------


def _is_decimal(value: Any) -> bool:
    return hasattr(value, "as_tuple")  # asked this way, `decimal` need not be imported


def _decimal_parts(value: Any) -> tuple[str, str, int]:
    """Split a Decimal into sign, digits without outer zeros, and the power of ten of the last digit."""
    sign, digit_tuple, exponent = value.as_tuple()
    all_digits = "".join(map(str, digit_tuple)).lstrip("0")
    digits = all_digits.rstrip("0")
    return "-" if sign else "", digits, exponent + len(all_digits) - len(digits)


def _is_storable_number(value: Any) -> bool:
    _, digits, exponent = _decimal_parts(value)
    magnitude = exponent + len(digits) - 1
    return not digits or (len(digits) <= MAX_DIGITS and MIN_EXPONENT <= magnitude <= MAX_EXPONENT)


def number_text(value: Any) -> str:
    """Write an int or Decimal as the one text of its value: 1, 1.0 and 1E+0 are "1".

    DynamoDB gives numbers back in a form of its own; this makes the message of an order that was read back
    equal to the first one. At most 12 zeros are written out: a short text such as 1e125 must not grow much,
    or a document within its limit would make a message beyond SNS's.
    """
    if isinstance(value, int) and -(10**12) < value < 10**12:
        return str(int(value))
    if not _is_decimal(value):
        value = _parse_decimal(str(value))
    sign, digits, exponent = _decimal_parts(value)
    point = len(digits) + exponent  # so many digits stand before the decimal point
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


_quote = json.JSONEncoder(ensure_ascii=False).encode


def to_json(value: Any) -> str:
    """Write plain values as compact JSON, names sorted, numbers exact: equal values give equal texts."""
    if isinstance(value, str):
        return _quote(value)
    if isinstance(value, dict):
        return "{" + ",".join([f"{_quote(name)}:{to_json(value[name])}" for name in sorted(value)]) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join([to_json(inner) for inner in value]) + "]"
    if value is None or isinstance(value, bool):
        return "null" if value is None else "true" if value else "false"
    if isinstance(value, (int, float)) or _is_decimal(value):
        return number_text(value)
    return _quote(str(value))  # sets and binaries, which no order has: an item that another program wrote


# --- The notification -----------------------------------------------------------------------------

MAX_MESSAGE_BYTES = 262_144  # AWS-FACTS, "SNS messages"
_ATTRIBUTES_RESERVE = 1024  # the attributes and the subject count too
MAX_SUBJECT = 100
GSM_SEPTETS = 160
UCS2_UNITS = 70
# GSM 03.38: the basic alphabet, and the characters that take an escape and so count two.
_GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENDED = frozenset("\f^{}\\[~]|€")
# Letters that have no decomposition into a Latin letter and a mark.
_LATIN = str.maketrans(
    {"ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L"}
    | {"đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ı": "i", "€": "EUR", "£": "GBP"}
    | {"‘": "'", "’": "'", "“": '"', "”": '"', "„": '"', "–": "-", "—": "-", "‐": "-", "×": "x"}
)


def notification(order: Mapping[str, Any]) -> dict[str, Any]:
    """Build the parameters of SNS Publish, without the topic, from an order.

    The same order gives the same result, whatever the sequence of its attributes and whether its numbers
    are int or Decimal. The limits are SNS's (AWS-FACTS, "SNS messages"), which emulators do not check.

    Args:
        order: the attributes of the stored item as plain values; those in `NOT_IN_MESSAGE` are left out.

    Returns:
        `Subject`, `Message`, `MessageStructure`, `MessageAttributes`: `sns.publish(TopicArn=…, **result)`.
    """
    fields = {name: value for name, value in order.items() if name not in NOT_IN_MESSAGE}
    text = texts(fields)
    default = _quote(to_json(fields))
    sms = _quote(text["sms"])
    frame = len('{"default":,"email":,"sms":}')
    room = MAX_MESSAGE_BYTES - _ATTRIBUTES_RESERVE - frame - len(default.encode()) - len(sms.encode())
    email = _quote(_cut_email(text["email"], room))
    return {
        "Subject": text["subject"],
        "Message": f'{{"default":{default},"email":{email},"sms":{sms}}}',
        "MessageStructure": "json",
        "MessageAttributes": {
            "eventType": {"DataType": "String", "StringValue": "order.received"},
            "orderId": {"DataType": "String", "StringValue": str(fields.get("orderId", "")) or "unknown"},
        },
    }


def texts(order: Mapping[str, Any]) -> dict[str, str]:
    """Give the texts that a person reads: `subject` (ASCII, at most 100), `email`, `sms` (one part)."""
    return {"subject": _subject(order), "email": _email(order), "sms": _sms(order)}


def _plain_text(order: Mapping[str, Any], field: str) -> str:
    return str(order.get(field, "")).translate(_CONTROLS).strip()


def _ascii(text: str) -> str:
    if text.isascii():
        return text
    from unicodedata import normalize

    kept = normalize("NFKD", text.translate(_LATIN)).encode("ascii", "ignore").decode()
    return " ".join(kept.split()) if any(character.isalnum() for character in kept) else ""


def _subject(order: Mapping[str, Any]) -> str:
    subject = f"New order {_plain_text(order, 'orderId')[:8]}: {_plain_text(order, 'quantity')[:12]}"
    product = _ascii(_plain_text(order, "productName"))
    customer = _ascii(_plain_text(order, "customerName"))
    if product:
        subject += f" x {product}"
    if customer:
        subject += f" for {customer}"
    subject = _ascii(subject)
    return subject if len(subject) <= MAX_SUBJECT else subject[: MAX_SUBJECT - 3].rstrip() + "..."


def _sms(order: Mapping[str, Any]) -> str:
    order_id = _plain_text(order, "orderId")[:36]
    quantity = _plain_text(order, "quantity")[:12]
    product, customer = _plain_text(order, "productName"), _plain_text(order, "customerName")
    gsm = all(letter in _GSM_BASIC or letter in _GSM_EXTENDED for letter in order_id + product + customer)
    # In 70 characters there is room for the names only if the id is shortened to its first part.
    head = f"Order {order_id if gsm else order_id[:8]}: {quantity} x "
    room = (GSM_SEPTETS if gsm else UCS2_UNITS) - _units(head + " for ", gsm)
    half = room // 2
    product_units, customer_units = _units(product, gsm), _units(customer, gsm)
    product = _fit(product, max(half, room - customer_units), gsm)
    customer = _fit(customer, max(room - half, room - product_units), gsm)
    return f"{head}{product} for {customer}"


def _units(text: str, gsm: bool) -> int:
    """Count GSM-7 septets, or UCS-2 code units."""
    if gsm:
        return len(text) + sum(character in _GSM_EXTENDED for character in text)
    return len(text) + sum(character > "\uffff" for character in text)


def _fit(text: str, room: int, gsm: bool) -> str:
    if _units(text, gsm) <= room:
        return text
    ellipsis = "..." if gsm else "…"  # the one character would make the whole SMS UCS-2
    room -= len(ellipsis)
    kept = 0
    for character in text:
        room -= _units(character, gsm)
        if room < 0:
            break
        kept += 1
    return text[:kept].rstrip() + ellipsis


def _email(order: Mapping[str, Any]) -> str:
    known = ("orderId", "createdAt", "customerName", "productName", "quantity")
    others = sorted(name for name in order if name not in known)
    lines = [
        "A new order was received.",
        "",
        f"Order id:  {_plain_text(order, 'orderId')}",
        f"Received:  {_plain_text(order, 'createdAt')}",
        f"Customer:  {_plain_text(order, 'customerName')}",
        f"Product:   {_plain_text(order, 'productName')}",
        f"Quantity:  {_plain_text(order, 'quantity')}",
    ]
    if others:
        lines += ["", "Other fields:"]
        lines += [f"  {name.translate(_CONTROLS)}: {_indented(order[name])}" for name in others]
    return "\n".join(lines) + "\n"


def _indented(value: Any) -> str:
    # Further lines are indented, so that no text can look like a field of ours.
    text = value if isinstance(value, str) else to_json(value)
    return "\n      ".join(line.translate(_CONTROLS) for line in text.splitlines())


def _cut_email(email: str, room: int) -> str:
    """Cut the email so that its JSON fits into `room` bytes; the `default` text always has it all."""
    if len(_quote(email).encode()) <= room:
        return email
    note = "…\n\nThe rest is left out: the order is too long for an email.\n"
    room -= len(_quote(note).encode())
    low, high = 0, len(email)
    while low < high:
        middle = (low + high + 1) // 2
        if len(_quote(email[:middle]).encode()) <= room:
            low = middle
        else:
            high = middle - 1
    return email[:low] + note


# --- A client for two operations ------------------------------------------------------------------

RETRIED_CODES = frozenset(
    (
        *("InternalError", "InternalFailure", "InternalServerError", "ServiceUnavailable"),
        *("RequestTimeout", "RequestTimeoutException", "PriorRequestNotComplete", "RequestLimitExceeded"),
        *("RequestThrottled", "RequestThrottledException", "Throttled", "ThrottledException"),
        *("Throttling", "ThrottlingException", "TooManyRequestsException"),
        "ProvisionedThroughputExceededException",
    )
)
ATTEMPTS = 5
ATTEMPT_SECONDS = 2.5  # both services answer in milliseconds; a longer silence is a lost packet
SHORTEST_ATTEMPT_SECONDS = 0.02
BACKOFF_SECONDS = 0.1
LONGEST_BACKOFF_SECONDS = 2.0


class CallFailed(Exception):  # noqa: N818 - reads as a statement where it is caught
    """A call to AWS that brought no success.

    Attributes:
        code: AWS's error code, or the name of the exception that the connection raised.
        maybe_applied: whether some attempt may have taken effect all the same (cut off, timed out, or 5xx).
        answer: the bytes of the error answer.
        attempts: how many were made.
    """

    def __init__(
        self, code: str, message: str, *, retry: bool, maybe_applied: bool, answer: bytes = b""
    ) -> None:
        """Keep what is known of the failure."""
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.retry = retry
        self.maybe_applied = maybe_applied
        self.answer = answer
        self.attempts = 0


def authorization(
    headers: Mapping[str, str],
    body: bytes,
    *,
    service: str,
    region: str,
    path: str,
    access_key: str,
    secret_key: str,
) -> str:
    """Sign a POST without a query by Signature Version 4; give the value of the Authorization header.

    Args:
        headers: the headers to sign, lower-case names, with `host` and `x-amz-date` (YYYYMMDDTHHMMSSZ).

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    names = sorted(headers)
    signed = ";".join(names)
    lines = "".join([f"{name}:{headers[name]}\n" for name in names])
    canonical = f"POST\n{path}\n\n{lines}\n{signed}\n{hashlib.sha256(body).hexdigest()}"
    date = headers["x-amz-date"]
    scope = f"{date[:8]}/{region}/{service}/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = _signing_key(secret_key, date[:8], region, service)
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    return f"AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={signed}, Signature={signature}"


_signing_keys: dict[tuple[str, str, str, str], bytes] = {}


def _signing_key(secret_key: str, day: str, region: str, service: str) -> bytes:
    wanted = (secret_key, day, region, service)
    key = _signing_keys.get(wanted)
    if key is None:
        key = ("AWS4" + secret_key).encode()
        for part in (day, region, service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        if len(_signing_keys) > 8:  # yesterday's, and those of credentials that were replaced
            _signing_keys.clear()
        _signing_keys[wanted] = key
    return key


def connect(host: str, port: int, tls: SSLContext | None, timeout: float) -> socket.socket:
    """Open a TCP connection, with TLS when a context is given; `timeout` (seconds) bounds each step."""
    connection = socket.create_connection((host, port), timeout)
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return tls.wrap_socket(connection, server_hostname=host) if tls else connection
    except OSError:
        connection.close()
        raise


class AwsClient:
    """One AWS service, called with signed POSTs over a kept-alive connection, by one thread.

    It stands in for boto3 because of what boto3 costs: two clients take 240 ms to import, and 3.3 ms of CPU
    per order; `benchmarks/handler.py` measures both. It does what an order needs and no more: POST,
    Signature Version 4, retries with full jitter inside the time left, and a new connection where the kept
    one was closed while the worker was frozen.

    Args:
        service: the name in the signature, `dynamodb` or `sns`.
        endpoint: the URL of the service.
        connect: opens a connection; like `connect` of this module.
        timer: seconds that only go forward. `clock`: seconds since 1970. `random`: one of 0 to 1, excluded.
        attempt_seconds: how long one attempt may take.
        environment: has the credentials, which are read for each request.
    """

    def __init__(
        self,
        service: str,
        endpoint: str,
        region: str,
        *,
        connect: Callable[[str, int, SSLContext | None, float], Any] = connect,
        timer: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] | None = None,
        attempt_seconds: float = ATTEMPT_SECONDS,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        """Read the endpoint; connects at the first call."""
        scheme, _, rest = endpoint.partition("://")
        authority, _, path = rest.partition("/")
        self.host_header = authority.lower()
        host, port = self.host_header, ""
        if host.rfind(":") > host.rfind("]"):  # a colon inside brackets is part of an IPv6 address
            host, _, port = host.rpartition(":")
        self.host = host.strip("[]")
        self.path = "/" + path
        self.service, self.region = service, region
        self.tls = _tls_context() if scheme == "https" else None
        self.port = int(port) if port else 443 if self.tls else 80
        self._connect, self._timer, self._clock, self._sleep = connect, timer, clock, sleep
        self._random = random or _random
        self._attempt_seconds, self._environment = attempt_seconds, environment
        self._connection: Any = None

    def call(self, headers: Mapping[str, str], body: bytes, deadline: float) -> bytes:
        """POST a request until it succeeds, and return the answer's body.

        Args:
            headers: those of the operation, lower-case names, `content-type` at least.
            deadline: the timer's time after which nothing more is tried.

        Raises:
            CallFailed: refused for good, or still failing after the last attempt or at the deadline.
        """
        maybe_applied = False
        failure = CallFailed("OutOfTime", "no time was left to try", retry=False, maybe_applied=False)
        for attempt in range(1, ATTEMPTS + 1):
            left = deadline - self._timer()
            if left < SHORTEST_ATTEMPT_SECONDS:
                break
            try:
                return self._attempt(headers, body, min(left, self._attempt_seconds))
            except CallFailed as failed:
                failure = failed
                failure.attempts = attempt
                maybe_applied = maybe_applied or failure.maybe_applied
            pause = self._random() * min(LONGEST_BACKOFF_SECONDS, BACKOFF_SECONDS * 2 ** (attempt - 1))
            if not failure.retry or attempt == ATTEMPTS or self._timer() + pause >= deadline:
                break
            self._sleep(pause)
        failure.maybe_applied = maybe_applied
        raise failure

    def _attempt(self, headers: Mapping[str, str], body: bytes, seconds: float) -> bytes:
        until = self._timer() + seconds
        reused = self._connection is not None and self._is_open()
        sent = reused
        try:
            if not reused:
                self._connection = self._connect(self.host, self.port, self.tls, seconds)
                sent = True
            status, answer = self._exchange(self._request(headers, body), until)
        except OSError as error:
            self.close()
            if reused and not isinstance(error, TimeoutError):
                # The kept connection died under the request. That says nothing about the service: no pause.
                return self._attempt_again(headers, body, until)
            raise CallFailed(type(error).__name__, str(error), retry=True, maybe_applied=sent) from error
        if status != 200:
            raise _service_error(status, answer)
        return answer

    def _attempt_again(self, headers: Mapping[str, str], body: bytes, until: float) -> bytes:
        try:
            return self._attempt(headers, body, max(until - self._timer(), SHORTEST_ATTEMPT_SECONDS))
        except CallFailed as failure:
            failure.maybe_applied = True  # the first request may have been read before its connection died
            raise

    def _is_open(self) -> bool:
        """Tell whether the kept connection can be used: one that is readable now was closed."""
        try:
            if not select([self._connection], [], [], 0)[0]:
                return True
        except (OSError, ValueError):
            pass
        self.close()
        return False

    def close(self) -> None:
        """Close the kept connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _request(self, headers: Mapping[str, str], body: bytes) -> bytes:
        environment = self._environment
        signed = dict(headers)
        signed["host"] = self.host_header
        signed["x-amz-date"] = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._clock()))
        token = environment.get("AWS_SESSION_TOKEN")
        if token:
            signed["x-amz-security-token"] = token
        signed["authorization"] = authorization(
            signed,
            body,
            service=self.service,
            region=self.region,
            path=self.path,
            access_key=environment.get("AWS_ACCESS_KEY_ID", ""),
            secret_key=environment.get("AWS_SECRET_ACCESS_KEY", ""),
        )
        trace = environment.get("_X_AMZN_TRACE_ID")
        if trace:  # lets Lambda detect loops through SNS, as the SDKs do
            signed["x-amzn-trace-id"] = trace
        signed["user-agent"] = "ordernotify"
        signed["content-length"] = str(len(body))
        lines = "".join([f"{name}: {value}\r\n" for name, value in signed.items()])
        head = f"POST {self.path} HTTP/1.1\r\n{lines}\r\n"
        return head.encode("latin-1") + body

    def _exchange(self, request: bytes, until: float) -> tuple[int, bytes]:
        """Send the request and read one answer, both before `until`; raises OSError whatever goes wrong."""
        connection = self._connection
        connection.settimeout(max(until - self._timer(), 0.001))
        connection.sendall(request)

        def receive() -> bytes:
            connection.settimeout(max(until - self._timer(), 0.001))
            return connection.recv(65536)  # type: ignore[no-any-return]

        try:
            status, answer, keep = read_response(receive)
        except (ValueError, LookupError) as error:
            raise ConnectionError(f"not an HTTP answer: {error}") from error
        if not keep:
            self.close()
        return status, answer


def read_response(receive: Callable[[], bytes]) -> tuple[int, bytes, bool]:
    """Read one HTTP/1.1 answer: the status, the body, and whether the connection can be used again.

    Args:
        receive: gives the next bytes of the connection, none at its end.

    Raises:
        ConnectionError: the connection ended inside the answer. ValueError, LookupError: it is not HTTP.

    Source: RFC 9112, sections 4 to 7 and 9.3.
    """
    buffer = b""
    status = 100
    while 100 <= status < 200:  # informational answers come before the final one
        while b"\r\n\r\n" not in buffer:
            buffer += _more(receive)
        head, _, buffer = buffer.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        version, code = status_line.split(" ", 2)[:2]
        status = int(code)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    keep = version == "HTTP/1.1" and "close" not in headers.get("connection", "").lower()
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return status, b"".join(_chunks(receive, buffer)), keep
    if "content-length" in headers:
        length = int(headers["content-length"])
        while len(buffer) < length:
            buffer += _more(receive)
        return status, buffer[:length], keep and len(buffer) == length
    while data := receive():  # the body ends with the connection
        buffer += data
    return status, buffer, False


def _more(receive: Callable[[], bytes]) -> bytes:
    data = receive()
    if not data:
        raise ConnectionError("the connection ended before the answer did")
    return data


def _chunks(receive: Callable[[], bytes], buffer: bytes) -> Iterator[bytes]:
    while True:
        while b"\r\n" not in buffer:
            buffer += _more(receive)
        size_line, _, buffer = buffer.partition(b"\r\n")
        size = int(size_line.partition(b";")[0], 16)
        if size == 0:
            break
        while len(buffer) < size + 2:
            buffer += _more(receive)
        yield buffer[:size]
        buffer = buffer[size + 2 :]
    buffer = b"\r\n" + buffer
    while b"\r\n\r\n" not in buffer:  # trailers, which nobody needs, up to the empty line
        buffer += _more(receive)


def _service_error(status: int, answer: bytes) -> CallFailed:
    code, message = _error_details(answer)
    code = code or f"HTTP{status}"
    retry = status >= 500 or status == 429 or code in RETRIED_CODES
    return CallFailed(code, message, retry=retry, maybe_applied=status >= 500, answer=answer)


def _error_details(answer: bytes) -> tuple[str, str]:
    """Find the code and the message in an error answer of DynamoDB (JSON) or SNS (XML)."""
    try:
        if answer.lstrip().startswith(b"<"):
            return _xml_text(answer, "Code"), _xml_text(answer, "Message")
        document = json.loads(answer)
        code = str(document.get("__type") or document.get("code") or "").rpartition("#")[2]
        return code, str(document.get("message") or document.get("Message") or "")
    except Exception:  # noqa: BLE001 - a proxy or a broken service may send anything; the status still counts
        return "", answer[:200].decode("utf-8", "replace")


def _xml_text(document: bytes, name: str) -> str:
    """Give the text of the first element of that name, in whatever namespace; "" where there is none."""
    _, found, rest = document.partition(f"<{name}>".encode())
    text, ended, _ = rest.partition(b"<")
    if found and ended and b"&" not in text and b"\r" not in text and text:
        return text.decode()
    from xml.etree import ElementTree  # only for what needs a parser: it takes milliseconds to import

    for element in ElementTree.fromstring(document).iter():
        if element.tag.rpartition("}")[2] == name:
            return element.text or ""
    return ""


def _random() -> float:
    return int.from_bytes(os.urandom(4), "big") / 2**32


_tls: SSLContext | None = None


def _tls_context() -> SSLContext:
    global _tls
    if _tls is None:
        import ssl

        _tls = ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE"))
    return _tls


# --- The two operations ---------------------------------------------------------------------------


def attribute_value(value: Any) -> dict[str, Any]:
    """Write a plain value as DynamoDB's JSON: `"a"` as `{"S": "a"}`."""
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
        return _parse_int(value) if value.isdecimal() else _parse_decimal(value)
    if kind == "M":
        return {name: plain_value(inner) for name, inner in value.items()}
    if kind == "L":
        return [plain_value(inner) for inner in value]
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

    When a condition without values fails, the `CallFailed` brings the `stored_item`.
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
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "DynamoDB_20120810.PutItem"}
    client.call(headers, json.dumps(request, separators=(",", ":")).encode(), deadline)


def stored_item(failure: CallFailed) -> dict[str, Any] | None:
    """Read the item that a failed condition returned, as plain values; None where there is none."""
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
        return _xml_text(answer, "MessageId")
    except Exception:  # noqa: BLE001 - it was published: an answer that cannot be read must not undo that
        return ""


# --- What API Gateway sends -----------------------------------------------------------------------


def _is_request(event: Any) -> bool:
    """Tell an API event, or the guide's `{"body": …}`, from an order that was given as the event itself."""
    # API Gateway has none of an order's names at the top level; an order may have a field like its names.
    if not isinstance(event, dict) or _has_names(event):
        return False
    return "requestContext" in event or "httpMethod" in event or "body" in event


def _object(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def header_values(event: Any, name: str) -> list[Any]:
    """Give the distinct values of a header, its name in any case, from `headers` and `multiValueHeaders`."""
    found: list[Any] = []
    for key in ("headers", "multiValueHeaders"):
        for header, value in _object(_object(event).get(key)).items():
            if isinstance(header, str) and header.lower() == name:
                values = value if isinstance(value, list) else [value]
                found += [each for each in values if each not in found]
    return found


def idempotency_key(event: Any, faults: list[dict[str, str]]) -> str | None:
    """Give the request's Idempotency-Key, or None; a fault unless it is 1 to 255 visible ASCII characters."""
    values = header_values(event, "idempotency-key") if _is_request(event) else []
    if not values:
        return None
    key = values[0].strip() if isinstance(values[0], str) else ""
    if len(values) > 1 or not 1 <= len(key) <= 255 or not all("!" <= character <= "~" for character in key):
        faults.append(_fault("Idempotency-Key", "must be one value of 1 to 255 visible ASCII characters"))
    return key


def order_text(event: Any) -> str:
    """Give the JSON text of the order that an event carries (AWS-FACTS, "API Gateway events").

    Raises:
        Refusal: 400 when there is none.
    """
    if not isinstance(event, dict):
        raise Refusal(400, "The event must be a JSON object")
    body = event.get("body") if _is_request(event) else event
    if isinstance(
        body, dict
    ):  # a console test: a Python value already, made text again so that one way reads all
        return _event_json(body)
    if body is None or body == "":
        raise Refusal(400, "The request has no body; an order is expected")
    if not isinstance(body, str):
        raise Refusal(400, "The body must be text")
    return _decode_base64(body) if event.get("isBase64Encoded") is True else body


def _event_json(value: dict[Any, Any]) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except _NOT_JSON:
        raise Refusal(400, "The event is no JSON, or nested too deeply") from None


def _decode_base64(body: str) -> str:
    import binascii

    try:
        return binascii.a2b_base64(body.encode("ascii"), strict_mode=True).decode("utf-8")
    except UnicodeDecodeError:
        raise Refusal(400, "The body is not UTF-8") from None
    except ValueError:
        raise Refusal(400, "The body is not base64, though the event says so") from None


# --- Logs and metrics -----------------------------------------------------------------------------

METRIC_NAMESPACE = "ordernotify"
METRIC_DIMENSION = "stack"
METRIC_ORDERS_RECEIVED = "OrdersReceived"
METRIC_ORDERS_REPLAYED = "OrdersReplayed"
METRIC_ORDERS_REJECTED = "OrdersRejected"
METRIC_NOTIFICATIONS_PENDING = "NotificationsPending"
METRIC_LATENCY = "Latency"

MASK = "***"
# Parts of names, compared without case, "-", "_" and spaces.
SECRET_NAMES = (
    *("authorization", "apikey", "cookie", "credential", "password", "passwd", "passphrase", "privatekey"),
    *("secret", "signature", "token", "cardnumber", "creditcard", "cvc", "cvv"),
)
MAX_LOG_LINE = 240_000  # CloudWatch's limit for an event is 256 KiB; the line is ASCII
MAX_LOG_VALUE = 8_000
MAX_LOG_TEXT = 2_048
_NOT_JSON = (TypeError, ValueError, RecursionError)  # what `json` raises for what no JSON can say
_NOT_PART_OF_NAMES = str.maketrans("", "", "-_ ")


def is_secret(name: str) -> bool:
    """Tell whether values under this name are masked in the log."""
    plain = name.lower().translate(_NOT_PART_OF_NAMES)
    return any(secret in plain for secret in SECRET_NAMES)


def masked(value: Any, depth: int = 0) -> Any:
    """Copy a JSON value with secrets masked at any depth, and what is nested beyond reason left out."""
    if isinstance(value, str):
        return _masked_credentials(value) if "earer " in value else value
    if isinstance(value, (dict, list)) and depth > MAX_DEPTH + 2:
        return "…"
    if isinstance(value, dict):
        return {
            str(name): MASK if is_secret(str(name)) and inner else masked(inner, depth + 1)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [masked(inner, depth + 1) for inner in value]
    return (
        str(value) if isinstance(value, float) and value - value != 0 else value
    )  # NaN and Infinity are no JSON


def _masked_credentials(text: str) -> str:
    import re

    return re.sub(r"(?i)\b(bearer|basic) +[\w.~+/=-]+", rf"\1 {MASK}", text)


def masked_text(text: str) -> str:
    """Mask what looks like a secret in a short text that is no JSON: `Bearer …`, `password=…` and such."""
    import re

    names = "|".join((*SECRET_NAMES, "api[-_ ]key", "card[-_ ]number", "credit[-_ ]card", "private[-_ ]key"))
    value = r"(?:\"[^\"]*\"?|'[^']*'?|[^\s&,;}]+)"
    pattern = rf"(?i)((?:{names})[\w-]{{0,40}}[\"']?\s{{0,9}}[:=]\s{{0,9}}){value}"
    return re.sub(pattern, rf"\1{MASK}", _masked_credentials(text))


def _log_number(value: Any) -> Any:
    """Write what `json` cannot: a Decimal as a number if that keeps its value, else as text."""
    if _is_decimal(value):
        number = float(value)
        return number if _parse_decimal(repr(number)) == value else str(value)
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
    except _NOT_JSON:
        pass
    return _encode_log({name: _cut_for_log(value) for name, value in record.items()} | {"truncated": True})


def _cut_for_log(value: Any) -> Any:
    try:
        text = _encode_log(value)
    except _NOT_JSON:
        return "…"
    return value if len(text) <= MAX_LOG_VALUE else text[:MAX_LOG_VALUE]


def write_log(line: str) -> None:
    """Write one line to the function's log."""
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except (OSError, ValueError):
        pass  # an order is not refused because its log cannot be written


def timestamp(seconds: float) -> str:
    """Write seconds since 1970 as ISO 8601 in UTC with milliseconds, such as 2025-01-31T12:00:00.000Z."""
    milliseconds = int(seconds * 1000)
    return (
        time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(milliseconds // 1000)) + f".{milliseconds % 1000:03d}Z"
    )


# --- The function ---------------------------------------------------------------------------------

RESERVE_SECONDS = 0.4  # kept back of the time limit, for the log and the answer
LONGEST_SECONDS = 25.0  # API Gateway gives up after 29 seconds
DEFAULT_SECONDS = 10.0  # where there is no context to tell
# A repeat that arrives with the first request gives it these pauses to publish, and then publishes itself.
REPEAT_PAUSES_SECONDS = (0.1, 0.3, 0.6)
REPEAT_WAITS_FOR_SECONDS = 2.0  # an order that is pending for longer has nobody who works on it


CORS_ALLOWED_HEADERS = (
    "Authorization, Content-Type, Idempotency-Key, X-Amz-Date, X-Amz-Security-Token, X-Api-Key"
)
"""What a page may send: also what a signature and a key need."""


class Settings:
    """What the environment sets; raises KeyError with the name of the variable that is missing."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Read the environment."""
        self.table_name = environment["TABLE_NAME"]
        self.topic_arn = environment["TOPIC_ARN"]
        self.stack = environment.get("STACK", "default")
        self.log_bodies = environment.get("LOG_BODIES", "true").lower() != "false"
        self.cors_origins = environment.get("CORS_ORIGIN", "").split()
        self.region = environment["AWS_REGION"]
        self.dynamodb_endpoint = environment["AWS_ENDPOINT_URL_DYNAMODB"]
        self.sns_endpoint = environment["AWS_ENDPOINT_URL_SNS"]


class Invocation:
    """One call of the function: its time limit, the times of its steps, and what its log line will say."""

    def __init__(self, context: Any, timer: Callable[[], float]) -> None:
        """Start the clock of one invocation."""
        self._timer = timer
        self._started = timer()
        seconds = DEFAULT_SECONDS
        remaining = getattr(context, "get_remaining_time_in_millis", None)
        if remaining is not None:
            seconds = remaining() / 1000 - RESERVE_SECONDS
        self.deadline = self._started + min(seconds, LONGEST_SECONDS)
        self.request_id = str(getattr(context, "aws_request_id", "") or "")
        self.steps: dict[str, float] = {}
        self.log: dict[str, Any] = {}
        self.metrics: list[str] = []

    def milliseconds(self) -> float:
        """Give the time since the start."""
        return round((self._timer() - self._started) * 1000, 1)

    def step(self, name: str) -> None:
        """Note that a step is done now."""
        self.steps[name] = self.milliseconds()

    def failed(self, step: str, failure: CallFailed) -> None:
        """Note a call to AWS that failed for good."""
        self.log["error"] = {
            "step": step,
            "code": failure.code,
            "message": failure.message[:500],
            "attempts": failure.attempts,
        }
        if failure.maybe_applied:
            self.log["error"]["maybeApplied"] = True


class Answer:
    """An HTTP answer: the status, the JSON body and the headers of its own."""

    def __init__(
        self, status: int, body: dict[str, Any] | None, headers: dict[str, str] | None = None
    ) -> None:
        """Keep the answer."""
        self.status = status
        self.body = body
        self.headers = headers or {}


def order_id(table_name: str, key: str) -> str:
    """Derive the order id from an idempotency key: a UUID of version 8 (RFC 9562) from a one-way hash."""
    digits = hashlib.sha256(f"ordernotify\0{table_name}\0{key}".encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-8{digits[13:16]}-a{digits[17:20]}-{digits[20:32]}"


def request_hash(order: Mapping[str, Any]) -> str:
    """Hash what the customer ordered; equal orders have equal hashes, however their JSON was written."""
    return hashlib.sha256(to_json(order).encode()).hexdigest()


class OrderFunction:
    """Takes events and gives proxy answers; keeps its connections from one order to the next.

    Args:
        dynamodb, sns: the clients of the two services.
        write: takes one log line.
        clock: seconds since 1970. timer: seconds that only go forward. random_bytes: like `os.urandom`.
        sleep: waits for seconds.
    """

    def __init__(
        self,
        settings: Settings,
        dynamodb: AwsClient,
        sns: AwsClient,
        *,
        write: Callable[[str], None] = write_log,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        """Keep what the function works with."""
        self._settings = settings
        self._dynamodb = dynamodb
        self._sns = sns
        self._write = write
        self._clock = clock
        self._timer = timer
        self._sleep = sleep
        self._random_bytes = random_bytes
        self._cold = True

    def __call__(self, event: Any, context: Any = None) -> dict[str, Any]:
        """Answer one event; raises nothing."""
        invocation = Invocation(context, self._timer)
        try:
            answer = self._answer(event, invocation)
        except Refusal as refusal:
            invocation.metrics.append(METRIC_ORDERS_REJECTED)
            body: dict[str, Any] = {"message": refusal.message}
            if refusal.errors:
                body["errors"] = refusal.errors
            answer = Answer(
                refusal.status, body, {"Allow": "POST, OPTIONS"} if refusal.status == 405 else None
            )
        except Exception as error:  # noqa: BLE001 - the caller gets an answer whatever happens
            invocation.log["error"] = {
                "step": "handler",
                "code": type(error).__name__,
                "message": str(error)[:500],
            }
            answer = Answer(500, {"message": "The order could not be handled; the log says why"})
        self._log_response(invocation, answer)
        return self._proxy_answer(answer, event)

    def _answer(self, event: Any, invocation: Invocation) -> Answer:
        method = request_method(event)
        refusal: Refusal | None = None
        document: Any = None
        if method != "OPTIONS":
            try:
                document = parse_order(order_text(event))
            except Refusal as refused:
                refusal = refused
        self._log_request(event, method, document, refusal, invocation)
        if method == "OPTIONS":
            return Answer(204, None)
        if method not in (None, "POST"):
            raise Refusal(405, "Orders are sent with POST")
        if refusal:
            raise refusal
        faults: list[dict[str, str]] = []
        key = idempotency_key(event, faults)
        order = validate(document, faults)
        invocation.step("validated")
        return self._take(order, key or self._random_bytes(16).hex(), invocation)

    def _take(self, order: dict[str, Any], key: str, invocation: Invocation) -> Answer:
        """Store, publish and mark a valid order."""
        new_id = order_id(self._settings.table_name, key)
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
        invocation.metrics.append(METRIC_ORDERS_REPLAYED if replayed else METRIC_ORDERS_RECEIVED)
        if item["notification"] == "pending":
            published = self._notify(item, invocation)
        else:
            published = True
            invocation.log.update(notification="sent", messageId=item.get("messageId"))
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
        """Give the request that stored the order a moment ago time to publish it; return what is then stored.

        Without this, a repeat that arrives at the same moment would nearly always notify a second time.
        """
        for pause in REPEAT_PAUSES_SECONDS:
            recent = str(stored.get("createdAt")) > timestamp(self._clock() - REPEAT_WAITS_FOR_SECONDS)
            in_time = self._timer() + 2 * pause < invocation.deadline
            if stored.get("notification") != "pending" or not recent or not in_time:
                break
            self._sleep(pause)
            try:
                stored, _ = self._store(stored, invocation)
            except CallFailed:
                break  # known as stored and pending: publishing is what is left to try
        return stored

    def _put(
        self, item: Mapping[str, Any], condition: str, values: dict[str, Any], invocation: Invocation
    ) -> None:
        put_item(self._dynamodb, self._settings.table_name, item, condition, values, invocation.deadline)

    def _notify(self, item: dict[str, Any], invocation: Invocation) -> bool:
        """Publish a stored order and mark it as sent; return whether it was published."""
        invocation.log["notification"] = "pending"
        try:
            message_id = publish(self._sns, self._settings.topic_arn, notification(item), invocation.deadline)
        except CallFailed as failure:
            invocation.failed("publish", failure)
            invocation.metrics.append(METRIC_NOTIFICATIONS_PENDING)
            return False
        invocation.step("published")
        invocation.log["messageId"] = message_id
        sent = item | {"notification": "sent", "messageId": message_id}
        try:
            # An order that was deleted or marked in between is neither brought back nor written over.
            self._put(sent, "notification = :pending", {":pending": "pending"}, invocation)
            invocation.step("marked")
        except CallFailed as failure:
            if failure.code != "ConditionalCheckFailedException":
                invocation.failed("mark", failure)
                invocation.metrics.append(METRIC_NOTIFICATIONS_PENDING)
                return True
        invocation.log["notification"] = "sent"
        return True

    def _not_stored(self, failure: CallFailed, key: str, invocation: Invocation) -> Answer:
        invocation.failed("store", failure)
        headers = {"Retry-After": "2"}
        if not failure.maybe_applied and failure.code != "ConditionalCheckFailedException":
            message = "The order could not be stored; nothing was kept. It is safe to repeat it"
            return Answer(503, {"message": message}, headers)
        # The table may hold it as pending: the alarm must tell, and the client know how to repeat it.
        invocation.metrics.append(METRIC_NOTIFICATIONS_PENDING)
        message = (
            "It is not known whether the order was stored. To have it exactly once, repeat it with the "
            f"header Idempotency-Key: {key}"
        )
        return Answer(503, {"message": message}, headers | {"Idempotency-Key": key})

    @staticmethod
    def _taken(new_id: str, *, replayed: bool, published: bool) -> Answer:
        message = "Order received"
        if not published:
            message += "; its notification is delayed and will be sent"
        status = 202 if not published else 200 if replayed else 201
        headers = {"Idempotency-Replayed": "true"} if replayed else {}
        return Answer(status, {"orderId": new_id, "message": message}, headers)

    def _proxy_answer(self, answer: Answer, event: Any) -> dict[str, Any]:
        headers = answer.headers | self._cors_headers(event)
        if answer.body is not None:
            headers["Content-Type"] = "application/json"
        body = "" if answer.body is None else json.dumps(answer.body)
        return {"statusCode": answer.status, "headers": headers, "body": body, "isBase64Encoded": False}

    def _cors_headers(self, event: Any) -> dict[str, str]:
        """Allow the page's own origin if it is one of the described ones; a browser takes one, not a list."""
        origins = self._settings.cors_origins
        if not origins:
            return {}
        asked = header_values(event, "origin")
        origin = "*" if "*" in origins else asked[0] if asked and asked[0] in origins else origins[0]
        # Caches must know that another page gets another answer.
        vary = {} if origin == "*" else {"Vary": "Origin"}
        return vary | {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Headers": CORS_ALLOWED_HEADERS,
            "Access-Control-Allow-Methods": "POST, OPTIONS",
            "Access-Control-Expose-Headers": "Idempotency-Key, Idempotency-Replayed, Retry-After",
            "Access-Control-Max-Age": "600",
        }

    def _log_request(
        self, event: Any, method: str | None, document: Any, refusal: Refusal | None, invocation: Invocation
    ) -> None:
        record = {"timestamp": timestamp(self._clock()), "level": "INFO", "event": "request"}
        record["requestId"] = invocation.request_id
        if _is_request(event):
            record |= _request_fields(event, method)
        if self._settings.log_bodies and method != "OPTIONS":
            if refusal is None:
                record["body"] = masked(document)
            else:
                body = event.get("body") if _is_request(event) else event
                record["body"] = masked_text(body[:MAX_LOG_TEXT]) if isinstance(body, str) else masked(body)
        self._write(log_line(record))

    def _log_response(self, invocation: Invocation, answer: Answer) -> None:
        status = answer.status
        pending = METRIC_NOTIFICATIONS_PENDING in invocation.metrics
        milliseconds = invocation.milliseconds()
        now = self._clock()
        record: dict[str, Any] = {
            "timestamp": timestamp(now),
            "level": "ERROR" if status >= 500 or pending else "WARNING" if status >= 400 else "INFO",
            "event": "response",
            "requestId": invocation.request_id,
            "status": status,
            "durationMs": milliseconds,
            "coldStart": self._cold,
            **invocation.log,
        }
        self._cold = False
        if answer.body is not None:
            record["message"] = answer.body["message"]
            if self._settings.log_bodies:
                record["body"] = answer.body
        record["steps"] = invocation.steps
        if "Idempotency-Replayed" in answer.headers:
            record["replayed"] = True
        record |= self._metrics(invocation.metrics, now, milliseconds)
        self._write(log_line(record))

    def _metrics(self, names: list[str], now: float, milliseconds: float) -> dict[str, Any]:
        """Give the metrics in embedded metric format.

        Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
        """
        metrics = [{"Name": name, "Unit": "Count"} for name in names]
        metrics.append({"Name": METRIC_LATENCY, "Unit": "Milliseconds"})
        directive = {"Namespace": METRIC_NAMESPACE, "Dimensions": [[METRIC_DIMENSION]], "Metrics": metrics}
        return {
            "_aws": {"Timestamp": int(now * 1000), "CloudWatchMetrics": [directive]},
            METRIC_DIMENSION: self._settings.stack,
            **dict.fromkeys(names, 1),
            METRIC_LATENCY: milliseconds,
        }


def request_method(event: Any) -> str | None:
    """Give the HTTP method, or None for an event that is no HTTP request."""
    if not _is_request(event):
        return None
    method = _object(_object(event.get("requestContext")).get("http")).get("method") or event.get(
        "httpMethod"
    )
    return method.upper() if isinstance(method, str) else None


def _request_fields(event: dict[str, Any], method: str | None) -> dict[str, Any]:
    context = _object(event.get("requestContext"))
    caller = _object(context.get("http")) or _object(context.get("identity"))
    return {
        "apiRequestId": masked(context.get("requestId")),
        "method": method,
        "path": masked(event.get("rawPath") or event.get("path")),
        "sourceIp": masked(caller.get("sourceIp")),
        "userAgent": masked(caller.get("userAgent")),
        "headers": masked(event.get("headers") or event.get("multiValueHeaders")),
    }


_function: OrderFunction | None = None


def _order_function() -> OrderFunction:
    global _function
    if _function is None:
        settings = Settings(os.environ)
        dynamodb = AwsClient("dynamodb", settings.dynamodb_endpoint, settings.region)
        sns = AwsClient("sns", settings.sns_endpoint, settings.region)
        _function = OrderFunction(settings, dynamodb, sns)
    return _function


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
    _tls_context()
