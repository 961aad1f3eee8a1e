"""Every command that a text names can be pasted: it exists, and it works on the stack of the command."""

from __future__ import annotations

import ast
import functools
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

import ordernotify
from ordernotify.cli import app, local
from ordernotify.render.hints import begin_command, pasteable
from tests.cli_support import Typed, typed
from tests.provision_support import Account

__all__ = ["local", "typed"]

PACKAGE = Path(ordernotify.__file__).parent
COMMAND = re.compile(r"`([^`]+)`")
PLACE = {
    "stack": "dev",
    "aws": True,
    "region": "eu-west-1",
    "profile": "my shop",
    "config": "shop.toml",
    "table-name": "Orders",
}
ACCOUNT = ("--aws", "--region", "us-east-1")
SETTINGS = {"memory": 512, "access-logs": False, "cors-origin": ["https://a.example", "https://b.example"]}


@functools.cache
def texts() -> list[str]:
    return list(_texts())


def _texts() -> Iterator[str]:
    """Yield every text of the package that is no docstring, with a word for each value that is filled in."""
    # The README of an export is a file for later: its commands hold the stack's own options.
    for source in set(PACKAGE.rglob("*.py")) - {PACKAGE / "export" / "readme.py"}:
        written = source.read_text(encoding="utf-8")
        if "`" not in written:
            continue
        tree = ast.parse(written)
        plain = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                yield "".join(str(v.value) if isinstance(v, ast.Constant) else "word" for v in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in plain:
                yield node.value


NAMED = sorted(
    {
        # a kind of policy is filled in, or the option that mends a control
        found.replace("policy word", "policy setup").replace("setup word", "setup --tracing")
        for text in texts()
        for found in COMMAND.findall(text)
        if re.match(r"ordernotify (?!(?:policy )?word$)[a-z]", found)
    }
)
ROOT: Any = get_command(app)
OWN = {*ROOT.commands} | {"policy setup", "policy operate"}


def parsed(line: str) -> list[str]:
    """Parse a command line as the installed command does, without running it; returns the options' names."""
    command = ROOT
    words = shlex.split(line)[1:]
    while hasattr(command, "commands"):
        assert words[0] in command.commands, f"{line} is no command"
        command = command.commands[words.pop(0)]
    made = command.make_context("ordernotify", words)
    return [name for name in made.params if made.get_parameter_source(name).name == "COMMANDLINE"]


@pytest.mark.parametrize("line", NAMED)
def test_a_command_in_a_text_is_one_and_carries_what_this_one_was_told(line: str) -> None:
    begin_command(PLACE, SETTINGS)
    pasted = pasteable(f"do `{line}` now").removeprefix("do `").removesuffix("` now")
    told = set(parsed(pasted))
    if not line.startswith("ordernotify local"):
        assert {option.replace("-", "_") for option in PLACE} <= told
    begin_command({}, {})
    assert pasteable(f"do `{line}` now") == f"do `{line}` now"


def test_a_command_that_describes_the_stack_carries_its_settings_too() -> None:
    begin_command({"stack": "dev"}, SETTINGS)
    settings = "--memory 512 --no-access-logs --cors-origin https://a.example --cors-origin https://b.example"
    assert pasteable("`ordernotify setup`") == f"`ordernotify setup {settings} --stack dev`"
    assert pasteable("`ordernotify status`") == "`ordernotify status --stack dev`"
    assert pasteable("`ordernotify setup --memory 128`").count("--memory") == 1
    begin_command({}, {})


def test_texts_name_commands_in_full() -> None:
    """A command without `ordernotify` in front cannot be pasted."""
    short = [
        found
        for text in texts()
        for found in COMMAND.findall(text)
        if any(found == name or found.startswith(f"{name} --") for name in OWN)
    ]
    assert [found for found in short if not found.startswith("ordernotify ")] == KNOWN_IN_HELP


KNOWN_IN_HELP = ["setup", "status"]
"""The help of options, which speaks of the command and of no stack."""


def test_a_hint_that_is_pasted_mends_what_it_is_about(account: Account, typed: Typed) -> None:
    failed = typed("list-orders", "--stack", "dev", "--table-name", "Orders")
    assert failed.exit_code == 1
    (line,) = COMMAND.findall(failed.stderr)
    assert line == "ordernotify setup --stack dev --aws --region us-east-1 --table-name Orders"
    pasted = typed(*shlex.split(line)[1:])
    assert pasted.exit_code == 0, pasted.output
    assert account.client("dynamodb").list_tables()["TableNames"] == ["Orders-dev"]
    assert typed("list-orders", "--stack", "dev").exit_code == 0


NEEDS_A_STACK = [
    "status",
    "send-order --customer A --product B",
    "list-orders",
    "get-order 1",
    "export-orders orders.jsonl",
    "redrive",
    "logs",
    "trace 1",
    "verify",
    "subscribe you@example.com",
    "unsubscribe you@example.com",
    "list-subscriptions",
]


@pytest.mark.parametrize("command", NEEDS_A_STACK)
def test_every_command_tells_in_one_way_that_there_is_no_such_stack(
    account: Account, typed: Typed, command: str
) -> None:
    none = typed(*command.split(), "--stack", "nosuch")
    assert "Error: there is no stack nosuch here (there are none)\n" in none.stderr
    account.client("sns").create_topic(Name="x", Tags=[{"Key": "ordernotify:stack", "Value": "demo"}])
    account.client("apigateway").create_rest_api(name="y", tags={"ordernotify:stack": "default"})
    missing = typed(*command.split(), "--stack", "nosuch")
    assert missing.exit_code == 1
    assert "Error: there is no stack nosuch here (stacks: default, demo)\n" in missing.stderr
    assert "Hint: `ordernotify setup --stack nosuch --aws --region us-east-1` makes it;" in missing.stderr


def test_list_shows_the_stacks_of_the_place(account: Account, typed: Typed) -> None:
    assert "There are no stacks here." in typed("list").stderr
    assert typed("setup", "--stage", "live").exit_code == 0
    assert typed("setup", "--stack", "demo", "--api", "http", "--function-name", "other").exit_code == 0
    account.client("sns").create_topic(Name="x", Tags=[{"Key": "ordernotify:stack", "Value": "kept"}])
    listed = [json.loads(line) for line in typed("list", "--json").stdout.splitlines()]
    assert [(one["stack"], one["api"]) for one in listed] == [
        ("default", "rest"),
        ("demo", "http"),
        ("kept", None),
    ]
    assert listed[0]["url"].endswith("/live/orders")
    assert listed[1]["url"].endswith("/prod/orders")
    shown = typed("list").stdout.splitlines()
    assert [line.split()[0] for line in shown] == ["default", "demo", "kept"]
    assert shown[2].endswith("(no API)")


def test_what_status_names_works_on_its_stack(account: Account, typed: Typed) -> None:
    described = ("--auth", "api-key", "--alarm-email", "ops@example.com", "--rate", "none")
    assert typed("setup", "--stack", "demo", *described).exit_code == 0
    Path("ordernotify.toml").write_text("memory = 512\n", encoding="utf-8")
    told = typed("status", "--stack", "demo").stdout
    (line,) = [one for one in told.splitlines() if one.startswith("1 difference; `ordernotify setup")]
    pasted = line.removeprefix("1 difference; `ordernotify ").partition("`")[0]
    assert set(shlex.split(pasted)) == {"setup", *described, "--stack", "demo", *ACCOUNT}
    assert typed("setup", "--stack", "demo", *described, "--yes").exit_code == 0
    options = shlex.join([*("--alarm-email", "ops@example.com"), *("--auth", "api-key"), *("--rate", "none")])
    mended = f"`ordernotify setup --tracing {options} --stack demo {shlex.join(ACCOUNT)}`"
    assert mended in typed("audit", "--stack", "demo").stdout
