"""A person of the account who may do exactly what a policy says, on an embedded cloud that enforces it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import boto3
from typer.testing import CliRunner, Result

from ordernotify.aws.session import Cloud
from ordernotify.cli import app
from tests import cli_support as _commands  # noqa: F401 - it registers them
from tests.e2e.cloud import EmbeddedCloud, run_command

Document = Mapping[str, Any]
REGION = "us-east-1"

SEEN_WITHOUT_RESOURCE = {
    "cloudwatch:DeleteAlarms": "looks for AlarmName, and the call has AlarmNames",
    "cloudwatch:DescribeAlarms": "looks for AlarmName, and the call has AlarmNames",
    "cloudwatch:DeleteDashboards": "knows no resource of dashboards",
    "cloudwatch:GetDashboard": "knows no resource of dashboards",
    "cloudwatch:ListTagsForResource": "does not look for ResourceARN",
    "cloudwatch:PutDashboard": "knows no resource of dashboards",
    "cloudwatch:TagResource": "does not look for ResourceARN",
    "dynamodb:ListTagsOfResource": "does not look for ResourceArn",
    "dynamodb:TagResource": "does not look for ResourceArn",
    "lambda:CreateFunction": "looks for the name in the path, and the call has it in its body",
    "sns:ListTagsForResource": "does not look for ResourceArn",
    "sns:TagResource": "does not look for ResourceArn",
}
"""Actions that MiniStack checks on `*`, where AWS checks the resource; with the reason in its code."""
CONDITIONS_UNKNOWN = {
    "iam:AttachRolePolicy": "has no value for iam:PolicyARN",
    "iam:CreateRole": "has no value for iam:PermissionsBoundary",
    "iam:PutRolePermissionsBoundary": "has no value for iam:PermissionsBoundary",
    "iam:PutRolePolicy": "has no value for iam:PermissionsBoundary",
}
"""Actions whose condition MiniStack cannot meet; with the reason in its code."""
TAGGING_OF_LOGS = ("logs:ListTagsForResource", "logs:TagResource")


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One action on one resource, under a condition (as JSON); `seen_on` is where the emulator checks it."""

    action: str
    resource: str
    condition: str = ""

    @property
    def service(self) -> str:
        """The service's prefix."""
        return self.action.partition(":")[0]

    @property
    def seen_on(self) -> str:
        """The resource as MiniStack computes it: log groups without AWS's `:*`, roles without their path."""
        if self.action in SEEN_WITHOUT_RESOURCE:
            return "*"
        if self.service == "iam":
            return re.sub(r":role/.*/", ":role/", self.resource)
        if self.action.startswith("logs:") and self.action not in TAGGING_OF_LOGS:
            return self.resource.removesuffix(":*")
        return self.resource

    def of_stack(self, old: str, new: str) -> Right:
        """The same right in another stack; every name ends in the stack's."""
        return replace(self, resource=self.resource.replace(f"-{old}", f"-{new}"))


def rights_in(document: Document) -> tuple[Right, ...]:
    """Take a document apart, into single actions on single resources."""
    return tuple(sorted(set(_rights(document["Statement"]))))


def _rights(statements: Iterable[Document]) -> Iterator[Right]:
    for statement in statements:
        condition = json.dumps(statement["Condition"]) if "Condition" in statement else ""
        for action in _list(statement["Action"]):
            for resource in _list(statement["Resource"]):
                yield Right(action, resource, condition)


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def document_of(rights: Iterable[Right], *, as_printed: bool = False) -> Document:
    """Put rights together again, a statement for each, on the resources that the emulator sees."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": right.action,
                "Resource": right.resource if as_printed else right.seen_on,
                **_condition(right),
            }
            for right in rights
        ],
    }


def _condition(right: Right) -> Document:
    if not right.condition or right.action in CONDITIONS_UNKNOWN:
        return {}
    return {"Condition": json.loads(right.condition)}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with keys, as whom commands run with `--aws`."""

    embedded: EmbeddedCloud
    name: str
    key: str
    secret: str

    @property
    def environ(self) -> dict[str, str]:
        """The environment in which commands reach the embedded cloud as an AWS account."""
        return {
            **self.embedded.environ,
            "AWS_ENDPOINT_URL": self.embedded.endpoint,
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_REGION": REGION,
            "ORDERNOTIFY_AWS": "1",
        }

    def run(self, *args: str) -> Result:
        """Run a command in this process."""
        return CliRunner().invoke(app, list(args), env=self.environ)

    def command(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run the installed command."""
        return run_command(*args, environ=self.environ)

    def printed(self, *args: str) -> Document:
        """Return the policy that `ordernotify policy …` prints."""
        done = self.run("policy", *args)
        assert done.exit_code == 0, done.stderr
        document: Document = json.loads(done.stdout)
        return document

    def cloud(self) -> Cloud:
        """Open the embedded cloud with the person's keys."""
        session = boto3.Session(self.key, self.secret, region_name=REGION)
        return Cloud(session, endpoint=self.embedded.endpoint)

    def may(self, rights: Iterable[Right]) -> None:
        """Replace what the person may do, as far as the emulator sees it."""
        self._put(document_of(rights))

    def may_exactly(self, rights: Iterable[Right]) -> None:
        """Replace what the person may do, on the resources as they are printed."""
        self._put(document_of(rights, as_printed=True))

    def _put(self, document: Document) -> None:
        self.embedded.cloud().iam.put_user_policy(
            UserName=self.name, PolicyName="only", PolicyDocument=json.dumps(document)
        )


def root_of(embedded: EmbeddedCloud) -> Person:
    """The account's root, who may do everything."""
    return Person(embedded, "root", "test", "test")


def new_user(embedded: EmbeddedCloud, name: str) -> Person:
    """Make a user who may do nothing yet."""
    root: Cloud = embedded.cloud()
    root.iam.create_user(UserName=name)
    key = root.iam.create_access_key(UserName=name)["AccessKey"]
    return replace(root_of(embedded), name=name, key=key["AccessKeyId"], secret=key["SecretAccessKey"])
