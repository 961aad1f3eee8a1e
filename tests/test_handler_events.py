"""Real event payloads: each is answered, logged without its secrets, and kept as one order."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ordernotify import handler
from tests.handler_fakes import Context, Reply, Shop, open_shop

EVENTS = Path(__file__).parent / "events"
NO_ORDER = {"rest_null_body": 400, "http_no_body": 400, "http_options": 204}
ORDERS = sorted(path.stem for path in EVENTS.glob("*.json") if path.stem not in NO_ORDER)


@pytest.fixture
def shop() -> Iterator[Shop]:
    with open_shop() as shop:
        yield shop


def load(name: str) -> Any:
    return json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ORDERS)
def test_an_event_with_an_order_is_taken(shop: Shop, name: str) -> None:
    reply = Reply(shop.function(load(name), Context()))
    assert reply.status == 201
    [order] = shop.aws.orders()
    assert (order["customerName"], order["productName"]) == ("John Doe", "Wireless Mouse")
    assert order.keys() == {
        *("FileName", "orderId", "customerName", "productName", "quantity", "createdAt"),
        *("notification", "messageId", "requestHash"),
    }


@pytest.mark.parametrize(("name", "status"), NO_ORDER.items())
def test_an_event_without_an_order_is_answered(shop: Shop, name: str, status: int) -> None:
    assert Reply(shop.function(load(name), Context())).status == status
    assert shop.aws.requests == []


@pytest.mark.parametrize("name", [*ORDERS, *NO_ORDER])
def test_an_event_leaves_two_log_lines_and_no_secret(shop: Shop, name: str) -> None:
    shop.function(load(name), Context())
    request, response = shop.log()
    assert (request["event"], response["event"]) == ("request", "response")
    assert request["requestId"] == response["requestId"] == Context.aws_request_id
    assert "secret" not in "".join(shop.lines)
    if name.startswith(("rest", "http")):
        assert (request["method"], request["path"]) in {
            *(("POST", "/orders"), ("POST", "/prod/orders"), ("OPTIONS", "/prod/orders"))
        }
        assert request["sourceIp"] in ("203.0.113.9", "test-invoke-source-ip")
        assert request["userAgent"]
        assert request["apiRequestId"]


@pytest.mark.parametrize("name", ["rest", "http"])
def test_the_key_is_found_in_any_case(shop: Shop, name: str) -> None:
    event = load(name)
    assert Reply(shop.function(event, Context())).status == 201
    for header in ("Idempotency-Key", "idempotency-key"):
        event["headers"].pop(header, None)
    event["multiValueHeaders"] = None
    event["headers"]["IDEMPOTENCY-key"] = "8e03978e-40d5-43e8-bc93-6894a57f9324"
    assert Reply(shop.function(event, Context())).status == 200


def test_the_key_is_found_where_only_lists_of_headers_are_given(shop: Shop) -> None:
    event = load("rest")
    event["headers"] = None
    assert [Reply(shop.function(event, None)).status for _ in range(2)] == [201, 200]


def test_two_keys_are_refused(shop: Shop) -> None:
    event = load("rest")
    event["multiValueHeaders"]["Idempotency-Key"].append("another")
    reply = Reply(shop.function(event, None))
    assert (reply.status, reply.fields) == (400, {"Idempotency-Key"})


@pytest.mark.parametrize(
    ("name", "headers", "lists", "status"),
    [
        ("rest", {"Idempotency-Key": "k"}, {"Idempotency-Key": ["k", "k"]}, 201),
        ("rest", {"Idempotency-Key": "l"}, {"Idempotency-Key": ["k", "l"]}, 400),
        ("rest", {"Idempotency-Key": "k, k"}, {"Idempotency-Key": ["k, k"]}, 201),
        ("http", {"idempotency-key": "k,k"}, None, 201),
        ("http", {"idempotency-key": "k, k"}, None, 201),
        ("http", {"idempotency-key": "k,l"}, None, 400),
        ("http", {"idempotency-key": "k,"}, None, 400),
        ("http", {"idempotency-key": ","}, None, 400),
    ],
)
def test_a_key_header_sent_twice_is_one_key_if_the_values_are_equal(
    shop: Shop, name: str, headers: dict[str, str], lists: dict[str, list[str]] | None, status: int
) -> None:
    event = load(name)
    event["headers"] = {"content-type": "application/json", **headers}
    event["multiValueHeaders"] = lists
    assert Reply(shop.function(event, Context())).status == status
    if status == 201:
        event["headers"]["Idempotency-Key"] = event["headers"]["idempotency-key"] = "k"
        event["multiValueHeaders"] = None
        assert Reply(shop.function(event, Context())).status == 200, "it is the key k"


@pytest.mark.parametrize("body", ["%%%", "aGVsbG8", "é", "aGVs bG8=", "/w=="])
def test_a_body_that_is_no_base64_or_no_text_is_refused(shop: Shop, body: str) -> None:
    event = load("http_base64")
    event["body"] = body
    assert Reply(shop.function(event, None)).status == 400


@pytest.mark.parametrize(
    "event",
    [
        *(None, True, 0, 1.5, "", "text", [], [{}], {}, {"body": 1}, {"body": []}, {"body": ""}),
        *({"requestContext": None}, {"requestContext": [], "headers": 5, "body": "{}"}),
        *({"httpMethod": 1, "body": "{}"}, {"headers": {"idempotency-key": None}, "body": "{}"}),
        *({"body": {"body": {"body": "x"}}}, {"body": '{"body": null}'}, {"body": '{"body": "{"}'}),
        *({"body": '{"body": "1", "body": "2"}'}, {"Records": [{"Sns": {}}]}, {"customerName": float("nan")}),
        *({"a": "\ud800"}, {"x": {1: 2, None: 3}}, {"x": {(1, 2): 3}}, {"x": b"bytes"}, {"x": 10**5000}),
    ],
)
def test_any_other_event_is_refused_with_a_message(shop: Shop, event: Any) -> None:
    reply = Reply(shop.function(event, None))
    assert 400 <= reply.status < 500
    assert [line["event"] for line in shop.log()] == ["request", "response"]
    assert shop.aws.requests == []


def test_an_event_nested_beyond_reason_is_refused(shop: Shop) -> None:
    deep: Any = {}
    for _ in range(50_000):
        deep = {"a": deep}
    reply = Reply(shop.function({"customerName": deep}, None))
    assert reply.status == 400
    while deep:  # freed step by step: Python before 3.12 may not free such a value in one go
        deep = deep.pop("a")


def test_a_console_test_may_give_the_order_as_an_object_in_its_body(shop: Shop) -> None:
    order = {
        "customerName": "John Doe",
        "productName": "Wireless Mouse",
        "price": 0.1,
        "body": "with names: no envelope",
    }
    assert Reply(shop.function({"body": order}, None)).status == 201
    assert Reply(shop.function(order, None)).status == 201
    assert [item["price"] for item in shop.aws.items.values()] == [{"N": "0.1"}] * 2
    assert [item["body"]["S"] for item in shop.aws.items.values()] == [order["body"]] * 2


def test_the_event_is_left_as_it_was(shop: Shop) -> None:
    event = load("rest")
    before = copy.deepcopy(event)
    shop.function(event, None)
    assert event == before


def test_a_function_that_is_not_set_up_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    answer = handler.handler({}, None)
    assert answer["statusCode"] == 500
    record = json.loads(capsys.readouterr().out)
    assert record["level"] == "ERROR"
    assert "TABLE_NAME" in record["message"]


def test_a_defect_is_answered_and_logged(shop: Shop) -> None:
    def fails(count: int) -> bytes:
        raise ValueError("made to fail")

    function = handler.OrderFunction(
        handler.Environment(
            {
                "TABLE_NAME": "t",
                "TOPIC_ARN": "a",
                "AWS_REGION": "us-east-1",
                "AWS_ENDPOINT_URL_DYNAMODB": shop.aws.endpoint,
                "AWS_ENDPOINT_URL_SNS": shop.aws.endpoint,
            }
        ),
        *shop.clients,
        write=shop.lines.append,
        random_bytes=fails,
    )
    assert Reply(function(load("console"), None)).status == 500
    assert shop.log()[-1]["error"] == {"step": "handler", "code": "ValueError", "message": "made to fail"}
    assert shop.log()[-1]["level"] == "ERROR"
