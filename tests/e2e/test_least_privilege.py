"""The printed policies, proved in both directions on the embedded cloud: enough, and nothing superfluous.

Each right that is taken away is an action on a resource. A run of the suite takes away a few of each policy;
TESTS_POLICY_MATRIX=full takes away every one, for ten minutes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
import urllib3
from botocore.exceptions import ClientError
from typer.testing import Result

from ordernotify.aws.session import Cloud
from ordernotify.resources import log_group
from ordernotify.settings.model import ApiKind
from ordernotify.settings.names import Names
from ordernotify.stack import verify
from tests.e2e.cloud import EmbeddedCloud, running_cloud
from tests.e2e.policy_scenarios import Disturbance
from tests.e2e.policy_user import (
    REGION,
    SEEN_WITHOUT_RESOURCE,
    Document,
    Person,
    Right,
    document_of,
    new_user,
    rights_in,
    root_of,
)

pytestmark = pytest.mark.long

FULL = os.environ.get("TESTS_POLICY_MATRIX") == "full"
GUIDE_ORDER = {"customerName": "John Doe", "productName": "Wireless Mouse"}
EVERYTHING = (
    "--email",
    "you@example.com",
    "--alarm-email",
    "ops@example.com",
    "--access-logs",
    "--dead-letters",
    "--dashboard",
)
LIMITED = ("--rate", "90", "--burst", "90", "--cors-origin", "https://shop.example.com", "--dead-letters")
OPTIONS = {
    ApiKind.REST: ("--auth", "api-key", *EVERYTHING, *LIMITED),
    ApiKind.HTTP: ("--api", "http", "--auth", "iam", *EVERYTHING, *LIMITED),
}

UNCHECKED = {
    "apigateway:TagResource": "no such operation of API Gateway is known",
    "iam:PassRole": "making a function, or setting API Gateway's role, checks no role that is passed",
    "logs:DeleteLogDelivery": "turning access logs off checks nothing beyond API Gateway",
    "logs:CreateLogDelivery": "turning access logs on checks nothing beyond API Gateway",
    "logs:DescribeResourcePolicies": "turning access logs on checks nothing beyond API Gateway",
    "logs:GetLogDelivery": "turning access logs on checks nothing beyond API Gateway",
    "logs:ListLogDeliveries": "turning access logs on checks nothing beyond API Gateway",
    "logs:PutResourcePolicy": "turning access logs on checks nothing beyond API Gateway",
    "logs:UpdateLogDelivery": "turning access logs on checks nothing beyond API Gateway",
}
"""Actions that AWS checks and MiniStack does not, with the reason."""
UNCHECKED_IN_OPERATION = {"sqs:TagQueue": "making a queue checks none of the tags given with it"}
FOR_A_QUESTION = {"dynamodb:Scan"}
"""Only needed where a person is asked; it has a test of its own."""
FOR_A_WEB_ACL = {
    "apigateway:SetWebACL",
    "wafv2:DisassociateWebACL",
    "wafv2:GetWebACL",
    "wafv2:GetWebACLForResource",
}
"""Teardown's policy has them for a stack that was set up with --waf-acl; these were not."""
UNCHECKED_OF_FUNCTION = {"logs:CreateLogStream", "logs:PutLogEvents"}
"""MiniStack writes a function's log itself, not as its role."""

OF_THE_API = {"status", "send-order", "verify"}
"""The daily commands that are not the same for every kind of API."""
SLOW = {"execute-api:Invoke": "for 20 s, sending takes a refusal for a new API's"}
"""Actions that only a full run takes away, with the reason."""
UNANSWERED = "The function does not answer at the URL yet"
"""What setup says where all is made and only the asking is denied: that is no failure."""
NOT_IN_A_SAMPLE = {*UNCHECKED, *UNCHECKED_IN_OPERATION, *SLOW}
LIKELY_COMMANDS = {
    "dynamodb:BatchGetItem": "get-order",
    "dynamodb:GetItem": "trace",
    "dynamodb:UpdateItem": "redrive",
    "execute-api": "send-order",
    "sns:GetSubscriptionAttributes": "list-subscriptions",
    "sns:Publish": "redrive",
    "sns:SetSubscriptionAttributes": "subscribe",
    "sns:Subscribe": "subscribe",
    "sns:Unsubscribe": "unsubscribe",
    "sqs": "verify",
}
"""Which command is tried first without a right, to save time."""


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedCloud]:
    """A cloud of this module's own: the tests leave many stacks behind."""
    with running_cloud(tmp_path_factory.mktemp("state")) as running:
        yield running


@pytest.fixture(scope="module")
def root(embedded: EmbeddedCloud) -> Person:
    return root_of(embedded)


_numbers = count(1)


@pytest.fixture
def user(embedded: EmbeddedCloud) -> Person:
    return new_user(embedded, f"user-{next(_numbers)}")


@pytest.fixture(autouse=True)
def saved_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait as for AWS."""
    monkeypatch.setattr(log_group, "LATE_LINES_SECONDS", 0.0)
    monkeypatch.setattr(verify, "SUBSCRIPTION_SETTLES_SECONDS", 0.0)


def stack_name() -> str:
    return f"s{next(_numbers)}"


def succeeded(done: Result | subprocess.CompletedProcess[str]) -> str:
    status = done.exit_code if isinstance(done, Result) else done.returncode
    assert status == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def forget_api_log_role(cloud: Cloud) -> None:
    """Unset the account's role for API Gateway's logs, as if no setup had ever made it."""
    cloud.apigateway.update_account(patchOperations=[{"op": "remove", "path": "/cloudwatchRoleArn"}])
    role = "ordernotify-apigateway-logs"
    with suppress(cloud.iam.exceptions.NoSuchEntityException):
        for policy in cloud.iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
            cloud.iam.detach_role_policy(RoleName=role, PolicyArn=policy["PolicyArn"])
        cloud.iam.delete_role(RoleName=role)


# Enough: a person with exactly the printed policies, and the installed command.


@pytest.mark.parametrize("kind", [*ApiKind])
def test_exactly_the_printed_policies_are_enough_for_a_whole_life(
    embedded: EmbeddedCloud, root: Person, user: Person, kind: ApiKind, tmp_path: Path
) -> None:
    forget_api_log_role(embedded.cloud())
    stack, options = stack_name(), OPTIONS[kind]
    of_stack = ("--stack", stack)
    user.may(rights_in(root.printed("setup", *of_stack, *options)))
    succeeded(user.command("setup", *of_stack, *options, "--yes"))
    assert '"action": "none"' in succeeded(user.run("setup", *of_stack, *options, "--yes", "--json"))
    Disturbance(embedded.cloud(), stack, kind).drift()
    assert '"action": "update"' in succeeded(user.run("setup", *of_stack, *options, "--yes", "--json"))

    user.may(rights_in(root.printed("operate", *of_stack)))
    for command in operating_commands(root, stack, tmp_path):
        if kind is ApiKind.REST or command[0] in OF_THE_API:
            succeeded(user.run(*command))

    user.may(rights_in(root.printed("teardown", *of_stack)))
    succeeded(user.command("teardown", *of_stack, "--yes", "--delete-orders"))
    assert "there is no stack" in root.run("status", *of_stack).stderr


def operating_commands(root: Person, stack: str, folder: Path) -> Iterator[tuple[str, ...]]:
    """Every command between setup and teardown, on a stack with a pending order."""
    order = put_pending_order(root, stack)
    of_stack = ("--stack", stack)
    yield ("status", *of_stack)
    yield ("audit", *of_stack)
    yield ("send-order", *of_stack, "--customer", "A", "--product", "B")
    yield ("list-orders", *of_stack)
    yield ("get-order", order, *of_stack)
    yield ("export-orders", str(folder / "orders.jsonl"), *of_stack)
    yield ("redrive", *of_stack)
    yield ("redrive", "--undelivered", *of_stack)
    yield ("logs", *of_stack)
    yield ("trace", order, *of_stack)
    yield ("verify", *of_stack)
    yield ("subscribe", "new@example.com", "--filter-policy", '{"eventType": ["order.created"]}', *of_stack)
    yield ("subscribe", "new@example.com", "--filter-policy", "{}", *of_stack)
    yield ("list-subscriptions", *of_stack)
    yield ("unsubscribe", "new@example.com", *of_stack)


def put_pending_order(root: Person, stack: str) -> str:
    order = f"pending-{next(_numbers)}"
    item = {**GUIDE_ORDER, "FileName": order, "orderId": order, "notification": "pending"}
    root.embedded.cloud().dynamodb.put_item(
        TableName=Names().for_stack(stack).table,
        Item={**{name: {"S": value} for name, value in item.items()}, "quantity": {"N": "1"}},
    )
    return order


# Nothing superfluous: each right taken away.

PLACEHOLDER = "placeholder"
"""The stack for which a policy is printed once; its name is then replaced in the resources."""


@dataclass(frozen=True)
class Trial:
    """One user, the rights of one printed policy, and the commands that need them."""

    root: Person
    user: Person
    rights: tuple[Right, ...]
    options: tuple[str, ...]
    kind: ApiKind
    shared: dict[str, str] = field(default_factory=dict)
    """Stacks that only are read, by what they are for."""

    @property
    def chosen(self) -> Sequence[Right]:
        """The rights to take away: all, or one of every third service, others for each kind of API."""
        if FULL:
            return self.rights
        services: dict[str, list[Right]] = {}
        for right in self.rights:
            if right.action not in NOT_IN_A_SAMPLE:
                services.setdefault(right.service, []).append(right)
        some = list(services.values())[list(ApiKind).index(self.kind) :: 3]
        return [rights[len(rights) // 2] for rights in some]

    def take_away(self, taken: Right, stack: str) -> None:
        """Leave the user what the policy for this stack grants, but for one right as the emulator sees it."""
        left = [
            right for right in self.rights if (right.action, right.seen_on) != (taken.action, taken.seen_on)
        ]
        self.user.may(right.of_stack(PLACEHOLDER, stack) for right in left)

    def assert_all_needed(self, unchecked: Iterable[str], *attempts: Callable[[Right], Result]) -> None:
        """Take each right away, and check that an attempt fails saying so; but for what is not checked."""
        not_needed = [right for right in self.chosen if not self._is_needed(right, attempts)]
        assert [right for right in not_needed if right.action not in set(unchecked)] == []
        listed = {right.action for right in self.chosen} & set(unchecked)
        assert {right.action for right in not_needed} == listed, "now it checks more of them"

    def _is_needed(self, right: Right, attempts: Iterable[Callable[[Right], Result]]) -> bool:
        for attempt in attempts:
            done = attempt(right)
            if done.exit_code != 0 or UNANSWERED in done.stdout:
                assert_denied(done.stdout + done.stderr, right)
                return True
        return False


def assert_denied(said: str, right: Right) -> None:
    """Check that a command said which action is missing, and where the policies come from."""
    api_said = f"not authorized to perform: {right.action} "
    assert f"your user or role may not call {right.action}" in said or api_said in said, f"{right}:\n{said}"
    assert "Error: " not in said or "`ordernotify policy " in said
    assert "Traceback" not in said


@pytest.fixture(params=list(ApiKind))
def trial_of(request: pytest.FixtureRequest, root: Person, user: Person) -> Callable[[str], Trial]:
    """Prepare a trial of the policy that `ordernotify policy …` prints, for each kind of API."""
    kind = ApiKind(request.param)
    options = OPTIONS[kind]

    def prepare(which: str) -> Trial:
        rights = rights_in(root.printed(which, "--stack", PLACEHOLDER, *options))
        return Trial(root, user, rights, options, kind)

    return prepare


def test_setup_needs_every_right_of_its_policy(trial_of: Callable[[str], Trial]) -> None:
    trial = trial_of("setup")
    steps = SetupAttempts(trial)
    trial.assert_all_needed(
        UNCHECKED,
        steps.plan_what_is_complete,
        steps.plan_what_was_otherwise,
        steps.make,
        steps.mend,
        steps.adopt,
        steps.replace_function,
    )


class SetupAttempts:
    """The ways in which `setup` comes to need a right."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.cloud = trial.root.embedded.cloud()

    def plan_what_is_complete(self, right: Right) -> Result:
        if "complete" not in self.trial.shared:
            self.trial.shared["complete"] = self._made(self.trial.options)
        return self._set_up(right, self.trial.shared["complete"], "--dry-run")

    def plan_what_was_otherwise(self, right: Right) -> Result:
        """Plan where there is a stack of the other kind, with all that this one is to have no more."""
        if "otherwise" not in self.trial.shared:
            other = ApiKind.HTTP if self.trial.kind is ApiKind.REST else ApiKind.REST
            self.trial.shared["otherwise"] = self._made(OPTIONS[other])
            Disturbance(self.cloud, self.trial.shared["otherwise"], other).leave_behind()
        return self._set_up(right, self.trial.shared["otherwise"], "--dry-run")

    def make(self, right: Right) -> Result:
        forget_api_log_role(self.cloud)
        return self._set_up(right, stack_name(), "--yes")

    def mend(self, right: Right) -> Result:
        stack = self._made(self.trial.options)
        Disturbance(self.cloud, stack, self.trial.kind).drift()
        return self._set_up(right, stack, "--yes")

    def adopt(self, right: Right) -> Result:
        stack = self._made(self.trial.options)
        Disturbance(self.cloud, stack, self.trial.kind).lose_tags()
        return self._set_up(right, stack, "--yes", "--adopt")

    def replace_function(self, right: Right) -> Result:
        stack = self._made(self.trial.options)
        Disturbance(self.cloud, stack, self.trial.kind).replace_role()
        return self._set_up(right, stack, "--yes")

    def _made(self, options: Sequence[str]) -> str:
        stack = stack_name()
        succeeded(self.trial.root.run("setup", "--stack", stack, *options, "--yes"))
        return stack

    def _set_up(self, right: Right, stack: str, *more: str) -> Result:
        self.trial.take_away(right, stack)
        return self.trial.user.run("setup", "--stack", stack, *self.trial.options, *more)


def test_teardown_needs_every_right_of_its_policy(trial_of: Callable[[str], Trial]) -> None:
    trial, stack = trial_of("teardown"), stack_name()
    disturbance = Disturbance(trial.root.embedded.cloud(), stack, trial.kind)

    def tear_down(right: Right) -> Result:
        succeeded(trial.root.run("setup", "--stack", stack, *trial.options, "--yes"))
        disturbance.leave_behind()
        disturbance.attach_policy()
        trial.take_away(right, stack)
        return trial.user.run("teardown", "--stack", stack, "--yes", "--delete-orders")

    trial.assert_all_needed(FOR_A_QUESTION | FOR_A_WEB_ACL, tear_down)


def test_teardown_counts_the_orders_before_it_asks(root: Person, user: Person) -> None:
    stack = stack_name()
    succeeded(root.run("setup", "--stack", stack, "--yes"))
    rights = rights_in(root.printed("teardown", "--stack", stack))
    [counting] = [right for right in rights if right.action in FOR_A_QUESTION]
    user.may(right for right in rights if right != counting)
    arguments = [sys.executable, "-m", "ordernotify", "teardown", "--stack", stack]
    terminal, its_other_end = os.openpty()
    try:
        done = subprocess.run(
            arguments, env=user.environ, stdin=its_other_end, stderr=its_other_end, timeout=30, check=False
        )
        said = os.read(terminal, 1_000_000).decode()
    finally:
        os.close(its_other_end)
        os.close(terminal)
    assert done.returncode == 1
    assert_denied(" ".join(said.split()), counting)  # the terminal's lines break between words


def test_the_daily_commands_need_every_right_of_their_policy(
    trial_of: Callable[[str], Trial], tmp_path: Path
) -> None:
    trial, stack = trial_of("operate"), stack_name()
    succeeded(trial.root.run("setup", "--stack", stack, *trial.options, "--yes"))
    Disturbance(trial.root.embedded.cloud(), stack, trial.kind).leave_behind()

    def run_until_one_fails(right: Right) -> Result:
        trial.take_away(right, stack)
        likely = LIKELY_COMMANDS.get(right.action) or LIKELY_COMMANDS.get(right.service)
        commands = list(operating_commands(trial.root, stack, tmp_path))
        for command in sorted(commands, key=lambda command: command[0] != likely):
            done = trial.user.run(*command)
            if done.exit_code != 0:
                break
        return done

    trial.assert_all_needed(set(UNCHECKED_IN_OPERATION), run_until_one_fails)


def test_orders_are_imported_with_a_policy_of_its_own(root: Person, user: Person, tmp_path: Path) -> None:
    stack, file = stack_name(), str(tmp_path / "orders.jsonl")
    succeeded(root.run("setup", "--stack", stack, "--yes"))
    order = put_pending_order(root, stack)
    succeeded(root.run("export-orders", file, "--stack", stack))
    root.embedded.cloud().dynamodb.delete_item(
        TableName=Names().for_stack(stack).table, Key={"FileName": {"S": order}}
    )
    user.may(rights_in(root.printed("operate", "--stack", stack)))
    importing = rights_in(root.printed("import", "--stack", stack))
    [writing] = [right for right in importing if right.action == "dynamodb:PutItem"]
    assert_denied(user.run("import-orders", file, "--stack", stack).stderr, writing)
    user.may(importing)
    assert "1 order brought back" in succeeded(user.run("import-orders", file, "--stack", stack))


def test_the_boundary_and_the_path_of_an_organization_are_enforced(
    embedded: EmbeddedCloud, root: Person, user: Person
) -> None:
    stack, cloud = stack_name(), embedded.cloud()
    wide = json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    )
    boundary = cloud.iam.create_policy(PolicyName=f"{stack}-limits", PolicyDocument=wide)["Policy"]["Arn"]
    options = ("--stack", stack, "--permissions-boundary", boundary, "--role-path", "/team/")
    user.may(rights_in(root.printed("setup", *options)))
    made = json.loads(succeeded(user.run("setup", *options, "--yes", "--json")))
    role = cloud.iam.get_role(RoleName=Names().for_stack(stack).role)["Role"]
    assert role["Arn"].endswith(f":role/team/{role['RoleName']}")
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary
    assert urllib3.request("POST", made["url"], json=GUIDE_ORDER, timeout=30, retries=False).status == 201

    narrow = wide.replace('"Action": "*"', '"Action": "sns:*"')
    cloud.iam.create_policy_version(PolicyArn=boundary, PolicyDocument=narrow, SetAsDefault=True)
    assert urllib3.request("POST", made["url"], json=GUIDE_ORDER, timeout=30, retries=False).status == 503
    user.may(rights_in(root.printed("teardown", "--stack", stack)))
    succeeded(user.run("teardown", "--stack", stack, "--yes", "--delete-orders"))


def test_a_given_role_is_read_and_passed(embedded: EmbeddedCloud, root: Person, user: Person) -> None:
    stack, cloud = stack_name(), embedded.cloud()
    succeeded(root.run("setup", "--stack", stack, "--yes"))
    given = cloud.arn("iam", f"role/{Names().for_stack(stack).role}", region=False)
    options = ("--stack", stack_name(), "--role-arn", given)
    rights = rights_in(root.printed("setup", *options))
    [reading] = [right for right in rights if (right.action, right.resource) == ("iam:GetRole", given)]
    user.may(right for right in rights if right != reading)
    assert_denied(user.run("setup", *options, "--yes").stderr, reading)
    user.may(rights)
    succeeded(user.run("setup", *options, "--yes"))


# What the emulator does not check is known, so that a test tells when it does.


def test_the_emulator_still_checks_none_of_the_actions_that_are_listed(
    embedded: EmbeddedCloud, root: Person, user: Person
) -> None:
    kind = ApiKind.HTTP  # its policies have all of them
    stack, options = stack_name(), OPTIONS[kind]

    def may_all_but(which: str, unchecked: Iterable[str]) -> None:
        rights = rights_in(root.printed(which, "--stack", stack, *options))
        assert {right.action for right in rights} >= set(unchecked)
        user.may(right for right in rights if right.action not in set(unchecked))

    may_all_but("setup", UNCHECKED)
    succeeded(user.run("setup", "--stack", stack, *options, "--yes"))
    Disturbance(embedded.cloud(), stack, kind).drift()
    succeeded(user.run("setup", "--stack", stack, *options, "--yes"))
    may_all_but("operate", UNCHECKED_IN_OPERATION)
    succeeded(user.run("verify", "--stack", stack))


def exact_calls(cloud: Cloud, names: Names, stack: str) -> Mapping[str, Callable[[], object]]:
    """A call for each action that the emulator checks on `*`, on the stack's own resource."""
    table, topic = cloud.arn("dynamodb", f"table/{names.table}"), cloud.arn("sns", names.topic)
    alarm = names.alarm("errors")
    alarm_arn = cloud.arn("cloudwatch", f"alarm:{alarm}")
    dashboard = f"ordernotify-{stack}-{REGION}"
    return {
        "cloudwatch:DeleteAlarms": lambda: cloud.cloudwatch.delete_alarms(AlarmNames=[alarm]),
        "cloudwatch:DescribeAlarms": lambda: cloud.cloudwatch.describe_alarms(AlarmNames=[alarm]),
        "cloudwatch:DeleteDashboards": lambda: cloud.cloudwatch.delete_dashboards(DashboardNames=[dashboard]),
        "cloudwatch:GetDashboard": lambda: cloud.cloudwatch.get_dashboard(DashboardName=dashboard),
        "cloudwatch:ListTagsForResource": lambda: cloud.cloudwatch.list_tags_for_resource(
            ResourceARN=alarm_arn
        ),
        "cloudwatch:PutDashboard": lambda: cloud.cloudwatch.put_dashboard(
            DashboardName=dashboard, DashboardBody="{}"
        ),
        "cloudwatch:TagResource": lambda: cloud.cloudwatch.tag_resource(ResourceARN=alarm_arn, Tags=[]),
        "dynamodb:ListTagsOfResource": lambda: cloud.dynamodb.list_tags_of_resource(ResourceArn=table),
        "dynamodb:TagResource": lambda: cloud.dynamodb.tag_resource(ResourceArn=table, Tags=[]),
        "lambda:CreateFunction": lambda: cloud.lambda_.create_function(
            FunctionName=names.function, Role="arn:aws:iam::000000000000:role/r", Code={"ZipFile": b""}
        ),
        "sns:ListTagsForResource": lambda: cloud.sns.list_tags_for_resource(ResourceArn=topic),
        "sns:TagResource": lambda: cloud.sns.tag_resource(ResourceArn=topic, Tags=[]),
    }


def test_the_emulator_still_checks_the_listed_actions_on_no_resource(
    root: Person, user: Person, embedded: EmbeddedCloud
) -> None:
    stack = stack_name()
    kinds = ("setup", "operate", "teardown")
    printed = [rights_in(root.printed(which, "--stack", stack, "--dashboard")) for which in kinds]
    exact = {right for rights in printed for right in rights if right.action in SEEN_WITHOUT_RESOURCE}
    assert {right.action for right in exact} == SEEN_WITHOUT_RESOURCE.keys()
    user.may_exactly(exact)
    cloud = user.cloud()
    cloud.logs.meta.config.inject_host_prefix = False
    calls = exact_calls(cloud, Names().for_stack(stack), stack)
    assert calls.keys() == SEEN_WITHOUT_RESOURCE.keys()
    for call in calls.values():
        with pytest.raises(ClientError, match="is not authorized to perform"):
            call()


# The function's role.


def test_the_function_needs_what_its_role_may(root: Person, embedded: EmbeddedCloud) -> None:
    stack, cloud = stack_name(), embedded.cloud()
    made = json.loads(succeeded(root.run("setup", "--stack", stack, "--yes", "--json")))
    rights = rights_in(root.printed("function", "--stack", stack))
    assert answer_without(cloud, stack, made["url"], rights, ()) == 201
    answers = {right.action: answer_without(cloud, stack, made["url"], rights, (right,)) for right in rights}
    assert answers == {
        "dynamodb:PutItem": 503,
        "dynamodb:UpdateItem": 201,  # then the order is marked by PutItem
        "sns:Publish": 202,
        **dict.fromkeys(UNCHECKED_OF_FUNCTION, 201),
    }


def answer_without(
    cloud: Cloud, stack: str, url: str, rights: Sequence[Right], taken: Sequence[Right]
) -> int:
    """Post an order while the function's role lacks some of its rights."""
    document: Document = document_of(right for right in rights if right not in taken)
    cloud.iam.put_role_policy(
        RoleName=Names().for_stack(stack).role, PolicyName="ordernotify", PolicyDocument=json.dumps(document)
    )
    return urllib3.request("POST", url, json=GUIDE_ORDER, timeout=30, retries=False).status
