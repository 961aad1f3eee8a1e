"""Help and wrong usage read well: held here, because versions of Typer differ in both."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

import tests.cli_support  # registers every command
from ordernotify.cli import app
from ordernotify.cli.help import PANELS, help_of

WIDTHS = (60, 80, 140)
assert tests.cli_support


def commands(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    command = command or get_command(app)
    if not hasattr(command, "commands"):
        yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*path, name))


COMMANDS = list(commands())


@functools.cache
def typed(*words: str, width: int = 80) -> Result:
    return CliRunner().invoke(app, words, env={"COLUMNS": str(width)}, prog_name="ordernotify")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    ("path", "command"),
    COMMANDS,
    ids=lambda value: " ".join(map(str, value))[:30] if isinstance(value, tuple) else "",
)
def test_help_shows_every_option_and_argument_whole(path: tuple[str, ...], command: Any, width: int) -> None:
    shown = typed(*path, "--help", width=width).stdout
    words = set(re.split(r"[\s,│]+", shown))
    for parameter in command.params:
        for option in parameter.opts:
            if option.startswith("--"):
                # The narrowest terminal has no room for the longest names.
                cut = (
                    {f"{option[:end]}…" for end in range(15, len(option))} if width == min(WIDTHS) else set()
                )
                assert words & {option, f"--[no-]{option[2:]}", *cut}, option
            elif parameter.param_type_name == "argument":
                assert parameter.metavar in words
    assert max(map(len, shown.splitlines())) <= width


@pytest.mark.parametrize(
    ("path", "command"),
    COMMANDS,
    ids=lambda value: " ".join(map(str, value))[:30] if isinstance(value, tuple) else "",
)
def test_help_has_no_types_of_a_programming_language_and_no_doubled_braces(
    path: tuple[str, ...], command: Any
) -> None:
    shown = typed(*path, "--help").stdout
    assert re.findall(r"<(bool|str|int|path|float|list\S*)>", shown) == []
    assert re.findall(r"\{[A-Z_]+(?:\.\.\.)?\}", shown) == []
    assert typed(*path, "-h").stdout == shown


def test_paragraphs_fill_the_width() -> None:
    shown = typed("logs", "--help", width=140).stdout
    [line] = [line for line in shown.splitlines() if "Lines reach CloudWatch late" in line]
    assert len(line.rstrip()) > 120


def test_examples_keep_their_lines() -> None:
    text = help_of("""Do it
        well.

        More of
        it.

        Example: one \\
            --two

        Example: three
        """)
    assert text == "Do it well.\n\nMore of it.\n\nExamples:\none \\\n    --two\nthree"


@pytest.mark.parametrize(
    ("path", "command"),
    COMMANDS,
    ids=lambda value: " ".join(map(str, value))[:30] if isinstance(value, tuple) else "",
)
def test_no_line_of_an_example_is_broken_at_80_columns(path: tuple[str, ...], command: Any) -> None:
    shown = [line.strip() for line in typed(*path, "--help").stdout.splitlines()]
    for line in command.help.split("\n\n")[-1].splitlines()[1:]:
        assert line.strip() in shown


def test_commands_are_in_the_order_of_life() -> None:
    shown = typed("--help").stdout
    listed = re.findall(r"^│ ([a-z][a-z-]+) ", shown, re.MULTILINE)
    panels = [
        panel for panel in re.findall(r"^╭─ ([A-Z][a-z ]+) ─", shown, re.MULTILINE) if panel != "Options"
    ]
    assert panels == list(PANELS)
    assert listed == [name for names in PANELS.values() for name in names if name in listed]
    assert set(get_command(app).commands) == set(listed)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (
            ("send-order", "--quantity", "x"),
            "--quantity must be a whole number, not 'x'",
            "send-order --help",
        ),
        (
            ("send-order", "--rate", "x"),
            "--rate must be a number of at least 0, not 'x'",
            "send-order --help",
        ),
        (
            ("redrive", "--concurrency", "65"),
            "--concurrency must be a whole number from 1 to 64, not 65",
            "redrive",
        ),
        (("setup", "--api", "soap"), "--api must be rest or http, not 'soap'", "setup --help"),
        (("status", "--color", "x"), "--color must be auto, always or never, not 'x'", "status --help"),
        (("setup", "--emial", "a@b.example"), "there is no option --emial", "Did you mean"),
        (("setup", "--memory"), "--memory needs a value", ""),
        (("status", "--json=x"), "--json takes no value", ""),
        (("get-order",), "ID is missing", "get-order --help"),
        (("statu",), "no such command 'statu'. Did you mean 'status'", "ordernotify --help"),
        (("verify", "x"), "got unexpected extra argument(s) (x)", "verify --help"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_is_told_in_the_tools_words(words: tuple[str, ...], message: str, hint: str) -> None:
    done = typed(*words)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"Error: {message}")
    assert hint in done.stderr


def test_without_a_command_the_help_is_shown() -> None:
    done = typed()
    assert done.exit_code == 2
    assert done.stdout.strip() == typed("--help").stdout.strip()


@pytest.mark.parametrize("words", [("--help",), ("setup", "-h"), ()], ids=" ".join)
def test_the_installed_command_shows_the_same_help_as_all_commands_built(words: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "ordernotify", *words]
    environ = {"PATH": "/usr/bin:/bin", "COLUMNS": "80"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.stdout == typed(*words).stdout
    assert done.returncode == (0 if words else 2)


def test_the_version_is_the_installed_one() -> None:
    assert re.fullmatch(r"ordernotify \d+\.\d+\.\d+\n", typed("--version").stdout)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_completes_commands(shell: str) -> None:
    environ = {
        "_ORDERNOTIFY_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": "ordernotify sen",
        "COMP_CWORD": "1",
        "_TYPER_COMPLETE_ARGS": "ordernotify sen",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    done = subprocess.run(
        [sys.executable, "-c", "from ordernotify.cli import main; main()"],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "send-order" in done.stdout, done
