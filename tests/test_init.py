"""`init`: the questions at a terminal, and the file that they make; in any other case nothing is written."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.errors import CredentialsError
from ordernotify.settings.model import Settings
from tests.cli_support import Answered, Typed, answered, typed
from tests.e2e.cloud import command_environ, free_port
from tests.moto_account import ACCOUNT_ID
from tests.terminal import at_a_terminal

__all__ = ["answered", "typed"]

FILE = Path("ordernotify.toml")
PROFILES = "[profile work]\nregion = eu-west-1\n"


def written() -> dict[str, object]:
    return tomllib.loads(FILE.read_text())


def test_a_person_answers_and_makes_mistakes(tmp_path: Path) -> None:
    (tmp_path / FILE).symlink_to("shared.toml")
    environ = command_environ(tmp_path / "state", free_port())
    with at_a_terminal("init", environ=environ, folder=tmp_path) as terminal:
        for question, wrong, reason, right in (
            ("local or aws [local]: ", "moon", "'moon' is not one of them", ""),
            ("or Enter for none: ", "me@home", "'me@home' is not an email address", "me@example.com"),
            ("public or key [public]: ", "secret", "'secret' is not one of them", "key"),
        ):
            terminal.expect(question)
            terminal.type(wrong)
            terminal.expect(f"Error: {reason}\nHint: ")
            terminal.type(right)
        assert terminal.end() == 0
    assert "`ordernotify setup` will make 16 resources on this machine" in terminal.shown
    assert terminal.shown.endswith("They cost nothing.\nWrote ordernotify.toml. Next: `ordernotify setup`\n")
    assert (tmp_path / FILE).is_symlink()
    found = tomllib.loads((tmp_path / "shared.toml").read_text())
    assert found == {"aws": False, "email": ["me@example.com"], "auth": "api-key"}
    assert not (tmp_path / "state").exists(), "the embedded cloud is not needed"


def test_ctrl_c_at_its_questions_ends_with_130_and_writes_nothing(tmp_path: Path) -> None:
    environ = command_environ(tmp_path / "state", free_port())
    with at_a_terminal("init", environ=environ, folder=tmp_path) as terminal:
        terminal.expect("local or aws [local]: ")
        terminal.type("")
        terminal.expect("or Enter for none: ")
        terminal.press_ctrl_c()
        assert terminal.end() == 130
    assert terminal.shown.endswith("\nError: interrupted at the question\nHint: Nothing was changed.\n")
    assert list(tmp_path.iterdir()) == []


def test_an_account_is_shown_with_what_is_made_and_what_it_costs(
    account: object, cloud: Cloud, answered: Answered, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answered("init", answers=("+14155550100", "public")) == 0
    said = capsys.readouterr()
    described = Settings(phones=("+14155550100",))
    number = len(provision.plan(provision.declare(described, cloud)).changes)
    assert f"This is account {ACCOUNT_ID}, us-east-1.\n" in said.err
    assert f"will make {number} resources in account {ACCOUNT_ID}, us-east-1:" in said.err
    assert "topic, subscriptions, role" in said.err
    assert "alarm (5)" in said.err
    assert "USD a month at 100 orders a day" in said.err
    assert written() == {"aws": True, "region": "us-east-1", "phone": ["+14155550100"], "auth": "none"}
    assert said.out.startswith("Wrote ordernotify.toml. Next: `ordernotify setup")


def test_profile_and_region_are_asked_for_until_there_is_an_account(
    answered: Answered,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    cloud: Cloud,
) -> None:
    opened = []

    def open_account(region: str | None, profile: str | None) -> Cloud:
        opened.append((region, profile))
        if profile is None:
            raise CredentialsError("there are no AWS credentials", "Log in.")
        return cloud

    Path("config").write_text(PROFILES)
    monkeypatch.setenv("AWS_CONFIG_FILE", "config")
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setattr("ordernotify.aws.session.aws_cloud", open_account)
    answers = ("aws", "", "mars", "us-east-1", "aws", "nobody", "work", "", "", "")
    assert answered("init", answers=answers, place=()) == 0
    assert opened == [("us-east-1", None), ("eu-west-1", "work")]
    said = capsys.readouterr().err
    for reason in (
        "'mars' is not a region",
        "there is no profile 'nobody'\nHint: The profiles are: work.",
        "there are no AWS credentials\nHint: Log in.\n",
    ):
        assert f"Error: {reason}" in said
    assert "AWS region [eu-west-1]: " in said
    assert written() == {"aws": True, "region": "eu-west-1", "profile": "work", "auth": "none"}


def test_what_is_told_is_not_asked_for_and_is_written(
    answered: Answered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERNOTIFY_AUTH", "iam")
    monkeypatch.setenv("ORDERNOTIFY_EMAIL", "a@example.com b@example.com")
    monkeypatch.setenv("ORDERNOTIFY_AWS", "0")
    assert answered("init", "--stack", "dev", answers=(), place=()) == 0
    emails = ["a@example.com", "b@example.com"]
    assert written() == {"aws": False, "stack": "dev", "email": emails, "auth": "iam"}


def test_a_file_that_exists_is_not_changed(answered: Answered, capsys: pytest.CaptureFixture[str]) -> None:
    FILE.write_text("memory = 512\n")
    assert answered("init", answers=()) == 2
    assert "ordernotify.toml exists, and init changes no file" in capsys.readouterr().err
    assert FILE.read_text() == "memory = 512\n"
    assert answered("init", "--config", "other.toml", answers=("", "")) == 0
    assert "Next: `ordernotify setup --aws --region us-east-1 --config other.toml`" in capsys.readouterr().out
    assert FILE.read_text() == "memory = 512\n"
    assert Path("other.toml").exists()
    assert answered("init", "--config", "nowhere/x.toml", answers=()) == 2
    assert "nowhere/x.toml: No such file" in capsys.readouterr().err


def test_scripts_meet_no_question(typed: Typed) -> None:
    refused = typed("init")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "`ordernotify setup --email you@example.com --save --aws" in refused.stderr
    assert not FILE.exists()
