"""`setup --kms-key`: everything that keeps or carries an order is encrypted with the person's key."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from moto.dynamodb.models import dynamodb_backends
from moto.logs.models import logs_backends

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.errors import OrderNotifyError, UsageError
from ordernotify.executor import Action
from ordernotify.iam.function_policy import function_policy
from ordernotify.iam.kms import missing_statements, needed_statements
from ordernotify.settings.model import Settings
from tests.aws_answers import Call, Send, answer_json, refuse
from tests.keys import ALIAS, make_key, put_key_policy
from tests.moto_account import REGION
from tests.provision_support import (
    ACCOUNT_ID,
    Account,
    assert_settled,
    changes_planned,
    set_up,
    tear_down,
)
from tests.test_declared_calls import known_to_aws

WITH_KEY = Settings(
    kms_key=ALIAS,
    dead_letters=True,
    execution_logs=True,
    emails=("you@example.com",),
    alarm_emails=("ops@example.com",),
)
WITHOUT_KEY = Settings(
    dead_letters=True, execution_logs=True, emails=("you@example.com",), alarm_emails=("ops@example.com",)
)


def with_keys_of_groups(call: Call, send: Send) -> AWSResponse:
    """Answer what moto does not know, and do what it leaves out."""
    if call.operation == "UpdateTable" and "SSESpecification" in call.params:
        table = dynamodb_backends[ACCOUNT_ID][REGION].tables[call.params["TableName"]]
        table.sse_specification = call.params["SSESpecification"]
    if call.operation not in {"AssociateKmsKey", "DisassociateKmsKey"}:
        return known_to_aws(call, send)
    group = logs_backends[ACCOUNT_ID][REGION].groups[call.params["logGroupName"]]
    group.kms_key_id = call.params.get("kmsKeyId")
    return answer_json({})


@pytest.fixture(autouse=True)
def _more_than_moto(account: Account) -> None:
    account.interfere = with_keys_of_groups


@pytest.fixture
def key(account: Account, cloud: Cloud) -> str:
    """The ARN of a key with the alias, whose policy lets every service use it."""
    return make_key(account, *needed_statements(WITH_KEY, cloud))


def declared(cloud: Cloud, settings: Settings = WITH_KEY) -> tuple[Any, ...]:
    return provision.declare(settings, cloud)


def keys_in(account: Account) -> dict[str, str]:
    """What each resource says that it is encrypted with, read by an observer."""
    sns, sqs = account.client("sns"), account.client("sqs")
    table = account.client("dynamodb").describe_table(TableName="FileMetadata")["Table"]
    found = {"table": table.get("SSEDescription", {}).get("KMSMasterKeyArn", "")}
    for topic in sns.list_topics()["Topics"]:
        name = topic["TopicArn"].rpartition(":")[2]
        attributes = sns.get_topic_attributes(TopicArn=topic["TopicArn"])["Attributes"]
        found[name] = attributes.get("KmsMasterKeyId", "")
    for group in account.client("logs").describe_log_groups()["logGroups"]:
        name = group["logGroupName"]
        found["execution logs" if name.startswith("API-") else name] = group.get("kmsKeyId", "")
    url = sqs.get_queue_url(QueueName="file-upload-notification-undelivered")["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    found["queue"] = queue.get("KmsMasterKeyId", "") or f"SQS {queue['SqsManagedSseEnabled']}"
    function = account.client("lambda").get_function(FunctionName="processFileUpload")["Configuration"]
    found["function"] = function.get("KMSKeyArn") or ""
    return found


def all_with(key: str, queue: str) -> dict[str, str]:
    return {
        "table": key,
        "file-upload-notification": key,
        "processFileUpload-alarms": key,
        "/aws/lambda/processFileUpload": key,
        "execution logs": key,
        "queue": queue,
        "function": key,
    }


@pytest.mark.parametrize("told", ["alias", "arn"])
def test_everything_is_encrypted_with_the_key_and_stays_so(
    account: Account, cloud: Cloud, key: str, told: str
) -> None:
    settings = WITH_KEY if told == "alias" else Settings(kms_key=key, dead_letters=True, execution_logs=True)
    set_up(settings, cloud)
    wanted = all_with(key, queue=key)
    if told == "arn":
        del wanted["processFileUpload-alarms"]
    assert keys_in(account) == wanted
    assert_settled(account, declared(cloud, settings))


def test_a_stack_of_before_gets_the_key_and_loses_it_again(account: Account, cloud: Cloud, key: str) -> None:
    set_up(WITHOUT_KEY, cloud)
    assert keys_in(account) == all_with("", queue="SQS true")
    set_up(WITH_KEY, cloud)
    assert keys_in(account) == all_with(key, queue=key)
    set_up(WITHOUT_KEY, cloud)
    assert keys_in(account) == all_with("", queue="SQS true")
    assert_settled(account, declared(cloud, WITHOUT_KEY))


def test_what_was_changed_by_hand_is_a_difference_of_that_resource_alone(
    account: Account, cloud: Cloud, key: str
) -> None:
    set_up(WITH_KEY, cloud)
    logs_backends[ACCOUNT_ID][REGION].groups["/aws/lambda/processFileUpload"].kms_key_id = None
    planned = provision.plan(declared(cloud))
    assert [(item.key, item.action) for item in planned.changes] == [("log-group", Action.UPDATE)]
    assert changes_planned(declared(cloud), "log-group") == {"encrypted with": ("", key)}


def test_the_key_is_the_persons_and_stays(account: Account, cloud: Cloud, key: str) -> None:
    set_up(WITH_KEY, cloud)
    account.forget_calls()
    tear_down(WITH_KEY, cloud)
    called = {call.operation for call in account.calls if call.service == "kms"}
    assert called <= {"DescribeKey", "GetKeyPolicy"}
    assert account.client("kms").describe_key(KeyId=ALIAS)["KeyMetadata"]["KeyState"] == "Enabled"


def refusal(cloud: Cloud, settings: Settings = WITH_KEY) -> OrderNotifyError:
    with pytest.raises(OrderNotifyError) as refused:
        provision.plan(declared(cloud, settings))
    return refused.value


def test_a_key_that_does_not_exist_is_refused_before_anything_is_made(account: Account, cloud: Cloud) -> None:
    assert "there is no KMS key alias/orders" in refusal(cloud).message
    assert account.changing_calls == []


def test_a_disabled_key_is_refused(account: Account, cloud: Cloud, key: str) -> None:
    account.client("kms").disable_key(KeyId=key.rpartition("/")[2])
    assert refusal(cloud).message.startswith("the KMS key alias/orders is Disabled")


def test_a_key_that_signs_is_refused(account: Account, cloud: Cloud) -> None:
    kms = account.client("kms")
    signing = kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec="RSA_2048")["KeyMetadata"]["Arn"]
    assert "is RSA_2048 for SIGN_VERIFY" in refusal(cloud, Settings(kms_key=signing)).message


def test_the_statements_that_its_policy_lacks_are_printed(account: Account, cloud: Cloud, key: str) -> None:
    logs, alarms, topics = (
        f"logs.{REGION}.amazonaws.com",
        "cloudwatch.amazonaws.com",
        "sns.amazonaws.com",
    )
    put_key_policy(account, key)
    hint = refusal(cloud).hint
    assert [service in hint for service in (logs, alarms, topics)] == [True, True, True]
    put_key_policy(account, key, *(one for one in needed_statements(WITH_KEY, cloud) if logs not in str(one)))
    hint = refusal(cloud).hint
    assert [service in hint for service in (logs, alarms, topics)] == [True, False, False]
    statements = json.loads(hint[hint.index("[") :])
    put_key_policy(account, key, *needed_statements(Settings(kms_key=ALIAS), cloud))
    assert statements == list(needed_statements(Settings(kms_key=ALIAS), cloud))
    planned = provision.plan(declared(cloud, Settings(kms_key=ALIAS)))
    assert next(one for one in planned.items if one.key == "key").action is Action.NONE


def test_half_of_a_statement_is_not_enough_and_a_wider_one_is(cloud: Cloud) -> None:
    needed = tuple(needed_statements(WITH_KEY, cloud))
    half = [{**one, "Action": one["Action"][:1]} for one in needed]
    wide = [{**one, "Action": "kms:*"} for one in needed]
    assert missing_statements({"Statement": half}, needed) == needed
    assert missing_statements({"Statement": wide}, needed) == ()
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html
    lower = [{**one, "Action": [action.lower() for action in one["Action"]]} for one in needed]
    assert missing_statements({"Statement": lower}, needed) == (), "IAM ignores the case of actions"


def test_a_policy_that_may_not_be_read_is_said_not_to_be_checked(
    account: Account, cloud: Cloud, key: str
) -> None:
    account.interfere = refuse("GetKeyPolicy", "AccessDeniedException")
    planned = provision.plan(declared(cloud))
    assert any("was not checked" in line for line in planned.stays)


@pytest.mark.parametrize(
    ("key", "on", "more"),
    [
        (
            ALIAS,
            f"arn:aws:kms:{REGION}:{ACCOUNT_ID}:key/*",
            {"ForAnyValue:StringEquals": {"kms:ResourceAliases": ALIAS}},
        ),
        (f"arn:aws:kms:{REGION}:{ACCOUNT_ID}:key/1", f"arn:aws:kms:{REGION}:{ACCOUNT_ID}:key/1", {}),
    ],
)
def test_the_function_may_use_this_key_through_the_services_alone(
    cloud: Cloud, key: str, on: str, more: dict[str, Any]
) -> None:
    statement = function_policy(Settings(kms_key=key), cloud)["Statement"][-1]
    via = [f"dynamodb.{REGION}.amazonaws.com", f"sns.{REGION}.amazonaws.com"]
    assert (statement["Action"], statement["Resource"]) == (["kms:Decrypt", "kms:GenerateDataKey"], on)
    assert statement["Condition"] == {"StringEquals": {"kms:ViaService": via}, **more}


@pytest.mark.parametrize("wrong", ["orders", "alias/aws/sns", "alias/", "arn:aws:kms:us-east-1:1:key/x"])
def test_what_is_no_key_of_the_person_is_refused(wrong: str) -> None:
    with pytest.raises(UsageError, match="is not a KMS key"):
        Settings(kms_key=wrong)
