"""What the tests of commands share: commands typed at the account in memory, with or without a terminal."""

from __future__ import annotations

import importlib
import os
import pkgutil
import pty
import sys
import termios
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

import ordernotify.cli
from ordernotify import provision
from ordernotify.cli import app, questions
from ordernotify.function.api_event import NO_BODY
from ordernotify.orders.post import Answer, Draft
from ordernotify.stack import answers, left
from tests.provision_support import Account, ManualClock

for module in pkgutil.iter_modules(ordernotify.cli.__path__):
    # Importing a module registers its commands.
    importlib.import_module(f"ordernotify.cli.{module.name}")
_ACCOUNT = ("--aws", "--region", "us-east-1")
Typed = Callable[..., Result]
Answered = Callable[..., int]


class AnswersAtOnce:
    """In place of the client that setup asks with: the account in memory runs no functions."""

    def __init__(self, *_: object, **__: object) -> None:
        """Take what a client takes."""

    def send(self, _draft: Draft) -> Answer:
        """Answer as the function answers an empty body."""
        return Answer(400, NO_BODY)

    def close(self) -> None:
        """Do nothing: there is no connection."""


@pytest.fixture
def typed(account: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Typed:
    """Type a command at the account in memory; its calls are recorded, and setup's waits take no time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr("ordernotify.aws.session.aws_cloud", lambda *_: account.cloud())
    monkeypatch.setattr(provision, "SystemClock", ManualClock)
    monkeypatch.setattr(left, "SystemClock", ManualClock)
    monkeypatch.setattr(answers, "OrderClient", AnswersAtOnce)
    return lambda *words: CliRunner().invoke(app, [*words, *_ACCOUNT])


@pytest.fixture
def answered(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> Iterator[Answered]:
    """Type a command at a pseudo-terminal, and the answers to its questions; returns its exit status.

    The terminal is at its end after the answers: a further question ends the command with 1.
    """
    keyboard, terminal = pty.openpty()

    def run(*words: str, answers: tuple[str, ...], place: Sequence[str] = _ACCOUNT) -> int:
        termios.tcflush(terminal, termios.TCIFLUSH)  # what nobody asked for the last time
        os.write(keyboard, "".join(f"{line}\n" for line in answers).encode() + b"\x04")
        with pytest.raises(SystemExit) as ended:
            get_command(app).main([*words, *place], prog_name="ordernotify")
        return int(ended.value.code or 0)

    with closing(os.fdopen(terminal)) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(questions, "at_terminal", stdin.isatty)  # stderr is captured
        yield run
    os.close(keyboard)
