"""What can be subscribed, by its form, and the options that go with it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from ordernotify.cli import app
from ordernotify.cli import subscribers as commands
from ordernotify.errors import UsageError
from ordernotify.resources.filter_policy import Scope
from ordernotify.subscribers.endpoints import Endpoint, Wanted, parse_endpoint, parse_wanted
from tests.subscribers_support import (
    EMAIL,
    FUNCTION,
    QUEUE,
    RECEIVED,
    TOPIC_ARN,
)

assert commands.__name__  # imported so that the commands are registered


@pytest.mark.parametrize(
    ("text", "protocol"),
    [
        ("you@example.com", "email"),
        ("o'neil+orders@sub.example.co", "email"),
        ("+14155550100", "sms"),
        ("https://example.com", "https"),
        ("https://example.com:8443/orders?a=b@c", "https"),
        (QUEUE, "sqs"),
        ("arn:aws-cn:sqs:cn-north-1:123456789012:orders", "sqs"),
        (FUNCTION, "lambda"),
        (f"{FUNCTION}:live", "lambda"),
    ],
)
def test_an_endpoint_is_told_by_its_form(text: str, protocol: str) -> None:
    assert parse_endpoint(text) == Endpoint(protocol, text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "cannot be subscribed"),
        ("orders", "cannot be subscribed"),
        ("4155550100", "cannot be subscribed"),
        ("ftp://example.com/x", "cannot be subscribed"),
        ("https://", "cannot be subscribed"),
        ("https://user@example.com/x", "cannot be subscribed"),
        ("https://example.com/a b", "cannot be subscribed"),
        ("https://example.com/\udcff", "cannot be subscribed"),
        ("you\udcff@example.com", "cannot be subscribed"),
        ("arn:aws:s3:::bucket", "cannot be subscribed"),
        ("arn:aws:sqs:us-east-1:123:orders", "cannot be subscribed"),
        (TOPIC_ARN, "cannot be subscribed"),
        ("http://example.com/x", "is not encrypted"),
        ("HTTP://example.com/x", "is not encrypted"),
        ("+1 415 555 0100", "is not a phone number"),
        ("you@example", "is not an email address"),
        (f"{QUEUE}.fifo", "is a FIFO queue"),
        (f"{QUEUE}\n", "cannot be subscribed"),
    ],
)
def test_what_is_no_endpoint_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_endpoint(text)
    assert reason in refused.value.message
    assert refused.value.hint


def test_wrong_use_ends_with_2_and_lists_the_forms() -> None:
    done = CliRunner().invoke(app, ["subscribe", "you@example.com", "orders"])
    assert done.exit_code == 2
    for form in ("you@example.com", "+14155550100", "https://", "arn:aws:sqs:", "arn:aws:lambda:"):
        assert form in done.stderr


@pytest.mark.parametrize(
    ("endpoints", "options", "reason"),
    [
        ([EMAIL], {"scope": Scope.BODY}, "--filter-scope says how"),
        ([EMAIL], {"filter_policy": "{"}, "not JSON"),
        ([QUEUE, "+14155550100"], {"filter_policy": '{"a":["b"]}', "scope": Scope.BODY}, "let none of them"),
        ([QUEUE, FUNCTION], {"raw": True}, "raw delivery exists for"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    endpoints: list[str], options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UsageError) as refused:
        parse_wanted(
            [parse_endpoint(text) for text in endpoints],
            options.get("filter_policy"),
            options.get("scope"),
            options.get("raw"),
        )
    assert reason in refused.value.message


def test_options_are_read() -> None:
    wanted = parse_wanted([Endpoint("sqs", QUEUE)], json.dumps(RECEIVED), Scope.BODY, True)
    assert wanted == Wanted(RECEIVED, Scope.BODY, True)
