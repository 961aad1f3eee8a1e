from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.errors import NotOursError, OrderNotifyError
from ordernotify.executor import Action
from ordernotify.resources.base import Resource
from ordernotify.resources.function import Function
from ordernotify.resources.function_code import HANDLER, code_sha256, function_zip, packed_files
from ordernotify.resources.log_group import LogGroup
from ordernotify.resources.role import Role
from ordernotify.settings.model import Settings
from tests.provision_support import (
    ACCOUNT_ID,
    Account,
    Call,
    Send,
    answer,
    assert_deleted_twice,
    assert_made_again,
    assert_settled,
    bring_about,
    changes_planned,
    only,
    planned_actions,
)

NAME = "processFileUpload"
ROLE = f"arn:aws:iam::{ACCOUNT_ID}:role/processFileUpload-role"


def function(cloud: Cloud, **settings: Any) -> list[Resource[Any]]:
    described = Settings(**settings)
    return [Role(described, cloud), LogGroup(described, cloud), Function(described, cloud)]


def read(account: Account) -> dict[str, Any]:
    found = account.client("lambda").get_function(FunctionName=NAME)
    configuration = found["Configuration"]
    return {
        "runtime": configuration["Runtime"],
        "handler": configuration["Handler"],
        "architectures": configuration["Architectures"],
        "memory": configuration["MemorySize"],
        "timeout": configuration["Timeout"],
        "role": configuration["Role"],
        "code": configuration["CodeSha256"],
        "table": configuration["Environment"]["Variables"]["TABLE_NAME"],
        "topic": configuration["Environment"]["Variables"]["TOPIC_ARN"],
        "stack": found["Tags"]["ordernotify:stack"],
    }


AS_DESCRIBED = {
    "runtime": "python3.12",
    "handler": "ordernotify.handler.handler",
    "architectures": ["x86_64"],
    "memory": 256,
    "timeout": 15,
    "role": ROLE,
    "code": code_sha256(),
    "table": "FileMetadata",
    "topic": f"arn:aws:sns:us-east-1:{ACCOUNT_ID}:file-upload-notification",
    "stack": "default",
}


def test_a_new_function_is_as_the_guide_has_it(account: Account, cloud: Cloud) -> None:
    bring_about(function(cloud))
    assert read(account) == AS_DESCRIBED


def test_a_function_as_described_is_left_alone(account: Account, cloud: Cloud) -> None:
    bring_about(function(cloud))
    assert_settled(account, function(cloud))


def test_the_zip_holds_the_handler_and_is_the_same_every_time() -> None:
    with zipfile.ZipFile(io.BytesIO(function_zip())) as packed:
        assert {name: packed.read(name) for name in packed.namelist()} == packed_files()
    assert {"ordernotify/__init__.py", "ordernotify/handler.py"} < packed_files().keys()
    again = function_zip.__wrapped__()
    assert again == function_zip()


def test_the_zip_serves_alone(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(function_zip())) as packed:
        packed.extractall(tmp_path)
    module, _, name = HANDLER.rpartition(".")
    program = (
        f"from {module} import {name}; import ordernotify; print(ordernotify.__file__); {name}({{}}, None)"
    )
    command = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {program}",
    ]
    done = subprocess.run(command, env={}, capture_output=True, text=True, check=True, timeout=30)
    origin, line = done.stdout.splitlines()
    assert origin == str(tmp_path / "ordernotify" / "__init__.py")
    assert "TABLE_NAME" in json.loads(line)["message"], "no environment: it answers that it is not set up"


def test_code_and_configuration_are_put_back_in_one_run(account: Account, cloud: Cloud) -> None:
    bring_about(function(cloud))
    lambda_ = account.client("lambda")
    lambda_.update_function_code(FunctionName=NAME, ZipFile=other_code())
    lambda_.update_function_configuration(FunctionName=NAME, Handler="other.handler")
    account.forget_calls()
    bring_about(function(cloud))
    assert [call.operation for call in account.changing_calls] == [
        "UpdateFunctionCode",
        "UpdateFunctionConfiguration",
    ]
    assert read(account) == AS_DESCRIBED


@pytest.mark.parametrize(
    ("theirs", "value", "attribute"),
    [
        ("Runtime", "python3.11", "runtime"),
        ("Handler", "other.handler", "handler"),
        ("MemorySize", 128, "memory"),
        ("Timeout", 3, "timeout"),
        ("Role", f"arn:aws:iam::{ACCOUNT_ID}:role/other", "role"),
        ("Environment", {"Variables": {"TABLE_NAME": "Other"}}, "environment"),
    ],
)
def test_a_changed_configuration_is_put_back(
    account: Account, cloud: Cloud, theirs: str, value: object, attribute: str
) -> None:
    bring_about(function(cloud))
    account.client("iam").create_role(RoleName="other", AssumeRolePolicyDocument=json.dumps({}))
    account.client("lambda").update_function_configuration(FunctionName=NAME, **{theirs: value})
    assert set(changes_planned(function(cloud), "function")) == {attribute}
    account.forget_calls()
    bring_about(function(cloud))
    assert [call.operation for call in account.changing_calls] == ["UpdateFunctionConfiguration"]
    assert read(account) == AS_DESCRIBED


def other_code() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("handler.py", "def handler(event, context): pass")
    return packed.getvalue()


def test_changed_code_is_put_back(account: Account, cloud: Cloud) -> None:
    bring_about(function(cloud))
    account.client("lambda").update_function_code(FunctionName=NAME, ZipFile=other_code())
    assert set(changes_planned(function(cloud), "function")) == {"code"}
    account.forget_calls()
    bring_about(function(cloud))
    assert [call.operation for call in account.changing_calls] == ["UpdateFunctionCode"]
    assert read(account) == AS_DESCRIBED


@pytest.mark.parametrize(
    "settings",
    [{"memory": 512}, {"timeout": 5}, {"runtime": "python3.13"}, {"log_bodies": False}],
    ids=str,
)
def test_what_is_described_anew_is_updated(account: Account, cloud: Cloud, settings: dict[str, Any]) -> None:
    bring_about(function(cloud))
    assert planned_actions(provision.plan(function(cloud, **settings))) == {"function": Action.UPDATE}
    bring_about(function(cloud, **settings))
    assert_settled(account, function(cloud, **settings))


def test_a_new_tag_is_added(account: Account, cloud: Cloud) -> None:
    bring_about(function(cloud))
    bring_about(function(cloud, tags={"team": "shop"}))
    assert account.client("lambda").get_function(FunctionName=NAME)["Tags"]["team"] == "shop"
    assert_settled(account, function(cloud, tags={"team": "shop"}))


def test_a_function_of_somebody_else_stops_the_plan(account: Account, cloud: Cloud) -> None:
    bring_about(function(cloud))
    arn = only(function(cloud), "function").arn
    account.client("lambda").untag_resource(Resource=arn, TagKeys=["ordernotify:stack"])
    account.forget_calls()
    with pytest.raises(NotOursError):
        provision.plan(function(cloud))
    assert account.changing_calls == []


def test_a_function_that_disappeared_is_made_again(account: Account, cloud: Cloud) -> None:
    bring_about(function(cloud))
    account.client("lambda").delete_function(FunctionName=NAME)
    assert_made_again(account, function(cloud), "function")


def test_a_function_can_be_deleted_twice(account: Account, cloud: Cloud) -> None:
    bring_about(function(cloud))
    assert_deleted_twice(only(function(cloud), "function"))


# What Lambda says of a function's state; moto knows no other than Active.


def in_state(**states: str) -> Any:
    """Let Lambda answer with these states until the function is made or changed again."""
    changed = {"CreateFunction", "UpdateFunctionCode", "UpdateFunctionConfiguration"}
    over = False

    def interfere(call: Call, send: Send) -> Any:
        nonlocal over
        answered = send()
        over = over or call.operation in changed
        if over or call.operation not in {"GetFunction", "GetFunctionConfiguration"}:
            return answered
        found = json.loads(answered.content)
        (found["Configuration"] if call.operation == "GetFunction" else found).update(states)
        return answer(200, json.dumps(found).encode(), {"Content-Type": "application/json"})

    return interfere


def test_a_function_that_never_became_active_is_replaced(account: Account, cloud: Cloud) -> None:
    bring_about(function(cloud))
    account.interfere = in_state(State="Failed", StateReason="the key is gone")
    assert planned_actions(provision.plan(function(cloud))) == {"function": Action.REPLACE}
    account.forget_calls()
    bring_about(function(cloud))
    assert [call.operation for call in account.changing_calls] == ["DeleteFunction", "CreateFunction"]


def test_a_function_whose_last_update_failed_is_updated_again(account: Account, cloud: Cloud) -> None:
    bring_about(function(cloud))
    account.interfere = in_state(LastUpdateStatus="Failed")
    assert changes_planned(function(cloud), "function") == {"state": ("last update failed", "Active")}
    account.forget_calls()
    bring_about(function(cloud))
    assert {"UpdateFunctionConfiguration", "UpdateFunctionCode"} <= {
        call.operation for call in account.changing_calls
    }


def test_a_function_that_sleeps_is_as_described(account: Account, cloud: Cloud) -> None:
    bring_about(function(cloud))
    account.interfere = in_state(State="Inactive")
    assert_settled(account, function(cloud))


def test_a_new_function_that_fails_is_an_error_with_lambdas_reason(account: Account, cloud: Cloud) -> None:
    failed = json.dumps({"State": "Failed", "StateReason": "the key is gone"}).encode()

    def interfere(call: Call, send: Send) -> Any:
        answered = send()
        return answer(200, failed, {}) if call.operation == "GetFunctionConfiguration" else answered

    account.interfere = interfere
    with pytest.raises(OrderNotifyError, match=r"could not put .* into effect: the key is gone"):
        bring_about(function(cloud))
