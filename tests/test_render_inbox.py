"""The inbox as a person and a script see it, and its options."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from ordernotify import times
from ordernotify.aws.waiting import SystemClock
from ordernotify.cli import app
from ordernotify.cli import stack as commands
from ordernotify.local.inbox import Delivery
from ordernotify.render.proof import show_inbox
from tests.frozen_time import frozen
from tests.provision_support import Account

__all__ = ["frozen"]

REGISTERED = commands.inbox


def delivery(number: int = 1, received_at: str = "2026-03-01T12:00:00.000Z", **more: str) -> Delivery:
    values = {"to": "you@example.com", "protocol": "email", "subject": "New order", "message": "a\nb"} | more
    return Delivery(**values, order_id=f"order-{number}", received_at=received_at, message_id=str(number))


def test_a_message_has_local_time_and_another_day_its_date(
    frozen: datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    came = frozen - timedelta(minutes=30)
    show_inbox([delivery(received_at=came.astimezone(UTC).isoformat())], times.now)
    day = f"{came:%Y-%m-%d} " if came.date() != frozen.date() else ""
    assert capsys.readouterr().out.splitlines() == [
        f"{day}{came:%H:%M:%S}.000  email to you@example.com",
        "Subject: New order",
        "  a",
        "  b",
        "",
    ]


def test_no_text_forges_a_message_or_commands_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    evil = "x\n12:00:00.000  email to you\x1b[2J"
    show_inbox([delivery(to=evil, subject=evil, message=evil, received_at=evil)], times.now)
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert len([line for line in said.splitlines() if not line.startswith(("  ", "Subject: "))]) == 2


def test_json_is_in_utc_and_an_empty_inbox_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    show_inbox([delivery()], times.now, as_json=True)
    assert json.loads(capsys.readouterr().out) == {
        "to": "you@example.com",
        "protocol": "email",
        "subject": "New order",
        "text": "a\nb",
        "orderId": "order-1",
        "receivedAt": "2026-03-01T12:00:00.000Z",
    }
    show_inbox([], times.now)
    assert capsys.readouterr().out == "The inbox is empty.\n"


def orders(*args: str, monkeypatch: pytest.MonkeyPatch, account: Account) -> list[str]:
    """Type `inbox` at three messages; while it follows, a fourth comes, and then Ctrl-C."""
    arrived = [delivery(1), delivery(2, to="+14155550100"), delivery(3)]

    def sleep(self: SystemClock, seconds: float) -> None:
        if len(arrived) == 4:
            raise KeyboardInterrupt
        arrived.append(delivery(4))

    monkeypatch.setattr(SystemClock, "sleep", sleep)
    monkeypatch.setattr("ordernotify.local.inbox.read_inbox", lambda *_, **_more: list(arrived))
    monkeypatch.setattr("ordernotify.cli.run.Run.cloud", lambda _: account.cloud())
    result = CliRunner().invoke(app, ["inbox", "--json", *args])
    assert result.exit_code == 0, result.output
    return [json.loads(line)["orderId"] for line in result.stdout.splitlines() if line.startswith("{")]


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        ((), [1, 2, 3]),
        (("--limit", "2"), [2, 3]),
        (("--limit", "9"), [1, 2, 3]),
        (("--to", "you@example.com", "--limit", "1"), [3]),
        (("--order", "order-2"), [2]),
        (("-f",), [1, 2, 3, 4]),
        (("-f", "--limit", "1"), [3, 4]),
        (("-f", "--to", "+14155550100"), [2]),
    ],
)
def test_what_is_shown(
    account: Account, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], shown: list[int]
) -> None:
    found = orders(*args, monkeypatch=monkeypatch, account=account)
    assert found == [f"order-{number}" for number in shown]
