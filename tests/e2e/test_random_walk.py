"""Two stacks in two regions are described at random, killed, and removed: each is always what was described.

A failure names its seed and its steps. By hand: `TESTS_WALK_SEED=7 TESTS_WALK_MINUTES=60 pytest
-m long tests/e2e/test_random_walk.py`.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import urllib3

from ordernotify.aws.session import Cloud, local_cloud
from ordernotify.orders.signing import signed_by_session
from tests.account_snapshot import snapshot_of
from tests.e2e.cloud import EmbeddedCloud, run_command, running_cloud
from tests.e2e.test_resume import kill_at_any_moment

pytestmark = pytest.mark.long
SEED = int(os.environ.get("TESTS_WALK_SEED", "1"))
MINUTES = float(os.environ.get("TESTS_WALK_MINUTES", "4"))
KILLED = 0.25
"""How often a setup is killed and given again."""
TORN_DOWN_EVERY = 10
REGIONS = ("us-east-1", "eu-west-1")
STACKS = ("default", "dev")
JSON = {"Content-Type": "application/json"}
GIVEN_ROLES = {"whole": ("dynamodb:UpdateItem",), "guide": ()}
"""The roles of the person's own, and what they may beyond the guide; without it, a put marks orders."""
http = urllib3.PoolManager(retries=False, timeout=20)

CHOICES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "api": (("--api", "rest"), ("--api", "http")),
    "auth": (("--auth", "none"), ("--auth", "api-key"), ("--auth", "iam")),
    "stage": (("--stage", "prod"), ("--stage", "live")),
    "table": ((), ("--table-name", "Orders"), ("--table-name", "Shop")),
    "topic": ((), ("--topic-name", "news")),
    "function": ((), ("--function-name", "take-order")),
    "role": ((), ("--role-name", "takers")),
    "given": ((), *(("--role-arn", f"arn:aws:iam::000000000000:role/{name}") for name in GIVEN_ROLES)),
    "name": ((), ("--api-name", "shop")),
    "tags": ((), ("--tag", "team=shop"), ("--tag", "team=sales", "--tag", "cost=7")),
    "throttle": ((), ("--rate", "90", "--burst", "90")),
    "logs": ((), ("--access-logs",), ("--log-retention", "7"), ("--no-log-bodies",)),
    "cors": ((), ("--cors-origin", "https://shop.example.com"), ("--cors-origin", "*")),
    "emails": ((), ("--email", "you@example.com"), ("--email", "b@example.com", "--phone", "+14155550100")),
    "alarms": ((), ("--alarm-email", "ops@example.com")),
    "careful": (
        (),
        ("--dead-letters",),
        ("--tracing",),
        ("--dashboard",),
        ("--concurrency", "20"),
        ("--dead-letters", "--tracing"),
    ),
    "memory": ((), ("--memory", "512"), ("--timeout", "20"), ("--runtime", "python3.12")),
}
"""The options that a setting can have; names that are not told stay as they are."""
NAMES = ("table", "topic", "function", "role", "name")


@dataclass
class Walked:
    """One stack in one region, as it was described last."""

    stack: str
    region: str
    described: dict[str, tuple[str, ...]] = field(default_factory=dict)
    url: str = ""

    @property
    def place(self) -> tuple[str, ...]:
        return ("--stack", self.stack, "--region", self.region)

    def options(self) -> tuple[str, ...]:
        """Write the description as options; names that were told once need not be told again."""
        told = {**self.described}
        if told.get("auth") == ("--auth", "api-key"):
            told["api"] = ("--api", "rest")  # an HTTP API has no keys
        return tuple(word for options in told.values() for word in options)


class Walk:
    """The walk of one seed; `steps` is the log that a failure shows."""

    def __init__(self, cloud: EmbeddedCloud, seed: int) -> None:
        self.cloud = cloud
        self.dice = random.Random(seed)
        self.stacks = [Walked(stack, region) for stack in STACKS for region in REGIONS]
        self.steps: list[str] = [f"seed {seed}"]
        make_given_roles(cloud)
        self.before = {region: snapshot_of(local_cloud(cloud.endpoint, region)) for region in REGIONS}

    def run(self, *args: str, status: int = 0) -> str:
        done = run_command(*args, environ=self.cloud.environ, timeout=180)
        assert done.returncode == status, "\n".join([*self.steps, " ".join(args), done.stdout, done.stderr])
        return done.stdout

    def check(self, holds: bool, what: str) -> None:
        assert holds, "\n".join([*self.steps, what])

    def step(self) -> None:
        """Describe one stack anew, set it up, and look whether it does what was described."""
        walked = self.dice.choice(self.stacks)
        for setting in self.dice.sample(sorted(CHOICES), self.dice.randint(1, 4)):
            options = self.dice.choice(CHOICES[setting])
            if setting not in NAMES or options:
                walked.described[setting] = options
        setup = ("setup", "--yes", *walked.place, *walked.options())
        killed = self.dice.random() < KILLED
        self.steps.append(f"{'killed, then ' if killed else ''}{' '.join(setup)}")
        if killed:
            kill_at_any_moment(self.cloud, self.dice, *setup)
        before, walked.url = walked.url, json.loads(self.run(*setup, "--json"))["url"]
        self.run("setup", "--dry-run", "--exit-code", *walked.place, *walked.options())
        self.look(walked)
        if before and before != walked.url:
            self.check(post(before).status >= 400, f"the old URL {before} still takes orders")
        for other in self.stacks:
            if other is not walked and other.url:
                self.look(other)

    def look(self, walked: Walked) -> None:
        """Order with the right credential and without one; read the order and its notification."""
        session = local_cloud(self.cloud.endpoint, walked.region)
        auth = walked.described.get("auth", ("--auth", "none"))[-1]
        body = json.dumps({"customerName": "Walker", "productName": f"step {len(self.steps)}"}).encode()
        accepted = post(walked.url, headers_for(auth, session, walked, body), body)
        self.check(accepted.status == 201, f"{walked}: {accepted.status} {accepted.data!r}")
        order_id = json.loads(accepted.data)["orderId"]
        if auth != "none":
            refused = post(walked.url, JSON, body)
            self.check(refused.status == 403, f"{walked}: {refused.status} without a credential")
        stored = json.loads(self.run("get-order", order_id, "--json", *walked.place))
        self.check(stored["notification"] == "sent", f"{walked}: {stored}")

    def tear_down(self, walked: Walked) -> None:
        self.steps.append(f"teardown {walked.place}")
        self.run("teardown", "--yes", "--delete-orders", *walked.place)
        if walked.url:
            self.check(post(walked.url).status >= 400, f"{walked.url} still takes orders")
        walked.described, walked.url = {}, ""

    def check_empty(self) -> None:
        """Every stack is removed, each while the others work; then nothing is left in any region."""
        for walked in self.dice.sample(self.stacks, len(self.stacks)):
            self.tear_down(walked)
            for other in self.stacks:
                if other.url:
                    self.look(other)
        for region in REGIONS:
            found = snapshot_of(local_cloud(self.cloud.endpoint, region))
            # The setting for the account's access logs stays, with its role.
            found.get("iam", {}).pop("ordernotify-apigateway-logs", None)
            left = {kind: what for kind, what in found.items() if what != self.before[region].get(kind)}
            self.check(not left, f"left in {region}: {json.dumps(left, default=str)[:2000]}")


def make_given_roles(cloud: EmbeddedCloud) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    rights = ("dynamodb:PutItem", "sns:Publish", "logs:CreateLogStream", "logs:PutLogEvents", "xray:*")
    iam = local_cloud(cloud.endpoint).iam
    for name, more in GIVEN_ROLES.items():
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))
        allowed = {"Effect": "Allow", "Action": [*rights, *more], "Resource": "*"}
        iam.put_role_policy(RoleName=name, PolicyName="takes-orders", PolicyDocument=document(allowed))


def document(statement: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def headers_for(auth: str, session: Cloud, walked: Walked, body: bytes) -> Mapping[str, str]:
    """Present what the API asks for."""
    if auth == "iam":
        return dict(signed_by_session(session)("POST", walked.url, JSON, body))
    if auth == "none":
        return JSON
    keys = session.apigateway.get_api_keys(includeValues=True)["items"]
    (key,) = [one["value"] for one in keys if one["tags"]["ordernotify:stack"] == walked.stack]
    return {**JSON, "x-api-key": key}


def post(url: str, headers: Mapping[str, str] = JSON, body: bytes = b"{}") -> urllib3.BaseHTTPResponse:
    return http.request("POST", url, headers=dict(headers), body=body)


@pytest.fixture
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedCloud]:
    """A cloud with something else in it, so that no teardown stops it."""
    with running_cloud(tmp_path_factory.mktemp("state")) as running:
        local_cloud(running.endpoint, "eu-central-1").sns.create_topic(Name="resident")
        yield running


@pytest.mark.parametrize("seed", [SEED + 1, SEED + 2, SEED + 3])
def test_a_long_walk_leaves_what_was_described_and_then_nothing(cloud: EmbeddedCloud, seed: int) -> None:
    walk, end = Walk(cloud, seed), time.monotonic() + MINUTES * 60 / 3
    steps = 0
    while time.monotonic() < end:
        for _ in range(TORN_DOWN_EVERY):
            walk.step()
            steps += 1
        walk.check_empty()
        walk.steps = [f"seed {seed}, after {steps} steps"]
        print(f"seed {seed}: {steps} steps", flush=True)
