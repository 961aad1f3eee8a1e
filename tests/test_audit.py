"""The controls on live stacks: what fails by default, that production fails none, what flips which."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ordernotify.audit.controls import CONTROLS, Verdict, audit_stack, failed
from ordernotify.aws.session import Cloud
from ordernotify.cli import audit as _commands  # noqa: F401 - it registers its command
from ordernotify.errors import UsageError
from ordernotify.iam.kms import needed_statements
from ordernotify.settings.model import SETTING_ROWS, ApiKind, Auth, Settings
from ordernotify.settings.names import Names, Target
from ordernotify.settings.told import Told, describe
from tests.cli_support import Typed, typed
from tests.keys import ALIAS, make_key
from tests.provision_support import Account, set_up
from tests.test_declared_calls import known_to_aws
from tests.web_acls import ANY_WEB_ACL

__all__ = ["typed"]

FUNCTION = "processFileUpload"
ASKED = {"alarm-email": ["ops@example.com"], "email": ["you@example.com"]}


@pytest.fixture(autouse=True)
def _known_to_aws(account: Account) -> None:
    account.interfere = known_to_aws
    account.client("apigateway").update_account(
        patchOperations=[
            {"op": "replace", "path": "/cloudwatchRoleArn", "value": "arn:aws:iam::123456789012:role/logs"}
        ]
    )


def production(**told: Any) -> Settings:
    flags = {"production": True, "auth": "iam", **ASKED, **told}
    return describe("default", Names(), Told.by_flags(flags))


def verdicts(cloud: Cloud, settings: Settings) -> dict[str, Verdict]:
    return {finding.control.ids[0]: finding.verdict for finding in audit_stack(cloud, settings)}


DEFAULT_FAILS = {
    *("Lambda.7", "CKV_AWS_115", "APIGateway.1", "APIGateway.3", "APIGateway.4", "CKV_AWS_59", "CKV_AWS_76"),
    *("CloudWatch.15", "CloudWatch.16"),
}


def failing(found: dict[str, Verdict]) -> set[str]:
    return {control for control, verdict in found.items() if verdict is Verdict.FAILED}


def test_what_mends_a_control_is_an_option_of_setup() -> None:
    options = {one.option: one for one in SETTING_ROWS}
    mending = [control.option.removeprefix("--").split(" ") for control in CONTROLS if control.option]
    assert mending
    for option, *value in mending:
        row = options[option]
        given = row.kind(value[0].replace("ARN", ANY_WEB_ACL)) if value else True
        row.value([given] if row.container else given)


def test_a_default_stack_fails_what_the_options_mend(cloud: Cloud) -> None:
    set_up(Settings(), cloud)
    assert failing(verdicts(cloud, Settings())) == DEFAULT_FAILS


@pytest.mark.parametrize("told", [{}, {"auth": "api-key"}, {"api": "http"}], ids=["iam", "key", "http"])
@pytest.mark.parametrize("target", list(Target))
def test_a_production_stack_fails_nothing(account: Account, target: Target, told: dict[str, Any]) -> None:
    cloud = account.cloud(target)
    settings = production(**told)
    set_up(settings, cloud)
    found = verdicts(cloud, settings)
    assert failing(found) == set()
    assert Verdict.PASSED in found.values()


def test_a_key_of_the_persons_passes_what_asks_for_one(account: Account, cloud: Cloud) -> None:
    settings = production(**{"kms-key": ALIAS})
    make_key(account, *needed_statements(settings, cloud))
    set_up(settings, cloud)
    asking = ("CKV_AWS_119", "CKV_AWS_173", "SNS.1", "CKV_AWS_27", "CKV_AWS_158", "SQS.1")
    found = verdicts(cloud, settings)
    assert {control: found[control] for control in asking} == dict.fromkeys(asking, Verdict.PASSED)
    assert failing(found) == set()


def test_a_name_that_sounds_secret_is_no_secret(account: Account, cloud: Cloud) -> None:
    settings = Settings(names=Names(table="Tokens"))
    set_up(settings, cloud)
    assert verdicts(cloud, settings)["CKV_AWS_45"] is Verdict.PASSED
    key = {"Variables": {"X": "AKIAIOSFODNN7EXAMPLE"}}
    account.client("lambda").update_function_configuration(FunctionName=FUNCTION, Environment=key)
    assert verdicts(cloud, settings)["CKV_AWS_45"] is Verdict.FAILED


def test_what_is_accepted_says_why(cloud: Cloud) -> None:
    settings = production()
    set_up(settings, cloud)
    findings = audit_stack(cloud, settings)
    assert failed(findings) == []
    for finding in findings:
        assert (finding.verdict is Verdict.ACCEPTED) == bool(finding.reason)
        assert finding.seen
        assert finding.control.source.startswith("https://")
    accepted = {one.control.ids[0] for one in findings if one.verdict is Verdict.ACCEPTED}
    assert {"Lambda.3", "CKV_AWS_116", "APIGateway.2", "CKV_AWS_120"} <= accepted


def turn_off_recovery(account: Account) -> None:
    account.client("dynamodb").update_continuous_backups(
        TableName="FileMetadata", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )


def turn_off_protection(account: Account) -> None:
    account.client("dynamodb").update_table(TableName="FileMetadata", DeletionProtectionEnabled=False)


def shorten_logs(account: Account) -> None:
    account.client("logs").put_retention_policy(logGroupName=f"/aws/lambda/{FUNCTION}", retentionInDays=30)


def open_topic(account: Account) -> None:
    sns = account.client("sns")
    arn = next(t["TopicArn"] for t in sns.list_topics()["Topics"] if t["TopicArn"].endswith("notification"))
    statement = f'{{"Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": "{arn}"}}'
    policy = f'{{"Version": "2012-10-17", "Statement": [{statement}]}}'
    sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)


def put_policy(account: Account, **statement: str) -> None:
    statement = {"Sid": "x", "Effect": "Allow", "Resource": "arn:aws:s3:::x", **statement}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    account.client("iam").put_role_policy(
        RoleName=f"{FUNCTION}-role", PolicyName="ordernotify", PolicyDocument=document
    )


def widen_role(account: Account) -> None:
    put_policy(account, Action="*")


def allow_all_but_some(account: Account) -> None:
    put_policy(account, NotAction="iam:*")


def deny_much(account: Account) -> None:
    put_policy(account, Effect="Deny", Action="*", Resource="*")


def write_anywhere(account: Account) -> None:
    put_policy(account, Action="dynamodb:PutItem", Resource="*")


def silence_alarm(account: Account) -> None:
    account.client("cloudwatch").disable_alarm_actions(AlarmNames=[f"{FUNCTION}-errors"])


def unencrypt_queue(account: Account) -> None:
    sqs = account.client("sqs")
    url = sqs.get_queue_url(QueueName="file-upload-notification-undelivered")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"SqsManagedSseEnabled": "false"})


def patch_stage(path: str, value: str) -> Callable[[Account], None]:
    def change(account: Account) -> None:
        client = account.client("apigateway")
        (api,) = client.get_rest_apis()["items"]
        client.update_stage(
            restApiId=api["id"],
            stageName="prod",
            patchOperations=[{"op": "replace", "path": path, "value": value}],
        )

    return change


def reserve(account: Account) -> None:
    account.client("lambda").put_function_concurrency(FunctionName=FUNCTION, ReservedConcurrentExecutions=9)


CHANGES: list[tuple[Callable[[Account], None], dict[str, Verdict]]] = [
    (turn_off_recovery, {"DynamoDB.2": Verdict.FAILED, "DynamoDB.4": Verdict.FAILED}),
    (turn_off_protection, {"DynamoDB.6": Verdict.FAILED}),
    (shorten_logs, {"CloudWatch.16": Verdict.FAILED}),
    (open_topic, {"SNS.4": Verdict.FAILED}),
    (widen_role, {"IAM.21": Verdict.FAILED}),
    (allow_all_but_some, {"IAM.21": Verdict.FAILED}),
    (deny_much, {}),
    (write_anywhere, {"CKV_AWS_111": Verdict.FAILED}),
    (silence_alarm, {"CloudWatch.17": Verdict.FAILED}),
    (unencrypt_queue, {"SQS.1": Verdict.FAILED}),
    (patch_stage("/tracingEnabled", "false"), {"APIGateway.3": Verdict.FAILED}),
    (patch_stage("/*/*/logging/loglevel", "OFF"), {"APIGateway.1": Verdict.FAILED}),
    (reserve, {"CKV_AWS_115": Verdict.PASSED}),
]


@pytest.mark.parametrize(("change", "expected"), CHANGES)
def test_a_change_by_hand_flips_exactly_its_controls(
    account: Account, cloud: Cloud, change: Callable[[Account], None], expected: dict[str, Verdict]
) -> None:
    settings = production()
    set_up(settings, cloud)
    before = verdicts(cloud, settings)
    change(account)
    after = verdicts(cloud, settings)
    assert {name: verdict for name, verdict in after.items() if before[name] is not verdict} == expected


def test_no_control_is_there_twice() -> None:
    ids = [one for control in CONTROLS for one in control.ids]
    assert len(ids) == len(set(ids))


def test_the_command_ends_with_3_if_it_is_asked_and_a_control_fails(cloud: Cloud, typed: Typed) -> None:
    set_up(Settings(), cloud)
    assert typed("audit").exit_code == 0
    done = typed("audit", "--exit-code")
    assert done.exit_code == 3
    assert "setup --tracing" in done.output
    set_up(production(), cloud)
    assert typed("audit", "--exit-code").exit_code == 0


def test_without_a_stack_it_says_so(account: Account, typed: Typed) -> None:
    done = typed("audit")
    assert done.exit_code == 1
    assert "there is no stack default here" in done.output


# One switch.


def test_production_describes_more_and_every_option_overrides_it() -> None:
    described = production()
    assert (described.tracing, described.execution_logs, described.access_logs) == (True, True, True)
    assert (described.log_retention, described.dead_letters) == (365, True)
    assert (described.rate, described.burst) == (5, 5)
    assert production(email=[]).rate == 50
    own = production(**{"tracing": False, "log-retention": 30, "rate": 5, "burst": 9, "dead-letters": False})
    assert (own.tracing, own.log_retention, own.rate, own.burst) == (False, 30, 5, 9)
    assert not own.dead_letters


def test_an_http_api_gets_what_it_has() -> None:
    described = production(api="http")
    assert described.api is ApiKind.HTTP
    assert (described.execution_logs, described.access_logs) == (False, True)


@pytest.mark.parametrize(
    ("told", "asked"),
    [
        ({"alarm-email": ["ops@example.com"]}, "--auth api-key"),
        ({"auth": "iam"}, "--alarm-email you@example.com"),
    ],
)
def test_production_asks_for_what_only_a_person_knows(told: dict[str, Any], asked: str) -> None:
    with pytest.raises(UsageError) as refused:
        describe("default", Names(), Told.by_flags({"production": True, **told}))
    assert asked in refused.value.hint
    assert refused.value.message.startswith("--production: production asks who")


def test_a_public_api_is_possible_if_it_is_meant() -> None:
    assert production(auth="none").auth is Auth.NONE
