"""What runs calls only what is declared: each verb of each resource, and each command of daily work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.cli.policy import operate_calls
from ordernotify.iam.calls import Allow
from ordernotify.orders import restore, signing
from ordernotify.orders.post import Sign
from ordernotify.resources.base import AnyLive, Resource, Step, Verb
from ordernotify.resources.queue import VerifyQueues
from ordernotify.settings.model import ApiKind, Auth, Settings
from ordernotify.settings.names import STACK_TAG, Target
from ordernotify.stack import answers
from ordernotify.stack.discovery import naming_calls
from ordernotify.stack.former import former_calls
from tests.cli_support import AnswersAtOnce, Typed, typed
from tests.provision_support import (
    ACCOUNT_ID,
    Account,
    Call,
    Send,
    answer,
    answer_json,
    full_settings,
    only,
    set_up,
    step,
)

__all__ = ["typed"]

CORS = ("https://shop.example.com",)
GIVEN_ROLE = f"arn:aws:iam::{ACCOUNT_ID}:role/theirs"
FULL = full_settings(
    cors_origins=CORS,
    rate=90,
    burst=90,
    access_logs=True,
    tracing=True,
    concurrency=20,
    dead_letters=True,
    dashboard=True,
)
CASES = [
    (replace(FULL, auth=Auth.API_KEY, execution_logs=True), Target.AWS),
    (replace(FULL, api=ApiKind.HTTP), Target.AWS),
    (Settings(role_arn=GIVEN_ROLE, auth=Auth.IAM), Target.AWS),
    (Settings(emails=("you@example.com",)), Target.LOCAL),
]


def names_of(calls: Iterable[Allow]) -> set[str]:
    return {f"{one.service}:{operation}" for one in calls for operation in one.operations}


def called_by(account: Account) -> set[str]:
    """Name the operations called since the record began; AWS never denies STS's."""
    return {f"{call.service}:{call.operation}" for call in account.calls if call.service != "sts"}


class Recorder:
    """Runs the verbs of resources one at a time, and checks what each of them called."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.live: dict[str, AnyLive] = {}

    def run(self, resource: Resource[Any], verb: Verb, act: Callable[[], Any]) -> Any:
        """Run the verb; every verb may call what FIND may."""
        self.account.forget_calls()
        result = act()
        called = called_by(self.account)
        declared = names_of((*resource.calls.get(Verb.FIND, ()), *resource.calls.get(verb, ())))
        assert called <= declared, f"{resource.key}, {verb.name}: {called - declared} is not declared"
        return result

    def step(self, resource: Resource[Any]) -> Step:
        return step(*((key, self.live[key]) for key in resource.needs if key in self.live))

    def make(self, resource: Resource[Any]) -> None:
        found = self.run(resource, Verb.FIND, resource.find)
        if found is None and resource.wanted:
            self.run(resource, Verb.CREATE, lambda: resource.create(self.step(resource)))
            found = self.run(resource, Verb.FIND, resource.find)
        if found is not None:
            self.live[resource.key] = found

    def change(self, resource: Resource[Any]) -> None:
        """Update from what was made, and from a state that differs in everything it has."""
        live = self.live.get(resource.key)
        if live is None or not resource.wanted:
            return
        different = replace(live, state=different_state(live.state))
        self.run(resource, Verb.UPDATE, lambda: resource.update(live, self.step(resource)))
        self.run(resource, Verb.UPDATE, lambda: resource.update(different, self.step(resource)))
        if live.tags is not None:
            self.run(resource, Verb.UPDATE, lambda: resource.put_tags(live))

    def remove(self, resource: Resource[Any]) -> None:
        live = self.live.get(resource.key)
        if live is not None:
            self.run(resource, Verb.DELETE, lambda: resource.delete(live, self.step(resource)))


def different_state(state: Any) -> Any:
    """Change every compared field of a state."""
    compared = {field.name: getattr(state, field.name) for field in fields(state) if field.compare}
    return replace(state, **{name: _different(value) for name, value in compared.items()})


def _different(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return f"{value} of old"
        case Mapping():
            return {"old": "old"}
        case frozenset() | tuple() | list():
            return type(value)()
        case _:
            return None


def needs_first(resources: Iterable[Resource[Any]]) -> list[Resource[Any]]:
    """Sort so that each comes after those that it needs."""
    waiting, done = list(resources), list[Resource[Any]]()
    keys = {resource.key for resource in waiting}
    while waiting:
        ready = next(one for one in waiting if {*one.needs} & keys <= {other.key for other in done})
        waiting.remove(ready)
        done.append(ready)
    return done


UNKNOWN_TO_MOTO = {
    ("apigateway", "TagResource"),
    ("apigatewayv2", "UpdateStage"),
    ("apigatewayv2", "DeleteAccessLogSettings"),
    ("logs", "AssociateKmsKey"),
    ("logs", "DisassociateKmsKey"),
}


def known_to_aws(call: Call, send: Send) -> AWSResponse:
    """Answer what moto does not know."""
    if call.operation == "AttachRolePolicy":
        return answer(200, b"<AttachRolePolicyResponse/>", {"Content-Type": "text/xml"})
    if (call.service, call.operation) in UNKNOWN_TO_MOTO:
        return answer_json({})
    if call.operation == "SimulatePrincipalPolicy":
        result = b"<SimulatePrincipalPolicyResult><EvaluationResults/></SimulatePrincipalPolicyResult>"
        body = b"<SimulatePrincipalPolicyResponse>%b</SimulatePrincipalPolicyResponse>" % result
        return answer(200, body, {"Content-Type": "text/xml"})
    return send()


@pytest.mark.parametrize(("settings", "target"), CASES, ids=["rest", "http", "given role", "local"])
def test_each_verb_calls_only_what_it_declares(account: Account, settings: Settings, target: Target) -> None:
    if settings.role_arn:
        trust = '{"Statement": {"Principal": {"Service": "lambda.amazonaws.com"}}}'
        account.client("iam").create_role(RoleName="theirs", AssumeRolePolicyDocument=trust)
    account.interfere = known_to_aws
    resources = needs_first(provision.declare(settings, account.cloud(target)))
    recorder = Recorder(account)
    for resource in resources:
        recorder.make(resource)
    assert {one.key for one in resources if one.wanted} == recorder.live.keys()
    fewer = Settings(api=settings.api, role_arn=settings.role_arn, auth=settings.auth)
    for described in (settings, fewer):
        for resource in needs_first(provision.declare(described, account.cloud(target))):
            recorder.change(resource)
    for resource in reversed(resources):
        recorder.remove(resource)


@pytest.mark.parametrize("now", list(ApiKind))
def test_removing_the_api_of_the_other_kind_calls_only_what_is_declared(
    account: Account, cloud: Cloud, now: ApiKind
) -> None:
    before = next(kind for kind in ApiKind if kind is not now)
    set_up(Settings(api=before), cloud)
    old = only(provision.declare(Settings(api=now), cloud), "old-api")
    recorder = Recorder(account)
    recorder.make(old)
    recorder.remove(old)
    assert old.find() is None


def test_removing_queues_of_verify_calls_only_what_is_declared(account: Account, cloud: Cloud) -> None:
    queues = VerifyQueues(Settings(), cloud)
    account.client("sqs").create_queue(QueueName=f"{queues.name}0123abcd", tags={STACK_TAG: "default"})
    recorder = Recorder(account)
    recorder.make(queues)
    recorder.remove(queues)
    assert queues.find() is None


QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT_ID}:orders"
ORDER = {"FileName": {"S": "order-1"}, "orderId": {"S": "order-1"}, "notification": {"S": "pending"}}
DAILY = [
    "status --show-key",
    "list-orders",
    "list-orders --notification pending",
    "get-order order-1",
    "export-orders orders.jsonl",
    "redrive --older-than 0s",
    "redrive --undelivered",
    "logs --since 1h",
    "trace order-1",
    f"subscribe you@example.com {QUEUE} && list-subscriptions && unsubscribe you@example.com {QUEUE}",
    "policy operate",
    "doctor",
    "export-stack --format terraform out",
]


@pytest.mark.parametrize("commands", DAILY)
def test_a_command_of_daily_work_calls_only_what_the_policy_for_it_grants(
    account: Account, cloud: Cloud, typed: Typed, commands: str
) -> None:
    settings = Settings(auth=Auth.API_KEY, dead_letters=True)
    set_up(settings, cloud)
    account.client("dynamodb").put_item(TableName="FileMetadata", Item=ORDER)
    account.client("sqs").create_queue(QueueName="orders")
    account.forget_calls()
    for command in commands.split(" && "):
        done = typed(*command.split())
        assert done.exit_code == 0, done.output
    resources = provision.declare(settings, cloud)
    more = (*former_calls(), *operate_calls(cloud, settings, [QUEUE]))
    granted = names_of((*provision.status_calls(resources), *more))
    assert called_by(account), "the commands reached the account"
    assert called_by(account) <= granted


@pytest.mark.parametrize("auth", list(Auth))
def test_setup_calls_only_what_its_policy_grants(
    account: Account, cloud: Cloud, typed: Typed, monkeypatch: pytest.MonkeyPatch, auth: Auth
) -> None:
    """All of the command: finding, making, and asking at the URL with the stack's own credential."""
    signed: list[Mapping[str, str]] = []

    class Client(AnswersAtOnce):
        def __init__(self, url: str, *, sign: Sign | None, **_: object) -> None:
            signed.append(sign("POST", url, {}, b"") if sign else {})

    monkeypatch.setattr(answers, "OrderClient", Client)
    done = typed("setup", "--auth", auth)
    assert done.exit_code == 0, done.output
    settings = Settings(auth=auth)
    finding = (*former_calls(), *naming_calls(cloud, settings.names, "/"))
    making = provision.setup_calls(provision.declare(settings, cloud))
    granted = names_of((*finding, *making, *signing.calls(cloud, settings)))
    assert called_by(account) <= granted
    assert ("apigateway:GetApiKey" in called_by(account)) is (auth is Auth.API_KEY)
    header = {Auth.NONE: "", Auth.API_KEY: "x-api-key", Auth.IAM: "Authorization"}[auth]
    assert all(not header or header in headers for headers in signed)
    assert len(signed) == answers.IN_A_ROW


def test_importing_orders_calls_only_what_its_own_policy_grants(
    account: Account, cloud: Cloud, typed: Typed
) -> None:
    set_up(Settings(), cloud)
    account.client("dynamodb").put_item(TableName="FileMetadata", Item=ORDER)
    assert typed("export-orders", "orders.jsonl").exit_code == 0
    account.forget_calls()
    done = typed("import-orders", "orders.jsonl")
    assert done.exit_code == 0, done.output
    finding = (*former_calls(), *naming_calls(cloud, Settings().names, "/"))
    assert called_by(account) <= names_of((*finding, *restore.calls(cloud, Settings().names)))
    assert "dynamodb:PutItem" in called_by(account)
