"""What a person describes is what exists: options, drift, adoption, and another client's view of it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from ordernotify.iam.function_policy import function_policy
from ordernotify.resources.role import Role
from ordernotify.settings.model import Settings
from ordernotify.settings.names import Names
from tests.e2e.cloud import EmbeddedCloud, run_command

ACCOUNT = "000000000000"
NO_POLICY = '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]}'
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}


def ordernotify(cloud: EmbeddedCloud, *args: str, status: int = 0, folder: Path | None = None) -> str:
    done = run_command(*args, environ=cloud.environ, folder=folder)
    assert done.returncode == status, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done.stdout if status == 0 else done.stdout + done.stderr


def actions(cloud: EmbeddedCloud, *args: str, folder: Path | None = None) -> dict[str, str]:
    """Return what a command did, or would do, with each resource that is not as described."""
    document = json.loads(ordernotify(cloud, *args, "--json", folder=folder))
    return {r["name"]: r["action"] for r in document["resources"] if r["action"] != "none"}


def aws(cloud: EmbeddedCloud, *args: str) -> dict[str, Any]:
    """Ask through the `aws` command line, which shares no code with this project."""
    environ = {
        **cloud.environ,
        "AWS_ENDPOINT_URL": cloud.endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "awscli", *args, "--output", "json"],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_what_setup_leaves_is_what_was_described_to_another_client(embedded_cloud: EmbeddedCloud) -> None:
    ordernotify(
        embedded_cloud,
        *("setup", "--stack", "read", "--yes", "--memory", "512", "--timeout", "10", "--log-retention", "7"),
        *("--tag", "team=shop", "--alarm-email", "ops@example.com", "--architecture", "arm64"),
    )
    table = aws(embedded_cloud, "dynamodb", "describe-table", "--table-name", "FileMetadata-read")["Table"]
    assert table["KeySchema"] == [{"AttributeName": "FileName", "KeyType": "HASH"}]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert "GlobalSecondaryIndexes" not in table
    name = "processFileUpload-read"
    function = aws(embedded_cloud, "lambda", "get-function", "--function-name", name)
    configuration = function["Configuration"]
    assert (configuration["Runtime"], configuration["MemorySize"], configuration["Timeout"]) == (
        "python3.12",
        512,
        10,
    )
    assert configuration["Architectures"] == ["arm64"]
    assert configuration["Role"] == f"arn:aws:iam::{ACCOUNT}:role/processFileUpload-role-read"
    assert function["Tags"]["team"] == "shop"
    assert function["Tags"]["ordernotify:stack"] == "read"
    group = f"/aws/lambda/{name}"
    groups = aws(embedded_cloud, "logs", "describe-log-groups", "--log-group-name-prefix", group)
    assert [(g["logGroupName"], g["retentionInDays"]) for g in groups["logGroups"]] == [(group, 7)]
    alarms = aws(embedded_cloud, "cloudwatch", "describe-alarms", "--alarm-name-prefix", name)["MetricAlarms"]
    topic = f"arn:aws:sns:us-east-1:{ACCOUNT}:{name}-alarms"
    assert {(alarm["MetricName"], *alarm["AlarmActions"]) for alarm in alarms} == {
        ("Errors", topic),
        ("Throttles", topic),
        ("Duration", topic),
        ("5XXError", topic),
        ("NotificationsPending", topic),
    }
    role = ("--role-name", "processFileUpload-role-read", "--policy-name", "ordernotify")
    policy = aws(embedded_cloud, "iam", "get-role-policy", *role)["PolicyDocument"]
    granted = {(a, s["Resource"]) for s in policy["Statement"] for a in s["Action"]}
    assert granted == {
        ("dynamodb:PutItem", f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/FileMetadata-read"),
        ("dynamodb:UpdateItem", f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/FileMetadata-read"),
        ("sns:Publish", f"arn:aws:sns:us-east-1:{ACCOUNT}:file-upload-notification-read"),
        ("logs:CreateLogStream", f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{group}:*"),
        ("logs:PutLogEvents", f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{group}:*"),
    }
    apis = aws(embedded_cloud, "apigateway", "get-rest-apis")["items"]
    [api] = [api for api in apis if api["name"] == "order-api-read"]
    stages = aws(embedded_cloud, "apigateway", "get-stages", "--rest-api-id", api["id"])["item"]
    assert [stage["stageName"] for stage in stages] == ["prod"]


@pytest.mark.long
def test_drift_is_shown_and_mended(embedded_cloud: EmbeddedCloud) -> None:
    stack = ("--stack", "drift")
    ordernotify(embedded_cloud, "setup", *stack, "--memory", "512", "--yes")
    ordernotify(embedded_cloud, "status", *stack, "--exit-code")
    cloud, name = embedded_cloud.cloud(), "processFileUpload-drift"
    cloud.lambda_.update_function_configuration(FunctionName=name, MemorySize=1024)
    cloud.cloudwatch.delete_alarms(AlarmNames=[f"{name}-errors"])
    cloud.iam.put_role_policy(
        RoleName="processFileUpload-role-drift", PolicyName="ordernotify", PolicyDocument=NO_POLICY
    )
    shown = ordernotify(embedded_cloud, "status", *stack, "--exit-code", status=3)
    assert "memory: 1024 -> 512" in shown
    assert f"{name}-errors" in shown
    assert "policy: " in shown
    told = ("--memory", "512")
    assert "memory: 1024 -> 512" in ordernotify(
        embedded_cloud, "setup", *stack, *told, "--dry-run", "--exit-code", status=3
    )
    assert actions(embedded_cloud, "setup", *stack, *told, "--yes") == {
        name: "update",
        f"{name}-errors": "create",
        "processFileUpload-role-drift": "update",
    }
    ordernotify(embedded_cloud, "setup", *stack, *told, "--dry-run", "--exit-code")
    ordernotify(embedded_cloud, "status", *stack, "--exit-code")


@pytest.mark.long
def test_what_is_no_longer_described_goes_back_to_its_default(
    embedded_cloud: EmbeddedCloud, tmp_path: Path
) -> None:
    given = ("--stack", "back", "--memory", "512")
    ordernotify(embedded_cloud, "setup", *given, "--yes", "--save", folder=tmp_path)
    assert actions(embedded_cloud, "setup", "--dry-run", folder=tmp_path) == {}
    (tmp_path / "ordernotify.toml").write_text('stack = "back"\n')
    back = {"processFileUpload-back": "update"}
    assert actions(embedded_cloud, "setup", "--dry-run", folder=tmp_path) == back
    refused = ordernotify(embedded_cloud, "setup", status=1, folder=tmp_path)
    assert "memory: 512 -> 256" in refused
    assert "add --yes" in refused
    assert actions(embedded_cloud, "setup", "--yes", folder=tmp_path) == back


@pytest.mark.long
def test_a_role_of_the_persons_own_is_checked_used_and_left_alone(embedded_cloud: EmbeddedCloud) -> None:
    cloud = embedded_cloud.cloud()
    settings = Settings(stack="own", names=Names().for_stack("own"))
    arn = cloud.iam.create_role(RoleName="mine", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    lacking = ordernotify(embedded_cloud, "setup", "--stack", "own", "--role-arn", arn, "--yes", status=1)
    assert "the role mine lacks dynamodb:PutItem, sns:Publish" in lacking
    assert "ordernotify policy function" in lacking
    policy = json.dumps(function_policy(settings, cloud))
    cloud.iam.put_role_policy(RoleName="mine", PolicyName="mine", PolicyDocument=policy)
    before = cloud.iam.get_role(RoleName="mine")["Role"]
    ordernotify(embedded_cloud, "setup", "--stack", "own", "--role-arn", arn, "--yes")
    ordernotify(embedded_cloud, "verify", "--stack", "own")
    assert Role(settings, cloud).find() is None, "no role of ours is made beside it"
    ordernotify(embedded_cloud, "setup", "--stack", "own", "--yes")
    ordernotify(embedded_cloud, "setup", "--stack", "own", "--role-arn", arn, "--yes")
    assert Role(settings, cloud).find() is None, "ours is removed when it is no longer described"
    ordernotify(embedded_cloud, "verify", "--stack", "own")
    ordernotify(embedded_cloud, "teardown", "--stack", "own", "--yes", "--delete-orders")
    assert cloud.iam.get_role(RoleName="mine")["Role"] == before


def make_the_guides_stack_by_hand(embedded_cloud: EmbeddedCloud) -> None:
    """Make table, topic, function and API as somebody who follows the guide in the console does."""
    cloud, suffix = embedded_cloud.cloud(), "-hand"
    cloud.dynamodb.create_table(
        TableName=f"FileMetadata{suffix}",
        AttributeDefinitions=[{"AttributeName": "FileName", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "FileName", "KeyType": "HASH"}],
        BillingMode="PROVISIONED",
        ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
    )
    cloud.dynamodb.put_item(TableName=f"FileMetadata{suffix}", Item={"FileName": {"S": "an old order"}})
    cloud.sns.create_topic(Name=f"file-upload-notification{suffix}")
    role = cloud.iam.create_role(RoleName="hand-role", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("lambda_function.py", "def lambda_handler(*_): return {'statusCode': 200}")
    function = cloud.lambda_.create_function(
        FunctionName=f"processFileUpload{suffix}",
        Runtime="python3.11",
        Role=role["Arn"],
        Handler="lambda_function.lambda_handler",
        Code={"ZipFile": archive.getvalue()},
    )
    api = cloud.apigateway.create_rest_api(name=f"order-api{suffix}")["id"]
    root = cloud.apigateway.get_resources(restApiId=api)["items"][0]["id"]
    orders = cloud.apigateway.create_resource(restApiId=api, parentId=root, pathPart="orders")["id"]
    cloud.apigateway.put_method(restApiId=api, resourceId=orders, httpMethod="POST", authorizationType="NONE")
    path = f"2015-03-31/functions/{function['FunctionArn']}/invocations"
    cloud.apigateway.put_integration(
        restApiId=api,
        resourceId=orders,
        httpMethod="POST",
        type="AWS_PROXY",
        integrationHttpMethod="POST",
        uri=f"arn:aws:apigateway:us-east-1:lambda:path/{path}",
    )
    cloud.apigateway.create_deployment(restApiId=api, stageName="prod")


@pytest.mark.long
def test_the_guides_hand_made_stack_is_taken_over_when_told(embedded_cloud: EmbeddedCloud) -> None:
    stack = ("--stack", "hand")
    make_the_guides_stack_by_hand(embedded_cloud)
    cloud = embedded_cloud.cloud()
    before = cloud.apigateway.get_rest_apis()["items"]
    refused = ordernotify(embedded_cloud, "setup", *stack, "--yes", status=1)
    assert "does not belong to the stack hand" in refused
    assert "--adopt" in refused
    kept = json.loads(ordernotify(embedded_cloud, "teardown", *stack, "--yes", "--delete-orders", "--json"))
    assert kept["deleted"] == []
    assert {item["kind"] for item in kept["kept"]} == {"table", "topic", "function", "api"}

    shown = ordernotify(embedded_cloud, "setup", *stack, "--adopt", "--dry-run")
    assert "ordernotify:stack" in shown
    assert "runtime: python3.11 -> python3.12" in shown
    assert cloud.apigateway.get_rest_apis()["items"] == before, "a dry run changes nothing"
    done = actions(embedded_cloud, "setup", *stack, "--adopt", "--yes")
    adopted = {"FileMetadata-hand", "file-upload-notification-hand"}
    adopted |= {"processFileUpload-hand", "order-api-hand"}
    assert {name: done[name] for name in adopted} == dict.fromkeys(adopted, "update")
    ordernotify(embedded_cloud, "verify", *stack)
    assert actions(embedded_cloud, "setup", *stack, "--yes") == {}
    [api] = [a for a in cloud.apigateway.get_rest_apis()["items"] if a["name"] == "order-api-hand"]
    assert api["id"] == next(a["id"] for a in before if a["name"] == "order-api-hand")
    old = cloud.dynamodb.get_item(TableName="FileMetadata-hand", Key={"FileName": {"S": "an old order"}})
    assert "Item" in old

    gone = ordernotify(embedded_cloud, "teardown", *stack, "--yes", "--delete-orders", "--json")
    assert adopted <= {item["name"] for item in json.loads(gone)["deleted"]}
    assert cloud.iam.get_role(RoleName="hand-role")["Role"]["RoleName"] == "hand-role"


def test_another_stacks_resources_are_never_adopted(embedded_cloud: EmbeddedCloud) -> None:
    embedded_cloud.cloud().sns.create_topic(
        Name="file-upload-notification-second", Tags=[{"Key": "ordernotify:stack", "Value": "first"}]
    )
    refused = ordernotify(embedded_cloud, "setup", "--stack", "second", "--adopt", "--yes", status=1)
    assert "belongs to the stack first, not to second" in refused
    assert "FileMetadata-second" not in embedded_cloud.cloud().dynamodb.list_tables()["TableNames"]


@pytest.mark.long
def test_orders_that_were_kept_are_taken_back(embedded_cloud: EmbeddedCloud) -> None:
    stack = ("--stack", "kept")
    ordernotify(embedded_cloud, "setup", *stack, "--yes")
    sent = ordernotify(embedded_cloud, "send-order", *stack, "--customer", "A", "--product", "B", "--json")
    kept = json.loads(ordernotify(embedded_cloud, "teardown", *stack, "--yes", "--json"))
    assert kept["kept"] == [{"kind": "table", "name": "FileMetadata-kept"}]
    again = json.loads(ordernotify(embedded_cloud, "setup", *stack, "--yes", "--json"))
    [table] = [r for r in again["resources"] if r["kind"] == "table"]
    assert table["action"] == "none"
    assert json.loads(sent)["orderId"] in ordernotify(embedded_cloud, "list-orders", *stack, "--json")


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--api", "graphql", "graphql"),
        ("--auth", "password", "password"),
        ("--cors-origin", "shop.example.com", "is not an origin"),
        ("--rate", "5", "--rate: rate and burst go together"),
        ("--role-arn", "admin", "is not the ARN of a role"),
        ("--runtime", "python2.7", "the runtime 'python2.7' is not supported"),
        ("--architecture", "sparc", "the architecture 'sparc' is not supported"),
        ("--memory", "99999", "--memory: the memory 99999 MB is out of range"),
        ("--timeout", "900", "the timeout 900 s is out of range"),
        ("--log-retention", "2", "no retention of 2 days"),
        ("--alarm-email", "ops", "is not an email address"),
        ("--stage", "a/b", "is not a stage name"),
        ("--tag", "team", "is not a tag"),
        ("--tag", "aws:x=1", "cannot be a tag of yours"),
        ("--config", "nowhere.toml", "nowhere.toml"),
    ],
)
def test_a_wrong_value_is_refused_before_anything_is_changed(
    embedded_cloud: EmbeddedCloud, option: str, value: str, sentence: str
) -> None:
    done = run_command("setup", "--stack", "wrong", option, value, "--yes", environ=embedded_cloud.environ)
    assert done.returncode == 2, done.stderr
    assert sentence in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert "FileMetadata-wrong" not in embedded_cloud.cloud().dynamodb.list_tables()["TableNames"]
