"""Notifications: no text of a customer breaks a publish; the same order always gives the same message."""

from __future__ import annotations

import json
import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordernotify.function import aws_calls, notification
from ordernotify.function.order import MAX_DOCUMENT_BYTES
from tests.handler_fakes import check_message, open_shop

ORDER: dict[str, Any] = {
    "orderId": "6f2c1a9b-1234-8abc-aabb-001122334455",
    "createdAt": "2025-01-31T12:00:00.000Z",
    "customerName": "John Doe",
    "productName": "Wireless Mouse",
    "quantity": 2,
}
GSM_7 = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà\f^{}\\[~]|€"
)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)
NAMES_OF_ORDERS = NAMES.map(str.strip).filter(bool)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | NAMES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
)
OTHERS = st.dictionaries(NAMES.map(lambda name: "x" + name), VALUES, max_size=5)


def published(order: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Give the subject and the texts of an order's notification, after checking it as SNS does."""
    message = notification.notification(order)
    attributes = {f"MessageAttributes.{n}": v["StringValue"] for n, v in message["MessageAttributes"].items()}
    check_message({name: message[name] for name in ("Subject", "Message", "MessageStructure")} | attributes)
    texts: dict[str, str] = json.loads(message["Message"])
    return message["Subject"], texts


def fits_one_part(sms: str) -> bool:
    if set(sms) <= GSM_7:
        return sum(2 if character in "\f^{}\\[~]|€" else 1 for character in sms) <= 160
    return len(sms.encode("utf-16-le")) // 2 <= 70


def test_what_an_ordinary_order_sends() -> None:
    subject, texts = published(ORDER | {"note": "ring\ntwice", "lines": [{"sku": "a"}]})
    assert subject == "New order 6f2c1a9b: 2 x Wireless Mouse for John Doe"
    assert texts["sms"] == ("Order 6f2c1a9b-1234-8abc-aabb-001122334455: 2 x Wireless Mouse for John Doe")
    assert texts["email"] == (
        "A new order was received.\n"
        "\n"
        "Order id:  6f2c1a9b-1234-8abc-aabb-001122334455\n"
        "Received:  2025-01-31T12:00:00.000Z\n"
        "Customer:  John Doe\n"
        "Product:   Wireless Mouse\n"
        "Quantity:  2\n"
        "\n"
        "Other fields:\n"
        '  lines: [{"sku":"a"}]\n'
        "  note: ring\n"
        "      twice\n"
    )
    assert json.loads(texts["default"]) == ORDER | {"note": "ring\ntwice", "lines": [{"sku": "a"}]}


def test_attributes_are_there_for_filter_policies() -> None:
    assert notification.notification(ORDER)["MessageAttributes"] == {
        "eventType": {"DataType": "String", "StringValue": "order.received"},
        "orderId": {"DataType": "String", "StringValue": ORDER["orderId"]},
    }


@given(customer=NAMES_OF_ORDERS, product=NAMES_OF_ORDERS, quantity=st.integers(1, 10**6), others=OTHERS)
def test_no_text_breaks_a_publish(customer: str, product: str, quantity: int, others: dict[str, Any]) -> None:
    order = ORDER | {"customerName": customer, "productName": product, "quantity": quantity} | others
    _, texts = published(order)
    assert json.loads(texts["default"]) == order
    assert fits_one_part(texts["sms"])
    assert texts["sms"].isprintable() or not customer.isprintable() or not product.isprintable()
    lines = texts["email"].split("\n")
    assert sum(line.startswith(("Order id:", "Customer:")) for line in lines) == 2


@given(others=OTHERS, seed=st.integers(0, 1000))
def test_the_same_order_gives_the_same_message(others: dict[str, Any], seed: int) -> None:
    order = ORDER | others
    names = list(order)
    random.Random(seed).shuffle(names)
    stored = {name: aws_calls.attribute_value(order[name]) for name in names}
    read = {name: as_decimal(aws_calls.plain_value(value)) for name, value in stored.items()}
    system = {"FileName": "x", "notification": "pending", "messageId": "m", "requestHash": "h"}
    assert notification.notification(read | system) == notification.notification(order)


def as_decimal(value: Any) -> Any:
    """Give every number as boto3 does."""
    if isinstance(value, dict):
        return {name: as_decimal(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [as_decimal(inner) for inner in value]
    return Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value


@pytest.mark.parametrize(
    ("customer", "product", "subject"),
    [
        ("José Núñez", "Käse", "New order 6f2c1a9b: 2 x Kase for Jose Nunez"),
        ("Łukasz Grüß", "Ærø – 5 €", "New order 6f2c1a9b: 2 x AEro - 5 EUR for Lukasz Gruss"),
        ("王伟", "无线鼠标", "New order 6f2c1a9b, quantity 2"),
        ("王伟", "鼠标 M1", "New order 6f2c1a9b: 2 x M1"),
        ("Ann", "🚚", "New order 6f2c1a9b, quantity 2, for Ann"),
        ("x" * 200, "y" * 200, "New order 6f2c1a9b: 2 x " + "y" * 72 + "..."),
        ("Bcc: a\r\nTo: b", "p", "New order 6f2c1a9b: 2 x p for Bcc: a  To: b"),
    ],
)
def test_subjects_are_ascii(customer: str, product: str, subject: str) -> None:
    assert published(ORDER | {"customerName": customer, "productName": product})[0] == subject


@pytest.mark.parametrize(
    ("customer", "product", "sms"),
    [
        (
            "x" * 200,
            "Mouse",
            f"Order {ORDER['orderId']}: 2 x Mouse for {'x' * 99}...",
        ),
        (
            "x" * 200,
            "y" * 200,
            f"Order {ORDER['orderId']}: 2 x {'y' * 50}... for {'x' * 51}...",
        ),
        ("€" * 200, "a", f"Order {ORDER['orderId']}: 2 x a for {'€' * 51}..."),
        ("王伟", "无线鼠标", "Order 6f2c1a9b: 2 x 无线鼠标 for 王伟"),
        ("王" * 200, "鼠标", "Order 6f2c1a9b: 2 x 鼠标 for " + "王" * 42 + "…"),
        ("🚚" * 200, "a", "Order 6f2c1a9b: 2 x a for " + "🚚" * 21 + "…"),
    ],
)
def test_an_sms_fits_one_part(customer: str, product: str, sms: str) -> None:
    text = published(ORDER | {"customerName": customer, "productName": product})[1]["sms"]
    assert fits_one_part(text)
    assert text == sms


def test_a_text_cannot_pose_as_another_field_of_the_email() -> None:
    for break_ in ("\n", "\r", "\x0b", "\x85", "\u2028"):
        email = published(ORDER | {"note": f"x{break_}Order id:  forged", f"n{break_}Order id: f": 1})[1][
            "email"
        ]
        assert [line for line in email.splitlines() if line.startswith("Order id:")] == [
            f"Order id:  {ORDER['orderId']}"
        ]


def largest(text: str) -> str:
    """Give the largest document that is taken whose field `a` is a list of this text."""
    head = '{"customerName":"C","productName":"P","a":['
    count = (MAX_DOCUMENT_BYTES - len(head) - 2 + 1) // (len(text.encode()) + 1)
    return head + ",".join([text] * count) + "]}"


@pytest.mark.parametrize(
    "text",
    [
        *(
            '"\\""',
            '"\\\\"',
            '"\\u0000"',
            '"\\n"',
            '""',
            '"\x7f"',
            '"é"',
            '"🚚"',
            '"\u2028"',
            "[]",
            "{}",
            "0",
        ),
        *(
            "1e9",
            "1e12",
            "-1e12",
            "1e13",
            "1e99",
            "1e-6",
            "1e-9",
            "1E125",
            "9",
            "null",
            "true",
            '"' + "\\\\" * 99 + '"',
        ),
        *('{"a":1}', '{"\\"":"\\""}'),
    ],
)
@pytest.mark.long
def test_the_largest_documents_are_stored_and_sent_whole(text: str) -> None:
    document = largest(text)
    assert len(document.encode()) > MAX_DOCUMENT_BYTES - 300
    with open_shop(attempt_seconds=60) as shop:
        assert shop.send(document, seconds=60).status == 201
        [order] = shop.aws.orders()
        assert order["a"] == json.loads(document, parse_float=Decimal)["a"]
        message = json.loads(shop.aws.published[0]["Message"])  # the fake checked it as SNS does
        assert json.loads(message["default"], parse_float=Decimal)["a"] == order["a"]
        assert item_bytes(shop.aws.items[order["FileName"]]) <= 400 * 1024
        assert max(len(line) for line in shop.lines) < 256 * 1024 - 26


def item_bytes(item: dict[str, Any]) -> int:
    """Size an item as DynamoDB does.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return sum(len(name.encode()) + value_bytes(value) for name, value in item.items())


def value_bytes(attribute: dict[str, Any]) -> int:
    ((kind, value),) = attribute.items()
    if kind == "S":
        return len(value.encode())
    if kind == "N":
        return min(21, len(value) // 2 + 2)
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + value_bytes(inner) for name, inner in value.items())
    if kind == "L":
        return 3 + sum(1 + value_bytes(inner) for inner in value)
    return 1


def test_an_email_that_would_not_fit_is_cut_and_says_so() -> None:
    note = "The rest is left out: the order is too long for an email.\n"
    whole = ORDER | {"a": ["\\" * 30_000]}
    assert not published(whole)[1]["email"].endswith(note)
    order = ORDER | {"a": [10**12] * 13_000, "b": 1}
    _, texts = published(order)
    assert json.loads(texts["default"]) == order
    assert texts["email"].endswith(note)
    assert len(notification.notification(order)["Message"]) > 262_144 - 1_100


@pytest.mark.parametrize(
    "order", [{}, {"orderId": ""}, {"orderId": "é" * 300, "quantity": "9" * 300, "x": {1.5}}]
)
def test_items_of_other_programs_make_a_valid_message_too(order: dict[str, Any]) -> None:
    subject, texts = published(order)
    assert subject.startswith("New order")
    assert fits_one_part(texts["sms"])


def test_the_texts_can_be_had_alone() -> None:
    subject, message = published(ORDER)
    assert notification.texts(ORDER) == {"subject": subject, "email": message["email"], "sms": message["sms"]}
