"""What the options of production and `--dashboard` write into an export."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ordernotify.export import cloudformation, terraform
from ordernotify.export.found import FoundStack
from ordernotify.resources.filter_policy import Scope
from ordernotify.resources.subscriber import Subscriber
from ordernotify.settings.model import ApiKind, Settings
from tests.export_support import FULL_REST, TRACED, found_in, template_of, terraform_of, with_subscribers
from tests.provision_support import ACCOUNT_ID, Account, full_settings

THEIRS = f"arn:aws:sqs:us-east-1:{ACCOUNT_ID}:theirs"
PENDING = Subscriber("email", "new@example.com", None, True, {}, Scope.ATTRIBUTES, False)
PRIVATE = replace(
    PENDING,
    endpoint="private@example.com",
    arn=f"arn:aws:sns:us-east-1:{ACCOUNT_ID}:topic:1",
    pending=False,
    redrive=THEIRS,
)
TO_DEAD_LETTERS = {"deadLetterTargetArn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}}
DEAD_LETTERS_EXPRESSION = "${jsonencode({deadLetterTargetArn = aws_sqs_queue.dead_letters.arn})}"


@pytest.fixture
def stack(account: Account) -> FoundStack:
    return found_in(account, full_settings(**FULL_REST))


@pytest.fixture
def plain(account: Account) -> FoundStack:
    return found_in(account, full_settings(rate=0))


def properties(stack: FoundStack, logical_id: str) -> dict[str, Any]:
    found: dict[str, Any] = template_of(stack)["Resources"][logical_id]["Properties"]
    return found


def test_a_template_traces_reserves_and_logs(stack: FoundStack) -> None:
    function, stage = properties(stack, "Function"), template_of(stack)["Resources"]["Stage"]
    assert function["TracingConfig"] == {"Mode": "Active"}
    assert function["ReservedConcurrentExecutions"] == 20
    assert stage["Properties"]["TracingEnabled"] is True
    assert stage["Properties"]["MethodSettings"] == [
        {
            "HttpMethod": "*",
            "ResourcePath": "/*",
            "ThrottlingRateLimit": 50,
            "ThrottlingBurstLimit": 100,
            "LoggingLevel": "INFO",
            "DataTraceEnabled": False,
        }
    ]
    assert stage["DependsOn"] == ["ExecutionLogs"]
    name = properties(stack, "ExecutionLogs")["LogGroupName"]
    assert name == {"Fn::Sub": "API-Gateway-Execution-Logs_${Api}/prod"}


def test_terraform_traces_reserves_and_logs(stack: FoundStack) -> None:
    resources = terraform_of(stack)["resource"]
    function = resources["aws_lambda_function"]["function"]
    assert function["tracing_config"] == [{"mode": "Active"}]
    assert function["reserved_concurrent_executions"] == 20
    assert resources["aws_api_gateway_stage"]["orders"]["xray_tracing_enabled"] is True
    settings = resources["aws_api_gateway_method_settings"]["orders"]
    assert settings["settings"] == [
        {
            "throttling_rate_limit": 50,
            "throttling_burst_limit": 100,
            "logging_level": "INFO",
            "data_trace_enabled": False,
        }
    ]
    assert settings["depends_on"] == ["aws_cloudwatch_log_group.execution"]
    name = resources["aws_cloudwatch_log_group"]["execution"]["name"]
    assert name == "API-Gateway-Execution-Logs_${aws_api_gateway_rest_api.orders.id}/prod"


def test_the_group_of_the_execution_logs_is_imported_by_its_own_name(
    account: Account, stack: FoundStack
) -> None:
    groups = account.client("logs").describe_log_groups(logGroupNamePrefix="API-Gateway-Execution-Logs_")
    (live,) = [one["logGroupName"] for one in groups["logGroups"]]
    to_import = json.loads(cloudformation.write(stack)["resources-to-import.json"])
    ids = {one["LogicalResourceId"]: one["ResourceIdentifier"] for one in to_import}
    assert ids["ExecutionLogs"] == {"LogGroupName": live}
    imports = {one["to"]: one["id"] for one in terraform_of(stack, terraform.IMPORT)["import"]}
    assert imports["aws_cloudwatch_log_group.execution"] == live


def test_execution_logs_alone_keep_the_limits_that_the_account_has(account: Account) -> None:
    stack = found_in(account, Settings(execution_logs=True))
    (written,) = properties(stack, "Stage")["MethodSettings"]
    assert (written["ThrottlingRateLimit"], written["ThrottlingBurstLimit"]) == (10_000, 5_000)
    block = terraform_of(stack)["resource"]["aws_api_gateway_method_settings"]["orders"]
    limits = block["settings"][0]
    assert (limits["throttling_rate_limit"], limits["throttling_burst_limit"]) == (10_000, 5_000)


def test_orders_subscribers_lead_to_the_queue_and_those_of_alarms_do_not(stack: FoundStack) -> None:
    whole = with_subscribers(stack, PENDING)
    for name in ("Email1Subscription", "Phone1Subscription", "Email2Subscription"):
        assert properties(whole, name)["RedrivePolicy"] == TO_DEAD_LETTERS
    assert "RedrivePolicy" not in properties(whole, "AlarmEmail1Subscription")
    lists = terraform_of(whole)["resource"]["aws_sns_topic_subscription"]
    assert {name: one.get("redrive_policy") for name, one in lists.items()} == {
        "emails": DEAD_LETTERS_EXPRESSION,
        "phones": DEAD_LETTERS_EXPRESSION,
        "alarm_emails": None,
    }
    assert terraform_of(whole)["variable"]["emails"]["default"] == ["you@example.com", "new@example.com"]


def test_the_queue_is_written_as_it_was_found(stack: FoundStack) -> None:
    written = properties(stack, "DeadLetters")
    block = terraform_of(stack)["resource"]["aws_sqs_queue"]["dead_letters"]
    live = stack.resources["dead-letters"]
    assert written["QueueName"] == block["name"] == live.name
    assert written["MessageRetentionPeriod"] == block["message_retention_seconds"] == 1_209_600
    assert written["SqsManagedSseEnabled"] is block["sqs_managed_sse_enabled"] is True
    policy = properties(stack, "DeadLettersPolicy")["PolicyDocument"]
    assert policy == json.loads(block["policy"]) == json.loads(live.state.policy)


def test_a_redrive_policy_of_somebody_else_is_kept(plain: FoundStack) -> None:
    stack = with_subscribers(plain, PRIVATE)
    assert properties(stack, "Email2Subscription")["RedrivePolicy"] == {"deadLetterTargetArn": THEIRS}
    written = terraform_of(stack)["resource"]["aws_sns_topic_subscription"]
    (own,) = [one for one in written.values() if one["endpoint"] == PRIVATE.endpoint]
    assert json.loads(own["redrive_policy"]) == {"deadLetterTargetArn": THEIRS}
    assert PRIVATE.endpoint not in terraform_of(stack)["variable"]["emails"]["default"]


def test_a_stack_without_these_options_has_nothing_of_them(plain: FoundStack) -> None:
    texts = [cloudformation.write(plain)["template.yaml"], terraform.write(plain)[terraform.MAIN]]
    words = ("Tracing", "tracing", "RedrivePolicy", "redrive", "Reserved", "reserved", "Execution-Logs")
    assert [word for text in texts for word in words if word in text] == []


def test_an_http_api_has_them_without_execution_logs(account: Account) -> None:
    stack = found_in(account, full_settings(**TRACED, api=ApiKind.HTTP))
    assert properties(stack, "Function")["ReservedConcurrentExecutions"] == 20
    assert "DeadLetters" in template_of(stack)["Resources"]
    assert "ExecutionLogs" not in template_of(stack)["Resources"]


def test_the_dashboard_is_written_as_it_was_found(account: Account) -> None:
    stack = found_in(account, full_settings(**FULL_REST))
    live, name = stack.resources["dashboard"].state.body, "ordernotify-default-us-east-1"
    template, block = (
        template_of(stack),
        terraform_of(stack)["resource"]["aws_cloudwatch_dashboard"]["orders"],
    )
    written = template["Resources"]["Dashboard"]["Properties"]
    assert (written["DashboardName"], block["dashboard_name"]) == (name, name)
    assert json.loads(written["DashboardBody"]) == json.loads(block["dashboard_body"]) == live


def test_the_dashboard_names_an_http_api_by_reference(account: Account) -> None:
    stack = found_in(account, full_settings(**TRACED, api=ApiKind.HTTP))
    live, api_id = stack.resources["dashboard"].state.body, stack.resources["api"].state.id
    block = terraform_of(stack)["resource"]["aws_cloudwatch_dashboard"]["orders"]
    written = template_of(stack)["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    for body, reference in (
        (written, "${Api}"),
        (block["dashboard_body"], "${aws_apigatewayv2_api.orders.id}"),
    ):
        assert api_id not in body
        assert json.loads(body.replace(reference, api_id)) == live
