"""What the tests of exports share: a stack in memory, and its files in a format."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import yaml
from botocore.awsrequest import AWSResponse

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.export import cloudformation, terraform
from ordernotify.export.found import FoundStack, find_stack
from ordernotify.resources.subscriber import Subscriber
from ordernotify.settings.model import ApiKind, Auth, Settings
from tests.provision_support import ACCOUNT_ID, Account, Call, Send, full_settings, refusal, set_up

ROLE_ARN = f"arn:aws:iam::{ACCOUNT_ID}:role/given"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
TRACED: dict[str, Any] = {"tracing": True, "concurrency": 20, "dead_letters": True, "dashboard": True}
FULL_REST: dict[str, Any] = {
    **TRACED,
    "execution_logs": True,
    "auth": Auth.API_KEY,
    "rate": 50,
    "burst": 100,
    "access_logs": True,
    "cors_origins": ("https://a.example.com", "https://b.example.com"),
    "tags": {"team": "shop"},
    "role_path": "/service-role/",
    "permissions_boundary": f"arn:aws:iam::{ACCOUNT_ID}:policy/boundary",
}
FULL_HTTP: dict[str, Any] = {
    **FULL_REST,
    "api": ApiKind.HTTP,
    "auth": Auth.IAM,
    "execution_logs": False,
}


def without_simulation(call: Call, send: Send) -> AWSResponse:
    """Refuse what moto does not know; the tool does without it."""
    if call.operation == "SimulatePrincipalPolicy":
        return refusal(call, "AccessDenied", "not authorized", 403)
    return send()


def stand_up(account: Account, settings: Settings) -> Cloud:
    """Set a stack up in an account that has the role given, and a logging role for API Gateway."""
    account.interfere = without_simulation
    cloud = account.cloud()
    cloud.iam.create_role(RoleName="given", AssumeRolePolicyDocument=json.dumps(TRUST))
    logging = {"op": "replace", "path": "/cloudwatchRoleArn", "value": ROLE_ARN}
    cloud.apigateway.update_account(patchOperations=[logging])  # type: ignore[list-item]
    set_up(settings, cloud)
    return cloud


def found_in(account: Account, settings: Settings) -> FoundStack:
    """Set the stack up, and find it as an export does."""
    cloud = stand_up(account, settings)
    resources = provision.declare(settings, cloud)
    return find_stack(cloud, resources, provision.plan(resources))


def with_subscribers(stack: FoundStack, *more: Subscriber) -> FoundStack:
    """Add subscribers to what the stack's topic tells."""
    return replace(stack, subscribers={**stack.subscribers, "topic": (*stack.subscribers["topic"], *more)})


def template_of(stack: FoundStack, name: str = "template.yaml") -> dict[str, Any]:
    """Read one of CloudFormation's templates."""
    document: dict[str, Any] = yaml.safe_load(cloudformation.write(stack)[name])
    return document


def terraform_of(stack: FoundStack, name: str = "main.tf.json") -> dict[str, Any]:
    """Read one of Terraform's files."""
    document: dict[str, Any] = json.loads(terraform.write(stack)[name])
    return document


def every_combination() -> Iterator[Settings]:
    """Describe a stack with each combination of the options that resources or their parts depend on."""
    apis = [(ApiKind.REST, auth) for auth in Auth] + [(ApiKind.HTTP, Auth.NONE), (ApiKind.HTTP, Auth.IAM)]
    switches = itertools.product((False, True), repeat=6)
    for (api, auth), (cors, logs, throttled, given, told, produced) in itertools.product(apis, switches):
        more: dict[str, Any] = {
            "api": api,
            "auth": auth,
            "cors_origins": ("https://shop.example.com",) if cors else (),
            "access_logs": logs,
            "role_arn": ROLE_ARN if given else None,
        }
        more |= {"rate": 50, "burst": 100} if throttled else {}
        more |= {**TRACED, "execution_logs": api is ApiKind.REST} if produced else {}
        yield full_settings(**more) if told else Settings(**more)
