"""Subscribers as a person and a script see them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from ordernotify.errors import OrderNotifyError
from ordernotify.render.hints import begin_command
from ordernotify.render.subscribers import outcome_document, show_list, show_list_json, show_outcome
from ordernotify.resources.filter_policy import Scope
from ordernotify.resources.subscriber import Subscriber
from ordernotify.subscribers.change import SubscriberAction, SubscriberOutcome
from ordernotify.subscribers.endpoints import Endpoint

ARN = "arn:aws:sns:us-east-1:123456789012:topic:1"


def one(endpoint: str, protocol: str = "email", *, pending: bool = False, **more: Any) -> Subscriber:
    values: Mapping[str, Any] = {"filter_policy": {}, "scope": Scope.ATTRIBUTES, "raw": False} | more
    return Subscriber(protocol, endpoint, None if pending else ARN, pending, **values)


def test_the_table_has_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    show_list(
        [
            one("you@example.com"),
            one("https://example.com/\x1b[2J\n", "https", pending=True),
            one("arn:aws:sqs:x", "sqs", filter_policy={"quantity": [1]}, scope=Scope.BODY, raw=True),
            one("+14155550100", "sms", readable=False),
        ]
    )
    assert capsys.readouterr().out.splitlines() == [
        "email   confirmed  you@example.com",
        "https   pending    https://example.com/\\x1b[2J\\x0a",
        'sqs     confirmed  arn:aws:sqs:x  body: {"quantity":[1]} (raw)',
        "sms     confirmed  +14155550100  (not known: made by another account)",
    ]


def test_a_pending_email_is_told_why_and_how_it_is_asked_again(capsys: pytest.CaptureFixture[str]) -> None:
    show_list([one("you@example.com", pending=True), one("o'brien@example.com", pending=True)])
    told = capsys.readouterr().err
    assert "more than 10 messages a second" in told
    assert "48 hours" in told
    assert "`ordernotify subscribe you@example.com 'o'\"'\"'brien@example.com'` asks again" in told


def test_the_commands_of_a_note_have_the_stack_of_this_one(capsys: pytest.CaptureFixture[str]) -> None:
    begin_command({"stack": "dev"}, {})
    show_list([one("you@example.com", pending=True)])
    assert "`ordernotify subscribe you@example.com --stack dev` asks again" in capsys.readouterr().err


def test_where_all_are_confirmed_nothing_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    show_list([one("you@example.com")])
    assert capsys.readouterr().err == ""


def test_nobody_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    show_list([])
    assert "Nobody is subscribed." in capsys.readouterr().out


def test_json_has_a_document_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    show_list_json([one("you@example.com", filter_policy={"orderId": ["1"]})])
    assert json.loads(capsys.readouterr().out) == {
        "protocol": "email",
        "endpoint": "you@example.com",
        "state": "confirmed",
        "filterPolicy": {"orderId": ["1"]},
        "filterScope": "attributes",
        "raw": False,
        "confirmationWasAuthenticated": False,
        "arn": ARN,
    }


@pytest.mark.parametrize("action", sorted(set(SubscriberAction) - {SubscriberAction.FAILED}))
def test_what_was_done_is_said_with_the_state(
    action: SubscriberAction, capsys: pytest.CaptureFixture[str]
) -> None:
    show_outcome(SubscriberOutcome(Endpoint("email", "you@example.com"), action, one("x"), ("look",)))
    captured = capsys.readouterr()
    assert captured.out.startswith("email you@example.com: ")
    assert captured.out.count("confirmed") == 1
    assert captured.err == "Note: look\n"


def test_what_failed_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    failed = SubscriberOutcome(
        Endpoint("email", "you@example.com"),
        SubscriberAction.FAILED,
        error=OrderNotifyError("no topic", "Make one."),
    )
    show_outcome(failed)
    assert capsys.readouterr() == ("", "Error: no topic\nHint: Make one.\n")
    assert outcome_document(failed)["error"] == "no topic"
