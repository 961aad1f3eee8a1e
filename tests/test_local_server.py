from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ordernotify.local.server import guarded, is_refused

OURS = {b"host": b"127.0.0.1:4566"}
PAGE = OURS | {b"origin": b"https://evil.example"}


@pytest.mark.parametrize(
    ("path", "headers", "refused"),
    [
        ("/", OURS, False),
        ("/", PAGE, True),
        ("/_aws/execute-api/abc/prod/orders", PAGE, False),
        ("/_ministack/health", OURS, False),
        ("/_ministack/sqs/messages", OURS, False),
        ("/_ministack/sqs/messages", PAGE, True),
        ("/_ministack/reset", OURS, True),
        ("/_ministack/config", OURS, True),
        ("/_aws/execute-api/abc/prod/orders", {b"host": b"evil.example:4566"}, True),
        ("/", {b"host": b"localhost:4566"}, False),
        ("/", {b"host": b"abc.execute-api.localhost:4566"}, False),
        ("/", {b"host": b"127.0.0.1.evil.example:4566"}, True),
        ("/", {}, True),
    ],
)
def test_web_pages_and_unsigned_changes_are_kept_out(
    path: str, headers: dict[bytes, bytes], refused: bool
) -> None:
    assert is_refused(path, headers) is refused


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
    assert [message.get("status") for message in ask("/_ministack/reset", OURS)] == [403, None]


def test_another_request_does() -> None:
    assert ask("/", OURS) == [{"type": "inner"}]
