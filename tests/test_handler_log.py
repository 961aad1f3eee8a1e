"""The log: two lines of JSON per request, which tell all but the secrets and which no customer can forge."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ordernotify import handler
from ordernotify.function import log
from ordernotify.function.aws_client import AwsClient
from tests.handler_fakes import ENVIRONMENT, PUBLISH, Context, Shop, open_shop

ORDER = {"customerName": "John Doe", "productName": "Wireless Mouse", "price": 0.1}
EVENT: dict[str, Any] = {
    "httpMethod": "POST",
    "path": "/orders",
    "headers": {"Idempotency-Key": "k", "User-Agent": "curl/8"},
    "requestContext": {"requestId": "r-1", "identity": {"sourceIp": "203.0.113.9", "userAgent": "curl/8"}},
    "body": json.dumps(ORDER),
    "isBase64Encoded": False,
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


class Storing:
    """The function with clients that take everything, for tests of its log alone."""

    def __init__(self) -> None:
        self.write: Callable[[str], None] = lambda _: None

    def __call__(self, event: Any, context: Any) -> Any:
        return handler.OrderFunction(
            handler.Environment(ENVIRONMENT | {"AWS_ENDPOINT_URL_DYNAMODB": "", "AWS_ENDPOINT_URL_SNS": ""}),
            cast("AwsClient", self),
            cast("AwsClient", self),
            write=self.write,
        )(event, context)

    def call(self, *_: Any) -> bytes:
        return b"{}"


STORING = Storing()


@pytest.fixture
def shop() -> Iterator[Shop]:
    with open_shop() as shop:
        yield shop


def send(shop: Shop, **changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    shop.lines.clear()
    shop.function(EVENT | changes, Context())
    request, response = shop.log()
    return request, response


def test_the_two_lines_of_an_order(shop: Shop) -> None:
    request, response = send(shop)
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    assert re.fullmatch(time, request.pop("timestamp"))
    assert request == {
        "level": "INFO",
        "event": "request",
        "requestId": Context.aws_request_id,
        "apiRequestId": "r-1",
        "method": "POST",
        "path": "/orders",
        "sourceIp": "203.0.113.9",
        "userAgent": "curl/8",
        "headers": {"Idempotency-Key": "k", "User-Agent": "curl/8"},
        "body": ORDER,
    }
    assert re.fullmatch(time, response.pop("timestamp"))
    duration, steps = response.pop("durationMs"), response.pop("steps")
    [order] = shop.aws.orders()
    assert response == {
        "level": "INFO",
        "event": "response",
        "requestId": Context.aws_request_id,
        "status": 201,
        "coldStart": True,
        "orderId": order["orderId"],
        "notification": "sent",
        "messageId": "m-1",
        "message": "Order received",
        "body": {"orderId": order["orderId"], "message": "Order received"},
    }
    assert list(steps) == ["validated", "stored", "published", "marked"]
    assert sorted(steps.values()) == list(steps.values())
    assert 0 <= steps["validated"] <= steps["marked"] <= duration


def test_a_notification_that_is_not_out_is_counted_and_a_usual_order_is_not(shop: Shop) -> None:
    _, sent = send(shop)
    assert "_aws" not in sent
    shop.aws.fail(PUBLISH, "denied")
    _, response = send(shop, headers={"Idempotency-Key": "another"})
    assert response["NotificationsPending"] == 1
    assert response["stack"] == "default"
    assert isinstance(response["_aws"]["Timestamp"], int)
    assert response["_aws"]["CloudWatchMetrics"] == [
        {
            "Namespace": "ordernotify",
            "Dimensions": [["stack"]],
            "Metrics": [{"Name": "NotificationsPending", "Unit": "Count"}],
        }
    ]


def test_a_replay_and_a_refusal_have_levels_of_their_own(shop: Shop) -> None:
    send(shop)
    _, replay = send(shop)
    assert (replay["level"], replay["OrdersReplayed"], replay["replayed"]) == ("INFO", 1, True)
    assert (replay["coldStart"], replay["notification"], replay["messageId"]) == (False, "sent", "m-1")
    _, refusal = send(shop, body="{}")
    assert (refusal["level"], refusal["status"]) == ("WARNING", 400)
    assert len(refusal["body"]["errors"]) == 2
    assert "orderId" not in refusal


@pytest.mark.parametrize(
    "name",
    [
        *("Authorization", "authorization", "X-API-Key", "Cookie", "Set-Cookie", "x-amz-security-token"),
        *("Proxy-Authorization", "apiKey", "api_key", "password", "userPassword", "access_token"),
        *("clientSecret", "cardNumber", "card-number", "credit card", "CVV", "X-Hub-Signature-256"),
        *("X-Auth-Key", "auth", "pwd", "PIN", "userPin", "jwt", "otp", "OTP_code"),
    ],
)
def test_secrets_are_masked_at_any_depth(shop: Shop, name: str) -> None:
    body = ORDER | {"x": [{"y": {name: "hidden"}}]}
    headers = EVENT["headers"] | {name: "hidden"}
    for changes in (
        {"headers": headers},
        {"headers": None, "multiValueHeaders": {name: ["hidden", "hidden"]}},
        {"body": json.dumps(body)},
        {"body": json.dumps({"body": json.dumps(body)})},
        {"body": json.dumps(body) + "no JSON"},
        {"body": f"{name}=hidden&{name}: hidden"},
    ):
        request, _ = send(shop, **changes)
        assert "hidden" not in json.dumps(request)
        assert "***" in json.dumps(request)


@pytest.mark.parametrize("text", ["Bearer abc.def-1", "say bearer abc.def-1 loud", "x Basic abc.def-1=="])
def test_what_looks_like_a_credential_is_masked_in_text(shop: Shop, text: str) -> None:
    request, _ = send(shop, body=text)
    assert "abc.def" not in request["body"]


@pytest.mark.parametrize("text", ["token" * 12_000 + " Bearer x", "bearer" + " " * 60_000, "token" * 13_000])
def test_masking_takes_no_time_that_a_customer_could_drive_up(shop: Shop, text: str) -> None:
    for body in (text, json.dumps(ORDER | {"a": text})):
        begun = time.thread_time()  # another program's work does not count
        send(shop, body=body)
        assert time.thread_time() - begun < 1


SECRET = "Zq7hidden"
QUOTES = st.sampled_from(["", '"', "\\", '\\"', ", ", "}", "'", " "])
SECRET_FIELDS = st.sampled_from(["password", "X-Auth-Key", "auth", "userPin", "pwd", "otp", "jwt", "api_key"])


def wrapped(value: Any, ways: list[str]) -> Any:
    """Nest a value in objects, lists and texts of JSON."""
    wrap: dict[str, Callable[[Any], Any]]
    for way in ways:
        wrap = {
            "object": lambda inner: {"x": inner},
            "list": lambda inner: [1, inner],
            "text": json.dumps,
            "escaped": lambda inner: json.dumps(inner).replace("a", "\\u0061"),
            "secret name": lambda inner: {"token": inner},
        }
        value = wrap[way](value)
    return value


@given(
    field=SECRET_FIELDS,
    around=st.tuples(QUOTES, QUOTES),
    ways=st.lists(st.sampled_from(["object", "list", "text", "escaped", "secret name"]), max_size=5),
    refused=st.sampled_from(["", "customerName", "broken", "cut"]),
    encoded=st.booleans(),
    envelope=st.booleans(),
)
@example("password", ("", ""), ["escaped"], "broken", False, False)
@example("password", ('"', '"'), ["text", "escaped", "text"], "cut", True, True)
def test_no_secret_reaches_the_log_whatever_it_is_wrapped_in(
    field: str, around: tuple[str, str], ways: list[str], refused: str, encoded: bool, envelope: bool
) -> None:
    lines: list[str] = []
    order = ORDER | {"note": wrapped({field: around[0] + SECRET + around[1]}, ways)}
    if refused == "customerName":
        order.pop(refused)
    body = json.dumps(order)
    if refused in ("broken", "cut"):
        body = body + "}" if refused == "broken" else body[:-1]
    if envelope:
        body = json.dumps({"body": body})
    event = EVENT | {"isBase64Encoded": encoded}
    event["body"] = base64.b64encode(body.encode()).decode() if encoded else body
    STORING.write = lines.append
    STORING(event, None)
    assert [json.loads(line)["event"] for line in lines] == ["request", "response"]
    assert SECRET not in "".join(lines)
    assert base64.b64encode(SECRET.encode()).decode()[:8] not in "".join(lines)


@pytest.mark.parametrize(
    "text", ["BASIC dXNlcjpwYXNz", "basic  dXNlcjpwYXNz", "BEARER dXNlcjpwYXNz", "Bearer\tdXNlcjpwYXNz"]
)
def test_credentials_in_the_fields_of_an_order_are_masked(shop: Shop, text: str) -> None:
    request, response = send(shop, body=json.dumps(ORDER | {"note": [{"header": f"x {text}"}]}))
    assert response["status"] == 201
    assert "dXNlcjpwYXNz" not in json.dumps(request)


@pytest.mark.parametrize("name", ["shipping", "author", "opinion", "hotplate", "pinned"])
def test_names_that_only_contain_a_secret_word_are_not_masked(shop: Shop, name: str) -> None:
    request, _ = send(shop, body=json.dumps(ORDER | {name: "shown"}))
    assert request["body"][name] == "shown"


def test_no_secret_is_sought_where_none_is(shop: Shop) -> None:
    request, _ = send(shop, body="customerName=John&productName=Mouse")
    assert request["body"] == "customerName=John&productName=Mouse"


def test_bodies_can_be_left_out() -> None:
    with open_shop(LOG_BODIES="false") as shop:
        for body in (json.dumps(ORDER | {"note": "private"}), '{"private', "private"):
            for line in send(shop, body=body):
                assert "body" not in line
                assert "private" not in json.dumps(line)


@given(text=st.text(), name=st.text(), value=JSON)
def test_no_text_forges_or_splits_a_line(text: str, name: str, value: Any) -> None:
    record = {
        "event": "request",
        "path": text,
        "headers": log.masked({name: text}),
        "body": log.masked(value),
    }
    line = log.log_line(record)
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["event"] == "request"


@pytest.mark.parametrize("character", ["\u2028", "\n", "\r\n", "\x1b[31m", "\x85", "\x00", '"}\n{"a":"'])
def test_line_breaks_and_escapes_of_a_customer_stay_inside_the_line(shop: Shop, character: str) -> None:
    send(shop, body=f"x{character}y", path=f"/{character}", headers={f"a{character}": character})
    assert all(line.isprintable() and line.isascii() for line in shop.lines)


@pytest.mark.parametrize("character", ["x", "\n", "é", "🚚", "\\", '"', "\x00", "\u2028", "\ud800"])
def test_a_line_stays_under_the_limit_of_cloudwatch(shop: Shop, character: str) -> None:
    big = character * 1_000_000
    for changes in (
        {"body": big},
        {"body": json.dumps({"a": big})},
        {"path": big, "headers": {"a": big, big: "b"}, "requestContext": {"requestId": big}},
    ):
        request, _ = send(shop, **changes)
        assert request["event"] == "request"
        assert max(len(line) for line in shop.lines) <= 256 * 1024 - 26
    shop.function({"customerName": [character * 1000] * 1000}, None)
    assert max(len(line) for line in shop.lines) <= 256 * 1024 - 26


def test_a_line_that_was_cut_says_so(shop: Shop) -> None:
    request, _ = send(shop, path="x" * 300_000)
    assert request["truncated"] is True
    assert len(request["path"]) == log.MAX_LOG_VALUE
    assert request["body"] == ORDER


def test_a_failing_log_does_not_fail_the_order(capsys: pytest.CaptureFixture[str]) -> None:
    class Broken:
        def write(self, _: str) -> int:
            raise BrokenPipeError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", Broken())
        log.write_log("x")
    log.write_log("y")
    assert capsys.readouterr().out == "y\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1738324800.1239, "2025-01-31T12:00:00.123Z"),
        (1e9, "2001-09-09T01:46:40.000Z"),
    ],
)
def test_timestamps_are_iso_8601_in_utc(seconds: float, text: str) -> None:
    assert log.timestamp(seconds) == text
