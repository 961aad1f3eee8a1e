"""The questions at a terminal: what each answer does, and that Ctrl-C ends with 130 and changes nothing."""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ordernotify import provision
from ordernotify.aws.session import Cloud, local_cloud
from ordernotify.cli import questions
from ordernotify.errors import UsageError
from ordernotify.executor import Action, Item, Plan
from ordernotify.resources.role_names import POLICY_NAME
from ordernotify.settings.model import Settings
from tests.cli_support import Answered, answered, typed
from tests.moto_account import ACCOUNT_ID
from tests.provision_support import Account, set_up

__all__ = ["answered", "typed"]

TABLE = "FileMetadata"


def make_nothing(_account: Account, _cloud: Cloud) -> None:
    pass


def make_stack(_account: Account, cloud: Cloud) -> None:
    set_up(Settings(), cloud)


def make_stack_with_an_order(account: Account, cloud: Cloud) -> None:
    set_up(Settings(), cloud)
    account.client("dynamodb").put_item(TableName=TABLE, Item={"FileName": {"S": "order-1"}})


def make_stack_without_role(account: Account, cloud: Cloud) -> None:
    set_up(Settings(), cloud)
    iam = account.client("iam")
    iam.delete_role_policy(RoleName="processFileUpload-role", PolicyName=POLICY_NAME)
    iam.delete_role(RoleName="processFileUpload-role")


@pytest.mark.parametrize(("answers", "status"), [(("n",), 1), (("",), 1), (("maybe", "y"), 0), ((), 1)])
def test_a_new_stack_in_an_account_is_asked_for_once(
    account: Account,
    cloud: Cloud,
    answered: Answered,
    capsys: pytest.CaptureFixture[str],
    answers: tuple[str, ...],
    status: int,
) -> None:
    number = len(provision.plan(provision.declare(Settings(), cloud)).changes)
    account.forget_calls()
    assert answered("setup", "--memory", "512", answers=answers) == status
    shown = capsys.readouterr()
    assert "`ordernotify cost --memory 512 --aws --region us-east-1` what it costs." in shown.err
    question = f"Create {number} resources in account {ACCOUNT_ID}, us-east-1? [y/N]: "
    assert shown.err.count(question) == max(len(answers), 1)
    assert ("'maybe' is neither yes nor no" in shown.err) is ("maybe" in answers)
    assert bool(account.changing_calls) is (status == 0)
    if status:
        assert shown.err.endswith("Error: stopped at the question\nHint: Nothing was changed.\n")
    else:
        assert f"is ready ({number} resources" in shown.out
        assert answered("setup", "--memory", "512", answers=()) == 0, "a stack that exists is not asked for"


def test_yes_and_the_rest_of_a_stack_need_no_question(
    account: Account, answered: Answered, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answered("setup", "--yes", answers=()) == 0
    account.client("cloudwatch").delete_alarms(AlarmNames=["processFileUpload-errors"])
    assert answered("setup", answers=()) == 0
    assert "[y/N]" not in capsys.readouterr().err


def test_the_embedded_cloud_needs_no_question(monkeypatch: pytest.MonkeyPatch) -> None:
    planned = Plan((Item("table", "table", TABLE, "", Action.CREATE),))
    monkeypatch.setattr(questions, "at_terminal", lambda: True)
    monkeypatch.setattr(builtins, "input", lambda: pytest.fail("asked"))
    questions.confirm_changes(planned, local_cloud("http://127.0.0.1:1"))


@pytest.mark.parametrize(
    ("before", "words", "question"),
    [
        (make_nothing, ("setup",), r"Create \d+ resources in account"),
        (make_stack_without_role, ("setup",), "Change what exists"),
        (make_stack, ("teardown", "--delete-orders"), "Remove this of the stack default"),
        (make_stack_with_an_order, ("teardown",), "Remove the stack default, and its orders"),
    ],
    ids=["new", "replacement", "teardown", "orders"],
)
def test_ctrl_c_at_a_question_ends_with_130_and_changes_nothing(
    account: Account,
    cloud: Cloud,
    answered: Answered,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    before: Callable[[Account, Cloud], None],
    words: tuple[str, ...],
    question: str,
) -> None:
    def press() -> str:
        raise KeyboardInterrupt

    before(account, cloud)
    account.forget_calls()
    monkeypatch.setattr(builtins, "input", press)
    assert answered(*words, answers=()) == 130
    shown = capsys.readouterr().err
    assert re.search(question, shown)
    assert shown.endswith(": \nError: interrupted at the question\nHint: Nothing was changed.\n")
    assert [call for call in account.changing_calls if call.operation != "Scan"] == []


def test_a_question_is_asked_where_it_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    for stdin, stderr in ((True, True), (True, False), (False, True)):
        monkeypatch.setattr("sys.stdin", _Stream(stdin))
        monkeypatch.setattr("sys.stderr", _Stream(stderr))
        assert questions.at_terminal() is (stdin and stderr)


class _Stream:
    def __init__(self, terminal: bool) -> None:
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    def write(self, _text: str) -> None:
        pass


def test_what_is_no_text_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines: Iterator[str | Exception] = iter(
        [UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), "wrong", "right"]
    )

    def read(line: str) -> str:
        if line != "right":
            raise UsageError(f"{line} is not right", "Say right.")
        return line

    def type_next() -> str:
        line = next(lines)
        if isinstance(line, Exception):
            raise line
        return line

    monkeypatch.setattr(builtins, "input", type_next)
    assert questions.ask("Say", read) == "right"
    assert capsys.readouterr().err == (
        "Say: Error: that is not text in the terminal's encoding\n"
        "Say: Error: wrong is not right\nHint: Say right.\nSay: "
    )


def test_a_table_export_is_named_after_no_file_that_exists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("orders-dev.jsonl").touch()
    assert next(questions.export_files("dev")) == Path("orders-dev2.jsonl")
