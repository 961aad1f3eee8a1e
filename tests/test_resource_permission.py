from __future__ import annotations

import json
from typing import Any

import pytest

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.executor import Action
from ordernotify.settings.model import ApiKind, Settings
from tests.account_snapshot import snapshot
from tests.provision_support import (
    ACCOUNT_ID,
    Account,
    changes_planned,
    only,
    planned_actions,
    refusal,
    set_up,
    step,
)

NAME = "processFileUpload"
SID = "ordernotify-api"
PREFLIGHT_SID = "ordernotify-api-preflight"
WITH_PAGES = {"cors_origins": ("https://shop.example.com",)}


def statements(account: Account) -> dict[str, dict[str, Any]]:
    """Read the function's policy; the API's id in it is named by the API."""
    found = snapshot(account.client)["lambda"][NAME]["policy"]
    return {statement.pop("Sid"): statement for statement in found}


def expected(method: str) -> dict[str, Any]:
    source = f"arn:aws:execute-api:us-east-1:{ACCOUNT_ID}:<order-api>/prod/{method}/orders"
    return {
        "Effect": "Allow",
        "Principal": {"Service": "apigateway.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": f"arn:aws:lambda:us-east-1:{ACCOUNT_ID}:function:{NAME}",
        "Condition": {"ArnLike": {"AWS:SourceArn": source}},
    }


def change_statement(account: Account, **changed: str) -> None:
    """Put another statement in the place of ours, as somebody may by hand."""
    client = account.client("lambda")
    policy = json.loads(client.get_policy(FunctionName=NAME)["Policy"])
    ours = next(statement for statement in policy["Statement"] if statement["Sid"] == SID)
    client.remove_permission(FunctionName=NAME, StatementId=SID)
    given = {
        "Action": ours["Action"],
        "Principal": ours["Principal"]["Service"],
        "SourceArn": ours["Condition"]["ArnLike"]["AWS:SourceArn"],
        **changed,
    }
    client.add_permission(FunctionName=NAME, StatementId=SID, **given)


@pytest.mark.parametrize("api", ApiKind)
def test_exactly_this_api_stage_method_and_path_may_invoke_the_function(
    account: Account, cloud: Cloud, api: ApiKind
) -> None:
    set_up(Settings(api=api), cloud)
    assert statements(account) == {SID: expected("POST")}


def test_preflights_may_invoke_it_too_where_the_function_answers_them(account: Account, cloud: Cloud) -> None:
    set_up(Settings(**WITH_PAGES), cloud)  # type: ignore[arg-type]
    assert statements(account) == {SID: expected("POST"), PREFLIGHT_SID: expected("OPTIONS")}
    set_up(Settings(), cloud)
    assert statements(account) == {SID: expected("POST")}


@pytest.mark.parametrize(
    ("attribute", "changed"),
    [
        ("source", {"SourceArn": f"arn:aws:execute-api:us-east-1:{ACCOUNT_ID}:other/*/*/*"}),
        ("principal", {"Principal": "s3.amazonaws.com"}),
        ("action", {"Action": "lambda:GetFunction"}),
    ],
)
def test_a_changed_statement_is_put_back(
    account: Account, cloud: Cloud, attribute: str, changed: dict[str, str]
) -> None:
    set_up(Settings(), cloud)
    change_statement(account, **changed)
    resources = provision.declare(Settings(), cloud)
    assert set(changes_planned(resources, "permission")) == {attribute}
    set_up(Settings(), cloud)
    assert statements(account) == {SID: expected("POST")}


def test_another_stage_moves_the_permission(account: Account, cloud: Cloud) -> None:
    set_up(Settings(), cloud)
    set_up(Settings(stage="live"), cloud)
    source = statements(account)[SID]["Condition"]["ArnLike"]["AWS:SourceArn"]
    assert source.endswith(":<order-api>/live/POST/orders")


def test_a_statement_that_disappeared_is_added_again(account: Account, cloud: Cloud) -> None:
    set_up(Settings(), cloud)
    account.client("lambda").remove_permission(FunctionName=NAME, StatementId=SID)
    planned = provision.plan(provision.declare(Settings(), cloud))
    assert planned_actions(planned) == {"permission": Action.CREATE}
    set_up(Settings(), cloud)
    assert statements(account) == {SID: expected("POST")}


def test_statements_of_others_are_left_alone(account: Account, cloud: Cloud) -> None:
    set_up(Settings(), cloud)
    account.client("lambda").add_permission(
        FunctionName=NAME, StatementId="theirs", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com"
    )
    account.forget_calls()
    set_up(Settings(), cloud)
    assert account.changing_calls == []
    assert set(statements(account)) == {SID, "theirs"}


def test_a_permission_can_be_deleted_twice(account: Account, cloud: Cloud) -> None:
    set_up(Settings(), cloud)
    permission = only(provision.declare(Settings(), cloud), "permission")
    live = permission.find()
    assert live is not None
    for _ in range(2):
        permission.delete(live, step())
        assert permission.find() is None


def test_a_statement_that_another_setup_added_meanwhile_is_success(account: Account, cloud: Cloud) -> None:
    set_up(Settings(), cloud)
    resources = provision.declare(Settings(), cloud)
    permission, api = only(resources, "permission"), only(resources, "api")
    live, api_live = permission.find(), api.find()
    assert live is not None
    assert api_live is not None

    def interfere(call: Any, send: Any) -> Any:
        if call.operation == "AddPermission":
            send()
            return refusal(call, "ResourceConflictException", "The statement id provided already exists", 409)
        return send()

    account.interfere = interfere
    permission.update(live, step(("api", api_live)))
    assert statements(account) == {SID: expected("POST")}


def write_by_another_tool(account: Account, api: str = "", **changed: str) -> None:
    """Put the same statement under an id that another tool chose, for our API or for `api`."""
    client = account.client("lambda")
    (ours,) = json.loads(client.get_policy(FunctionName=NAME)["Policy"])["Statement"]
    source = ours["Condition"]["ArnLike"]["AWS:SourceArn"]
    if api:
        source = source.replace(source.split(":")[5].partition("/")[0], api)
    given = {"Action": ours["Action"], "Principal": ours["Principal"]["Service"], "SourceArn": source}
    client.remove_permission(FunctionName=NAME, StatementId=SID)
    client.add_permission(FunctionName=NAME, StatementId="stack-ApiPermission-1", **{**given, **changed})


def test_the_same_statement_under_another_id_will_do(account: Account, cloud: Cloud) -> None:
    set_up(Settings(), cloud)
    write_by_another_tool(account)
    resources = provision.declare(Settings(), cloud)
    assert provision.plan(resources).changes == ()
    permission = only(resources, "permission")
    live = permission.find()
    assert live is not None
    assert live.state.statement == "stack-ApiPermission-1"
    permission.delete(live, step())
    assert permission.find() is None


@pytest.mark.parametrize(
    "other",
    [{"api": "old1234567"}, {"Principal": "sns.amazonaws.com"}, {"Action": "lambda:GetFunction"}],
    ids=str,
)
def test_another_statement_under_another_id_will_not_and_stays(
    account: Account, cloud: Cloud, other: dict[str, str]
) -> None:
    set_up(Settings(), cloud)
    write_by_another_tool(account, **other)
    assert planned_actions(provision.plan(provision.declare(Settings(), cloud))).keys() == {"permission"}
    set_up(Settings(), cloud)
    assert statements(account).keys() == {SID, "stack-ApiPermission-1"}
    assert provision.plan(provision.declare(Settings(), cloud)).changes == ()
