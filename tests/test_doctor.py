"""The doctor: one fault is injected for each check; without it, the check is content."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping
from datetime import timedelta
from email.utils import format_datetime
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from ordernotify import times
from ordernotify.aws.session import Cloud, aws_cloud
from ordernotify.doctor import account as account_checks
from ordernotify.doctor import versions
from ordernotify.doctor.case import Case, CheckState, Diagnosis
from ordernotify.doctor.examine import CHECK_UPS, examine
from ordernotify.doctor.rights import lacking
from ordernotify.errors import CredentialsError, UsageError
from ordernotify.extras import install_command
from ordernotify.iam.calls import Calls, allow
from ordernotify.local.process import Host
from ordernotify.settings.model import ApiKind, Settings
from ordernotify.settings.names import STACK_TAG, Target
from tests.aws_answers import answer_json
from tests.cli_support import Typed, typed
from tests.local_support import another_program
from tests.moto_account import ACCOUNT_ID, REGION
from tests.provision_support import Account, Call, Send, answer, refusal, set_up
from tests.subscribers_support import EMAIL, NAMES, TOPIC_ARN, Pending, topic
from tests.test_sms_sandbox import Sandbox, spends

__all__ = ["topic", "typed"]

USER = f"arn:aws:iam::{ACCOUNT_ID}:user/ann"
NEEDED: dict[str, Calls] = {
    "operate": (
        allow("sns", "Publish", "Subscribe", on=TOPIC_ARN),
        allow("sqs", "DeleteQueue", on=f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:verify-*"),
    ),
    "setup": (
        allow("sns", "Publish", "CreateTopic", on=TOPIC_ARN),
        allow(
            "iam",
            "PassRole",
            on=f"arn:aws:iam::{ACCOUNT_ID}:role/r",
            when={"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}},
        ),
    ),
}


class Aws:
    """In place of what moto does not answer; by default all is well."""

    def __init__(self, **faults: Any) -> None:
        self.region = "ENABLED_BY_DEFAULT"
        self.free = 1000
        self.denied: set[str] = set()
        self.simulated: list[Mapping[str, Any]] = []
        self.ahead = timedelta()
        for name, value in faults.items():
            setattr(self, name, value)

    def __call__(self, call: Call, send: Send) -> AWSResponse:
        match call.operation:
            case "GetRegionOptStatus":
                return answer_json({"RegionName": call.params["RegionName"], "RegionOptStatus": self.region})
            case "GetAccountSettings":
                return answer_json({"AccountLimit": {"UnreservedConcurrentExecutions": self.free}})
            case "SimulatePrincipalPolicy":
                self.simulated.append(call.params)
                return self._simulated(call.params["ActionNames"])
            case "GetCallerIdentity":
                return self.dated(send())
            case _:
                return send()

    def _simulated(self, actions: list[str]) -> AWSResponse:
        members = "".join(
            f"<member><EvalActionName>{action}</EvalActionName><EvalDecision>"
            f"{'implicitDeny' if action in self.denied else 'allowed'}</EvalDecision></member>"
            for action in actions
        )
        result = f"<EvaluationResults>{members}</EvaluationResults><IsTruncated>false</IsTruncated>"
        body = f"<SimulatePrincipalPolicyResult>{result}</SimulatePrincipalPolicyResult>"
        return answer(
            200,
            f"<SimulatePrincipalPolicyResponse>{body}</SimulatePrincipalPolicyResponse>".encode(),
            {"Content-Type": "text/xml"},
        )

    def dated(self, answered: AWSResponse) -> AWSResponse:
        """Answer at the time that AWS's clock shows."""
        date = format_datetime(times.now() + self.ahead, usegmt=True)
        # moto names its caller as AWS names nobody.
        body = answered.content.replace(f"arn:aws:sts::{ACCOUNT_ID}:user/moto".encode(), USER.encode())
        return answer(answered.status_code, body, {"Content-Type": "text/xml", "date": date})


def case_of(open_place: Callable[[], Cloud], target: Target = Target.AWS, **more: Any) -> Case:
    settings = more.pop("settings", Settings())
    values: dict[str, Any] = {
        "describe": lambda: settings,
        "describe_there": lambda _cloud: settings,
        "find_names": lambda _cloud: NAMES,
        "needed": lambda _cloud, _settings: NEEDED,
    }
    return Case(target, "default", open_place, **{**values, **more})


def found(case: Case, name: str) -> Diagnosis:
    """Examine everything, and return one diagnosis."""
    return dict(examine(case))[name]


def at(account: Account, name: str, **more: Any) -> Diagnosis:
    """Examine the account in memory with one check alone."""
    return look(case_of(account.cloud, **more), name)


def unasked(place: Cloud, name: str) -> Diagnosis:
    """Examine a place that is not asked who calls, with one check alone."""
    case = case_of(lambda: place)
    diagnosis = look(case, name)
    assert len(case._read) == 1, "it needed more than the place"
    return diagnosis


def look(case: Case, name: str) -> Diagnosis:
    [one] = [one for one in CHECK_UPS if one.name == name]
    return one.look(case)


@pytest.fixture
def aws(account: Account) -> Aws:
    """Answer in AWS's place; one user has all the rights."""
    account.interfere = aws = Aws()
    return aws


def test_in_a_good_account_everything_is_ok(account: Account, aws: Aws, topic: str) -> None:
    account.client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint=EMAIL)
    case = case_of(account.cloud)
    told = dict(examine(case))
    assert list(told) == [one.name for one in CHECK_UPS if one.target in (None, Target.AWS)]
    assert {name: one.detail for name, one in told.items() if one.state is not CheckState.OK} == {}


# One fault, or more, for each check.


def on_this_machine(name: str, **more: Any) -> Diagnosis:
    def no_place() -> Cloud:
        raise CredentialsError("there are no AWS credentials")

    return found(case_of(no_place, Target.LOCAL, **more), name)


def test_a_package_that_is_too_old_is_broken() -> None:
    def version_of(name: str) -> str:
        if name in {"rich", "absent"}:
            raise PackageNotFoundError(name)
        return {"boto3": "1.39.9", "ministack": "2.0"}.get(name, "1.40")

    listed = [
        "boto3>=1.40",
        "rich>=13.9",
        "absent>=1; extra == 'dev'",
        "ministack<2,>=1.5.33; extra == 'local'",
    ]
    assert list(versions.unmet(version_of, listed, ">=3.11,<3.99")) == [
        "boto3 1.39.9 (needed: >=1.40)",
        "rich, which is not installed",
        "ministack 2.0 (needed: <2,>=1.5.33)",
    ]
    assert (
        list(versions.unmet(version_of, ["boto3[crt]>=1.39", "x>=1.40.0", "ordernotify[console]"], "")) == []
    )
    assert "needed: >=3.99" in next(versions.unmet(version_of, [], ">=3.99"))
    one = on_this_machine("python", version_of=lambda name: "0.1")
    assert one.state is CheckState.BROKEN
    assert "boto3 0.1 (needed: >=" in one.detail
    assert f"`{install_command()}`" in one.remedy
    assert on_this_machine("python").state is CheckState.OK


def test_settings_that_cannot_be_are_broken() -> None:
    fault = UsageError("ordernotify.toml, line 3: there is no setting 'apy'", "The nearest is api.")
    one = on_this_machine("settings", faults=(fault,))
    assert one == Diagnosis(CheckState.BROKEN, fault.message, fault.hint)

    def describe() -> Settings:
        raise UsageError("--auth api-key: an HTTP API has no keys", "Use --api rest.")

    assert on_this_machine("settings", describe=describe).state is CheckState.BROKEN
    assert on_this_machine("settings", origins=("--api",)) == Diagnosis.ok("told by --api")


def host_at(tmp_path: Path, port: str, **more: Any) -> Host:
    environ = {"ORDERNOTIFY_LOCAL_PORT": port, "XDG_STATE_HOME": str(tmp_path)}
    return Host(**{"environ": environ, "is_installed": lambda: True, **more})


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_an_embedded_cloud_that_could_not_start_is_broken(tmp_path: Path) -> None:
    port = free_port()
    with another_program(port):
        one = on_this_machine("embedded cloud", local_host=host_at(tmp_path, str(port)))
    assert (one.state, f"port {port} is in use" in one.detail) == (CheckState.BROKEN, True)
    assert "ORDERNOTIFY_LOCAL_PORT" in one.remedy
    one = on_this_machine(
        "embedded cloud", local_host=host_at(tmp_path, str(port), is_installed=lambda: False)
    )
    assert (one.state, "pip install" in one.remedy) == (CheckState.BROKEN, True)
    one = on_this_machine("embedded cloud", local_host=host_at(tmp_path, "x"))
    assert (one.state, "which is not a port" in one.detail) == (CheckState.BROKEN, True)
    free = host_at(tmp_path, str(port))
    assert on_this_machine("embedded cloud", local_host=free).state is CheckState.OK
    mark = tmp_path / "ordernotify" / f"local-{port}" / "unsaved"
    mark.parent.mkdir(parents=True)
    mark.touch()
    assert on_this_machine("embedded cloud", local_host=free).state is CheckState.WARNING


def test_a_state_folder_that_is_not_writable_is_broken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)  # who runs as root may write anywhere
    one = on_this_machine("embedded cloud", local_host=host_at(tmp_path, str(free_port())))
    assert (one.state, f"{tmp_path} is not writable" in one.detail) == (CheckState.BROKEN, True)


@pytest.fixture
def road(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Diagnosis]:
    """Look at the road to AWS from a shell that tells no proxy and no authorities."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)

    return lambda: unasked(aws_cloud(REGION), "proxy and CA")


def test_a_proxy_that_takes_no_connection_is_broken(
    road: Callable[[], Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (road().state, "no proxy" in road().detail) == (CheckState.OK, True)
    port = free_port()
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:secret@127.0.0.1:{port}")
    one = road()
    assert one.state is CheckState.BROKEN
    assert one.detail.startswith(f"the proxy 127.0.0.1:{port} takes no connection")
    assert "secret" not in one.detail
    with socket.create_server(("127.0.0.1", port)):
        assert road().state is CheckState.OK


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_authorities_that_cannot_be_read_are_broken(
    road: Callable[[], Diagnosis], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None
) -> None:
    bundle = tmp_path / "ca.pem"
    if content:
        bundle.write_text(content)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
    one = road()
    assert (one.state, str(bundle) in one.detail) == (CheckState.BROKEN, True)
    assert "AWS_CA_BUNDLE" in one.remedy


def test_credentials_that_aws_refuses_are_broken_and_told_once(account: Account) -> None:
    account.interfere = lambda call, _: refusal(call, "ExpiredToken", "The security token has expired", 403)
    told = dict(examine(case_of(account.cloud)))
    assert told["credentials"].state is CheckState.BROKEN
    assert "ExpiredToken" in told["credentials"].detail
    others = {name: one for name, one in told.items() if name in {"rights", "APIs", "alarms", "subscribers"}}
    assert {one.state for one in others.values()} == {CheckState.UNCHECKED}
    assert {one.detail for one in others.values()} == {"the account does not answer: see credentials"}
    assert [call.operation for call in account.calls].count("GetCallerIdentity") == 1


def test_a_region_that_is_not_enabled_is_broken_although_no_credentials_work_there(
    account: Account, aws: Aws
) -> None:
    aws.region = "DISABLED"
    account.interfere = lambda call, send: (
        refusal(call, "InvalidClientTokenId", "The security token is invalid", 403)
        if call.operation == "GetCallerIdentity"
        else aws(call, send)
    )
    one = found(case_of(account.cloud), "region")
    assert one.state is CheckState.BROKEN
    assert "`aws account enable-region --region-name us-east-1`" in one.remedy
    one = unasked(aws_cloud("us-esat-1"), "region")
    assert (one.state, "no region us-esat-1" in one.detail) == (CheckState.WARNING, True)


@pytest.mark.parametrize(
    ("ahead", "state", "said"),
    [
        (timedelta(minutes=7), CheckState.BROKEN, "s behind AWS's"),
        (timedelta(minutes=-7), CheckState.BROKEN, "s ahead of AWS's"),
        (timedelta(minutes=2), CheckState.WARNING, "s behind AWS's"),
        (timedelta(seconds=20), CheckState.OK, "s behind AWS's"),
        (timedelta(), CheckState.OK, "as AWS's"),
    ],
)
def test_row_38_a_clock_that_is_off_is_told_before_aws_refuses(
    account: Account, aws: Aws, ahead: timedelta, state: CheckState, said: str
) -> None:
    aws.ahead = ahead
    one = at(account, "clock")
    assert (one.state, said in one.detail) == (state, True)


def test_row_38_a_refusal_tells_the_time_too(account: Account, aws: Aws) -> None:
    aws.ahead = timedelta(hours=1)
    account.interfere = lambda call, _: aws.dated(refusal(call, "SignatureDoesNotMatch", "expired", 403))
    one = found(case_of(account.cloud), "clock")
    assert one.state is CheckState.BROKEN
    assert one.detail.startswith("this machine's clock is 3")


class User:
    """A place where a user calls, in place of the root user."""

    def __init__(self, account: Account, arn: str = USER) -> None:
        self.account, self.arn = account, arn

    def __call__(self) -> Cloud:
        cloud = self.account.cloud()
        cloud.account  # noqa: B018 - asks
        cloud._caller = self.arn
        return cloud


def rights_of(account: Account, who: Callable[[], Cloud]) -> Diagnosis:
    return account_checks.check_rights(case_of(who))


def test_rights_that_are_lacking_are_named_with_the_policy_that_has_them(account: Account, aws: Aws) -> None:
    assert rights_of(account, User(account)).state is CheckState.OK
    aws.denied = {"sns:CreateTopic"}
    one = rights_of(account, User(account))
    assert (one.state, one.detail.endswith("lacks for setup: sns:CreateTopic")) == (CheckState.WARNING, True)
    assert one.remedy == "Ask for what `ordernotify policy setup` prints."
    aws.denied = {"sns:Publish"}
    one = rights_of(account, User(account))
    assert one.state is CheckState.BROKEN
    assert "lacks for operate: sns:Publish; for setup: sns:Publish" in one.detail


def test_the_simulation_asks_for_the_right_resource_in_the_right_circumstances(
    account: Account, aws: Aws
) -> None:
    lacking(User(account)(), NEEDED)
    asked = {params["ResourceArns"][0]: params for params in aws.simulated}
    assert asked[TOPIC_ARN]["ActionNames"] == ["sns:CreateTopic", "sns:Publish", "sns:Subscribe"]
    assert asked.keys() == {
        TOPIC_ARN,
        f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:verify-any",
        f"arn:aws:iam::{ACCOUNT_ID}:role/r",
    }
    assert asked[f"arn:aws:iam::{ACCOUNT_ID}:role/r"]["ContextEntries"] == [
        {
            "ContextKeyName": "iam:PassedToService",
            "ContextKeyValues": ["lambda.amazonaws.com"],
            "ContextKeyType": "string",
        }
    ]
    assert {params["PolicySourceArn"] for params in aws.simulated} == {USER}


def test_a_session_is_simulated_as_its_role_whose_path_it_does_not_tell(account: Account, aws: Aws) -> None:
    account.client("iam").create_role(Path="/team/", RoleName="dev", AssumeRolePolicyDocument="{}")
    lacking(User(account, f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/dev/ann")(), NEEDED)
    lacking(User(account, f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/other/ann")(), NEEDED)
    assert {params["PolicySourceArn"] for params in aws.simulated} == {
        f"arn:aws:iam::{ACCOUNT_ID}:role/team/dev",
        f"arn:aws:iam::{ACCOUNT_ID}:role/other",
    }


def test_where_nobody_may_simulate_the_policies_are_named_in_place_of_a_state(account: Account) -> None:
    account.interfere = lambda call, send: (
        refusal(call, "AccessDenied", "not authorized to perform: iam:SimulatePrincipalPolicy", 403)
        if call.operation == "SimulatePrincipalPolicy"
        else send()
    )
    one = rights_of(account, User(account))
    assert (one.state, "iam:SimulatePrincipalPolicy" in one.detail) == (CheckState.UNCHECKED, True)
    assert one.remedy == "`ordernotify policy operate`, `ordernotify policy setup` print what is needed."
    federated = rights_of(account, User(account, f"arn:aws:sts::{ACCOUNT_ID}:federated-user/ann"))
    assert (federated.state, "cannot simulate" in federated.detail) == (CheckState.UNCHECKED, True)


def test_the_root_user_has_all_rights(account: Account, aws: Aws) -> None:
    aws.denied = {"sns:Publish"}
    one = rights_of(account, User(account, f"arn:aws:iam::{ACCOUNT_ID}:root"))
    assert (one.state, aws.simulated) == (CheckState.OK, [])


@pytest.mark.parametrize("kind", list(ApiKind))
def test_a_region_full_of_apis_takes_no_further_one(
    account: Account, aws: Aws, monkeypatch: pytest.MonkeyPatch, kind: ApiKind
) -> None:
    monkeypatch.setattr(account_checks, "APIS_QUOTA", 2)
    settings = Settings(api=kind)
    assert at(account, "APIs", settings=settings).state is CheckState.OK
    for number in range(2):
        if kind is ApiKind.HTTP:
            account.client("apigatewayv2").create_api(Name=f"{number}", ProtocolType="HTTP")
        else:
            account.client("apigateway").create_rest_api(
                name=f"{number}", endpointConfiguration={"types": ["REGIONAL"]}
            )
    one = at(account, "APIs", settings=settings)
    assert (one.state, one.detail.startswith("2 of 2")) == (CheckState.BROKEN, True)
    api = account.client("apigatewayv2") if kind is ApiKind.HTTP else account.client("apigateway")
    own = {STACK_TAG: "default"}
    if kind is ApiKind.HTTP:
        api.create_api(Name="order-api", ProtocolType="HTTP", Tags=own)
    else:
        api.create_rest_api(name="order-api", tags=own, endpointConfiguration={"types": ["REGIONAL"]})
    assert at(account, "APIs", settings=settings).state is CheckState.WARNING


@pytest.mark.parametrize(
    ("free", "reserved", "state"),
    [
        (1000, None, CheckState.OK),
        (10, None, CheckState.WARNING),
        (0, None, CheckState.BROKEN),
        (1000, 900, CheckState.OK),
        (1000, 995, CheckState.BROKEN),
    ],
)
def test_too_few_concurrent_executions_are_told(
    account: Account, aws: Aws, free: int, reserved: int | None, state: CheckState
) -> None:
    aws.free = free
    one = at(account, "concurrency", settings=Settings(concurrency=reserved))
    assert one.state is state
    assert state is CheckState.OK or account_checks.QUOTAS_URL in one.remedy


def test_what_the_function_has_reserved_is_not_asked_for_twice(
    account: Account, cloud: Cloud, aws: Aws
) -> None:
    settings = Settings(concurrency=50)
    set_up(settings, cloud)
    aws.free = 20
    assert at(account, "concurrency", settings=settings).state is CheckState.OK


def test_a_region_full_of_alarms_is_told(account: Account, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_checks, "ALARMS_QUOTA", 10)
    account.client("cloudwatch").put_metric_alarm(
        AlarmName="theirs", ComparisonOperator="LessThanThreshold", EvaluationPeriods=1
    )
    assert at(account, "alarms").state is CheckState.OK
    monkeypatch.setattr(account_checks, "ALARMS_QUOTA", 6)
    one = at(account, "alarms")
    assert (one.state, one.detail) == (CheckState.WARNING, "1 of 6 alarms, if the quota was not raised")


def test_row_14_a_phone_in_the_sandbox_gets_nothing(account: Account, topic: str) -> None:
    account.interfere = Sandbox()
    assert at(account, "text messages").state is CheckState.OK
    account.client("sns").subscribe(TopicArn=topic, Protocol="sms", Endpoint="+14155550100")
    one = at(account, "text messages")
    assert (one.state, "Not verified: +14155550100" in one.detail) == (CheckState.BROKEN, True)


@pytest.mark.parametrize(("limit", "state"), [(None, CheckState.WARNING), ("50", CheckState.OK)])
def test_row_32_a_spend_limit_of_a_new_account_is_told(
    account: Account, limit: str | None, state: CheckState
) -> None:
    account.interfere = spends(limit)
    one = at(account, "text messages", settings=Settings(phones=("+436601234567",)))
    assert (one.state, "USD a month" in one.detail) == (state, True)


def test_a_subscriber_who_has_not_confirmed_is_told(account: Account, topic: str) -> None:
    assert at(account, "subscribers").state is CheckState.WARNING
    account.client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint=EMAIL)
    assert at(account, "subscribers") == Diagnosis.ok("1, all confirmed")
    account.interfere = Pending()
    one = at(account, "subscribers")
    assert (one.state, EMAIL in one.detail) == (CheckState.WARNING, True)
    assert "`ordernotify confirm LINK`" in one.remedy


def test_an_alarm_subscriber_who_has_not_confirmed_is_told_too(account: Account, topic: str) -> None:
    sns = account.client("sns")
    alarms = sns.create_topic(Name=NAMES.alarm_topic, Tags=[{"Key": STACK_TAG, "Value": "default"}])
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=EMAIL)
    sns.subscribe(TopicArn=alarms["TopicArn"], Protocol="email", Endpoint="ops@example.com")
    pending = Pending()
    account.interfere = lambda call, send: (
        pending(call, send) if call.params.get("TopicArn") == alarms["TopicArn"] else send()
    )
    one = at(account, "subscribers")
    assert (one.state, one.detail.endswith(": ops@example.com")) == (CheckState.WARNING, True)


def test_one_that_was_confirmed_by_opening_the_link_may_be_lost(account: Account, topic: str) -> None:
    account.client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint=EMAIL)

    def opened(call: Call, send: Send) -> AWSResponse:
        sent = send()
        body = sent.content.decode()
        if call.operation == "GetSubscriptionAttributes":
            key = "<key>ConfirmationWasAuthenticated</key>"
            before, _, after = body.partition(key)
            body = before + key + after.replace("true", "false", 1)
        return answer(sent.status_code, body.encode(), {"Content-Type": "text/xml"})

    account.interfere = opened
    one = at(account, "subscribers")
    assert (one.state, "a mail scanner may unsubscribe" in one.detail) == (CheckState.WARNING, True)
    assert f"`ordernotify unsubscribe {EMAIL}`" in one.remedy


# What holds for all of them.


def test_a_check_that_cannot_run_says_why_and_hides_no_other(account: Account, aws: Aws, topic: str) -> None:
    account.interfere = lambda call, send: (
        refusal(call, "AccessDenied", "not authorized to perform: cloudwatch:DescribeAlarms", 403)
        if call.operation == "DescribeAlarms"
        else aws(call, send)
    )
    del aws.free  # a defect of the check of concurrency, so to say
    told = dict(examine(case_of(account.cloud)))
    assert (told["alarms"].state, "cloudwatch:DescribeAlarms" in told["alarms"].detail) == (
        CheckState.UNCHECKED,
        True,
    )
    assert told["concurrency"].detail.startswith("unexpected AttributeError")
    assert told["APIs"].state is CheckState.OK


def test_a_fault_of_each_state_decides_the_exit_status(
    account: Account, aws: Aws, typed: Typed, topic: str
) -> None:
    done = typed("doctor", "--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["passed"]) == (0, True)
    assert {one["state"] for one in told["checks"]} == {"ok", "warning"}
    aws.region = "DISABLED"
    done = typed("doctor")
    assert done.exit_code == 1
    [line] = [line for line in done.stdout.splitlines() if line.startswith("FAIL")]
    assert line.startswith("FAIL  region: us-east-1 is disabled for this account. `aws account enable-region")
    assert "1 broken, 1 warning" in done.stderr


def test_a_settings_file_that_cannot_be_read_is_one_line_of_it(
    account: Account, aws: Aws, typed: Typed, topic: str
) -> None:
    Path("ordernotify.toml").write_text("apy = 'rest'\n")
    done = typed("doctor")
    assert done.exit_code == 1
    assert "FAIL  settings: ordernotify.toml, line 1: there is no setting 'apy'. The nearest" in done.stdout
    assert "OK    credentials" in done.stdout


def test_where_settings_were_told_is_named_once(account: Account, aws: Aws, typed: Typed, topic: str) -> None:
    Path("ordernotify.toml").write_text("memory = 512\ntimeout = 20\n")
    assert "OK    settings: told by ordernotify.toml, --aws, --region\n" in typed("doctor").stdout


def test_what_several_checks_need_is_read_once(account: Account) -> None:
    described: list[Cloud] = []

    def describe_there(cloud: Cloud) -> Settings:
        described.append(cloud)
        return Settings()

    assert len(dict(examine(case_of(account.cloud, describe_there=describe_there)))) > 1
    assert len(described) == 1
