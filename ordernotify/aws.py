"""One session and its clients, the translation of botocore's errors, paging, waits and retries."""

from __future__ import annotations

import copy
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypedDict, TypeVar, cast

import boto3
import botocore.session
from botocore import exceptions as botocore_errors
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ordernotify.config import LOCAL_REGION, Target
from ordernotify.errors import (
    AccessDeniedError,
    AwsError,
    CancelledError,
    CredentialsError,
    WaitTimeoutError,
)
from ordernotify.permissions import Allow, LimitedClient, Methods, methods_in_both, methods_of

if TYPE_CHECKING:
    from botocore.credentials import Credentials
    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_apigatewayv2 import ApiGatewayV2Client
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sts import STSClient

CONNECT_TIMEOUT_SECONDS = 5
READ_TIMEOUT_SECONDS = 60
MAX_ATTEMPTS = 6
IDENTITY_ATTEMPTS = 3
"""Who is calling is asked first of all: a closed endpoint is to be told soon."""
MAX_POOL_CONNECTIONS = 64
FIRST_STEP_SECONDS = 0.25
STEP_SHARE = 0.05
"""Between two looks passes this share of the time waited so far: neither looks nor time are wasted."""
LONGEST_STEP_SECONDS = 5.0

_THROTTLED = {
    "KMSThrottling",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "Throttled",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
_DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "UnauthorizedOperation",
    "NotAuthorized",
}
_BAD_CREDENTIALS = {
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_CREDENTIALS_HINT = (
    "Log in (for example `aws sso login` or `aws configure`), choose a profile with --profile, "
    "or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Without --aws no account is needed."
)
_DENIED_HINT = (
    "`ordernotify policy setup`, `policy operate` and `policy teardown` print the policies that the commands "
    "need. When you have the permission, run the same command again; it continues where it stopped."
)
_DENIED_ACTION = re.compile(
    r"not authorized to perform: (?P<action>[\w-]+:\w+)(?: on resource: (?P<resource>\S+))?"
)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Location:
    """Where a stack lives, as every command reports it on stderr."""

    target: Target
    account: str
    region: str
    endpoint: str | None = None
    """The endpoint in place of AWS's own: the embedded cloud's, or another emulator's."""

    @property
    def partition(self) -> str:
        """The ARN partition of the region (`aws`, `aws-cn`, `aws-us-gov`)."""
        return boto3.Session(region_name=self.region).get_partition_for_region(self.region)


class Cloud:
    """A boto3 session, its endpoint, and the clients made from it (thread-safe)."""

    def __init__(
        self, session: boto3.Session, target: Target = Target.AWS, endpoint: str | None = None
    ) -> None:
        """Take the session as it is; no call is made until a client or the location is asked for."""
        self.target = target
        self.endpoint = endpoint
        self._session = session
        self._clients: dict[str, Any] = {}
        self._lock = threading.RLock()
        self._account: str | None = None
        self._methods: Methods | None = None

    def only(self, permissions: Iterable[Allow]) -> Cloud:
        """The same place with clients that make the declared calls and no others (see `permissions`)."""
        methods = methods_of(permissions)
        limited = copy.copy(self)
        limited._methods = methods if self._methods is None else methods_in_both(methods, self._methods)
        return limited

    @property
    def region(self) -> str:
        """The session's region; never empty."""
        return self._session.region_name

    @property
    def account(self) -> str:
        """The account's number, asked of STS once."""
        with self._lock:
            if self._account is None:
                with map_botocore_errors("identify", "account"):
                    # AWS never denies this call.
                    self._account = self._client("sts").get_caller_identity()["Account"]
            return self._account

    @property
    def partition(self) -> str:
        """The ARN partition of the region (`aws`, `aws-cn`, `aws-us-gov`)."""
        return self._session.get_partition_for_region(self.region)

    def arn(self, service: str, resource: str, *, region: bool = True) -> str:
        """Compute an ARN from the account, the region and the resource part; IAM's have no region."""
        return f"arn:{self.partition}:{service}:{self.region if region else ''}:{self.account}:{resource}"

    def endpoint_for(self, service: str) -> str:
        """The URL that calls to `service` go to, as botocore resolved it."""
        return cast(str, self._client(service).meta.endpoint_url)

    def _client(self, service: str) -> Any:
        # boto3 sessions are not thread-safe while they make clients; the clients themselves are.
        with self._lock:
            if service not in self._clients:
                # A proxy of the person's must not stand between this machine and itself.
                direct = Config(proxies={}) if self.target is Target.LOCAL else Config()
                config = _client_config(IDENTITY_ATTEMPTS if service == "sts" else MAX_ATTEMPTS).merge(direct)
                self._clients[service] = self._session.client(  # type: ignore[call-overload]
                    service, endpoint_url=self.endpoint, config=config
                )
            return self._clients[service]

    def _limited(self, service: str) -> Any:
        client = self._client(service)
        return client if self._methods is None else LimitedClient(client, service, self._methods)

    @property
    def apigateway(self) -> APIGatewayClient:
        """The client for REST APIs."""
        return cast("APIGatewayClient", self._limited("apigateway"))

    @property
    def apigatewayv2(self) -> ApiGatewayV2Client:
        """The client for HTTP APIs."""
        return cast("ApiGatewayV2Client", self._limited("apigatewayv2"))

    @property
    def credentials(self) -> Credentials | None:
        """The session's credentials, which refresh themselves; None if there are none."""
        with self._lock:
            return self._session.get_credentials()

    @property
    def cloudwatch(self) -> CloudWatchClient:
        """The client for alarms and metrics."""
        return cast("CloudWatchClient", self._limited("cloudwatch"))

    @property
    def dynamodb(self) -> DynamoDBClient:
        """The client for the table."""
        return cast("DynamoDBClient", self._limited("dynamodb"))

    @property
    def iam(self) -> IAMClient:
        """The client for the role."""
        return cast("IAMClient", self._limited("iam"))

    @property
    def lambda_(self) -> LambdaClient:
        """The client for the function."""
        return cast("LambdaClient", self._limited("lambda"))

    @property
    def logs(self) -> CloudWatchLogsClient:
        """The client for log groups and their events."""
        return cast("CloudWatchLogsClient", self._limited("logs"))

    @property
    def sns(self) -> SNSClient:
        """The client for the topic and its subscriptions."""
        return cast("SNSClient", self._limited("sns"))

    @property
    def sqs(self) -> SQSClient:
        """The client for queues: the local inbox, and verify's temporary one."""
        return cast("SQSClient", self._limited("sqs"))

    @property
    def sts(self) -> STSClient:
        """The client that tells who is calling."""
        return cast("STSClient", self._limited("sts"))


def _client_config(attempts: int) -> Config:
    return Config(
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        max_pool_connections=MAX_POOL_CONNECTIONS,
        retries={"mode": "standard", "total_max_attempts": attempts},
        user_agent_extra="ordernotify",
    )


def local_cloud(endpoint: str, region: str | None = None) -> Cloud:
    """The embedded cloud at `endpoint`, whatever AWS configuration the person has.

    The fixed credentials are those of the emulator's root user; they open nothing else.
    """
    # Without this, an AWS_PROFILE that does not exist would stop local commands too.
    core = botocore.session.Session(session_vars={"profile": (None, None, None, None)})
    session = boto3.Session(
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name=region or LOCAL_REGION,
        botocore_session=core,
    )
    return Cloud(session, Target.LOCAL, endpoint)


def aws_cloud(region: str | None = None, profile: str | None = None) -> Cloud:
    """The account that boto3's ordinary configuration points to.

    Raises CredentialsError without credentials or with an unknown profile, AwsError without a region.
    """
    with map_botocore_errors("open", "session"):
        # botocore reads AWS_DEFAULT_REGION only; the AWS command line and Lambda also know AWS_REGION.
        region = region or os.environ.get("AWS_REGION")
        session = boto3.Session(region_name=region, profile_name=profile)
        if not session.region_name:
            raise AwsError(
                "no AWS region is set",
                "Give --region, set AWS_REGION, or put a region into the profile.",
            )
        if session.get_credentials() is None:
            raise CredentialsError("there are no AWS credentials", _CREDENTIALS_HINT, code="NoCredentials")
        return Cloud(session, Target.AWS)


def error_code(error: ClientError) -> str:
    """AWS's code for the error; empty if the answer had none."""
    return error.response.get("Error", {}).get("Code", "")


def error_text(error: ClientError) -> str:
    """AWS's message for the error; empty if the answer had none."""
    return error.response.get("Error", {}).get("Message", "")


def has_code(error: ClientError, *codes: str, text: str = "") -> bool:
    """Whether AWS answered one of `codes` with a message that contains `text` (any case)."""
    return error_code(error) in codes and text.lower() in error_text(error).lower()


def is_throttled(error: ClientError) -> bool:
    """Whether the call may be repeated because AWS asked for slower calls (AWS-FACTS 6 and 21).

    Decided by the code: LimitExceededException is answered with 429 too and must not be repeated.
    """
    return error_code(error) in _THROTTLED


@contextmanager
def ignore_codes(*codes: str, text: str = "") -> Iterator[None]:
    """Let a call pass that failed with one of `codes`: deleting what is absent succeeds."""
    try:
        yield
    except ClientError as error:
        if not has_code(error, *codes, text=text):
            raise


@contextmanager
def map_botocore_errors(action: str, kind: str, name: str = "") -> Iterator[None]:
    """Translate botocore's exceptions into ours, saying what was being done to what.

    Raises AccessDeniedError, CredentialsError or AwsError, with botocore's exception as the cause.
    """
    what = f"could not {action} the {kind}{f' {name}' if name else ''}"
    try:
        yield
    except ClientError as error:
        raise _translate_client_error(what, error) from error
    except BotoCoreError as error:
        raise _translate_botocore_error(what, error) from error


def _translate_client_error(what: str, error: ClientError) -> AwsError:
    code, text = error_code(error), error_text(error)
    if code in _BAD_CREDENTIALS:
        return CredentialsError(f"{what}: AWS refused the credentials ({code})", _CREDENTIALS_HINT, code=code)
    if code in _DENIED:
        match = _DENIED_ACTION.search(text)
        action = _iam_action(match["action"], error.operation_name) if match else error.operation_name
        resource = f" on {match['resource']}" if match and match["resource"] else ""
        return AccessDeniedError(
            f"{what}: your user or role may not call {action}{resource}", _DENIED_HINT, code=code
        )
    hint = "AWS is asking for slower calls; wait a minute and run the same command again."
    return AwsError(f"{what}: {text or code} ({code})", hint if is_throttled(error) else "", code=code)


def _iam_action(told: str, operation: str) -> str:
    """Write an action as policies have it: SQS tells it in lower case, and SNS its own name in upper case."""
    service, _, action = told.partition(":")
    return f"{service.lower()}:{operation if action.lower() == operation.lower() else action}"


def _translate_botocore_error(what: str, error: BotoCoreError) -> AwsError:
    code = type(error).__name__
    if isinstance(error, botocore_errors.ProfileNotFound):
        hint = "`aws configure list-profiles` lists the profiles; choose one with --profile."
        return CredentialsError(f"{what}: {error}", hint, code=code)
    if isinstance(
        error,
        botocore_errors.NoCredentialsError
        | botocore_errors.PartialCredentialsError
        | botocore_errors.CredentialRetrievalError
        | botocore_errors.SSOError
        | botocore_errors.TokenRetrievalError,
    ):
        return CredentialsError(f"{what}: {error}", _CREDENTIALS_HINT, code=code)
    if isinstance(error, botocore_errors.ConnectionError | botocore_errors.HTTPClientError):
        hint = "Check the network, the region, and AWS_ENDPOINT_URL if it is set; then run the command again."
        return AwsError(f"{what}: {error}", hint, code=code)
    return AwsError(f"{what}: {error}", code=code)


class Clock(Protocol):
    """The time, and waiting for it; tests pass one of their own."""

    def now(self) -> float:
        """Seconds of a clock that never goes back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait; raises CancelledError when the work is called off meanwhile."""
        ...


@dataclass(slots=True)
class SystemClock:
    """The machine's clock; `cancelled` wakes every sleeper."""

    cancelled: threading.Event = field(default_factory=threading.Event)

    def now(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait, unless called off."""
        if self.cancelled.wait(seconds):
            raise CancelledError("interrupted")


def _tell_nobody(_message: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Patience:
    """Bounded waiting for AWS: what is waited for is told while it lasts and named when it fails."""

    clock: Clock = field(default_factory=SystemClock)
    tell: Callable[[str], None] = _tell_nobody

    def retry(
        self,
        call: Callable[[], Result],
        *,
        when: Callable[[ClientError], bool],
        waiting_for: str,
        timeout: float = 120.0,
        step: float = FIRST_STEP_SECONDS,
    ) -> Result:
        """Make the call again while it fails with an error for which `when` is true.

        `timeout` and `step` (between two attempts, at least) are seconds. Raises WaitTimeoutError naming
        `waiting_for` when the time is up, and any other error at once.
        """
        started = self.clock.now()
        while True:
            try:
                return call()
            except ClientError as error:
                if not when(error):
                    raise
                cause = error
            self._pause(started, timeout, step, waiting_for, cause)

    def until(
        self,
        reached: Callable[[], bool],
        *,
        waiting_for: str,
        timeout: float = 120.0,
        step: float = FIRST_STEP_SECONDS,
    ) -> None:
        """Ask until `reached` is true; raises WaitTimeoutError after `timeout` seconds.

        An answer that AWS refused to give for asking too often is "not yet" (AWS-FACTS 21).
        """
        started = self.clock.now()
        while True:
            cause = None
            try:
                if reached():
                    return
            except ClientError as error:
                if not is_throttled(error):
                    raise
                cause = error
            self._pause(started, timeout, step, waiting_for, cause)

    def _pause(
        self, started: float, timeout: float, step: float, waiting_for: str, cause: ClientError | None
    ) -> None:
        waited = self.clock.now() - started
        if waited >= timeout:
            raise WaitTimeoutError(
                f"waited {waited:.0f} s for {waiting_for}" + (f": {error_text(cause)}" if cause else ""),
                "Run the same command again; it continues where it stopped.",
            ) from cause
        self.tell(f"waiting for {waiting_for}, {waited:.0f} s")
        pause = max(step, min(waited * STEP_SHARE, LONGEST_STEP_SECONDS))
        self.clock.sleep(min(pause, max(timeout - waited, 0.05)))


class Tag(TypedDict):
    """A tag in the form that most services take."""

    Key: str
    Value: str


def tag_list(tags: Mapping[str, str]) -> list[Tag]:
    """Tags in the `[{"Key": …, "Value": …}]` form that most services take."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]
