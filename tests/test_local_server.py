from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ordernotify.local.server import guarded, is_refused

HOST = {b"host": b"127.0.0.1:4566"}
SIGNED = HOST | {b"authorization": b"AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sns/aws4_request"}
ORDERS = "/_aws/execute-api/abc123/prod/orders"
IMAGE = HOST | {b"sec-fetch-site": b"cross-site", b"sec-fetch-dest": b"image", b"sec-fetch-mode": b"no-cors"}
OLD_IMAGE = HOST | {b"referer": b"https://evil.example/"}
FORM = HOST | {b"origin": b"null", b"content-type": b"application/x-www-form-urlencoded"}
BEACON = HOST | {b"origin": b"https://evil.example", b"sec-fetch-site": b"cross-site"}
PREFLIGHT = BEACON | {b"access-control-request-headers": b"authorization,x-amz-target"}
FROM_AN_ORDER_API = HOST | {b"sec-fetch-site": b"same-origin", b"referer": b"http://127.0.0.1:4566/_aws/x"}
PAGES = (IMAGE, OLD_IMAGE, FORM, BEACON, PREFLIGHT, FROM_AN_ORDER_API)


@pytest.mark.parametrize(
    "path", ["/", "/restapis", "/2015-03-31/functions", "/queue", "/_aws/execute-api/abc"]
)
def test_a_signed_request_reaches_the_services_and_an_unsigned_one_does_not(path: str) -> None:
    assert not is_refused(path, SIGNED)
    assert is_refused(path, HOST), "an image's address, with its signature in the query, in an old browser"
    assert is_refused(path, HOST | {b"authorization": b"Basic dGVzdDp0ZXN0"})


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(
    "path", ["/", "/restapis", "/_ministack/health", "/_ministack/sqs/messages", "/_aws/sqs"]
)
def test_a_page_reaches_no_service_even_with_a_signature(path: str, page: dict[bytes, bytes]) -> None:
    assert is_refused(path, page)
    assert is_refused(path, SIGNED | page)


@pytest.mark.parametrize("page", [*PAGES, HOST])
def test_a_page_reaches_the_order_apis(page: dict[bytes, bytes]) -> None:
    assert not is_refused(ORDERS, page)
    assert not is_refused("/_aws/execute-api/abc123/$default/orders", page)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(
    "path",
    [
        "/_aws/execute-api/",
        "/_aws/execute-api/abc123",
        "/_aws/execute-api/abc123/",
        "/_aws/execute-api//prod/orders",
        "/_aws/execute-api/abc123//orders",
        "/_aws/execute-api/../restapis/orders",
        "//_aws/execute-api/abc123/prod/orders",
    ],
)
def test_what_is_not_quite_an_order_api_is_closed_to_pages(path: str, page: dict[bytes, bytes]) -> None:
    """Without an id and a stage, MiniStack would look at `X-Amz-Target` for the service."""
    assert is_refused(path, page | {b"x-amz-target": b"DynamoDB_20120810.DeleteTable"})


def test_the_tool_reads_two_unsigned_paths_and_nobody_changes_the_cloud_by_the_others() -> None:
    assert not is_refused("/_ministack/health", HOST)
    assert not is_refused("/_ministack/sqs/messages", HOST)
    assert is_refused("/_ministack/reset", SIGNED)
    assert is_refused("/_ministack/config", HOST)


@pytest.mark.parametrize(
    ("host", "refused"),
    [
        (b"localhost:4566", False),
        (b"abc.lambda-url.localhost:4566", True),
        (b"evil.example:4566", True),
        (b"127.0.0.1.evil.example:4566", True),
        (b"localhost.evil.example", True),
        (b"evil.example@localhost", True),
        (b"", True),
    ],
)
def test_another_hosts_name_reaches_nothing(host: bytes, refused: bool) -> None:
    assert is_refused("/", SIGNED | {b"host": host}) is refused
    assert is_refused(ORDERS, {b"host": host}) is refused


def ask(path: str, headers: dict[bytes, bytes]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def inner(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "inner"})

    async def receive() -> dict[str, Any]:
        raise AssertionError("nothing is read of a refused request")

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "path": path, "headers": list(headers.items())}
    asyncio.run(guarded(inner)(scope, receive, send))
    return sent


def test_a_refused_request_never_reaches_the_cloud() -> None:
    assert [message.get("status") for message in ask("/_ministack/reset", HOST)] == [403, None]


def test_another_request_does() -> None:
    assert ask("/", SIGNED) == [{"type": "inner"}]
