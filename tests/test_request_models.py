"""Every request of setup and teardown against botocore's models: patterns, enums, lengths and ranges too.

botocore itself checks types and required members, and emulators check what their authors met; AWS refuses the
rest. https://smithy.io/2.0/spec/constraint-traits.html says what the constraints mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import botocore.session
import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape

from ordernotify.aws.session import Cloud
from ordernotify.settings.model import ApiKind, Auth, Settings
from ordernotify.settings.names import Names
from tests.provision_support import ACCOUNT_ID, Account, full_settings, set_up, tear_down
from tests.test_declared_calls import known_to_aws
from tests.web_acls import make_web_acl

JAVA_CLASSES = {
    r"\p{L}": "a-zA-Z\u00aa-\U0001ffff",
    r"\p{Z}": " \u00a0",
    r"\p{N}": "0-9",
    r"\p{M}": "\u0300-\u036f",
}
"""Java's classes of characters that Python's `re` does not know, inside of brackets."""
OPTIONS: dict[str, Any] = {
    "cors_origins": ("https://shop.example.com", "http://localhost:3000"),
    "rate": 90,
    "burst": 180,
    "access_logs": True,
    "log_bodies": False,
    "log_retention": 7,
    "architecture": "arm64",
    "memory": 512,
    "timeout": 29,
    "stage": "live_1",
    "tags": {"team": "Küche & Co".replace("&", "+"), "cost:center": "4711/a b"},
}
STACK = "a-stack-name-long-20"
PLACED = {
    "permissions_boundary": f"arn:aws:iam::{ACCOUNT_ID}:policy/limits",
    "role_path": "/team/shop/",
}
FULL = [
    full_settings(auth=Auth.API_KEY, **OPTIONS),
    full_settings(auth=Auth.IAM, **OPTIONS, **PLACED),
    full_settings(api=ApiKind.HTTP, auth=Auth.IAM, **OPTIONS, **PLACED),
    full_settings(api=ApiKind.HTTP, **{**OPTIONS, "cors_origins": ("*",)}),
    Settings(stack=STACK, names=Names().for_stack(STACK), auth=Auth.API_KEY, access_logs=True),
    Settings(stack=STACK, names=Names().for_stack(STACK), api=ApiKind.HTTP, access_logs=True),
]


def broken(shape: Shape, value: Any, where: str = "") -> Iterator[str]:
    """Yield each constraint of the model that a value of a request breaks."""
    rules = shape.metadata
    size = value if isinstance(value, int | float) else len(value) if hasattr(value, "__len__") else None
    if size is not None and not isinstance(value, bool):
        if size < rules.get("min", size):
            yield f"{where}: {value!r} is below {rules['min']}"
        if size > rules.get("max", size):
            yield f"{where}: {value!r} is above {rules['max']}"
    if isinstance(value, str):
        if rules.get("enum") and value not in rules["enum"]:
            yield f"{where}: {value!r} is none of {rules['enum']}"
        if "pattern" in rules and not re.fullmatch(as_python(rules["pattern"]), value):
            yield f"{where}: {value!r} does not match {rules['pattern']}"
    elif isinstance(shape, StructureShape):
        for name, member in value.items():
            yield from broken(shape.members[name], member, f"{where}.{name}")
    elif isinstance(shape, ListShape):
        for member in value:
            yield from broken(shape.member, member, f"{where}[]")
    elif isinstance(shape, MapShape):
        for name, member in value.items():
            yield from broken(shape.key, name, f"{where} key")
            yield from broken(shape.value, member, f"{where}.{name}")


def as_python(pattern: str) -> str:
    for java, python in JAVA_CLASSES.items():
        pattern = pattern.replace(java, python)
    return pattern


def faults(account: Account) -> set[str]:
    assert len(account.changing_calls) > 10
    return {
        fault
        for call in account.calls
        if call.model.input_shape is not None
        for fault in broken(call.model.input_shape, call.params, f"{call.service}.{call.operation}")
    }


@pytest.fixture(autouse=True)
def _account(account: Account) -> None:
    account.client("iam").create_policy(
        PolicyName="limits",
        PolicyDocument='{"Version": "2012-10-17", "Statement": '
        '[{"Effect": "Allow", "Action": "*", "Resource": "*"}]}',
    )
    account.interfere = known_to_aws


@pytest.mark.parametrize("settings", FULL, ids=lambda one: f"{one.api}-{one.auth}-{one.stack[:7]}")
def test_every_request_of_setup_and_teardown_is_as_the_models_want(
    account: Account, cloud: Cloud, settings: Settings
) -> None:
    if settings.api is ApiKind.REST:
        settings = replace(settings, waf_acl=make_web_acl(account))
    set_up(settings, cloud)
    tear_down(settings, cloud)
    assert faults(account) == set()


@pytest.mark.parametrize("api", list(ApiKind))
def test_every_request_of_a_change_is_as_the_models_want(
    account: Account, cloud: Cloud, api: ApiKind
) -> None:
    set_up(Settings(api=api), cloud)
    account.forget_calls()
    set_up(full_settings(api=api, auth=Auth.IAM, **OPTIONS, **PLACED), cloud)
    set_up(Settings(api=api), cloud)
    assert faults(account) == set()


@pytest.mark.parametrize(
    ("service", "operation", "params", "said"),
    [
        ("iam", "CreateRole", {"RoleName": "a b"}, "does not match"),
        ("iam", "CreateRole", {"RoleName": "r" * 65}, "is above 64"),
        ("iam", "CreateRole", {"Path": "team"}, "does not match"),
        ("lambda", "CreateFunction", {"Runtime": "python2.9"}, "is none of"),
        ("lambda", "CreateFunction", {"MemorySize": 64}, "is below 128"),
        ("lambda", "CreateFunction", {"Environment": {"Variables": {"1A": "x"}}}, "key: '1A' does not match"),
        ("logs", "CreateLogGroup", {"logGroupName": "a b"}, "does not match"),
        ("logs", "CreateLogGroup", {"tags": {"k": "o'brien"}}, "does not match"),
        ("cloudwatch", "PutMetricAlarm", {"Dimensions": [{"Name": "", "Value": "x"}]}, "is below 1"),
        ("dynamodb", "CreateTable", {"BillingMode": "FREE"}, "is none of"),
    ],
)
def test_a_wrong_value_is_seen(service: str, operation: str, params: dict[str, Any], said: str) -> None:
    model = botocore.session.get_session().get_service_model(service).operation_model(operation)
    assert model.input_shape is not None
    [fault] = broken(model.input_shape, params)
    assert said in fault
