"""The printed policies: from the declarations, least, and all that the calls need."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.model import StructureShape
from typer.testing import CliRunner, Result

from ordernotify import provision
from ordernotify.aws.errors import map_botocore_errors
from ordernotify.aws.session import Cloud
from ordernotify.cli import app
from ordernotify.cli.policy import operate_calls
from ordernotify.errors import AccessDeniedError
from ordernotify.iam import policies
from ordernotify.iam.calls import (
    Allow,
    allow,
)
from ordernotify.iam.kms import needed_statements
from ordernotify.orders import restore, signing
from ordernotify.resources.base import Resource, Verb
from ordernotify.settings.model import ApiKind, Auth, Settings
from ordernotify.settings.names import Names
from ordernotify.subscribers.topic import list_subscribers
from tests.aws_answers import Call, refuse
from tests.keys import make_key
from tests.moto_account import ACCOUNT_ID, REGION, Account
from tests.provision_support import ManualClock, set_up, tear_down
from tests.web_acls import ANY_WEB_ACL, make_web_acl

WITHOUT_RESOURCE = {
    "logs:DescribeLogGroups": "lists",
    "cloudwatch:GetMetricData": "metrics have no resources",
    "sqs:ListQueues": "lists",
    "xray:PutTelemetryRecords": "X-Ray has no resources for sending",
    "xray:PutTraceSegments": "X-Ray has no resources for sending",
    "tag:GetResources": "lists",
    "lambda:GetAccountSettings": "the account's",
    "sns:Unsubscribe": "SNS has no permissions on single subscriptions",
    "sns:GetSubscriptionAttributes": "SNS has no permissions on single subscriptions",
    "sns:SetSubscriptionAttributes": "SNS has no permissions on single subscriptions",
    "logs:CreateLogDelivery": "log delivery has no resources",
    "logs:GetLogDelivery": "log delivery has no resources",
    "logs:UpdateLogDelivery": "log delivery has no resources",
    "logs:ListLogDeliveries": "log delivery has no resources",
    "logs:DeleteLogDelivery": "log delivery has no resources",
    "logs:PutResourcePolicy": "resource policies are the account's",
    "logs:DescribeResourcePolicies": "resource policies are the account's",
}
"""The actions that AWS grants on `*` only, with the reason.

Source: the Service Authorization Reference, https://docs.aws.amazon.com/service-authorization/latest/reference/.
"""
NO_CALLS = {
    "apigateway:PATCH",
    "apigateway:SetWebACL",
    "execute-api:Invoke",
    "iam:PassRole",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:UpdateLogDelivery",
}
"""Declared because AWS checks them, though they are no calls of boto3."""
VARIANTS = [
    Settings(stack="dev", names=Names().for_stack("dev"), api=api, auth=auth, access_logs=logs, **more)
    for api, auth in (
        (ApiKind.REST, Auth.NONE),
        (ApiKind.REST, Auth.API_KEY),
        (ApiKind.REST, Auth.IAM),
        (ApiKind.HTTP, Auth.NONE),
        (ApiKind.HTTP, Auth.IAM),
    )
    for logs in (False, True)
    for more in (
        {},
        {
            "emails": ("you@example.com",),
            "phones": ("+14155550100",),
            "alarm_emails": ("ops@example.com",),
            "cors_origins": ("https://shop.example.com",),
        },
        {"role_arn": f"arn:aws:iam::{ACCOUNT_ID}:role/theirs"},
        {
            "tracing": True,
            "concurrency": 20,
            "dead_letters": True,
            "dashboard": True,
            "execution_logs": api is ApiKind.REST,
        },
        {"permissions_boundary": f"arn:aws:iam::{ACCOUNT_ID}:policy/limits", "role_path": "/team/"},
        {
            "alarm_emails": ("ops@example.com",),
            "permissions_boundary": f"arn:aws:iam::{ACCOUNT_ID}:policy/limits",
            "role_path": "/team/",
            "tracing": True,
            "concurrency": 20,
            "dead_letters": True,
            "dashboard": True,
            "execution_logs": api is ApiKind.REST,
        },
        {
            "alarm_emails": ("ops@example.com",),
            "dead_letters": True,
            "kms_key": "alias/orders",
            "waf_acl": ANY_WEB_ACL if api is ApiKind.REST else None,
        },
    )
]


def setup_policy(settings: Settings, cloud: Cloud) -> policies.Policy:
    asking = signing.calls(cloud, settings)
    return policies.policy((*provision.setup_calls(provision.declare(settings, cloud)), *asking), cloud)


def operate_policy(settings: Settings, cloud: Cloud) -> policies.Policy:
    resources = provision.declare(settings, cloud)
    more = operate_calls(cloud, settings, ())
    return policies.policy((*provision.status_calls(resources), *more), cloud)


def teardown_policy(settings: Settings, cloud: Cloud) -> policies.Policy:
    return policies.policy(provision.teardown_calls(provision.declare(settings, cloud)), cloud)


def import_policy(settings: Settings, cloud: Cloud) -> policies.Policy:
    return policies.policy(restore.calls(cloud, settings.names), cloud)


KINDS = (setup_policy, operate_policy, teardown_policy, policies.role_policy)


def rights(document: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Take a document apart, into single actions on single resources that they can work on."""
    return {
        (action, resource)
        for statement in document["Statement"]
        for action, resource in itertools.product(_list(statement["Action"]), _list(statement["Resource"]))
        if resource.split(":")[2:3] in ([], [action.partition(":")[0]])
    }


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def every_declaration(cloud: Cloud) -> Iterator[Allow]:
    for settings in VARIANTS:
        yield from operate_calls(cloud, settings, ["arn:aws:sqs:us-east-1:123456789012:orders"])
        for resource in provision.declare(settings, cloud):
            for calls in resource.calls.values():
                yield from calls


def test_every_declared_operation_exists(account: Account, cloud: Cloud) -> None:
    declared = {(one.service, name) for one in every_declaration(cloud) for name in one.operations}
    known = {
        (service, name)
        for service in {service for service, _ in declared} - {"execute-api"}
        for name in account.client(service).meta.service_model.operation_names
    }
    assert {f"{service}:{name}" for service, name in declared - known} == NO_CALLS


# How declarations become a document.


def statements(cloud: Cloud, *calls: Allow) -> Any:
    return policies.policy(calls, cloud).document["Statement"]


def test_actions_on_the_same_resources_share_a_statement(cloud: Cloud) -> None:
    assert statements(
        cloud,
        allow("sqs", "DeleteQueue", "CreateQueue", on="arn:b"),
        allow("sqs", "CreateQueue", on="arn:a"),
        allow("sqs", "DeleteQueue", on="arn:a"),
        allow("sqs", "ListQueues", on="*"),
    ) == [
        {"Effect": "Allow", "Action": ["sqs:CreateQueue", "sqs:DeleteQueue"], "Resource": ["arn:a", "arn:b"]},
        {"Effect": "Allow", "Action": "sqs:ListQueues", "Resource": "*"},
    ]


def test_api_gateway_is_granted_by_verb_and_path(cloud: Cloud) -> None:
    assert statements(
        cloud,
        allow("apigateway", "CreateResource", "GetRestApis"),
        allow("apigatewayv2", "CreateRoute", "TagResource"),
    ) == [
        {
            "Effect": "Allow",
            "Action": "apigateway:GET",
            "Resource": "arn:aws:apigateway:us-east-1::/restapis",
        },
        {
            "Effect": "Allow",
            "Action": "apigateway:POST",
            "Resource": [
                "arn:aws:apigateway:us-east-1::/apis/*/routes",
                "arn:aws:apigateway:us-east-1::/restapis/*/resources/*",
                "arn:aws:apigateway:us-east-1::/tags/*",
            ],
        },
    ]


def test_what_a_wider_resource_covers_is_left_out(cloud: Cloud) -> None:
    assert statements(cloud, allow("apigateway", "DeleteRestApi", "DeleteMethod")) == [
        {
            "Effect": "Allow",
            "Action": "apigateway:DELETE",
            "Resource": "arn:aws:apigateway:us-east-1::/restapis/*",
        }
    ]


def test_services_share_statements_in_a_document_that_would_not_fit_and_grant_the_same(cloud: Cloud) -> None:
    long = "x" * 1_500
    queues, topics = [f"arn:aws:sqs:::q{n}{long}" for n in "ab"], [f"arn:aws:sns:::t{n}{long}" for n in "ab"]
    calls = (
        allow("sqs", "DeleteQueue", on=queues[0]),
        allow("sqs", "ListQueueTags", on=queues[1]),
        allow("sns", "Publish", on=topics[0]),
        allow("sns", "Subscribe", on=topics[1]),
        allow("sqs", "ListQueues", on="*"),
    )
    short = [replace(one, on=tuple(on.replace(long, "") for on in one.on)) for one in calls]
    assert len(statements(cloud, *short)) == 5
    made = policies.policy(calls, cloud).document
    assert [(one["Action"], len(_list(one["Resource"]))) for one in made["Statement"]] == [
        (["sns:Publish", "sqs:DeleteQueue"], 2),
        (["sns:Subscribe", "sqs:ListQueueTags"], 2),
        ("sqs:ListQueues", 1),
    ]
    assert rights(made) == {
        (f"{one.service}:{name}", on) for one in calls for name in one.operations for on in one.on
    }


def test_a_condition_keeps_its_own_statement(cloud: Cloud) -> None:
    when = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    granted = statements(
        cloud, allow("iam", "PassRole", on="arn:r", when=when), allow("iam", "GetRole", on="arn:r")
    )
    assert granted == [
        {"Effect": "Allow", "Action": "iam:GetRole", "Resource": "arn:r"},
        {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "arn:r", "Condition": when},
    ]


def test_what_is_optional_is_named_and_not_granted_unless_needed_elsewhere(cloud: Cloud) -> None:
    made = policies.policy(
        [
            allow("sns", "TagResource", "UntagResource", on="arn:t", optional=True),
            allow("sns", "TagResource", on="arn:t"),
        ],
        cloud,
    )
    assert rights(made.document) == {("sns:TagResource", "arn:t")}
    assert made.left_out == ("sns:UntagResource",)


def test_the_size_is_counted_as_iam_does_without_white_space(cloud: Cloud) -> None:
    document = policies.policy([allow("sns", "Publish", on="arn:t")], cloud).document
    assert policies.Policy(document).characters == len(
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sns:Publish","Resource":"arn:t"}]}'
    )


# What the documents grant.


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_document_has_a_wildcard_that_aws_does_not_force(
    cloud: Cloud, kind: Callable[[Settings, Cloud], policies.Policy]
) -> None:
    granted = {right for settings in VARIANTS for right in rights(kind(settings, cloud).document)}
    assert [action for action, _ in granted if "*" in action] == []
    assert {action for action, resource in granted if resource == "*"} <= WITHOUT_RESOURCE.keys()
    for action, resource in granted:
        service = action.partition(":")[0]
        assert resource == "*" or resource.startswith(f"arn:aws:{service}:"), (action, resource)
        ids_of_aws = ("apigateway", "execute-api")
        names = (
            "-dev",
            "role/theirs",
            "role/ordernotify-apigateway-logs",
            "log-group:API-Gateway-Execution-Logs_*/prod",  # AWS names it after the API's id
            "role/team/ordernotify-apigateway-logs",
            "alarm:*",
            "key/*",  # under the condition that it has the alias
            "regional/webacl/",  # the person's, and whichever the stage has
        )
        assert (
            service in ids_of_aws or action in WITHOUT_RESOURCE or any(name in resource for name in names)
        ), f"{action} is granted on {resource}, which is not of this stack"


def test_a_list_of_exceptions_has_nothing_superfluous(cloud: Cloud) -> None:
    granted = {
        right for settings in VARIANTS for kind in KINDS for right in rights(kind(settings, cloud).document)
    }
    assert {action for action, resource in granted if resource == "*"} == WITHOUT_RESOURCE.keys()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_document_fits_a_managed_policy(
    cloud: Cloud, kind: Callable[[Settings, Cloud], policies.Policy]
) -> None:
    sizes = [kind(settings, cloud).characters for settings in VARIANTS]
    assert max(sizes) <= policies.MANAGED_CHARACTERS


CHECKED_ALONG = {
    "cloudwatch:PutMetricAlarm": {"cloudwatch:TagResource"},
    "dynamodb:CreateTable": {"dynamodb:TagResource"},
    "iam:CreateRole": {"iam:TagRole"},
    "lambda:CreateFunction": {"lambda:TagResource", "iam:PassRole"},
    "lambda:GetFunction": {"lambda:ListTags"},
    "lambda:UpdateFunctionConfiguration": {"iam:PassRole"},
    "logs:CreateLogGroup": {"logs:TagResource"},
    "sns:CreateTopic": {"sns:TagResource"},
    "sqs:CreateQueue": {"sqs:TagQueue"},
}
"""What AWS checks along with a call that gives tags, takes tags or passes a role."""


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_aws_checks_along_with_a_call_is_granted_too(
    cloud: Cloud, local_cloud: Cloud, kind: Callable[[Settings, Cloud], policies.Policy]
) -> None:
    for where in (cloud, local_cloud):
        granted = {action for action, _ in rights(kind(Settings(), where).document)}
        missing = {
            (call, other)
            for call, along in CHECKED_ALONG.items()
            if call in granted
            for other in along - granted
        }
        assert missing == set()


def test_new_and_adopted_parts_of_api_gateway_can_be_tagged(cloud: Cloud) -> None:
    prefix = "arn:aws:apigateway:us-east-1::"
    rest = rights(setup_policy(Settings(auth=Auth.API_KEY), cloud).document)
    http = rights(setup_policy(Settings(api=ApiKind.HTTP), cloud).document)
    assert rest >= {
        ("apigateway:PUT", f"{prefix}/tags/*"),
        ("apigateway:PATCH", f"{prefix}/restapis/*"),
        ("apigateway:PATCH", f"{prefix}/apikeys/*"),
        ("apigateway:PATCH", f"{prefix}/usageplans/*"),
    }
    assert http >= {
        ("apigateway:POST", f"{prefix}/tags/*"),
        ("apigateway:TagResource", f"{prefix}/apis"),
        ("apigateway:TagResource", f"{prefix}/apis/*"),  # AWS-FACTS 37
    }


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (setup_policy, Settings(api=ApiKind.HTTP, access_logs=True)),
        (setup_policy, Settings(api=ApiKind.HTTP)),
        (teardown_policy, Settings(api=ApiKind.HTTP)),
        (teardown_policy, Settings()),
    ],
    ids=["setup with logs", "setup that turns them off", "teardown", "teardown of an old http api"],
)
def test_row_29_the_delivery_of_an_http_apis_log_can_be_removed(
    cloud: Cloud, kind: Callable[[Settings, Cloud], policies.Policy], settings: Settings
) -> None:
    assert ("logs:DeleteLogDelivery", "*") in rights(kind(settings, cloud).document)


def test_the_functions_role_may_do_five_things_on_its_own_resources(cloud: Cloud) -> None:
    settings = Settings(stack="dev", names=Names().for_stack("dev"))
    group = f"arn:aws:logs:{REGION}:{ACCOUNT_ID}:log-group:/aws/lambda/processFileUpload-dev:*"
    assert rights(policies.role_policy(settings, cloud).document) == {
        ("dynamodb:PutItem", f"arn:aws:dynamodb:{REGION}:{ACCOUNT_ID}:table/FileMetadata-dev"),
        ("dynamodb:UpdateItem", f"arn:aws:dynamodb:{REGION}:{ACCOUNT_ID}:table/FileMetadata-dev"),
        ("sns:Publish", f"arn:aws:sns:{REGION}:{ACCOUNT_ID}:file-upload-notification-dev"),
        ("logs:CreateLogStream", group),
        ("logs:PutLogEvents", group),
    }


def test_only_lambda_in_this_account_may_take_the_role(cloud: Cloud) -> None:
    role = next(one for one in provision.declare(Settings(), cloud) if one.kind == "role")
    assert json.loads(role.described({}).trust)["Statement"] == [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT_ID}},
        }
    ]


def test_a_role_is_passed_to_lambda_only(cloud: Cloud) -> None:
    passed = [
        statement
        for statement in setup_policy(Settings(), cloud).document["Statement"]
        if "iam:PassRole" in _list(statement["Action"])
    ]
    assert passed == [
        {
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": f"arn:aws:iam::{ACCOUNT_ID}:role/processFileUpload-role",
            "Condition": {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}},
        }
    ]


def test_a_given_role_is_read_and_passed_and_never_changed(cloud: Cloud) -> None:
    given = f"arn:aws:iam::{ACCOUNT_ID}:role/theirs"
    made = setup_policy(Settings(role_arn=given), cloud)
    assert {action for action, resource in rights(made.document) if resource == given} == {
        "iam:GetRole",
        "iam:PassRole",
    }
    assert made.left_out == ("iam:SimulatePrincipalPolicy",)
    assert not {action for action, _ in rights(made.document)} & {"iam:CreateRole", "iam:PutRolePolicy"}


def test_operating_can_change_no_resource_but_subscriptions_queues_of_verify_and_pending_orders(
    cloud: Cloud,
) -> None:
    changing = {
        action
        for settings in VARIANTS
        for action, _ in rights(operate_policy(settings, cloud).document)
        if not action.split(":")[1].startswith(("Get", "List", "Describe", "GET", "Scan", "Batch", "Filter"))
    }
    assert changing == {
        "dynamodb:UpdateItem",
        "execute-api:Invoke",
        "kms:Decrypt",
        "sns:ConfirmSubscription",
        "sns:Publish",
        "sns:SetSubscriptionAttributes",
        "sns:Subscribe",
        "sns:Unsubscribe",
        "sqs:ChangeMessageVisibility",
        "sqs:CreateQueue",
        "sqs:DeleteMessage",
        "sqs:DeleteQueue",
        "sqs:ReceiveMessage",
        "sqs:TagQueue",
    }


def _reads(action: str) -> bool:
    return action.split(":")[1].startswith(("Get", "List", "Describe", "GET"))


def test_orders_are_written_by_who_imports_them_only(run: Run) -> None:
    table = f"arn:aws:dynamodb:{REGION}:{ACCOUNT_ID}:table/FileMetadata-dev"
    assert ("dynamodb:PutItem", table) in printed(run("import", "--stack", "dev"))
    assert {action for action in actions(run("import")) if not _reads(action)} == {"dynamodb:PutItem"}
    for other in ("setup", "operate", "teardown"):
        assert "dynamodb:PutItem" not in actions(run(other, "--stack", "dev"))


def test_only_who_must_send_a_signature_or_a_key_gets_what_it_takes(cloud: Cloud) -> None:
    def sending(auth: Auth) -> set[tuple[str, str]]:
        return rights(operate_policy(Settings(auth=auth), cloud).document)

    public = sending(Auth.NONE)
    invoke = f"arn:aws:execute-api:{REGION}:{ACCOUNT_ID}:*/prod/POST/orders"
    assert sending(Auth.IAM) - public == {("execute-api:Invoke", invoke)}
    assert sending(Auth.API_KEY) - public == {
        ("apigateway:GET", "arn:aws:apigateway:us-east-1::/apikeys/*"),
    }


MADE_IN_MEMORY = [
    one
    for one in VARIANTS
    if not one.role_arn and not ((one.access_logs or one.execution_logs) and one.api is ApiKind.REST)
]
"""moto does not know AWS's own policy for the logs of a REST API."""


@pytest.mark.parametrize("settings", MADE_IN_MEMORY, ids=lambda one: f"{one.api}-{one.auth}")
def test_every_call_of_setup_and_teardown_is_granted(
    account: Account, cloud: Cloud, manual_clock: ManualClock, settings: Settings
) -> None:
    if settings.kms_key:
        make_key(account, *needed_statements(settings, cloud))
    if settings.waf_acl:
        settings = replace(settings, waf_acl=make_web_acl(account))
    for policy, run in ((setup_policy, set_up), (teardown_policy, tear_down)):
        granted = rights(policy(settings, cloud).document)
        account.forget_calls()
        run(settings, cloud, manual_clock)
        assert account.calls
        assert {str(call) for call in account.calls if not _is_granted(call, granted)} == set()


def _is_granted(call: Call, granted: set[tuple[str, str]]) -> bool:
    """Decide without the code under test: by the operation's name, or by API Gateway's verb and path."""
    if call.service == "sts":
        return True
    if not call.service.startswith("apigateway"):
        return f"{call.service}:{call.operation}" in {action for action, _ in granted}
    path = call.model.http["requestUri"].split("?")[0].removeprefix("/v2")
    shape = call.model.input_shape
    for name, member in shape.members.items() if isinstance(shape, StructureShape) else ():
        path = path.replace(f"{{{member.serialization.get('name', name)}}}", str(call.params.get(name)))
    arn = f"arn:aws:apigateway:us-east-1::{path}"
    verb = f"apigateway:{call.model.http['method']}"
    return any(action == verb and fnmatchcase(arn, resource) for action, resource in granted)


# The command.

Run = Callable[..., Result]


@pytest.fixture
def run(account: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Type `policy …` at the account in memory."""
    monkeypatch.chdir(tmp_path)
    for name, value in {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}.items():
        monkeypatch.setenv(name, value)
    return lambda *words: CliRunner().invoke(app, ["policy", *words, "--aws", "--region", REGION])


def printed(done: Result) -> set[tuple[str, str]]:
    assert done.exit_code == 0, done.stderr
    return rights(json.loads(done.stdout))


def actions(done: Result) -> set[str]:
    return {action for action, _ in printed(done)}


@pytest.mark.parametrize("which", ["setup", "operate", "import", "teardown", "function"])
def test_the_document_alone_is_on_stdout(run: Run, which: str) -> None:
    done = run(which, "--stack", "dev")
    assert json.loads(done.stdout)["Version"] == "2012-10-17"
    assert any("FileMetadata-dev" in resource for _, resource in printed(done))
    assert done.stderr.startswith(f"Stack dev (AWS), account {ACCOUNT_ID}, {REGION}\n")


def test_a_document_too_long_for_a_user_names_the_other_way(run: Run) -> None:
    assert "inline policies hold 2,048 together: use `aws iam create-policy`" in run("setup").stderr
    assert "inline" not in run("function").stderr


def test_what_is_left_out_is_said(run: Run) -> None:
    assert "Left out, because nothing fails without: " in run("setup", "--phone", "+14155550100").stderr
    assert "sns:GetSMSSandboxAccountStatus" in run("setup", "--phone", "+14155550100").stderr
    assert "sns:GetSMSSandboxAccountStatus" not in run("setup").stderr


@pytest.mark.parametrize(
    ("auth", "right"),
    [
        ("api-key", ("apigateway:GET", "arn:aws:apigateway:us-east-1::/apikeys/*")),
        (
            "iam",
            ("execute-api:Invoke", f"arn:aws:execute-api:us-east-1:{ACCOUNT_ID}:*/prod/POST/orders"),
        ),
    ],
)
def test_who_sets_up_may_ask_at_the_url(run: Run, auth: str, right: tuple[str, str]) -> None:
    assert right in printed(run("setup", "--auth", auth))
    assert right not in printed(run("setup"))


@pytest.mark.parametrize("which", ["setup", "operate"])
def test_flags_win_over_the_environment_and_the_file(
    run: Run, which: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key = ("apigateway:GET", "arn:aws:apigateway:us-east-1::/apikeys/*")
    if which == "setup":
        key = ("apigateway:POST", "arn:aws:apigateway:us-east-1::/apikeys")
    assert key not in printed(run(which))
    (tmp_path / "ordernotify.toml").write_text('auth = "api-key"\n')
    assert key in printed(run(which))
    monkeypatch.setenv("ORDERNOTIFY_AUTH", "none")
    assert key not in printed(run(which))
    assert key in printed(run(which, "--auth", "api-key"))


def test_operating_a_stack_that_exists_takes_what_setup_was_told(
    run: Run, cloud: Cloud, manual_clock: ManualClock
) -> None:
    assert "execute-api:Invoke" not in actions(run("operate"))
    set_up(Settings(auth=Auth.IAM), cloud, manual_clock)
    assert "execute-api:Invoke" in actions(run("operate"))
    assert "execute-api:Invoke" not in actions(run("operate", "--auth", "none"))


def test_receivers_are_granted_by_name(run: Run) -> None:
    queue = "arn:aws:sqs:us-east-1:123456789012:q"
    function = "arn:aws:lambda:us-east-1:123456789012:function:f"
    more = printed(run("operate", "--receiver", queue, "--receiver", function)) - printed(run("operate"))
    assert more == {
        ("sqs:GetQueueUrl", queue),
        ("sqs:GetQueueAttributes", queue),
        ("sqs:SetQueueAttributes", queue),
        ("lambda:AddPermission", function),
        ("lambda:RemovePermission", function),
    }
    assert printed(run("teardown", "--receiver", queue)) - printed(run("teardown")) == {
        ("sqs:GetQueueUrl", queue),
        ("sqs:GetQueueAttributes", queue),
        ("sqs:SetQueueAttributes", queue),
    }


@pytest.mark.parametrize("receiver", ["you@example.com", "nonsense"])
def test_what_is_no_receiver_is_refused(run: Run, receiver: str) -> None:
    done = run("operate", "--receiver", receiver)
    assert done.exit_code == 2
    assert receiver in done.stderr


def test_the_inbox_is_read_on_this_machine_only(local_cloud: Cloud, cloud: Cloud) -> None:
    mailboxes = f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:file-upload-notification-inbox-*"

    def on_mailboxes(where: Cloud) -> set[str]:
        granted = rights(operate_policy(Settings(), where).document)
        return {action for action, resource in granted if resource == mailboxes}

    assert on_mailboxes(cloud) == set()
    assert on_mailboxes(local_cloud) == {"sqs:ListQueueTags", "sqs:CreateQueue", "sqs:TagQueue"}


def test_every_resource_kind_declares_what_finding_it_calls(cloud: Cloud) -> None:
    undeclared = [
        resource.key
        for settings in VARIANTS
        for resource in provision.declare(settings, cloud)
        if resource.wanted and not _finds(resource)
    ]
    assert undeclared == []


def _finds(resource: Resource[Any]) -> bool:
    return bool(resource.calls.get(Verb.FIND))


# What a denied person reads.


@pytest.mark.parametrize(
    ("operation", "told", "named"),
    [
        ("GetQueueUrl", "sqs:getqueueurl on resource: arn:q because x", "sqs:GetQueueUrl on arn:q because x"),
        ("Publish", "SNS:Publish on resource: arn:t", "sns:Publish on arn:t"),
        ("CreateRole", "iam:TagRole on resource: arn:r", "iam:TagRole on arn:r"),
        ("CreateRestApi", "apigateway:POST on resource: arn:a", "apigateway:POST on arn:a"),
        ("Scan", "dynamodb:Scan because no policy", "dynamodb:Scan because no policy"),
    ],
)
def test_a_denial_names_the_action_as_policies_have_it(operation: str, told: str, named: str) -> None:
    message = f"User: arn:u is not authorized to perform: {told}"
    error = ClientError({"Error": {"Code": "AccessDenied", "Message": message}}, operation)
    with pytest.raises(AccessDeniedError) as caught, map_botocore_errors("read", "queue", "q"):
        raise error
    assert caught.value.message == f"could not read the queue q: your user or role may not call {named}"
    assert (
        "`ordernotify policy setup`, `ordernotify policy operate` and `ordernotify policy teardown`"
        in caught.value.hint
    )


def test_who_may_not_read_a_subscription_is_told_and_takes_it_for_nobody_elses(
    account: Account, cloud: Cloud, manual_clock: ManualClock
) -> None:
    set_up(Settings(emails=("you@example.com",)), cloud, manual_clock)
    action = "SNS:GetSubscriptionAttributes"
    denied = (
        f"not authorized to perform: {action} because no identity-based policy allows the {action} action"
    )
    account.interfere = refuse("GetSubscriptionAttributes", "AuthorizationError", f"User: arn:u is {denied}")
    with pytest.raises(AccessDeniedError, match="may not call sns:GetSubscriptionAttributes"):
        list(list_subscribers(cloud, Names(), "default"))
