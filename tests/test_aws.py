from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions as botocore_errors
from botocore.awsrequest import AWSResponse
from botocore.exceptions import BotoCoreError, ClientError

from ordernotify import times
from ordernotify.aws.errors import (
    has_code,
    ignore_codes,
    is_throttled,
    map_botocore_errors,
)
from ordernotify.aws.session import Cloud, aws_cloud, local_cloud
from ordernotify.aws.tags import tag_list
from ordernotify.aws.waiting import Patience, SystemClock
from ordernotify.errors import (
    AccessDeniedError,
    AwsError,
    CancelledError,
    CredentialsError,
    WaitTimeoutError,
)
from ordernotify.settings.names import Target
from tests.provision_support import (
    ACCOUNT_ID,
    Account,
    Call,
    ManualClock,
    Send,
    connection_reset,
    refuse,
    server_error,
)


def client_error(code: str, text: str = "", operation: str = "CreateTable") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": text}}, operation)


def translated(error: Exception) -> AwsError:
    with pytest.raises(AwsError) as caught, map_botocore_errors("create", "table", "Orders"):
        raise error
    assert caught.value.__cause__ is error
    return caught.value


# Translation of errors


def test_an_error_says_what_was_done_to_what_and_why() -> None:
    error = translated(client_error("ValidationException", "One or more parameter values were invalid"))
    assert (error.message, error.hint, error.code) == (
        "could not create the table Orders: One or more parameter values were invalid (ValidationException)",
        "",
        "ValidationException",
    )


def test_an_error_without_a_text_is_told_by_its_code() -> None:
    assert translated(client_error("500")).message == "could not create the table Orders: 500 (500)"


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException", "AuthorizationError"])
def test_a_denied_call_names_the_missing_permission_and_the_resource(code: str) -> None:
    text = (
        "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: dynamodb:CreateTable "
        "on resource: arn:aws:dynamodb:us-east-1:123456789012:table/Orders because no policy allows it"
    )
    error = translated(client_error(code, text))
    assert type(error) is AccessDeniedError
    assert error.message == (
        "could not create the table Orders: your user or role may not call dynamodb:CreateTable on "
        "arn:aws:dynamodb:us-east-1:123456789012:table/Orders because no policy allows it"
    )
    assert "`ordernotify policy setup`" in error.hint


def test_a_denied_call_without_details_names_the_operation() -> None:
    error = translated(client_error("AccessDenied", "Access Denied"))
    assert error.message.endswith("your user or role may not call CreateTable: Access Denied")


@pytest.mark.parametrize(
    "reason",
    [
        " with an explicit deny in a service control policy: arn:aws:organizations::1:policy/o-1/p-2",
        " with an explicit deny in an identity-based policy",
        " because no service control policy allows the iam:CreateRole action",
        " because no permissions boundary allows the iam:CreateRole action",
    ],
)
def test_row_33_why_a_call_is_denied_is_kept_and_what_no_policy_mends_is_told(reason: str) -> None:
    text = f"User: arn:u is not authorized to perform: iam:CreateRole on resource: arn:r{reason}"
    error = translated(client_error("AccessDenied", text, "CreateRole"))
    assert error.message.endswith(f"your user or role may not call iam:CreateRole on arn:r{reason}")
    assert "ask those who administer the account" in error.hint
    assert "--permissions-boundary, --role-path" in error.hint
    assert "ordernotify policy" not in error.hint


def test_what_a_policy_mends_is_not_said_to_be_forbidden() -> None:
    text = "User: arn:u is not authorized to perform: iam:GetRole because no identity-based policy allows it"
    hint = translated(client_error("AccessDenied", text)).hint
    assert "ordernotify policy" in hint
    assert "administer" not in hint
    assert "--role-path" not in hint


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("UnrecognizedClientException", "a region that is not enabled"),
        ("InvalidClientTokenId", "a region that is not enabled"),
        ("OptInRequired", "a region that is not enabled"),
        ("SignatureDoesNotMatch", "clock is wrong"),
        ("InvalidSignatureException", "clock is wrong"),
        ("RequestExpired", "clock is wrong"),
        ("AuthFailure", "clock is wrong"),
    ],
)
def test_row_33_other_causes_of_refused_credentials_are_named_first(code: str, cause: str) -> None:
    error = translated(client_error(code, "The security token included in the request is invalid."))
    assert error.message.endswith(
        f"AWS refused the credentials ({code}): The security token included in the request is invalid."
    )
    assert error.hint.index(cause) < error.hint.index("aws sso login")


def test_expired_credentials_have_no_other_cause() -> None:
    assert translated(client_error("ExpiredToken", "expired")).hint.startswith("Log in")


@pytest.mark.parametrize(
    "code",
    ["ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"],
)
def test_refused_credentials_come_with_the_way_to_log_in(code: str) -> None:
    error = translated(client_error(code, "The security token included in the request is expired"))
    assert type(error) is CredentialsError
    assert error.message == (
        f"could not create the table Orders: AWS refused the credentials ({code}): "
        "The security token included in the request is expired"
    )
    assert "aws sso login" in error.hint


@pytest.mark.parametrize(
    ("error", "kind", "hint"),
    [
        (botocore_errors.NoCredentialsError(), CredentialsError, "aws sso login"),
        (botocore_errors.ProfileNotFound(profile="nope"), CredentialsError, "list-profiles"),
        (botocore_errors.EndpointConnectionError(endpoint_url="http://x"), AwsError, "AWS_ENDPOINT_URL"),
        (botocore_errors.ConnectTimeoutError(endpoint_url="http://x"), AwsError, "AWS_ENDPOINT_URL"),
        (botocore_errors.ReadTimeoutError(endpoint_url="http://x"), AwsError, "AWS_ENDPOINT_URL"),
        (connection_reset(), AwsError, "AWS_ENDPOINT_URL"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_fails_before_aws_answers_comes_with_a_hint(
    error: BotoCoreError, kind: type[AwsError], hint: str
) -> None:
    caught = translated(error)
    assert type(caught) is kind
    assert hint in caught.hint
    assert caught.code == type(error).__name__


def test_throttling_that_lasts_says_to_wait() -> None:
    assert "wait a minute" in translated(client_error("ThrottlingException", "Rate exceeded")).hint


def test_errors_of_ours_pass_untouched() -> None:
    ours = WaitTimeoutError("waited")
    with pytest.raises(WaitTimeoutError) as caught, map_botocore_errors("create", "table"):
        raise ours
    assert caught.value is ours


def test_a_limit_is_not_throttling_although_its_status_is_the_same() -> None:
    assert is_throttled(client_error("TooManyRequestsException"))
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
    assert is_throttled(client_error("RequestThrottled"))
    assert not is_throttled(client_error("LimitExceededException"))


def test_codes_are_told_apart_by_their_text_in_any_case() -> None:
    error = client_error("ResourceConflictException", "Function already exist: f")
    assert has_code(error, "ResourceConflictException", text="ALREADY exist")
    assert not has_code(error, "ResourceConflictException", text="pending")
    assert not has_code(error, "ConflictException")


def test_only_the_named_codes_are_ignored() -> None:
    fail_with(client_error("NotFound", "Topic does not exist"))
    for other in (client_error("NotFound", "Queue"), client_error("AccessDenied", "topic")):
        with pytest.raises(ClientError):
            fail_with(other)


def fail_with(error: ClientError) -> None:
    with ignore_codes("NotFound", text="topic"):
        raise error


# Patience


def failing(times: int, error: ClientError) -> Callable[[], str]:
    left = iter([error] * times)

    def call() -> str:
        for failure in left:
            raise failure
        return "done"

    return call


BUSY = client_error("ResourceConflictException", "in progress")


def is_busy(error: ClientError) -> bool:
    return has_code(error, "ResourceConflictException")


def test_a_call_is_repeated_until_it_succeeds_and_the_wait_is_told(manual_clock: ManualClock) -> None:
    told: list[str] = []
    patience = Patience(manual_clock, told.append)
    result = patience.retry(failing(2, BUSY), when=is_busy, waiting_for="the change to end", step=3.0)
    assert result == "done"
    assert manual_clock.sleeps == [3.0, 3.0]
    assert told == ["waiting for the change to end, 0 s", "waiting for the change to end, 3 s"]


def test_another_error_ends_the_repetition_at_once(manual_clock: ManualClock) -> None:
    denied = client_error("AccessDenied")
    with pytest.raises(ClientError) as caught:
        Patience(manual_clock).retry(failing(1, denied), when=is_busy, waiting_for="it")
    assert caught.value is denied
    assert manual_clock.sleeps == []


def test_repetition_is_bounded_and_names_what_was_waited_for_and_why(manual_clock: ManualClock) -> None:
    with pytest.raises(WaitTimeoutError) as caught:
        Patience(manual_clock).retry(
            failing(99, BUSY), when=is_busy, waiting_for="the change to end", timeout=10.0, step=4.0
        )
    assert caught.value.message == "waited 10 s for the change to end: in progress"
    assert caught.value.hint == "Run the same command again; it continues where it stopped."
    assert caught.value.__cause__ is BUSY
    assert manual_clock.sleeps == [4.0, 4.0, 2.0]


def test_a_state_is_asked_for_until_it_is_reached(manual_clock: ManualClock) -> None:
    states = iter([False, False, True])
    Patience(manual_clock).until(lambda: next(states), waiting_for="the table")
    assert manual_clock.sleeps == [0.25, 0.25]


@pytest.mark.parametrize("ready", [1.0, 8.0, 30.0, 100.0])
def test_what_is_ready_is_seen_soon_and_without_asking_all_the_time(
    manual_clock: ManualClock, ready: float
) -> None:
    Patience(manual_clock).until(lambda: manual_clock.now() >= ready, waiting_for="the table")
    assert manual_clock.now() <= max(ready * 1.06, ready + 0.25)
    assert len(manual_clock.sleeps) < 90


def test_a_state_that_is_never_reached_is_an_error(manual_clock: ManualClock) -> None:
    with pytest.raises(WaitTimeoutError, match=r"waited 5 s for the table$"):
        Patience(manual_clock).until(lambda: False, waiting_for="the table", timeout=5.0)


def test_a_state_that_aws_is_asked_for_too_often_is_asked_for_later(manual_clock: ManualClock) -> None:
    slow_down = failing(2, client_error("ThrottlingException", "Rate exceeded"))
    Patience(manual_clock).until(lambda: slow_down() == "done", waiting_for="the table")
    assert manual_clock.sleeps == [0.25, 0.25]


def test_a_throttled_question_of_an_operation_is_asked_again_too(manual_clock: ManualClock) -> None:
    asked: list[int] = []

    def reached() -> bool:
        asked.append(1)
        with map_botocore_errors("list", "subscriptions"):
            if len(asked) < 3:
                raise client_error("Throttling", "Rate exceeded")
        return True

    Patience(manual_clock).until(reached, waiting_for="the confirmation")
    assert len(asked) == 3
    asked.clear()
    with pytest.raises(WaitTimeoutError, match="for it: could not list the subscriptions: Rate exceeded"):
        Patience(manual_clock).until(reached, waiting_for="it", timeout=0.0)


def test_a_state_that_may_not_be_asked_for_is_an_error_at_once(manual_clock: ManualClock) -> None:
    denied = failing(1, client_error("AccessDenied"))
    with pytest.raises(ClientError):
        Patience(manual_clock).until(lambda: denied() == "done", waiting_for="the table")
    assert manual_clock.sleeps == []


def test_a_wait_that_is_called_off_ends_at_once() -> None:
    clock = SystemClock()
    clock.cancelled.set()
    with pytest.raises(CancelledError):
        Patience(clock).until(lambda: False, waiting_for="the table", step=60.0)


# Opening a cloud


def test_the_account_is_asked_for_once(account: Account) -> None:
    cloud = account.cloud()
    assert [cloud.account, cloud.account] == [ACCOUNT_ID, ACCOUNT_ID]
    assert [str(call) for call in account.calls] == ["sts.GetCallerIdentity() #1"]


def test_arns_are_computed(cloud: Cloud) -> None:
    assert cloud.arn("sns", "orders") == f"arn:aws:sns:us-east-1:{ACCOUNT_ID}:orders"
    assert cloud.arn("iam", "role/r", region=False) == f"arn:aws:iam::{ACCOUNT_ID}:role/r"


def test_who_cannot_be_identified_gets_an_error_with_a_hint(account: Account) -> None:
    account.interfere = refuse("GetCallerIdentity", "ExpiredToken", "expired", times=99, status=403)
    with pytest.raises(CredentialsError, match="could not identify the account: AWS refused"):
        _ = account.cloud().account


@pytest.mark.parametrize(
    ("operation", "call", "attempts"),
    [
        ("GetCallerIdentity", lambda cloud: cloud.account, 3),
        ("ListTopics", lambda cloud: cloud.sns.list_topics(), 6),
    ],
)
def test_who_is_calling_is_asked_three_times_and_anything_else_six(
    account: Account, operation: str, call: Callable[[Cloud], Any], attempts: int
) -> None:
    made = []

    def interfere(one: Call, _send: Send) -> AWSResponse:
        made.append(one.operation)
        return server_error()

    account.interfere = interfere
    with pytest.raises((AwsError, ClientError)):
        call(account.cloud())
    assert made == [operation] * attempts


@pytest.mark.parametrize("service", ["sts", "sns", "lambda"])
def test_a_call_waits_5_seconds_for_the_connection_and_60_for_the_answer(service: str) -> None:
    config = aws_cloud("us-east-1").client(service).meta.config
    assert (config.connect_timeout, config.read_timeout) == (5, 60)


def test_without_credentials_the_way_to_get_some_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(CredentialsError) as caught:
        aws_cloud("eu-west-1")
    assert caught.value.message == "there are no AWS credentials"
    assert "aws sso login" in caught.value.hint


def test_without_a_region_the_ways_to_set_one_are_told() -> None:
    with pytest.raises(AwsError, match="no AWS region is set") as caught:
        aws_cloud()
    assert "--region" in caught.value.hint


def test_an_unknown_profile_is_told() -> None:
    with pytest.raises(CredentialsError, match="nope"):
        aws_cloud("eu-west-1", "nope")


@pytest.mark.parametrize(
    ("region", "partition"),
    [("us-east-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_the_partition_follows_from_the_region(region: str, partition: str) -> None:
    assert aws_cloud(region).partition == partition


def test_the_embedded_cloud_opens_whatever_the_person_has_configured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.write_text("[default", encoding="utf-8")
    monkeypatch.setenv("AWS_PROFILE", "nope")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(broken))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(broken))
    cloud = local_cloud("http://127.0.0.1:1")
    assert (cloud.target, cloud.region) == (Target.LOCAL, "us-east-1")
    assert cloud.endpoint_for("sns") == "http://127.0.0.1:1"


def test_an_impatient_cloud_makes_its_clients_under_the_same_lock() -> None:
    # boto3: sessions "are not thread safe and should not be shared across threads".
    patient = aws_cloud("us-east-1")
    impatient = patient.impatient()
    made: list[Any] = []
    thread = threading.Thread(target=lambda: made.append(impatient.client("sns")))
    with patient._lock:
        thread.start()
        thread.join(0.2)
        assert made == []
    thread.join(10)
    assert made == [impatient.sns] != [patient.sns]
    config: Any = impatient.sns.meta.config
    assert config.retries["total_max_attempts"] == 2


def test_tags_take_the_form_of_the_services() -> None:
    assert tag_list({"a": "1", "b": "2"}) == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]


@pytest.mark.parametrize(
    ("ahead", "taken_over"), [(0, 0), (4, 0), (-4, 0), (600, 600), (-600, -600)], ids=str
)
def test_row_38_the_time_is_that_of_awss_clock(
    account: Account, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, ahead: int, taken_over: int
) -> None:
    here = datetime(2026, 3, 1, 12, tzinfo=UTC)
    monkeypatch.setattr(times, "now", lambda: here)

    def interfere(call: Call, send: Send) -> AWSResponse:
        answered = send()
        answered.headers["date"] = format_datetime(here + timedelta(seconds=ahead), usegmt=True)
        return answered

    account.interfere = interfere
    assert cloud.now() == here + timedelta(seconds=taken_over)


def test_row_38_without_awss_time_this_machines_counts(
    account: Account, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = datetime(2026, 3, 1, 12, tzinfo=UTC)
    monkeypatch.setattr(times, "now", lambda: here)

    def interfere(call: Call, send: Send) -> AWSResponse:
        answered = send()
        answered.headers["date"] = "noon"
        return answered

    account.interfere = interfere
    assert cloud.now() == here
