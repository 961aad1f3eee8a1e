"""Whatever is thrown at the function: a valid answer, no exception, and what was taken is in the table."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ordernotify.function import notification, order
from tests.handler_fakes import Context, Reply, Shop, notified, open_shop

SET_BY_US = {*order.RESERVED, "customerName", "productName", "quantity"}
NAMES = {"customerName": "John Doe", "productName": "Wireless Mouse"}
TEXT = st.text(max_size=30)  # with lone surrogates
NUMBERS = st.integers() | st.floats() | st.integers(-(10**45), 10**45)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=15,
)
FIELDS = st.sampled_from(["customerName", "productName", "quantity", "body", "orderId", "note"]) | TEXT
NEARLY_ORDERS = st.dictionaries(FIELDS, JSON, max_size=8) | st.builds(
    lambda customer, product, quantity, others: (
        others | {"customerName": customer, "productName": product, "quantity": quantity}
    ),
    st.text(min_size=1, max_size=30),
    st.text(min_size=1, max_size=30),
    st.integers(-1, 1_000_002) | st.floats(0, 5),
    st.dictionaries(TEXT, JSON, max_size=4),
)
KEPT_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
KEPT_NAMES = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=200
).filter(str.strip)
KEPT_NUMBERS = st.integers(-(10**38) + 1, 10**38 - 1) | st.floats(-1e100, 1e100).map(
    lambda x: x if abs(x) > 1e-99 else 0
)
KEPT_VALUES = st.recursive(
    st.none() | st.booleans() | KEPT_NUMBERS | KEPT_TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEPT_TEXT.filter(bool), inner, max_size=5),
    max_leaves=15,
)
OTHER_NAMES = KEPT_TEXT.filter(lambda name: name and name not in SET_BY_US)
ORDERS = st.builds(
    lambda others, customer, product, quantity: (
        others | {"customerName": customer, "productName": product, "quantity": quantity}
    ),
    st.dictionaries(OTHER_NAMES, KEPT_VALUES, max_size=6),
    KEPT_NAMES,
    KEPT_NAMES,
    st.integers(1, 10**6) | st.integers(1, 10**6).map(float),
)
DECIMAL_TEXT = st.from_regex(r"-?(0|[1-9][0-9]{0,41})(\.[0-9]{1,41})?([eE][-+]?[0-9]{1,3})?", fullmatch=True)
EVENT_FIELDS = st.sampled_from(
    [
        *("body", "headers", "multiValueHeaders", "requestContext", "isBase64Encoded", "httpMethod", "path"),
        *("rawPath", "version", "cookies", "customerName", "productName"),
    ]
)


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with open_shop(attempt_seconds=5) as shop:
        yield shop


def answer(shop: Shop, event: Any) -> Reply:
    """Give an event to the function; hold what must be so whatever the event is."""
    for forgotten in (shop.lines, shop.aws.items, shop.aws.published, shop.aws.requests):
        forgotten.clear()
    reply = Reply(shop.function(event, Context()))
    assert [line["event"] for line in shop.log()] == ["request", "response"]
    assert shop.log()[-1]["status"] == reply.status
    if reply.status == 201:
        assert list(shop.aws.items) == notified(shop.aws) == [reply.body["orderId"]]
    else:
        assert 400 <= reply.status < 500 or reply.status == 204
        assert shop.aws.requests == []
    return reply


def check_stored(shop: Shop, document: dict[str, Any]) -> None:
    """Hold that the only order in the table has the values that were sent."""
    [order] = shop.aws.orders()
    assert order["customerName"] == document.pop("customerName").strip()
    assert order["productName"] == document.pop("productName").strip()
    assert order["quantity"] == document.pop("quantity", 1)
    assert {name: order[name] for name in order.keys() - SET_BY_US} == document
    published = json.loads(json.loads(shop.aws.published[0]["Message"])["default"], parse_float=Decimal)
    assert published == {name: order[name] for name in order.keys() - set(notification.NOT_IN_MESSAGE)}


@given(
    body=NEARLY_ORDERS | JSON, version=st.sampled_from([1, 2]), encoded=st.booleans(), envelope=st.booleans()
)
def test_any_json_as_body(shop: Shop, body: Any, version: int, encoded: bool, envelope: bool) -> None:
    text = json.dumps({"body": json.dumps(body)} if envelope else body)
    event: dict[str, Any] = (
        {"httpMethod": "POST"} if version == 1 else {"version": "2.0", "requestContext": {}}
    )
    event |= {
        "body": base64.b64encode(text.encode()).decode() if encoded else text,
        "isBase64Encoded": encoded,
    }
    if answer(shop, event).status == 201:
        check_stored(shop, as_sent(body))


@given(order=ORDERS, ascii_only=st.booleans(), bare=st.booleans())
@example(order={**NAMES, "httpMethod": None}, ascii_only=False, bare=True)
@example(order={**NAMES, "requestContext": {}, "body": "x"}, ascii_only=False, bare=True)
def test_any_valid_order_is_kept_with_equal_values(
    shop: Shop, order: dict[str, Any], ascii_only: bool, bare: bool
) -> None:
    event = order if bare else {"httpMethod": "POST", "body": json.dumps(order, ensure_ascii=ascii_only)}
    assert answer(shop, event).status == 201
    check_stored(shop, as_sent(order))


@given(body=st.binary(max_size=200), encoded=st.booleans())
@example(body=b"\xff\xfe", encoded=True)
def test_any_bytes_as_body(shop: Shop, body: bytes, encoded: bool) -> None:
    text = base64.b64encode(body).decode() if encoded else body.decode("utf-8", "surrogateescape")
    assert answer(shop, {"httpMethod": "POST", "body": text, "isBase64Encoded": encoded}).status in (400, 413)


@given(event=JSON | NEARLY_ORDERS | st.dictionaries(EVENT_FIELDS, JSON | NEARLY_ORDERS.map(json.dumps)))
def test_any_json_as_event(shop: Shop, event: Any) -> None:
    answer(shop, event)


@given(text=DECIMAL_TEXT)
def test_any_number_is_stored_exactly_or_refused(shop: Shop, text: str) -> None:
    value = Decimal(text)
    digits = len("".join(map(str, value.as_tuple().digits)).strip("0"))
    fits = not value or (digits <= 38 and -130 <= value.adjusted() <= 125)
    body = f'{{"customerName":"a","productName":"b","n":{text}}}'
    reply = answer(shop, {"httpMethod": "POST", "body": body})
    assert reply.status == (201 if fits else 400)
    if fits:
        [item] = shop.aws.items.values()
        assert Decimal(item["n"]["N"]) == value


def as_sent(body: Any) -> Any:
    """Give the document with the numbers that its JSON text shows."""
    return json.loads(json.dumps(body), parse_float=Decimal)
