"""The questions that `setup` and `teardown` ask at a terminal, and what each answer does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.executor import Action
from ordernotify.resources.role_names import POLICY_NAME
from ordernotify.settings.model import Settings
from ordernotify.settings.names import STACK_TAG
from ordernotify.stack import left
from tests.cli_support import Answered, Typed, answered, typed
from tests.provision_support import Account, ManualClock, planned_actions, set_up

__all__ = ["answered", "typed"]

ROLE, TABLE = "processFileUpload-role", "FileMetadata"
ORDER = {"FileName": {"S": "order-1"}}


def make_role_again_by_hand(account: Account) -> None:
    """Leave a stack whose next plan replaces the function, creates what goes with it, and updates nothing."""
    iam = account.client("iam")
    iam.delete_role_policy(RoleName=ROLE, PolicyName=POLICY_NAME)
    iam.delete_role(RoleName=ROLE)


def test_a_first_setup_asks_nothing(typed: Typed) -> None:
    done = typed("setup")
    assert done.exit_code == 0, done.output
    assert "Change what exists?" not in done.stderr
    assert re.match(r"Stack default is ready \(\d+ resources, \d+\.\d s\)\.\n", done.stdout)
    # A line for each resource, when it is made; no plan before it.
    assert "Plan:" not in done.stderr
    made = [line for line in done.stderr.splitlines() if ", 0." in line or " created, " in line]
    assert len(made) == int(re.search(r"\((\d+) resources", done.stdout)[1])  # type: ignore[index]


@pytest.mark.parametrize(("answer", "status", "changed"), [("n", 1, False), ("", 1, False), ("y", 0, True)])
def test_a_replacement_is_confirmed_first(
    account: Account,
    cloud: Cloud,
    answered: Answered,
    capsys: pytest.CaptureFixture[str],
    answer: str,
    status: int,
    changed: bool,
) -> None:
    set_up(Settings(), cloud)
    make_role_again_by_hand(account)
    planned = provision.plan(provision.declare(Settings(), cloud))
    assert set(planned_actions(planned).values()) == {Action.REPLACE, Action.CREATE}
    account.forget_calls()
    assert answered("setup", answers=(answer,)) == status
    assert "Change what exists? [y/N]" in capsys.readouterr().err
    assert bool(account.changing_calls) is changed


def test_a_public_api_is_told_in_an_account(typed: Typed) -> None:
    said = "the API is public: whoever knows the URL can send orders"
    assert said in typed("setup").stdout
    assert said not in typed("setup", "--auth", "iam", "--yes").stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--exit-code",), "--exit-code has no effect without --dry-run"),
        (("--dry-run", "--save"), "--dry-run changes nothing, so --save has no effect"),
    ],
)
def test_what_has_no_effect_is_refused(
    account: Account, typed: Typed, options: tuple[str, ...], said: str
) -> None:
    refused = typed("setup", *options)
    assert (refused.exit_code, refused.stderr.splitlines()[0]) == (2, f"Error: {said}")
    assert account.calls == []


def test_without_a_terminal_a_replacement_takes_yes(account: Account, cloud: Cloud, typed: Typed) -> None:
    set_up(Settings(), cloud)
    make_role_again_by_hand(account)
    account.forget_calls()
    refused = typed("setup")
    assert refused.exit_code == 1
    assert "no terminal to ask at" in refused.stderr
    assert account.changing_calls == []
    assert typed("setup", "--yes").exit_code == 0


@pytest.mark.parametrize(
    ("answers", "status", "left"),
    [
        (("n",), 1, "everything"),
        (("",), 1, "everything"),
        (("Delete",), 1, "everything"),
        (("keep",), 0, "the table"),
        (("export",), 0, "nothing"),
        (("delete",), 0, "nothing"),
    ],
)
def test_one_question_tells_what_becomes_of_the_orders(
    account: Account,
    cloud: Cloud,
    answered: Answered,
    capsys: pytest.CaptureFixture[str],
    answers: tuple[str, ...],
    status: int,
    left: str,
) -> None:
    set_up(Settings(), cloud)
    dynamodb = account.client("dynamodb")
    dynamodb.put_item(TableName=TABLE, Item=ORDER)
    assert answered("teardown", answers=answers) == status
    assert "holds 1 order," in capsys.readouterr().err
    assert (dynamodb.list_tables()["TableNames"] == [TABLE]) is (left != "nothing")
    functions = account.client("lambda").list_functions()["Functions"]
    assert bool(functions) is (left == "everything")
    if left != "nothing":
        assert dynamodb.scan(TableName=TABLE)["Items"] == [ORDER]
    exported = Path("orders-default.jsonl")
    assert exported.exists() is (answers == ("export",))
    assert not exported.exists() or "order-1" in exported.read_text()


def test_an_order_that_a_running_function_stores_late_is_exported_too(
    account: Account, cloud: Cloud, answered: Answered, monkeypatch: pytest.MonkeyPatch
) -> None:
    class LateOrder(ManualClock):
        def sleep(self, seconds: float) -> None:
            assert seconds == Settings().timeout
            assert not account.client("lambda").list_functions()["Functions"]
            account.client("dynamodb").put_item(TableName=TABLE, Item=ORDER)

    set_up(Settings(), cloud)
    account.client("dynamodb").put_item(TableName=TABLE, Item={"FileName": {"S": "order-0"}})
    monkeypatch.setattr(left, "SystemClock", LateOrder)
    assert answered("teardown", answers=("export",)) == 0
    assert "order-1" in Path("orders-default.jsonl").read_text()


@pytest.mark.parametrize(
    ("option", "left"), [("--delete-orders", []), ("--keep-orders", [TABLE])], ids=["delete", "keep"]
)
def test_who_has_said_what_becomes_of_the_orders_is_asked_once(
    account: Account, cloud: Cloud, answered: Answered, option: str, left: list[str]
) -> None:
    set_up(Settings(), cloud)
    assert answered("teardown", option, answers=("y",)) == 0
    assert account.client("dynamodb").list_tables()["TableNames"] == left


def test_nobody_is_asked_about_the_orders_in_a_table_of_somebody_else(
    account: Account, cloud: Cloud, answered: Answered
) -> None:
    set_up(Settings(), cloud)
    dynamodb = account.client("dynamodb")
    arn = dynamodb.describe_table(TableName=TABLE)["Table"]["TableArn"]
    dynamodb.untag_resource(ResourceArn=arn, TagKeys=[STACK_TAG])
    assert answered("teardown", answers=("y",)) == 0
    assert dynamodb.list_tables()["TableNames"] == [TABLE]


def test_without_a_terminal_teardown_takes_yes(account: Account, cloud: Cloud, typed: Typed) -> None:
    set_up(Settings(), cloud)
    account.forget_calls()
    refused = typed("teardown")
    assert refused.exit_code == 1
    assert "no terminal to ask at" in refused.stderr
    assert account.changing_calls == []
