"""Teardown finds what carries the stack's tag, removes what setup makes, and lists the rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from ordernotify.errors import AccessDeniedError
from ordernotify.settings.model import Auth, Settings
from ordernotify.settings.names import STACK_TAG, Names
from ordernotify.stack.former import find_former
from tests.cli_support import Answered, Typed, answered, typed
from tests.provision_support import (
    ACCOUNT_ID,
    Account,
    Call,
    Interference,
    Send,
    answer_json,
    changed_answer,
    refuse,
    set_up,
)
from tests.test_renaming import done, put_order

__all__ = ["answered", "typed"]

REMOVED = ("teardown", "--yes", "--delete-orders")
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT_ID}:theirs"
TAGS = {STACK_TAG: "default"}


def with_tagged(*arns: str) -> Interference:
    """Let the tagging API list these too, as it does with what it knows and moto does not."""

    def interfere(call: Call, send: Send) -> AWSResponse:
        if (call.service, call.operation) != ("resourcegroupstaggingapi", "GetResources"):
            return send()
        more = [{"ResourceARN": arn, "Tags": [{"Key": STACK_TAG, "Value": "default"}]} for arn in arns]
        return changed_answer(send(), lambda body: body["ResourceTagMappingList"].extend(more))

    return interfere


def test_what_setup_does_not_make_is_left_and_told_with_what_to_do(account: Account, typed: Typed) -> None:
    done(typed("setup"))
    account.client("sqs").create_queue(QueueName="theirs", tags=TAGS)
    account.interfere = with_tagged(QUEUE, "arn:aws:s3:::reports")
    result = typed(*REMOVED)
    assert result.exit_code == 1
    assert "Removed" not in result.stdout
    assert f"Left: sqs {QUEUE} (carries the stack's tag, and is nothing that setup makes)" in result.stdout
    assert "Left: s3 arn:aws:s3:::reports" in result.stdout
    assert f"Remove it by hand; or take its tag {STACK_TAG} away" in result.stderr
    assert account.client("sqs").list_queues()["QueueUrls"], "it is not setup's to remove"
    again = typed(*REMOVED, "--json")
    assert again.exit_code == 1
    left = json.loads(again.stdout)["left"]
    assert left[0] == {"kind": "sqs", "name": QUEUE, "arn": QUEUE}
    account.client("sqs").delete_queue(QueueUrl=account.client("sqs").list_queues()["QueueUrls"][0])
    account.interfere = with_tagged()
    gone = typed(*REMOVED)
    assert gone.exit_code == 0, gone.output
    assert gone.stdout == "Nothing to do: there is no stack default here (there are none).\n"
    done(typed("setup", "--stack", "dev"))
    assert "no stack default here (stacks: dev)" in done(typed(*REMOVED)).stdout


def test_a_listing_that_lags_brings_nothing_back(account: Account, typed: Typed) -> None:
    done(typed("setup"))
    gateway = "arn:aws:apigateway:us-east-1::"
    account.interfere = with_tagged(
        f"arn:aws:sqs:us-east-1:{ACCOUNT_ID}:file-upload-notification-verify-1772366400-0123abcd",
        f"{gateway}/restapis/gone123456",
        f"{gateway}/restapis/gone123456/stages/prod",
        f"{gateway}/apis/gone654321",
        f"arn:aws:dynamodb:us-east-1:{ACCOUNT_ID}:table/Gone",
    )
    assert "Removed" in done(typed(*REMOVED)).stdout


def test_a_second_api_of_the_stack_goes_with_the_first(account: Account, typed: Typed) -> None:
    done(typed("setup"))
    # As a create that was cut off, and repeated, leaves it (AWS-FACTS 21).
    client = account.client("apigateway")
    second = client.create_rest_api(name="order-api", tags=TAGS)["id"]
    listed = with_tagged(arn := f"arn:aws:apigateway:us-east-1::/restapis/{second}")

    def interfere(call: Call, send: Send) -> AWSResponse:
        if (call.operation, call.params.get("resourceArn")) != ("GetTags", arn):
            return listed(call, send)
        there = second in {api["id"] for api in client.get_rest_apis()["items"]}
        return answer_json({"tags": TAGS}) if there else send()  # moto's: not found

    account.interfere = interfere
    assert "Removed" in done(typed(*REMOVED)).stdout
    assert client.get_rest_apis()["items"] == []


def test_kept_orders_are_not_called_removed(account: Account, typed: Typed) -> None:
    done(typed("setup"))
    kept = done(typed("teardown", "--yes"))
    assert "Removed" not in kept.stdout
    assert "Deleted 11 of 12 resources." in kept.stdout
    assert "Kept: table FileMetadata (holds the orders)" in kept.stdout


@pytest.mark.parametrize("gone", ["key", "plan"])
def test_a_key_without_its_api_is_found_and_removed(
    account: Account, typed: Typed, cloud: Any, gone: str
) -> None:
    set_up(Settings(auth=Auth.API_KEY, names=Names(api="shop")), cloud)
    client = account.client("apigateway")
    plan = client.get_usage_plans()["items"][0]["id"]
    if gone == "plan":
        client.delete_usage_plan(usagePlanId=plan)
    else:
        client.delete_api_key(apiKey=client.get_api_keys()["items"][0]["id"])
    client.delete_rest_api(restApiId=client.get_rest_apis()["items"][0]["id"])
    account.client("lambda").delete_function(FunctionName="processFileUpload")
    result = done(typed(*REMOVED))
    assert "Removed" in result.stdout
    assert client.get_api_keys()["items"] == client.get_usage_plans()["items"] == []


def test_a_former_topic_whose_name_ends_like_an_alarm_topics_stays(
    account: Account, typed: Typed, cloud: Any
) -> None:
    done(typed("setup", "--topic-name", "news-alarms", "--email", "you@example.com"))
    renamed = done(typed("setup", "--topic-name", "news", "--yes"))
    assert "= topic         news-alarms  (no longer used, stays)" in renamed.stderr
    sns = account.client("sns")
    arn = f"arn:aws:sns:us-east-1:{ACCOUNT_ID}:news-alarms"
    assert sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"], "somebody is told by it"
    assert "Removed" in done(typed(*REMOVED)).stdout
    assert sns.list_topics()["Topics"] == []


def test_an_alarm_topic_of_a_former_function_is_one_of_alarms(
    account: Account, typed: Typed, cloud: Any
) -> None:
    done(typed("setup", "--alarm-email", "ops@example.com"))
    former = find_former(cloud, Names(function="take-order"), "default").names
    assert {(one.function, one.topic) for one in former} == {("processFileUpload", Names().topic)}


@pytest.mark.parametrize("operation", ["GetRestApis", "GetApis"])
def test_the_right_to_list_the_apis_is_missed_by_name(account: Account, cloud: Any, operation: str) -> None:
    account.interfere = refuse(operation, "AccessDeniedException")
    with pytest.raises(AccessDeniedError, match=f"former names of the stack: .* may not call {operation}"):
        find_former(cloud, Names(), "default")


def test_the_question_tells_of_every_table_and_export_saves_every_order(
    account: Account, typed: Typed, answered: Answered, capsys: pytest.CaptureFixture[str]
) -> None:
    done(typed("setup", "--yes"))
    put_order(account, "FileMetadata", "pending")
    done(typed("setup", "--table-name", "Orders", "--yes"))
    put_order(account, "Orders")
    assert answered("teardown", answers=("export",)) == 0
    said = capsys.readouterr().err
    assert "The table Orders holds 1 order, 0 of them not announced yet." in said
    assert "The table FileMetadata holds 1 order, 1 of them not announced yet." in said
    assert "export: they go to orders-default.jsonl, orders-default2.jsonl and are deleted" in said
    assert account.client("dynamodb").list_tables()["TableNames"] == []
    assert "order-in-Orders" in Path("orders-default.jsonl").read_text()
    assert "order-in-FileMetadata" in Path("orders-default2.jsonl").read_text()
