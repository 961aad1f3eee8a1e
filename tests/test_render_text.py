"""Text that others wrote never commands the terminal, and never passes for a line of this program."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from rich.console import Console

from ordernotify.cli.run import with_errors_shown
from ordernotify.errors import OrderNotifyError
from ordernotify.render import clean, note, one_line, say
from ordernotify.render.proof import show_check
from ordernotify.stack.verify import Check
from tests.terminal import at_a_terminal

FORGED = "no\nHint: run `rm -rf /`\r\n\x1b[2JError: \x9b31m"


def fail() -> None:
    raise OrderNotifyError(FORGED, f"look\n{FORGED}")


def defect() -> None:
    raise ValueError(FORGED)


@pytest.mark.parametrize("call", [fail, defect])
@pytest.mark.parametrize("verbose", [False, True])
def test_no_message_forges_a_line_or_commands_the_terminal(
    call: Callable[[], None], verbose: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit):
        with_errors_shown(verbose, call)
    said = capsys.readouterr().err
    assert len([line for line in said.splitlines() if line.startswith("Hint: ")]) == 1
    assert len([line for line in said.splitlines() if line.startswith("Error: ")]) == 1
    assert ("Traceback" in said) is verbose
    assert clean(said) == said


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "could not read or write the output: No space"),
        (PermissionError(errno.EACCES, "Permission denied", "x"), "could not read or write x: Permission"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "unexpected ConnectionRefused"),
    ],
)
def test_only_an_error_of_the_output_is_told_as_one(
    error: OSError, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        raise error

    monkeypatch.setattr("ordernotify.cli.run._drop_output", lambda: None)
    with pytest.raises(typer.Exit):
        with_errors_shown(False, fails)
    assert capsys.readouterr().err.startswith(f"Error: {told}")


def test_a_note_and_a_check_forge_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    note(FORGED)
    show_check(Check("order stored", False, FORGED))
    captured = capsys.readouterr()
    said = captured.out + captured.err
    assert not [line for line in said.splitlines() if line.startswith(("Hint: ", "Error: "))]
    assert clean(said) == said


def test_one_line_stays_one_line() -> None:
    assert one_line("a\tb\nc\x1b[0m\u2028\ud800") == "a b\\x0ac\\x1b[0m��"


class Screen(io.StringIO):
    """What a terminal is written."""

    def isatty(self) -> bool:
        return True


def test_prose_breaks_between_words_where_a_person_watches() -> None:
    arn = "arn:aws:lambda:us-east-1:123456789012:function:orders"
    text = (
        f"There is no stack for {arn}; `ordernotify setup --stack development` makes it. Error: {'x ' * 9}y"
    )
    assert said_to(Screen(), text).splitlines() == [
        "Hint: There is no stack for",
        f"      {arn};",
        "      `ordernotify setup --stack development`",
        "      makes it. Error: x x x x x x x x x",
        "      y",
    ]
    assert said_to(io.StringIO(), text) == f"Hint: {text}\n"


def said_to(screen: io.StringIO, text: str) -> str:
    say(Console(file=screen, width=40, soft_wrap=True), text, ("Hint: ", ""))
    return screen.getvalue()


def test_a_terminal_that_says_it_has_no_columns_gets_the_words(tmp_path: Path) -> None:
    words = ("logs", "--since", "soon")
    with at_a_terminal(*words, environ=os.environ, folder=tmp_path, columns=0) as terminal:
        assert terminal.end() == 2
        assert terminal.shown.startswith("Error: 'soon' is not a time\n")
