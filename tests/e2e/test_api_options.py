"""The API's options through the installed command, on a real embedded cloud, over real HTTP."""

from __future__ import annotations

import json
import stat
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import urllib3
from typer.testing import CliRunner

from ordernotify.aws.session import Cloud
from ordernotify.cli import app
from ordernotify.cli import stack as _commands  # noqa: F401 - it registers them
from ordernotify.orders.signing import signed_by_session
from ordernotify.settings.model import ApiKind
from ordernotify.settings.names import Names
from tests.e2e.cloud import EmbeddedCloud, command_environ, free_port, run_command

ORDER = {"customerName": "John Doe", "productName": "Wireless Mouse"}
JSON = {"Content-Type": "application/json"}
SHOP, ADMIN, STRANGER = "https://shop.example.com", "https://admin.example.com", "https://evil.example.com"
http = urllib3.PoolManager(retries=False, timeout=20)


@pytest.fixture(scope="session")
def cloud(embedded_cloud: EmbeddedCloud) -> EmbeddedCloud:
    return embedded_cloud


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack of the test's own."""

    cloud: EmbeddedCloud
    name: str

    @property
    def names(self) -> Names:
        return Names().for_stack(self.name)

    def run(self, *args: str, status: int = 0, **environ: str) -> subprocess.CompletedProcess[str]:
        done = run_command(*args, "--stack", self.name, environ={**self.cloud.environ, **environ})
        assert done.returncode == status, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def set_up(self, *args: str) -> dict[str, Any]:
        """Give `setup`, and return its JSON result."""
        document: dict[str, Any] = json.loads(self.run("setup", "--yes", "--json", *args).stdout)
        return document

    def key(self) -> str:
        """The API key, read by boto3 alone."""
        client = self.cloud.cloud().apigateway
        (found,) = client.get_api_keys(nameQuery=self.names.api_key, includeValues=True)["items"]
        return found["value"]


def post(url: str, headers: Mapping[str, str] = JSON, body: bytes | None = None) -> urllib3.BaseHTTPResponse:
    return http.request(
        "POST", url, headers=headers, body=json.dumps(ORDER).encode() if body is None else body
    )


def signed(url: str, endpoint: str, key: str, secret: str) -> dict[str, str]:
    """The headers of an order, signed with these credentials."""
    session = boto3.Session(key, secret, region_name="us-east-1")
    sign = signed_by_session(Cloud(session, endpoint=endpoint))
    return dict(sign("POST", url, JSON, json.dumps(ORDER).encode()))


def assert_refused(answer: urllib3.BaseHTTPResponse) -> None:
    """Check that the answer says no, and nothing else."""
    assert answer.status == 403
    assert answer.json().keys() <= {"message", "Message", "__type"}
    assert not any(word in answer.data.decode().lower() for word in ("traceback", "python", "lambda"))


@pytest.fixture(scope="module")
def keyed(cloud: EmbeddedCloud) -> tuple[Stack, str]:
    """A stack that asks for an API key, and its URL."""
    stack = Stack(cloud, "keyed")
    return stack, str(stack.set_up("--auth", "api-key")["url"])


def test_commands_present_the_stacks_key_by_themselves(keyed: tuple[Stack, str]) -> None:
    stack, _ = keyed
    sent = stack.run("send-order", "--customer", "A", "--product", "B", "--json")
    assert json.loads(sent.stdout)["status"] == 201
    assert json.loads(stack.run("verify", "--json").stdout)["passed"]


def test_a_key_can_be_handed_over(keyed: tuple[Stack, str], tmp_path: Path) -> None:
    stack, _ = keyed
    order = ("send-order", "--customer", "A", "--product", "B")
    stack.run(*order, ORDERNOTIFY_API_KEY=stack.key())
    file = tmp_path / "key"
    file.write_text(stack.key() + "\n")
    file.chmod(stat.S_IRUSR | stat.S_IWUSR)
    stack.run(*order, "--api-key-file", str(file))
    file.chmod(0o644)
    refused = stack.run(*order, "--api-key-file", str(file), status=2)
    assert f"chmod 600 {file}" in refused.stderr
    assert stack.key() not in refused.stderr


def test_no_key_a_wrong_one_and_another_stacks_are_refused(keyed: tuple[Stack, str]) -> None:
    stack, url = keyed
    other = Stack(stack.cloud, "other")
    other.set_up("--auth", "api-key")
    assert post(url, {**JSON, "x-api-key": stack.key()}).status == 201
    assert_refused(post(url))
    for wrong in ("", "x", stack.key()[:-1], stack.key() + "x", other.key()):
        assert_refused(post(url, {**JSON, "x-api-key": wrong}))


def test_a_revoked_key_is_refused_until_setup_admits_it_again(keyed: tuple[Stack, str]) -> None:
    stack, url = keyed
    client = stack.cloud.cloud().apigateway
    (found,) = client.get_api_keys(nameQuery=stack.names.api_key)["items"]
    (plan,) = (p for p in client.get_usage_plans()["items"] if p["name"] == stack.names.usage_plan)
    key = {**JSON, "x-api-key": stack.key()}
    client.delete_usage_plan_key(usagePlanId=plan["id"], keyId=found["id"])
    assert_refused(post(url, key))
    assert stack.run("status", "--exit-code", status=3).stdout.count("differs") == 1
    stack.set_up("--auth", "api-key")
    assert post(url, key).status == 201


def test_a_deleted_key_is_refused_for_good_and_another_one_is_made(keyed: tuple[Stack, str]) -> None:
    stack, url = keyed
    client = stack.cloud.cloud().apigateway
    (found,) = client.get_api_keys(nameQuery=stack.names.api_key)["items"]
    old = stack.key()
    client.delete_api_key(apiKey=found["id"])
    assert_refused(post(url, {**JSON, "x-api-key": old}))
    stack.set_up("--auth", "api-key")
    assert_refused(post(url, {**JSON, "x-api-key": old}))
    assert post(url, {**JSON, "x-api-key": stack.key()}).status == 201


def test_the_key_is_in_no_output_and_no_log(keyed: tuple[Stack, str]) -> None:
    stack, url = keyed
    key = stack.key()
    post(url, {**JSON, "x-api-key": key})
    shown = [
        stack.run("setup", "--yes", "--verbose", "--auth", "api-key", "--rate", "100", "--burst", "200"),
        stack.run("setup", "--yes", "--auth", "api-key", "--dry-run", "--json"),
        stack.run("status", "--json"),
        stack.run("send-order", "--customer", "A", "--product", "B", "--verbose"),
    ]
    assert not [done.args for done in shown if key in done.stdout + done.stderr]
    logged = stack.cloud.cloud().logs.filter_log_events(logGroupName=stack.names.log_group)["events"]
    assert logged
    assert key not in str(logged)


@pytest.fixture(scope="module", params=ApiKind)
def signing(cloud: EmbeddedCloud, request: pytest.FixtureRequest) -> tuple[Stack, str]:
    """A stack that asks for a signature, of each kind of API, and its URL."""
    stack = Stack(cloud, f"iam-{request.param}")
    return stack, str(stack.set_up("--auth", "iam", "--api", request.param)["url"])


def credentials(stack: Stack, name: str, allowed: str) -> tuple[str, str]:
    """Make a user who may invoke what `allowed` names, and give the access key."""
    iam = stack.cloud.cloud().iam
    iam.create_user(UserName=name)
    statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": allowed}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    iam.put_user_policy(UserName=name, PolicyName="invoke", PolicyDocument=json.dumps(policy))
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return made["AccessKeyId"], made["SecretAccessKey"]


def test_commands_sign_by_themselves(signing: tuple[Stack, str]) -> None:
    stack, _ = signing
    sent = stack.run("send-order", "--customer", "A", "--product", "B", "--json")
    assert json.loads(sent.stdout)["status"] == 201
    assert json.loads(stack.run("verify", "--json").stdout)["passed"]


def test_only_who_may_invoke_this_api_gets_in(signing: tuple[Stack, str]) -> None:
    stack, url = signing
    endpoint = stack.cloud.endpoint
    api = url.split("/")[-3]
    right = f"arn:aws:execute-api:us-east-1:000000000000:{api}/prod/POST/orders"
    key, secret = credentials(stack, f"may-{stack.name}", right)
    assert post(url, signed(url, endpoint, key, secret)).status == 201
    assert_refused(post(url))
    if (
        "rest" in stack.name
    ):  # the emulator's HTTP API takes any other Authorization for nobody's, and lets it in
        assert_refused(post(url, {**JSON, "Authorization": "Bearer token"}))
    assert_refused(post(url, signed(url, endpoint, key, secret + "x")))
    assert_refused(post(url, signed(url, endpoint, "AKIAAAAAAAAAAAAAAAAA", secret)))
    other = credentials(stack, f"other-{stack.name}", right.replace(api, "0" * 8))
    assert_refused(post(url, signed(url, endpoint, *other)))
    assert_refused(post(url, signed(url, endpoint, key, secret), body=b'{"another": "body"}'))
    stack.cloud.cloud().iam.update_access_key(
        UserName=f"may-{stack.name}", AccessKeyId=key, Status="Inactive"
    )
    assert_refused(post(url, signed(url, endpoint, key, secret)))


def preflight(url: str, origin: str, *headers: str) -> urllib3.BaseHTTPResponse:
    """Ask what a browser asks before a page of `origin` may post JSON."""
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": ", ".join(headers)}
    return http.request("OPTIONS", url, headers={"Origin": origin, **asked})


def lets_post(answer: urllib3.BaseHTTPResponse, origin: str, *headers: str) -> bool:
    """Decide as a browser does (https://fetch.spec.whatwg.org/#cors-preflight-fetch-0)."""
    allowed = answer.headers.get("Access-Control-Allow-Headers", "").lower().replace(" ", "").split(",")
    return (
        200 <= answer.status < 300
        and lets_read(answer, origin)
        and {name.lower() for name in headers} <= set(allowed)
    )


def lets_read(answer: urllib3.BaseHTTPResponse, origin: str) -> bool:
    """Decide as a browser does: two headers are as bad as none."""
    return answer.headers.getlist("Access-Control-Allow-Origin") in ([origin], ["*"])


PAGE_HEADERS = ("content-type", "idempotency-key")


@pytest.mark.parametrize("kind", ApiKind)
def test_a_page_can_post_and_read_every_answer(cloud: EmbeddedCloud, kind: ApiKind) -> None:
    stack = Stack(cloud, f"page-{kind}")
    url = stack.set_up("--api", kind, "--cors-origin", SHOP)["url"]
    assert lets_post(preflight(url, SHOP, *PAGE_HEADERS), SHOP, *PAGE_HEADERS)
    assert not lets_post(preflight(url, STRANGER, *PAGE_HEADERS), STRANGER)
    page = {**JSON, "Origin": SHOP, "Idempotency-Key": f"page-{kind}"}
    taken, again, wrong = post(url, page), post(url, page), post(url, page, body=b"{}")
    assert [answer.status for answer in (taken, again, wrong)] == [201, 200, 400]
    for answer in (taken, again, wrong):
        assert lets_read(answer, SHOP)
        assert not lets_read(answer, STRANGER)
        exposed = answer.headers["Access-Control-Expose-Headers"].lower()
        assert "idempotency-replayed" in exposed
        assert "retry-after" in exposed


@pytest.mark.long
@pytest.mark.parametrize("kind", ApiKind)
def test_every_page_can_post_where_the_origin_is_a_star(cloud: EmbeddedCloud, kind: ApiKind) -> None:
    stack = Stack(cloud, f"page-{kind}")
    url = stack.set_up("--api", kind, "--cors-origin", "*")["url"]
    assert lets_post(preflight(url, STRANGER, *PAGE_HEADERS), STRANGER, *PAGE_HEADERS)
    assert lets_read(post(url, {**JSON, "Origin": STRANGER}), STRANGER)


@pytest.mark.parametrize("kind", ApiKind)
def test_pages_of_several_origins_can_post_and_no_others(cloud: EmbeddedCloud, kind: ApiKind) -> None:
    stack = Stack(cloud, f"page-{kind}")
    url = stack.set_up("--api", kind, "--cors-origin", SHOP, "--cors-origin", ADMIN)["url"]
    for origin in (SHOP, ADMIN):
        assert lets_post(preflight(url, origin, *PAGE_HEADERS), origin, *PAGE_HEADERS)
        assert lets_read(post(url, {**JSON, "Origin": origin}), origin)
    assert not lets_post(preflight(url, STRANGER, *PAGE_HEADERS), STRANGER)
    assert not lets_read(post(url, {**JSON, "Origin": STRANGER}), STRANGER)


@pytest.mark.parametrize("kind", ApiKind)
def test_without_the_option_no_page_gets_in(cloud: EmbeddedCloud, kind: ApiKind) -> None:
    stack = Stack(cloud, f"page-{kind}")
    url = stack.set_up("--api", kind)["url"]
    assert not lets_post(preflight(url, SHOP, *PAGE_HEADERS), SHOP)
    assert not lets_read(post(url, {**JSON, "Origin": SHOP}), SHOP)


def test_a_page_may_present_a_key_and_read_a_refusal(cloud: EmbeddedCloud) -> None:
    url = Stack(cloud, "page-key").set_up("--auth", "api-key", "--cors-origin", SHOP)["url"]
    assert lets_post(preflight(url, SHOP, *PAGE_HEADERS, "x-api-key"), SHOP, *PAGE_HEADERS, "x-api-key")
    refused = post(url, {**JSON, "Origin": SHOP})
    assert (refused.status, lets_read(refused, SHOP)) == (403, True)


@pytest.mark.parametrize("kind", ApiKind)
def test_a_page_may_sign(cloud: EmbeddedCloud, kind: ApiKind) -> None:
    stack = Stack(cloud, f"page-iam-{kind}")
    url = stack.set_up("--api", kind, "--auth", "iam", "--cors-origin", SHOP)["url"]
    headers = (*PAGE_HEADERS, "authorization", "x-amz-date", "x-amz-security-token")
    assert lets_post(preflight(url, SHOP, *headers), SHOP, *headers)


@pytest.mark.long
def test_a_flood_is_answered_429_and_then_all_is_well(cloud: EmbeddedCloud) -> None:
    stack = Stack(cloud, "flood")
    url = stack.set_up("--rate", "4", "--burst", "4", "--cors-origin", SHOP)["url"]
    time.sleep(1.1)  # setup asked at the URL itself
    answers = [post(url, {**JSON, "Origin": SHOP}) for _ in range(20)]
    statuses = [answer.status for answer in answers]
    assert statuses[:4] == [201] * 4
    assert set(statuses) == {201, 429}
    refused = next(answer for answer in answers if answer.status == 429)
    assert refused.json() == {"message": "Too Many Requests"}
    assert lets_read(refused, SHOP)
    time.sleep(1.1)
    assert post(url).status == 201
    sent = json.loads(
        stack.run("send-order", "--customer", "A", "--product", "B", "--count", "12", "--json").stdout
    )
    assert (sent["accepted"], sent["failed"]) == (12, 0), "the client waits and repeats"
    url = stack.set_up()["url"]
    assert {post(url).status for _ in range(20)} == {201}


@pytest.mark.long
def test_the_kind_is_changed_to_and_fro(cloud: EmbeddedCloud) -> None:
    stack = Stack(cloud, "switch")
    first = stack.set_up()["url"]
    refused = stack.run("setup", "--api", "http", status=1)
    assert "--yes" in refused.stderr
    assert post(first).status == 201, "nothing was changed"
    plan = stack.run("setup", "--api", "http", "--dry-run").stdout
    assert f"± api           {stack.names.api}" in plan
    assert "kind: rest -> http" in plan
    assert "-> (known after apply)" in plan
    second = stack.set_up("--api", "http")
    actions = {item["kind"]: item["action"] for item in second["resources"]}
    assert (actions["api"], actions["old-api"]) == ("replace", "delete")
    assert second["url"] != first
    assert post(second["url"]).status == 201
    assert post(first).status in {403, 404}
    assert json.loads(stack.run("verify", "--json").stdout)["passed"]
    third = stack.set_up()["url"]
    assert post(third).status == 201
    assert post(second["url"]).status == 404
    stack.run("teardown", "--yes", "--delete-orders")
    aws = cloud.cloud()
    assert stack.names.api not in [api["name"] for api in aws.apigateway.get_rest_apis()["items"]]
    assert stack.names.api not in [api["Name"] for api in aws.apigatewayv2.get_apis()["Items"]]


@pytest.mark.parametrize("kind", ApiKind)
def test_an_order_over_the_size_is_refused(cloud: EmbeddedCloud, kind: ApiKind) -> None:
    url = Stack(cloud, f"size-{kind}").set_up("--api", kind)["url"]
    note = json.dumps({**ORDER, "note": "x" * 64 * 1024}).encode()
    assert post(url, body=note).status == 413
    assert post(url).status == 201


@pytest.mark.long
@pytest.mark.parametrize("kind", ApiKind)
def test_drift_of_every_option_is_shown_and_mended(cloud: EmbeddedCloud, kind: ApiKind) -> None:
    stack = Stack(cloud, f"drift-{kind}")
    options = ("--api", kind, "--rate", "50", "--burst", "100", "--access-logs", "--cors-origin", SHOP)
    api = stack.set_up(*options)["url"].split("/")[-3]
    aws = cloud.cloud()
    if kind is ApiKind.REST:
        aws.apigateway.update_stage(
            restApiId=api,
            stageName="prod",
            patchOperations=[
                {"op": "remove", "path": "/*/*"},
                {"op": "remove", "path": "/accessLogSettings"},
            ],
        )
        aws.apigateway.delete_gateway_response(restApiId=api, responseType="DEFAULT_4XX")
        drifted = {"throttle", "access log", "gateway responses"}
    else:
        aws.apigatewayv2.update_stage(
            ApiId=api,
            StageName="prod",
            AutoDeploy=False,
            DefaultRouteSettings={"ThrottlingRateLimit": 1, "ThrottlingBurstLimit": 1},
            AccessLogSettings={
                "DestinationArn": "arn:aws:logs:us-east-1:000000000000:log-group:x",
                "Format": "x",
            },
        )
        aws.apigatewayv2.delete_cors_configuration(ApiId=api)
        drifted = {"throttle", "access log", "cors", "automatic deployment"}
    shown = stack.run("status", "--exit-code", status=3).stdout
    assert {word for word in drifted if f"{word}: " in shown} == drifted
    stack.set_up(*options)
    assert stack.run("setup", *options, "--dry-run").stdout == "No changes.\n"
    stack.set_up("--api", kind)
    stack.run("status", "--exit-code")


@pytest.mark.long
def test_a_hand_made_api_is_adopted(cloud: EmbeddedCloud) -> None:
    stack = Stack(cloud, "adopted")
    client = cloud.cloud().apigateway
    made = client.create_rest_api(name=stack.names.api)["id"]
    refused = stack.run("setup", "--yes", status=1)
    assert "--adopt" in refused.stderr
    url = stack.set_up("--adopt")["url"]
    assert made in url
    assert post(url).status == 201
    assert stack.run("setup", "--dry-run").stdout == "No changes.\n"
    stack.run("teardown", "--yes", "--delete-orders")
    assert made not in [api["id"] for api in client.get_rest_apis()["items"]]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--api", "soap"), "soap"),
        (("--auth", "basic"), "basic"),
        (("--api", "http", "--auth", "api-key"), "an HTTP API has no API keys"),
        (("--cors-origin", "shop.example.com"), "is not an origin"),
        (("--cors-origin", "https://shop.example.com/path"), "is not an origin"),
        (("--rate", "5"), "rate and burst go together"),
        (("--burst", "5"), "rate and burst go together"),
        (("--rate", "0", "--burst", "5"), "the rate 0 is out of range"),
        (("--rate", "5", "--burst", "10001"), "the burst 10001 is out of range"),
        (("--rate", "many", "--burst", "5"), "neither a whole number nor"),
        (("--stage", "a stage"), "is not a stage name"),
        (("--stage", "$default"), "is not a stage name"),
        (("--cors-origin", "https://" + "x" * 260 + ".example.com"), "long"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else "",
)
def test_a_wrong_value_is_told_before_anything_is_done(
    tmp_path: Path, options: tuple[str, ...], told: str
) -> None:
    done = CliRunner().invoke(
        app, ["setup", "--yes", *options], env=command_environ(tmp_path, free_port()), catch_exceptions=False
    )
    assert (done.exit_code, done.stdout) == (2, "")
    assert told in " ".join(done.stderr.replace("│", " ").split())
    assert list(tmp_path.iterdir()) == [], "not even the embedded cloud was started"
