"""The notification of an order: subject, email, SMS and JSON, within SNS's limits."""

from __future__ import annotations

from ordernotify.function.exact_json import quote, to_json
from ordernotify.function.order import CONTROLS

TYPE_CHECKING = False  # `typing` is not imported at run time
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

NOT_IN_MESSAGE = ("FileName", "notification", "messageId", "requestHash")
"""Attributes of an item that are not sent."""

MAX_MESSAGE_BYTES = 262_144  # AWS-FACTS, "SNS messages"
_ATTRIBUTES_RESERVE = 1024  # the attributes and the subject count too
MAX_SUBJECT = 99  # SNS: "less than 100 characters"
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

    Equal orders have equal notifications, whatever the sequence of their attributes, and whether numbers are
    int or Decimal. The limits are SNS's (AWS-FACTS, "SNS messages"), which emulators do not check.

    Args:
        order: the attributes of the stored item as plain values; those in `NOT_IN_MESSAGE` are left out.

    Returns:
        `Subject`, `Message`, `MessageStructure`, `MessageAttributes`: `sns.publish(TopicArn=…, **result)`.
    """
    fields = {name: value for name, value in order.items() if name not in NOT_IN_MESSAGE}
    text = texts(fields)
    default = quote(to_json(fields))
    sms = quote(text["sms"])
    frame = len('{"default":,"email":,"sms":}')
    room = MAX_MESSAGE_BYTES - _ATTRIBUTES_RESERVE - frame - len(default.encode()) - len(sms.encode())
    email = quote(_cut_email(text["email"], room))
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
    """Return the texts that a person reads: `subject` (ASCII, at most 99), `email`, `sms` (one part)."""
    return {"subject": _subject(order), "email": _email(order), "sms": _sms(order)}


def _plain_text(order: Mapping[str, Any], field: str) -> str:
    return str(order.get(field, "")).translate(CONTROLS).strip()


def _ascii(text: str) -> str:
    if text.isascii():
        return text
    from unicodedata import normalize

    kept = normalize("NFKD", text.translate(_LATIN)).encode("ascii", "ignore").decode()
    return " ".join(kept.split()) if any(character.isalnum() for character in kept) else ""


def _subject(order: Mapping[str, Any]) -> str:
    quantity = _plain_text(order, "quantity")[:12]
    product = _ascii(_plain_text(order, "productName"))
    customer = _ascii(_plain_text(order, "customerName"))
    subject = f"New order {_plain_text(order, 'orderId')[:8]}"
    subject += f": {quantity} x {product}" if product else f", quantity {quantity}"
    if customer:
        subject += f" for {customer}" if product else f", for {customer}"
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
        lines += [f"  {name.translate(CONTROLS)}: {_indented(order[name])}" for name in others]
    return "\n".join(lines) + "\n"


def _indented(value: Any) -> str:
    # Further lines are indented, so that no customer's text can look like another field.
    text = value if isinstance(value, str) else to_json(value)
    return "\n      ".join(line.translate(CONTROLS) for line in text.splitlines())


def _cut_email(email: str, room: int) -> str:
    """Cut the email so that its JSON fits into `room` bytes; the `default` text always has it all."""
    if len(quote(email).encode()) <= room:
        return email
    note = "…\n\nThe rest is left out: the order is too long for an email.\n"
    room -= len(quote(note).encode())
    low, high = 0, len(email)
    while low < high:
        middle = (low + high + 1) // 2
        if len(quote(email[:middle]).encode()) <= room:
            low = middle
        else:
            high = middle - 1
    return email[:low] + note
