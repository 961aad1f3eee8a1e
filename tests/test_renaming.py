"""A stack that is described with other names: nothing drops out of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ordernotify.settings.names import STACK_TAG
from tests.cli_support import Typed, typed
from tests.provision_support import Account, Call, Send, refusal

__all__ = ["typed"]

NAMES = {
    "table": "Orders",
    "topic": "news",
    "function": "take-order",
    "role": "takers",
    "api": "shop",
}
ALL = [word for kind, name in NAMES.items() for word in (f"--{kind}-name", name)]


def done(result: Any) -> Any:
    assert result.exit_code == 0, result.output
    return result


def put_order(account: Account, table: str, state: str = "sent") -> None:
    item = {
        "FileName": {"S": f"order-in-{table}"},
        "orderId": {"S": f"order-in-{table}"},
        "customerName": {"S": "A"},
        "productName": {"S": "B"},
        "quantity": {"N": "1"},
        "notification": {"S": state},
    }
    account.client("dynamodb").put_item(TableName=table, Item=item)


def left(account: Account) -> list[str]:
    """Name what is in the account, through boto3 alone."""
    return sorted(
        [
            *account.client("dynamodb").list_tables()["TableNames"],
            *(
                topic["TopicArn"].rpartition(":")[2]
                for topic in account.client("sns").list_topics()["Topics"]
            ),
            *(f["FunctionName"] for f in account.client("lambda").list_functions()["Functions"]),
            *(role["RoleName"] for role in account.client("iam").list_roles()["Roles"]),
            *(api["name"] for api in account.client("apigateway").get_rest_apis()["items"]),
            *(g["logGroupName"] for g in account.client("logs").describe_log_groups()["logGroups"]),
            *(a["AlarmName"] for a in account.client("cloudwatch").describe_alarms()["MetricAlarms"]),
        ]
    )


def test_a_renamed_table_is_found_by_every_command_and_the_old_one_is_told_of(
    account: Account, typed: Typed
) -> None:
    done(typed("setup"))
    put_order(account, "FileMetadata", "pending")
    renamed = done(typed("setup", "--table-name", "Orders", "--yes"))
    assert "= table         FileMetadata  (1 order, no longer used, stays)" in renamed.stderr
    put_order(account, "Orders")
    assert "order-in-Orders" in done(typed("list-orders")).stdout
    assert json.loads(done(typed("get-order", "order-in-Orders", "--json")).stdout)["quantity"] == 1
    again = done(typed("setup", "--dry-run", "--exit-code"))
    assert "FileMetadata  (1 order, no longer used, stays)" in again.stdout
    assert "FileMetadata  1 order, no longer used, stays" in done(typed("status")).stdout
    sent = json.loads(done(typed("redrive", "--older-than", "0s", "--json")).stdout)
    assert (sent["pending"], sent["sent"]) == (1, 1), "the order in the old table was answered with 2xx"


def test_teardown_finds_the_orders_under_every_name(account: Account, typed: Typed) -> None:
    done(typed("setup"))
    put_order(account, "FileMetadata")
    done(typed("setup", "--table-name", "Orders", "--yes"))
    put_order(account, "Orders")
    kept = done(typed("teardown", "--yes"))
    assert "Kept: table Orders (holds the orders)" in kept.stdout
    assert "Kept: table FileMetadata (holds the orders)" in kept.stdout
    done(typed("teardown", "--yes", "--delete-orders"))
    assert left(account) == []


def test_what_holds_nothing_goes_when_everything_is_renamed(account: Account, typed: Typed) -> None:
    done(typed("setup", "--email", "you@example.com", "--alarm-email", "ops@example.com"))
    done(typed("setup", *ALL, "--alarm-email", "ops@example.com", "--yes"))
    stays = {"FileMetadata", "file-upload-notification", "/aws/lambda/processFileUpload"}
    assert {name for name in left(account) if "processFileUpload" in name or "FileMeta" in name} == stays - {
        "file-upload-notification"
    }
    assert {*stays, *NAMES.values(), "take-order-alarms"} <= {*left(account)}
    assert done(typed("setup", "--alarm-email", "ops@example.com", "--dry-run", "--exit-code"))
    done(typed("teardown", "--yes", "--delete-orders"))
    assert left(account) == []


@pytest.mark.parametrize(
    "cut", ["UpdateFunctionConfiguration", "DeleteFunction", "DeleteRole", "DeleteAlarms"]
)
def test_a_renaming_that_was_cut_off_is_completed_by_the_same_command(
    account: Account, typed: Typed, cut: str
) -> None:
    done(typed("setup"))

    def denied(call: Call, send: Send) -> Any:
        return refusal(call, "InternalFailure", "cut off", 400) if call.operation == cut else send()

    account.interfere = denied
    typed("setup", *ALL, "--yes")
    account.interfere = lambda _call, send: send()
    done(typed("setup", *ALL, "--yes"))
    assert done(typed("setup", "--dry-run", "--exit-code"))
    done(typed("teardown", "--yes", "--delete-orders"))
    assert left(account) == []


def test_who_may_not_look_by_tag_is_told_so(account: Account, typed: Typed) -> None:
    done(typed("setup"))

    def denied(call: Call, send: Send) -> Any:
        if (call.service, call.operation) in (
            ("resourcegroupstaggingapi", "GetResources"),
            ("iam", "ListRoles"),
        ):
            return refusal(call, "AccessDeniedException", "no", 400)
        return send()

    account.interfere = denied
    assert "Not looked for under other names" in done(typed("status")).stderr
    renamed = done(typed("setup", "--table-name", "Orders", "--yes"))
    assert "FileMetadata  (0 orders, no longer used, stays)" in renamed.stderr, "the function's record tells"


def test_another_stacks_things_are_not_taken_for_former_ones(account: Account, typed: Typed) -> None:
    done(typed("setup"))
    done(typed("setup", "--stack", "dev", "--table-name", "Orders"))
    before = left(account)
    done(typed("setup", "--function-name", "take-order", "--yes"))
    done(typed("teardown", "--yes", "--delete-orders"))
    assert left(account) == [name for name in before if "-dev" in name]
    assert account.client("dynamodb").list_tags_of_resource(
        ResourceArn="arn:aws:dynamodb:us-east-1:123456789012:table/Orders-dev"
    )["Tags"] == [{"Key": STACK_TAG, "Value": "dev"}]


def test_a_former_topic_whose_subscribers_lead_to_no_dead_letters_is_no_difference(typed: Typed) -> None:
    described = ("setup", "--yes", "--dead-letters", "--email", "you@example.com")
    done(typed(*described))
    assert "- redrive" in done(typed(*described, "--topic-name", "news")).output
    assert "No changes." in done(typed("setup", "--dry-run", *described[2:], "--topic-name", "news")).output


def test_what_a_former_topics_subscriber_did_not_take_is_sent_by_redrive(
    account: Account, typed: Typed
) -> None:
    described = ("setup", "--yes", "--dead-letters")
    done(typed(*described))
    put_order(account, "FileMetadata")
    sqs = account.client("sqs")
    url = sqs.get_queue_url(QueueName="file-upload-notification-undelivered")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"orderId": "order-in-FileMetadata"}))
    renaming = (*described, "--topic-name", "news", "--table-name", "Orders")
    kept = "no longer used, holds 1 undelivered, see `ordernotify redrive --undelivered`"
    assert kept in " ".join(done(typed(*renaming)).stderr.split())
    assert "order-in-FileMetadata" in done(typed("redrive", "--undelivered", "--dry-run")).stdout
    sent = json.loads(done(typed("redrive", "--undelivered", "--json")).stdout)
    assert (sent["undelivered"], sent["sent"], sent["failed"]) == (1, 1, 0), "not taken for a deleted order"
    assert "- dead letters" in done(typed(*renaming)).stderr, "empty, it goes"
    assert "No changes." in done(typed("setup", "--dry-run", *renaming[2:])).output
