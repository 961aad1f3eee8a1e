"""A stack that another tool takes over: the commands of both sides, as a person gives them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from ordernotify.settings.names import Names
from tests.e2e.cloud import EmbeddedCloud, run_command

TERRAFORM_SECONDS = 240
PLUGINS_VARIABLE = "TESTS_TF_PLUGINS"
"""A folder with the aws provider, for machines without a way to Terraform's registry."""
BUCKET = "code"
NOT_IMPORTED = {
    "rest": {
        "AWS::ApiGateway::ApiKey",
        "AWS::ApiGateway::Deployment",
        "AWS::ApiGateway::Method",
        "AWS::ApiGateway::Resource",
        "AWS::ApiGateway::UsagePlan",
        "AWS::ApiGateway::UsagePlanKey",
        "AWS::CloudWatch::Alarm",
        "AWS::Lambda::Permission",
        "AWS::SNS::Subscription",
    },
    "http": {
        "AWS::ApiGatewayV2::Api",
        "AWS::ApiGatewayV2::Integration",
        "AWS::ApiGatewayV2::Route",
        "AWS::ApiGatewayV2::Stage",
        "AWS::CloudWatch::Alarm",
        "AWS::Lambda::Permission",
        "AWS::SNS::Subscription",
    },
}
"""What MiniStack cannot import; CloudFormation can, as the schemas in its registry say."""
QUERY_ALARM = {
    "actions_enabled",
    "alarm_actions",
    "alarm_description",
    "dimensions",
    "ok_actions",
    "period",
    "statistic",
    "treat_missing_data",
}
READ_EMPTY: Mapping[str, set[str]] = {
    # MiniStack's DescribeAlarms in the Query protocol, which this provider speaks, leaves these out of the
    # answer; in the protocols that boto3 speaks it has them.
    "aws_cloudwatch_metric_alarm": QUERY_ALARM,
    # MiniStack answers an empty quota, which the provider takes for a quota of 0; AWS answers none.
    "aws_api_gateway_usage_plan": {"quota_settings"},
}
"""Differences that come from what the emulator reads back, by type and argument; no other is passed over."""


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A stack of the test's own, and what its commands answer."""

    cloud: EmbeddedCloud
    name: str

    @property
    def names(self) -> Names:
        return Names().for_stack(self.name)

    def run(self, *args: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        done = run_command(*args, "--stack", self.name, environ=self.cloud.environ)
        assert done.returncode == status, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def differences(self, *described: str) -> dict[str, Any]:
        """What `setup` would change, by kind; the exit status says the same."""
        done = run_command(
            *("setup", "--stack", self.name, "--dry-run", "--exit-code", "--json", *described),
            environ=self.cloud.environ,
        )
        document = json.loads(done.stdout)
        found = {r["kind"]: r["action"] for r in document["resources"] if r["action"] != "none"}
        assert (done.returncode == 0) == (not found), done.stdout + done.stderr
        return found

    def verified(self) -> bool:
        return bool(json.loads(self.run("verify", "--json").stdout)["passed"])

    def send(self, count: int, *more: str) -> int:
        """Send orders; how many of them were accepted."""
        order = ("send-order", "--customer", "A", "--product", "B", "--count", str(count), "--json")
        return int(json.loads(self.run(*order, *more).stdout)["accepted"])

    def stored(self) -> int:
        return len(self.run("list-orders", "--json").stdout.splitlines())

    def subscribers(self) -> list[dict[str, Any]]:
        """Everybody whom the topic tells, without what SNS chose and how it was confirmed."""
        listed = [json.loads(line) for line in self.run("list-subscriptions", "--json").stdout.splitlines()]
        chosen = {"arn": None, "confirmationWasAuthenticated": None}
        return sorted(({**one, **chosen} for one in listed), key=lambda one: str(one["endpoint"]))

    def subscribe_queue(self) -> None:
        """Subscribe a queue in a way of its own."""
        queue = f"{self.name}-orders"
        self.cloud.cloud().sqs.create_queue(QueueName=queue)
        arn = self.cloud.cloud().arn("sqs", queue)
        self.run("subscribe", arn, "--filter-policy", '{"orderId": [{"exists": true}]}', "--raw-delivery")

    def export(self, format_: str, folder: Path) -> str:
        """Export into the folder; what the screen says besides the files."""
        done = self.run("export-stack", "--format", format_, str(folder))
        assert sorted(done.stdout.splitlines()) == sorted(str(file) for file in folder.iterdir())
        return done.stderr


class CloudFormation:
    """One CloudFormation stack made from an export, through boto3 alone."""

    def __init__(self, cloud: EmbeddedCloud, name: str, folder: Path) -> None:
        session = boto3.Session("test", "test", region_name="us-east-1")
        self._client: Any = session.client("cloudformation", endpoint_url=cloud.endpoint)
        storage: Any = session.client("s3", endpoint_url=cloud.endpoint)
        self.name = name
        self.folder = folder
        self._rest = {
            "Parameters": [{"ParameterKey": "CodeBucket", "ParameterValue": BUCKET}],
            "Capabilities": ["CAPABILITY_NAMED_IAM"],
        }
        storage.create_bucket(Bucket=BUCKET)
        key = self.template("template.yaml")["Parameters"]["CodeKey"]["Default"]
        storage.put_object(Bucket=BUCKET, Key=key, Body=(folder / "function.zip").read_bytes())

    def template(self, name: str) -> dict[str, Any]:
        document: dict[str, Any] = yaml.safe_load((self.folder / name).read_text())
        return document

    def create(self) -> str:
        body = (self.folder / "template.yaml").read_text()
        self._client.create_stack(StackName=self.name, TemplateBody=body, **self._rest)
        return self._ended()

    def update(self, template: Mapping[str, Any]) -> str:
        self._client.update_stack(StackName=self.name, TemplateBody=yaml.safe_dump(template), **self._rest)
        return self._ended()

    def delete(self) -> None:
        self._client.delete_stack(StackName=self.name)
        self._client.get_waiter("stack_delete_complete").wait(StackName=self.name, WaiterConfig={"Delay": 1})

    def prepare_import(self, without: Iterable[str] = ()) -> dict[str, Any]:
        """Make the import change set, leaving resources of some types out; what becomes of it."""
        template, left = self.template("import.yaml"), set(without)
        template["Resources"] = only(template, left)
        to_import = [
            entry
            for entry in json.loads((self.folder / "resources-to-import.json").read_text())
            if entry["ResourceType"] not in left
        ]
        self._client.create_change_set(
            StackName=self.name,
            ChangeSetName="take-over",
            ChangeSetType="IMPORT",
            TemplateBody=yaml.safe_dump(template),
            ResourcesToImport=to_import,
            **self._rest,
        )
        described: dict[str, Any] = self._client.describe_change_set(
            StackName=self.name, ChangeSetName="take-over"
        )
        assert {change["ResourceChange"]["Action"] for change in described["Changes"]} == {"Import"}
        assert len(described["Changes"]) == len(to_import)
        return described

    def drop_import(self) -> None:
        self.delete()

    def execute_import(self) -> str:
        self._client.execute_change_set(StackName=self.name, ChangeSetName="take-over")
        return self._ended()

    def _ended(self) -> str:
        for _ in range(100):
            (stack,) = self._client.describe_stacks(StackName=self.name)["Stacks"]
            if not stack["StackStatus"].endswith("_IN_PROGRESS"):
                break
            time.sleep(0.2)
        return str(stack["StackStatus"])


def only(template: Mapping[str, Any], without: set[str]) -> dict[str, Any]:
    """The template's resources of other types than these."""
    return {name: one for name, one in template["Resources"].items() if one["Type"] not in without}


class Terraform:
    """`terraform` in the folder of an export; the test is skipped where it cannot run."""

    def __init__(self, cloud: EmbeddedCloud, folder: Path) -> None:
        self.folder = folder
        self._environ = {
            **cloud.environ,
            "AWS_ENDPOINT_URL": cloud.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "CHECKPOINT_DISABLE": "1",
            "TF_CLI_ARGS": "-no-color",
            "TF_IN_AUTOMATION": "1",
        }
        configuration = self._environ.get("TF_CLI_CONFIG_FILE", "")
        if not Path(configuration).exists():
            self._environ.pop("TF_CLI_CONFIG_FILE", None)
        self._init()

    def _init(self) -> None:
        if shutil.which("terraform") is None:
            pytest.skip("there is no terraform on the PATH")
        plugins = os.environ.get(PLUGINS_VARIABLE)
        done = self.run("init", "-input=false", *([f"-plugin-dir={plugins}"] if plugins else []), check=False)
        if done.returncode:
            hint = f"{PLUGINS_VARIABLE} can name a folder with it"
            pytest.skip(f"terraform has no aws provider here ({hint}): {done.stderr}")

    def run(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["terraform", *args],
            cwd=self.folder,
            env=self._environ,
            capture_output=True,
            text=True,
            timeout=TERRAFORM_SECONDS,
            check=False,
        )
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done

    def apply(self) -> str:
        return self.run("apply", "-input=false", "-auto-approve").stdout

    def plan(self) -> list[dict[str, Any]]:
        """The plan's changes, in Terraform's own form."""
        self.run("plan", "-input=false", "-out=plan.bin")
        changes: list[dict[str, Any]] = json.loads(self.run("show", "-json", "plan.bin").stdout)[
            "resource_changes"
        ]
        return changes


def differences(
    changes: Sequence[Mapping[str, Any]], also: Mapping[str, set[str]] | None = None
) -> dict[str, Any]:
    """What a plan changes, by address, without what the emulator reads back empty, here and `also`."""
    empty = {**READ_EMPTY, **(also or {})}
    found = {}
    for one in changes:
        change = one["change"]
        if change["actions"] == ["update"]:
            before, after = change["before"], change["after"]
            changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
            passed_over = empty.get(one["type"], set())
            if changed - passed_over:
                found[one["address"]] = changed - passed_over
        elif change["actions"] != ["no-op"]:
            found[one["address"]] = change["actions"]
    return found
