"""The rows of "Provisioning" in AWS-FACTS.md, in an account that behaves as each row says.

Rows 5 to 10 are about API Gateway and are tested with the APIs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import Patience
from ordernotify.errors import NotOursError, OrderNotifyError, WaitTimeoutError
from ordernotify.executor import Action, ApplyError, Progress
from ordernotify.iam.function_policy import function_policy
from ordernotify.resources.base import AnyLive, Resource
from ordernotify.resources.function import Function
from ordernotify.resources.listing import Subscription, list_subscriptions
from ordernotify.resources.log_group import LogGroup
from ordernotify.resources.mailbox import Mailboxes
from ordernotify.resources.queue import VerifyQueues
from ordernotify.resources.role import Role
from ordernotify.resources.sandbox import sandbox_notice
from ordernotify.resources.subscriptions import Subscriptions
from ordernotify.resources.table import Table
from ordernotify.resources.topic import Topic
from ordernotify.settings.model import Settings
from tests.provision_support import (
    ACCOUNT_ID,
    Account,
    Call,
    Interference,
    ManualClock,
    Send,
    answer,
    bring_about,
    changed_answer,
    connection_reset,
    planned_actions,
    refusal,
    refuse,
    set_up,
    step,
    tear_down,
)

NAME = "processFileUpload"
GROUP = "/aws/lambda/processFileUpload"
ROLE_NOT_READY = [
    ("InvalidParameterValueException", "The role defined for the function cannot be assumed by Lambda."),
    ("InvalidParameterValueException", "The provided execution role does not have permissions to call it"),
    ("InvalidParameterValueException", "Lambda was unable: the KMS key is invalid for CreateGrant"),
    ("InvalidArnException", "ARN does not refer to a valid principal"),
]


def function(cloud: Cloud) -> list[Resource[Any]]:
    return [Role(Settings(), cloud), LogGroup(Settings(), cloud), Function(Settings(), cloud)]


def operations(account: Account) -> list[str]:
    return [call.operation for call in account.changing_calls]


def until(clock: ManualClock, seconds: float, operation: str, code: str, text: str) -> Interference:
    """Refuse an operation until the clock shows `seconds`."""

    def interfere(call: Call, send: Send) -> AWSResponse:
        if call.operation == operation and clock.now() < seconds:
            return refusal(call, code, text)
        return send()

    return interfere


def found(resource: Resource[Any]) -> AnyLive:
    live = resource.find()
    assert live is not None
    return live


# 1: a new role is not usable for some seconds


@pytest.mark.parametrize(("code", "text"), ROLE_NOT_READY)
def test_row_01_the_function_waits_for_a_new_role_to_be_usable(
    account: Account, cloud: Cloud, manual_clock: ManualClock, code: str, text: str
) -> None:
    account.interfere = until(manual_clock, 15, "CreateFunction", code, text)
    bring_about(function(cloud), manual_clock)
    assert 15 <= manual_clock.now() < 17
    assert found(function(cloud)[2]).state.status == "Active"


def test_row_01_the_wait_is_bounded_and_names_what_was_waited_for(
    account: Account, cloud: Cloud, manual_clock: ManualClock
) -> None:
    account.interfere = until(manual_clock, 9999, "CreateFunction", *ROLE_NOT_READY[0])
    with pytest.raises(ApplyError, match=r"waited 120 s for the role to be usable: The role defined"):
        bring_about(function(cloud), manual_clock)


def test_row_01_the_same_code_with_another_text_is_an_error_at_once(
    account: Account, cloud: Cloud, manual_clock: ManualClock
) -> None:
    account.interfere = refuse("CreateFunction", "InvalidParameterValueException", "Unzipped size", times=9)
    with pytest.raises(ApplyError, match="Unzipped size"):
        bring_about(function(cloud), manual_clock)
    assert manual_clock.now() == 0


# 2: a role that was deleted and made again


def recreate_role(account: Account) -> None:
    iam = account.client("iam")
    trust = iam.get_role(RoleName=f"{NAME}-role")["Role"]["AssumeRolePolicyDocument"]
    iam.delete_role_policy(RoleName=f"{NAME}-role", PolicyName="ordernotify")
    iam.delete_role(RoleName=f"{NAME}-role")
    iam.create_role(
        RoleName=f"{NAME}-role",
        AssumeRolePolicyDocument=json.dumps(trust),
        Tags=[{"Key": "ordernotify:stack", "Value": "default"}],
    )


def test_row_02_a_function_whose_role_was_made_again_is_replaced(account: Account, cloud: Cloud) -> None:
    bring_about(function(cloud))
    recreate_role(account)
    account.forget_calls()
    planned = bring_about(function(cloud))
    assert planned_actions(planned) == {"role": Action.UPDATE, "function": Action.REPLACE}
    assert operations(account) == ["TagRole", "PutRolePolicy", "DeleteFunction", "CreateFunction"]


def test_row_02_the_invoke_permission_comes_back_with_the_function(account: Account, cloud: Cloud) -> None:
    set_up(Settings(), cloud)
    recreate_role(account)
    set_up(Settings(), cloud)
    policy = json.loads(account.client("lambda").get_policy(FunctionName=NAME)["Policy"])
    assert [statement["Sid"] for statement in policy["Statement"]] == ["ordernotify-api"]


def test_row_02_a_changed_policy_does_not_touch_the_function(account: Account, cloud: Cloud) -> None:
    bring_about(function(cloud))
    account.client("iam").delete_role_policy(RoleName=f"{NAME}-role", PolicyName="ordernotify")
    account.forget_calls()
    bring_about(function(cloud))
    assert operations(account) == ["PutRolePolicy"]


# 3: a change of the function is under way


def pending(clock: ManualClock, seconds: float, **states: str) -> Interference:
    """Let the function be in these states until the clock shows `seconds`."""

    def interfere(call: Call, send: Send) -> AWSResponse:
        answered = send()
        if call.operation == "GetFunctionConfiguration" and clock.now() < seconds:
            return changed_answer(answered, lambda body: body.update(states))
        return answered

    return interfere


def test_row_03_a_new_function_is_waited_for_while_it_is_pending(
    account: Account, cloud: Cloud, manual_clock: ManualClock
) -> None:
    account.interfere = pending(manual_clock, 3, State="Pending")
    bring_about(function(cloud), manual_clock)
    assert 3 <= manual_clock.now() < 4


def test_row_03_code_and_configuration_are_changed_one_after_the_other(
    account: Account, cloud: Cloud, manual_clock: ManualClock
) -> None:
    bring_about(function(cloud))
    in_progress_until = 0.0

    def interfere(call: Call, send: Send) -> AWSResponse:
        nonlocal in_progress_until
        busy = manual_clock.now() < in_progress_until
        if call.operation.startswith("UpdateFunction"):
            if busy:
                text = "The operation cannot be performed at this time. An update is in progress"
                return refusal(call, "ResourceConflictException", text, 409)
            in_progress_until = manual_clock.now() + 4
        if call.operation == "GetFunctionConfiguration" and busy:
            return changed_answer(send(), lambda body: body.update(LastUpdateStatus="InProgress"))
        return send()

    account.client("lambda").update_function_configuration(FunctionName=NAME, MemorySize=128)
    account.client("lambda").update_function_code(FunctionName=NAME, ZipFile=b"PK\5\6" + b"\0" * 18)
    account.interfere = interfere
    account.forget_calls()
    bring_about(function(cloud), manual_clock)
    assert operations(account) == ["UpdateFunctionCode", "UpdateFunctionConfiguration"]
    assert manual_clock.now() >= 8


@pytest.mark.parametrize(
    "text",
    [
        "The function is currently in the following state: Pending",
        "The operation cannot be performed at this time. An update is in progress for resource: f",
    ],
)
def test_row_03_a_change_is_repeated_while_another_is_under_way(
    account: Account, cloud: Cloud, manual_clock: ManualClock, text: str
) -> None:
    bring_about(function(cloud))
    account.client("lambda").update_function_configuration(FunctionName=NAME, MemorySize=128)
    operation = "UpdateFunctionConfiguration"
    account.interfere = until(manual_clock, 5, operation, "ResourceConflictException", text)
    bring_about(function(cloud), manual_clock)
    assert 5 <= manual_clock.now() < 7


def test_row_03_already_exists_is_told_apart_by_its_text(account: Account, cloud: Cloud) -> None:
    """The function is there already, because a create that was cut off was repeated."""

    def interfere(call: Call, send: Send) -> AWSResponse:
        if call.operation == "CreateFunction" and call.nth == 1:
            send()
            return refusal(call, "ResourceConflictException", f"Function already exist: {NAME}", 409)
        return send()

    account.interfere = interfere
    bring_about(function(cloud))
    assert operations(account).count("CreateFunction") == 1


def test_row_03_a_function_of_somebody_else_that_appeared_meanwhile_is_not_taken(
    account: Account, cloud: Cloud
) -> None:
    planned = provision.plan(function(cloud))

    def interfere(call: Call, send: Send) -> AWSResponse:
        if call.operation == "CreateFunction":
            send()
            arn = function(cloud)[2].arn
            account.client("lambda").untag_resource(Resource=arn, TagKeys=["ordernotify:stack"])
            return refusal(call, "ResourceConflictException", f"Function already exist: {NAME}", 409)
        return send()

    account.interfere = interfere
    with pytest.raises(ApplyError, match="Function already exist"):
        list(provision.apply(function(cloud), planned, ManualClock()))


def test_row_03_a_new_function_that_is_read_too_early_is_waited_for(
    account: Account, cloud: Cloud, manual_clock: ManualClock
) -> None:
    absent = "Function not found"
    account.interfere = until(
        manual_clock, 2, "GetFunctionConfiguration", "ResourceNotFoundException", absent
    )
    bring_about(function(cloud), manual_clock)
    assert 2 <= manual_clock.now() < 3


# 4: policies take seconds to reach the data plane


def test_row_04_policies_are_put_over_the_old_ones_and_never_deleted_first(
    account: Account, cloud: Cloud
) -> None:
    bring_about(function(cloud))
    other = {"Version": "2012-10-17", "Statement": []}
    iam = account.client("iam")
    iam.delete_role_policy(RoleName=f"{NAME}-role", PolicyName="ordernotify")
    account.client("sns").create_topic(Name="t")
    topic = [Topic(Settings(), cloud)]
    bring_about(topic)
    account.client("sns").set_topic_attributes(
        TopicArn=topic[0].arn, AttributeName="Policy", AttributeValue=json.dumps(other)
    )
    account.forget_calls()
    bring_about([*function(cloud), *topic])
    assert sorted(operations(account)) == ["PutRolePolicy", "SetTopicAttributes"]


# 11: late log lines


def test_row_11_the_log_group_is_made_before_the_function_with_a_retention(
    account: Account, cloud: Cloud
) -> None:
    bring_about(function(cloud))
    made = operations(account)
    assert made.index("CreateLogGroup") < made.index("CreateFunction")
    group = account.client("logs").describe_log_groups()["logGroups"][0]
    assert (group["logGroupName"], group["retentionInDays"]) == (GROUP, 30)


def test_row_11_the_functions_role_may_not_make_log_groups(cloud: Cloud) -> None:
    allowed = {
        action
        for statement in function_policy(Settings(), cloud)["Statement"]
        for action in statement["Action"]
    }
    assert {one for one in allowed if one.startswith("logs:")} == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    }


def test_row_11_a_group_that_a_late_invocation_brings_back_is_deleted_again(
    account: Account, cloud: Cloud, manual_clock: ManualClock
) -> None:
    bring_about(function(cloud))

    def interfere(call: Call, send: Send) -> AWSResponse:
        answered = send()
        if call.operation == "DeleteLogGroup" and call.nth == 1:
            account.client("logs").create_log_group(logGroupName=GROUP)
        return answered

    account.interfere = interfere
    account.forget_calls()
    tear_down(Settings(), cloud, manual_clock)
    assert operations(account).count("DeleteLogGroup") == 2
    assert account.client("logs").describe_log_groups()["logGroups"] == []


def test_row_11_a_conflicting_operation_on_the_group_is_waited_for(
    account: Account, cloud: Cloud, manual_clock: ManualClock
) -> None:
    text = "A conflicting operation is currently in progress against this resource."
    for operation in ("CreateLogGroup", "PutRetentionPolicy"):
        account.interfere = refuse(operation, "OperationAbortedException", text, times=2)
        bring_about([LogGroup(Settings(log_retention=7), cloud)], manual_clock)
        account.client("logs").delete_retention_policy(logGroupName=GROUP)
    account.interfere = refuse("DeleteLogGroup", "OperationAbortedException", text, times=2)
    group = LogGroup(Settings(), cloud)
    group.delete(found(group), step(clock=manual_clock))
    assert group.find() is None
    assert manual_clock.sleeps == [0.25] * 6 + [1.0]  # at last, the look for late lines


def test_row_11_a_group_that_exists_already_is_completed_when_it_is_ours(
    account: Account, cloud: Cloud
) -> None:
    group = LogGroup(Settings(), cloud)
    account.client("logs").create_log_group(logGroupName=GROUP, tags={"ordernotify:stack": "default"})
    group.create(step())
    assert found(group).state.retention == 30


def test_row_11_a_group_of_somebody_else_that_appeared_meanwhile_is_not_taken(
    account: Account, cloud: Cloud
) -> None:
    planned = provision.plan([LogGroup(Settings(), cloud)])
    account.client("logs").create_log_group(logGroupName=GROUP)
    with pytest.raises(ApplyError, match="ResourceAlreadyExistsException"):
        list(provision.apply([LogGroup(Settings(), cloud)], planned, ManualClock()))
    assert "PutRetentionPolicy" not in operations(account)


# 12: a topic that exists with other tags


def test_row_12_a_topic_that_somebody_made_meanwhile_is_not_taken(account: Account, cloud: Cloud) -> None:
    text = "Invalid parameter: Tags Reason: Topic already exists with different tags"
    account.interfere = refuse("CreateTopic", "InvalidParameter", text)
    with pytest.raises(NotOursError, match="a topic file-upload-notification appeared"):
        Topic(Settings(), cloud).create(step())


def test_row_12_a_setup_that_dies_right_after_the_topic_was_made_recognises_it_again(
    account: Account, cloud: Cloud
) -> None:
    def interfere(call: Call, send: Send) -> AWSResponse:
        if call.operation == "SetTopicAttributes":
            raise KeyboardInterrupt
        return send()

    account.interfere = interfere
    with pytest.raises(ApplyError):
        bring_about([Topic(Settings(), cloud)])
    account.interfere = lambda _call, send: send()
    assert planned_actions(bring_about([Topic(Settings(), cloud)])) == {"topic": Action.UPDATE}


# 13: subscriptions to be confirmed


def test_row_13_the_arn_is_asked_for_even_while_the_receiver_has_not_confirmed(
    account: Account, cloud: Cloud
) -> None:
    settings = Settings(emails=("you@example.com",), phones=("+14155550100",))
    bring_about([Topic(settings, cloud), Subscriptions(settings, cloud)])
    asked = [call.params for call in account.changing_calls if call.operation == "Subscribe"]
    assert [arguments["ReturnSubscriptionArn"] for arguments in asked] == [True, True]


def test_row_13_pending_ones_are_shown_as_pending_and_left_to_expire(account: Account, cloud: Cloud) -> None:
    settings = Settings(emails=("you@example.com",))
    resources: list[Resource[Any]] = [Topic(settings, cloud), Subscriptions(settings, cloud)]
    bring_about(resources)

    def interfere(call: Call, send: Send) -> AWSResponse:
        if call.operation != "ListSubscriptionsByTopic":
            return send()
        arn = list_subscriptions_of(account)[0]["SubscriptionArn"]
        return answer(200, send().content.replace(arn.encode(), b"PendingConfirmation"), {})

    account.interfere = interfere
    pending_one = Subscription("email", "you@example.com", None)
    assert list_subscriptions(cloud, resources[0].arn) == (pending_one,)
    assert pending_one.state == "pending"
    planned = provision.plan_teardown(resources, delete_orders=True)
    assert [item.reason for item in planned.items] == [
        "",
        "1 not confirmed: expires within 48 hours by itself",
    ]
    account.forget_calls()
    resources[1].delete(found(resources[1]), step())
    assert operations(account) == []


def list_subscriptions_of(account: Account) -> list[dict[str, str]]:
    return list(account.client("sns").list_subscriptions()["Subscriptions"])


# 14: the SMS sandbox


def test_row_14_who_adds_a_phone_in_the_sandbox_is_told_what_to_do(account: Account, cloud: Cloud) -> None:
    result = "<IsInSandbox>true</IsInSandbox>"
    body = (
        "<GetSMSSandboxAccountStatusResponse><GetSMSSandboxAccountStatusResult>"
        f"{result}</GetSMSSandboxAccountStatusResult></GetSMSSandboxAccountStatusResponse>"
    )
    numbers = (
        "<ListSMSSandboxPhoneNumbersResponse><ListSMSSandboxPhoneNumbersResult><PhoneNumbers/>"
        "</ListSMSSandboxPhoneNumbersResult></ListSMSSandboxPhoneNumbersResponse>"
    )
    answers = {"GetSMSSandboxAccountStatus": body, "ListSMSSandboxPhoneNumbers": numbers}

    def interfere(call: Call, send: Send) -> AWSResponse:
        if call.operation in answers:
            return answer(200, answers[call.operation].encode(), {"Content-Type": "text/xml"})
        return send()

    account.interfere = interfere
    notice = sandbox_notice(cloud, ["+14155550100"])
    assert notice is not None
    assert "SMS sandbox" in notice
    assert sandbox_notice(cloud, []) is None


# 15: a table takes its time


def table_status(clock: ManualClock, status: str, seconds: float) -> Interference:
    def interfere(call: Call, send: Send) -> AWSResponse:
        answered = send()
        if call.operation == "DescribeTable" and answered.status_code == 200 and clock.now() < seconds:
            return changed_answer(answered, lambda body: body["Table"].update(TableStatus=status))
        return answered

    return interfere


def test_row_15_a_new_table_is_waited_for_while_it_is_creating(
    account: Account, cloud: Cloud, manual_clock: ManualClock
) -> None:
    account.interfere = table_status(manual_clock, "CREATING", 5)
    bring_about([Table(Settings(), cloud)], manual_clock)
    assert 5 <= manual_clock.now() < 6


def test_row_15_a_table_that_is_read_too_early_is_waited_for(
    account: Account, cloud: Cloud, manual_clock: ManualClock
) -> None:
    absent = ("ResourceNotFoundException", "Requested resource not found")
    account.interfere = until(manual_clock, 3, "DescribeTable", *absent)
    bring_about([Table(Settings(), cloud)], manual_clock)
    assert 3 <= manual_clock.now() < 4


def test_row_15_a_table_that_is_still_creating_is_waited_for(
    account: Account, local_cloud: Cloud, manual_clock: ManualClock
) -> None:
    bring_about([Table(Settings(), local_cloud)])
    account.interfere = table_status(manual_clock, "CREATING", 4)
    table = Table(Settings(), local_cloud)
    table.reading = Patience(manual_clock)
    assert bring_about([table], manual_clock).changes == ()
    assert 4 <= manual_clock.now() < 5


def test_row_15_a_table_on_its_way_out_is_waited_for_before_it_is_made_again(
    account: Account, local_cloud: Cloud, manual_clock: ManualClock
) -> None:
    bring_about([Table(Settings(), local_cloud)])
    going_until = 10.0

    def interfere(call: Call, send: Send) -> AWSResponse:
        if manual_clock.now() < going_until:
            if call.operation == "CreateTable":
                return refusal(call, "ResourceInUseException", "Table is being deleted: FileMetadata")
            if call.operation == "DescribeTable":
                return changed_answer(send(), lambda body: body["Table"].update(TableStatus="DELETING"))
        elif call.operation == "CreateTable" and call.nth > 1 and going_until in gone:
            account.client("dynamodb").delete_table(TableName="FileMetadata")
            gone.clear()
        return send()

    gone = {going_until}
    account.interfere = interfere
    planned = bring_about([Table(Settings(), local_cloud)], manual_clock)
    assert planned_actions(planned) == {"table": Action.CREATE}
    assert manual_clock.now() >= going_until
    assert found(Table(Settings(), local_cloud)).state.status == "ACTIVE"


def test_row_15_a_deleted_table_is_waited_for_until_it_is_gone(
    account: Account, local_cloud: Cloud, manual_clock: ManualClock
) -> None:
    table = Table(Settings(), local_cloud)
    bring_about([table])
    live = found(table)
    description = account.client("dynamodb").describe_table(TableName="FileMetadata")["Table"]
    body = {"Table": {**description, "TableStatus": "DELETING"}}

    def interfere(call: Call, send: Send) -> AWSResponse:
        if (
            call.operation == "DescribeTable"
            and "DeleteTable" in operations(account)
            and manual_clock.now() < 6
        ):
            return answer(200, json.dumps(body, default=str).encode(), {})
        return send()

    account.interfere = interfere
    account.forget_calls()
    table.delete(live, step(clock=manual_clock))
    assert 6 <= manual_clock.now() < 7


# 16: deletion protection


def test_row_16_protection_is_turned_off_only_where_the_orders_may_be_lost(
    account: Account, cloud: Cloud
) -> None:
    set_up(Settings(), cloud)
    account.forget_calls()
    tear_down(Settings(), cloud, delete_orders=False)
    assert "UpdateTable" not in operations(account)
    described = account.client("dynamodb").describe_table(TableName="FileMetadata")["Table"]
    assert described["DeletionProtectionEnabled"] is True
    tear_down(Settings(), cloud, delete_orders=True)
    assert account.client("dynamodb").list_tables()["TableNames"] == []


def test_row_16_the_table_is_active_again_before_it_is_deleted(
    account: Account, cloud: Cloud, manual_clock: ManualClock
) -> None:
    table = Table(Settings(), cloud)
    bring_about([table])
    live, updating_until = found(table), 0.0

    def interfere(call: Call, send: Send) -> AWSResponse:
        nonlocal updating_until
        if call.operation == "UpdateTable":
            updating_until = manual_clock.now() + 3
        updating = manual_clock.now() < updating_until
        if call.operation == "DeleteTable" and updating:
            return refusal(call, "ResourceInUseException", "Table is being updated: FileMetadata")
        if call.operation == "DescribeTable" and updating:
            return changed_answer(send(), lambda body: body["Table"].update(TableStatus="UPDATING"))
        return send()

    account.interfere = interfere
    table.delete(live, step(clock=manual_clock))
    assert table.find() is None
    assert manual_clock.now() >= 3


def test_row_16_a_change_that_was_cut_off_is_waited_for_before_the_table_is_deleted(
    account: Account, cloud: Cloud, manual_clock: ManualClock
) -> None:
    table = Table(Settings(), cloud)
    bring_about([table])

    def interfere(call: Call, send: Send) -> AWSResponse:
        updating = manual_clock.now() < 3
        if call.operation in {"UpdateTable", "DeleteTable"} and updating:
            return refusal(call, "ResourceInUseException", "Table is being updated: FileMetadata")
        if call.operation == "DescribeTable" and updating:
            return changed_answer(send(), lambda body: body["Table"].update(TableStatus="UPDATING"))
        return send()

    account.interfere = interfere
    table.delete(found(table), step(clock=manual_clock))
    assert table.find() is None


# 17: backups of a new table


def test_row_17_recovery_is_turned_on_as_soon_as_the_backups_are_available(
    account: Account, cloud: Cloud, manual_clock: ManualClock
) -> None:
    code, text = "ContinuousBackupsUnavailableException", "Backups are being enabled for the table"
    account.interfere = until(manual_clock, 20, "UpdateContinuousBackups", code, text)
    bring_about([Table(Settings(), cloud)], manual_clock)
    assert 20 <= manual_clock.now() < 22
    assert found(Table(Settings(), cloud)).state.recovery is True


# 18: policies of a role


def test_row_18_all_policies_are_removed_before_the_role(account: Account, cloud: Cloud) -> None:
    bring_about(function(cloud)[:1])
    iam = account.client("iam")
    document = json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    )
    managed = iam.create_policy(PolicyName="theirs", PolicyDocument=document)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=f"{NAME}-role", PolicyArn=managed)
    iam.put_role_policy(RoleName=f"{NAME}-role", PolicyName="by-hand", PolicyDocument=document)
    tear_down(Settings(), cloud)
    assert iam.list_roles()["Roles"] == []
    assert [policy["PolicyName"] for policy in iam.list_policies(Scope="Local")["Policies"]] == ["theirs"]


# 19: reserved concurrency


def test_row_19_no_concurrency_is_reserved(account: Account, cloud: Cloud) -> None:
    set_up(Settings(), cloud)
    assert "PutFunctionConcurrency" not in operations(account)
    assert "ReservedConcurrentExecutions" not in next(
        call.params for call in account.changing_calls if call.operation == "CreateFunction"
    )


def test_row_19_a_refused_concurrency_is_not_repeated(
    account: Account, cloud: Cloud, manual_clock: ManualClock
) -> None:
    code = "InvalidParameterValueException"
    text = "decreases account's UnreservedConcurrentExecution below its minimum value of [10]."
    account.interfere = refuse("CreateFunction", code, text, times=9)
    with pytest.raises(ApplyError, match="minimum value of"):
        bring_about(function(cloud), manual_clock)
    assert manual_clock.now() == 0


# 20: listings


def test_row_20_log_groups_are_matched_exactly_and_over_all_pages(account: Account, cloud: Cloud) -> None:
    logs = account.client("logs")
    for number in range(60):
        logs.create_log_group(logGroupName=f"{GROUP}-{number:02}")
    group = LogGroup(Settings(), cloud)
    assert group.find() is None
    names = Settings().names
    last = LogGroup(Settings(names=type(names)(function=f"{NAME}-59")), cloud)
    assert found(last).owned is False


def test_row_20_subscriptions_are_read_over_all_pages(account: Account, local_cloud: Cloud) -> None:
    emails = tuple(f"you{number}@example.com" for number in range(60))
    settings = Settings(emails=emails)
    topic = Topic(settings, local_cloud)
    bring_about([topic, Subscriptions(settings, local_cloud), Mailboxes(settings, local_cloud)])
    assert len(list_subscriptions(local_cloud, topic.arn)) == 120
    account.forget_calls()
    bring_about([topic, Subscriptions(settings, local_cloud), Mailboxes(settings, local_cloud)])
    assert operations(account) == []


def test_row_20_queues_are_read_over_all_pages(account: Account, cloud: Cloud) -> None:
    prefix = Settings().names.verify_queue_prefix
    for number in range(5):
        account.client("sqs").create_queue(
            QueueName=f"{prefix}{number:08x}", tags={"ordernotify:stack": "default"}
        )

    def interfere(call: Call, send: Send) -> AWSResponse:
        return one_queue_a_page(call, send) if call.operation == "ListQueues" else send()

    account.interfere = interfere
    assert len(found(VerifyQueues(Settings(), cloud)).state.urls) == 5


def one_queue_a_page(call: Call, send: Send) -> AWSResponse:
    """Serve one queue at a time, as a listing that is cut into pages."""
    at = int(call.params.get("NextToken", "0"))

    def cut(body: dict[str, Any]) -> None:
        every = body["QueueUrls"]
        body["QueueUrls"] = every[at : at + 1]
        if at + 1 < len(every):
            body["NextToken"] = str(at + 1)

    return changed_answer(send(), cut)


# 21: any call may fail


def cut_off_once(operation: str) -> Interference:
    """Apply the operation's first request and lose the answer; botocore repeats it."""
    lost: list[Call] = []

    def interfere(call: Call, send: Send) -> AWSResponse:
        answered = send()
        if call.operation == operation and not lost:
            lost.append(call)
            raise connection_reset()
        return answered

    return interfere


def mailboxes(cloud: Cloud) -> list[Resource[Any]]:
    settings = Settings(emails=("you@example.com",))
    return [Topic(settings, cloud), Subscriptions(settings, cloud), Mailboxes(settings, cloud)]


MAKERS: Sequence[tuple[str, Callable[[Cloud], list[Resource[Any]]]]] = [
    ("CreateTable", lambda cloud: [Table(Settings(), cloud)]),
    ("CreateTopic", lambda cloud: [Topic(Settings(), cloud)]),
    ("CreateRole", lambda cloud: [Role(Settings(), cloud)]),
    ("CreateLogGroup", lambda cloud: [LogGroup(Settings(), cloud)]),
    ("CreateFunction", function),
    ("CreateQueue", mailboxes),
]


@pytest.mark.parametrize(("operation", "make"), MAKERS, ids=[operation for operation, _ in MAKERS])
def test_row_21_already_exists_after_a_repeated_create_is_success(
    account: Account, local_cloud: Cloud, operation: str, make: Callable[[Cloud], list[Resource[Any]]]
) -> None:
    account.interfere = cut_off_once(operation)
    bring_about(make(local_cloud))
    account.forget_calls()
    bring_about(make(local_cloud))
    assert operations(account) == []


@pytest.mark.parametrize("code", ["Throttling", "ThrottlingException", "TooManyRequestsException"])
def test_row_21_throttled_calls_are_repeated(account: Account, cloud: Cloud, code: str) -> None:
    account.interfere = refuse("CreateTable", code, "Rate exceeded", times=3)
    bring_about([Table(Settings(), cloud)])
    assert found(Table(Settings(), cloud)).owned


def test_row_21_throttled_reads_while_waiting_are_taken_for_not_yet(
    account: Account, cloud: Cloud, manual_clock: ManualClock
) -> None:
    bring_about([Table(Settings(), cloud)])
    account.client("dynamodb").update_table(TableName="FileMetadata", DeletionProtectionEnabled=False)
    planned = provision.plan([Table(Settings(), cloud)])
    account.interfere = refuse("DescribeTable", "ThrottlingException", "Rate exceeded", times=20)
    events = list(provision.apply([Table(Settings(), cloud)], planned, manual_clock))
    assert [event.progress for event in events if event.progress is Progress.DONE] == [Progress.DONE]
    assert manual_clock.now() > 0


def test_row_21_throttling_that_lasts_ends_with_what_to_do(account: Account, cloud: Cloud) -> None:
    account.interfere = refuse("CreateTable", "ThrottlingException", "Rate exceeded", times=99)
    with pytest.raises(OrderNotifyError) as caught:
        bring_about([Table(Settings(), cloud)])
    assert "wait a minute and run the same command again" in caught.value.hint


def test_row_21_a_wait_that_takes_too_long_is_an_error_that_names_it(
    account: Account, cloud: Cloud, manual_clock: ManualClock
) -> None:
    table = Table(Settings(), cloud)
    account.interfere = table_status(manual_clock, "CREATING", 9999)
    with pytest.raises(WaitTimeoutError, match="waited 300 s for the table FileMetadata to be active"):
        table.create(step(clock=manual_clock))
    assert ACCOUNT_ID in table.arn
