"""What an order may be, and how each fault is answered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from ordernotify.function import order
from tests.handler_fakes import Shop, open_shop

NAMES = {"customerName": "John Doe", "productName": "Wireless Mouse"}


@pytest.fixture
def shop() -> Iterator[Shop]:
    with open_shop() as shop:
        yield shop


def test_a_valid_order_is_stored_and_published_and_marked_as_sent(shop: Shop) -> None:
    reply = shop.send(NAMES)
    assert (reply.status, reply.headers) == (201, {"Content-Type": "application/json"})
    assert reply.body == {"orderId": reply.body["orderId"], "message": "Order received"}
    [order] = shop.aws.orders()
    created, digest = order.pop("createdAt"), order.pop("requestHash")
    assert order == {
        "FileName": reply.body["orderId"],
        "orderId": reply.body["orderId"],
        **NAMES,
        "quantity": 1,
        "notification": "sent",
        "messageId": "m-1",
    }
    assert len(created) == len("2025-01-31T12:00:00.000Z")
    assert created.endswith("Z")
    assert len(digest) == 64
    assert len(shop.aws.published) == 1


def test_every_fault_is_told_at_once(shop: Shop) -> None:
    order = {"customerName": " ", "quantity": 0, "createdAt": 1, "x" * 65: 1, "": 1, "a": {"b": ["\ud800"]}}
    reply = shop.send(order, key="two words")
    assert reply.status == 400
    assert reply.fields == {
        *("customerName", "productName", "quantity", "createdAt", "x" * 65, "", "a.b[0]"),
        "Idempotency-Key",
    }
    assert shop.aws.items == {}


@pytest.mark.parametrize("field", ["customerName", "productName"])
@pytest.mark.parametrize(
    "value", ["", "  \t", "x" * 201, "a\nb", "a\x7fb", "a\u2028b", "a\x85b", "a\ud800", None, 1, [], {}, True]
)
def test_names_that_are_refused(shop: Shop, field: str, value: Any) -> None:
    reply = shop.send(NAMES | {field: value})
    assert (reply.status, reply.fields) == (400, {field})


@pytest.mark.parametrize(
    ("given", "stored"),
    [(" Ann\n", "Ann"), ("x" * 200, "x" * 200), ("王伟 🚚", "王伟 🚚"), ("e\u0301", "e\u0301")],
)
def test_names_are_trimmed_and_otherwise_kept(shop: Shop, given: str, stored: str) -> None:
    assert shop.send(NAMES | {"customerName": given}).status == 201
    assert shop.aws.orders()[0]["customerName"] == stored


@pytest.mark.parametrize("text", ["1", "1000000", "2.0", "1e3", "1000000.000"])
def test_whole_quantities_are_taken_however_they_are_written(shop: Shop, text: str) -> None:
    assert shop.send(json.dumps(NAMES)[:-1] + f', "quantity": {text}}}').status == 201
    assert shop.aws.orders()[0]["quantity"] == Decimal(text)


@pytest.mark.parametrize(
    "text",
    [
        *("0", "-1", "1000001", "1.5", '"2"', "true", "null", "[]", "{}", "NaN", "Infinity", "1e999999"),
        *("1e99999999999999999999", "1" * 5000),
    ],
)
def test_other_quantities_are_refused(shop: Shop, text: str) -> None:
    reply = shop.send(json.dumps(NAMES)[:-1] + f', "quantity": {text}}}')
    assert (reply.status, reply.fields) == (400, {"quantity"})


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        *(("0.1", "0.1"), ("1.50", "1.5"), ("-0.0", "0"), ("1e2", "100"), ("123e-2", "1.23")),
        *(("1e125", "1E+125"), ("1e-130", "1E-130"), ("-9.9e125", "-9.9E+125"), ("0e99999", "0")),
        *(("9" * 38, "9" * 38), ("1" + "0" * 60, "1E+60"), ("0." + "3" * 38, "0." + "3" * 38)),
        *(("0.000001", "0.000001"), ("0.0000001", "1E-7"), ("12345678901234567890", "12345678901234567890")),
    ],
)
def test_numbers_keep_their_exact_decimal_value(shop: Shop, text: str, stored: str) -> None:
    assert shop.send(json.dumps(NAMES)[:-1] + f', "price": {text}}}').status == 201
    [item] = shop.aws.items.values()
    assert item["price"] == {"N": stored}
    assert Decimal(stored) == Decimal(text)
    default = json.loads(shop.aws.published[0]["Message"])["default"]
    assert json.loads(default, parse_float=Decimal)["price"] == Decimal(text)


@pytest.mark.parametrize(
    "text",
    [
        *("NaN", "Infinity", "-Infinity", "1e126", "1e-131", "9" * 39, "0." + "3" * 39),
        *("1e9999999999999999999999", "1" * 5000),
    ],
)
def test_numbers_that_dynamodb_cannot_hold_are_refused(shop: Shop, text: str) -> None:
    reply = shop.send(json.dumps(NAMES)[:-1] + f', "a": [{text}]}}')
    assert (reply.status, reply.fields) == (400, {"a[0]"})


def test_other_fields_are_stored_as_they_are(shop: Shop) -> None:
    others = {
        "note": "line 1\nline 2\t\u0000 \u2028 🚚",
        "gift": True,
        "sale": False,
        "coupon": None,
        "lines": [{"sku": "a", "count": 2}, [], {}, ""],
        "x" * 64: "",
        "password": "kept in the table, masked in the log",
    }
    assert shop.send(NAMES | others).status == 201
    [order] = shop.aws.orders()
    assert {name: order[name] for name in others} == others


def test_a_field_given_twice_is_refused_at_any_depth(shop: Shop) -> None:
    text = '{"customerName":"a","customerName":"b","productName":"c","quantity":1,"quantity":2,'
    text += '"x":[{"y":1,"y":1}]}'
    reply = shop.send(text)
    assert (reply.status, reply.fields) == (400, {"customerName", "quantity", "x[0].y"})
    assert {error["message"] for error in reply.body["errors"]} == {"is given twice"}


def test_at_most_32_other_fields(shop: Shop) -> None:
    assert shop.send(NAMES | {f"f{n}": n for n in range(32)}).status == 201
    assert shop.send(NAMES | {f"f{n}": n for n in range(33)}).status == 400


@pytest.mark.parametrize("name", order.RESERVED)
def test_names_of_the_system_are_refused(shop: Shop, name: str) -> None:
    reply = shop.send(NAMES | {name: "x"})
    assert (reply.status, reply.fields) == (400, {name})


def nested(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


def test_nesting_stays_inside_that_of_dynamodb(shop: Shop) -> None:
    assert shop.send(NAMES | {"deep": nested(30)}).status == 201
    reply = shop.send(NAMES | {"deep": nested(31)})
    assert reply.status == 400
    assert "nested more than 30 levels" in reply.body["errors"][0]["message"]


@pytest.mark.parametrize("text", ["[" * 60_000, '{"a":' * 13_000, "[" * 30_000 + "]" * 30_000])
def test_absurd_nesting_is_refused(shop: Shop, text: str) -> None:
    assert shop.send(text).status == 400


def test_the_size_is_measured_in_bytes(shop: Shop) -> None:
    frame = json.dumps(NAMES | {"note": ""}, ensure_ascii=False)
    room = order.MAX_DOCUMENT_BYTES - len(frame)
    assert shop.send(frame.replace('""', '"' + "x" * room + '"')).status == 201
    assert shop.send(frame.replace('""', '"' + "x" * (room + 1) + '"')).status == 413
    assert shop.send(frame.replace('""', '"' + "é" * (room // 2 + 1) + '"')).status == 413


@pytest.mark.parametrize("text", ["{", "order", "'a'", "{'a': 1}", '{"a": 1,}', '"\x01"', "\ufeff", "nul"])
def test_what_is_no_json_is_refused_with_the_place(shop: Shop, text: str) -> None:
    reply = shop.send(text)
    assert reply.status == 400
    assert "not JSON" in reply.body["message"]
    assert "line 1" in reply.body["message"]


@pytest.mark.parametrize("text", ["null", "[]", "1", '"text"', "true", "NaN", "[[]]"])
def test_json_that_is_no_object_is_refused(shop: Shop, text: str) -> None:
    reply = shop.send(text)
    assert reply.status == 400
    assert "must be a JSON object" in reply.body["message"]


def test_a_byte_order_mark_is_passed_over(shop: Shop) -> None:
    assert shop.send("\ufeff" + json.dumps(NAMES)).status == 201


def test_a_flood_of_faults_is_cut(shop: Shop) -> None:
    reply = shop.send(json.dumps(NAMES)[:-1] + f', "a": [{",".join(["NaN"] * 10_000)}]}}')
    assert reply.status == 400
    assert len(reply.body["errors"]) == order.MAX_FAULTS + 1
