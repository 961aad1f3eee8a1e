"""One boto3 session, its endpoint, and the clients made from it."""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from botocore.httpsession import ProxyConfiguration, get_cert_path
from botocore.utils import get_environ_proxies

from ordernotify import times
from ordernotify.aws.errors import CREDENTIALS_HINT, map_botocore_errors
from ordernotify.aws.road import DIRECT, Road
from ordernotify.errors import AwsError, CredentialsError, UsageError
from ordernotify.settings.names import LOCAL_REGION, Target

if TYPE_CHECKING:
    from botocore.credentials import Credentials
    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_apigatewayv2 import ApiGatewayV2Client
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_resourcegroupstaggingapi import ResourceGroupsTaggingAPIClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

CONNECT_TIMEOUT_SECONDS = 5
READ_TIMEOUT_SECONDS = 60
MAX_ATTEMPTS = 6
IDENTITY_ATTEMPTS = 3
"""GetCallerIdentity is the first call of a command: an endpoint that is down must show soon."""
IMPATIENT_ATTEMPTS = 2
"""A kept connection may be gone when the embedded cloud was started again; a second try makes a new one."""
MAX_POOL_CONNECTIONS = 64
Client = TypeVar("Client")
CLOCK_TOLERANCE = timedelta(seconds=5)
"""A difference up to this may come from the call itself, whose answer has whole seconds only."""


class _ClientOf(Generic[Client]):
    """An attribute of Cloud: the client of a service, made when it is first asked for."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __get__(self, cloud: Cloud, owner: type[Cloud]) -> Client:
        return cast("Client", cloud.client(self._service))


class Cloud:
    """A boto3 session, its endpoint, and the clients made from it (thread-safe)."""

    apigateway: _ClientOf[APIGatewayClient] = _ClientOf("apigateway")
    apigatewayv2: _ClientOf[ApiGatewayV2Client] = _ClientOf("apigatewayv2")
    cloudwatch: _ClientOf[CloudWatchClient] = _ClientOf("cloudwatch")
    dynamodb: _ClientOf[DynamoDBClient] = _ClientOf("dynamodb")
    iam: _ClientOf[IAMClient] = _ClientOf("iam")
    lambda_: _ClientOf[LambdaClient] = _ClientOf("lambda")
    logs: _ClientOf[CloudWatchLogsClient] = _ClientOf("logs")
    sns: _ClientOf[SNSClient] = _ClientOf("sns")
    sqs: _ClientOf[SQSClient] = _ClientOf("sqs")
    tagging: _ClientOf[ResourceGroupsTaggingAPIClient] = _ClientOf("resourcegroupstaggingapi")

    def __init__(
        self,
        session: boto3.Session,
        target: Target = Target.AWS,
        endpoint: str | None = None,
        ca_bundle: str | None = None,
    ) -> None:
        """Make no call until a client or the account is needed.

        `ca_bundle` is the file of trusted authorities that the session was configured with.
        """
        self._ca_bundle = ca_bundle
        self._attempts = MAX_ATTEMPTS
        self.target = target
        self.endpoint = endpoint
        self._session = session
        self._clients: dict[str, Any] = {}
        self._lock = threading.RLock()
        self._account: str | None = None
        self._caller = ""
        self._ahead = timedelta()

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
                    identity = self.client("sts").get_caller_identity()
                self._ahead = ahead_of_here(identity)
                self._account, self._caller = identity["Account"], identity["Arn"]
            return self._account

    @property
    def caller(self) -> str:
        """The ARN of who calls: a user, the session of a role, or the root user."""
        self.account  # noqa: B018 - its answer has it
        return self._caller

    @property
    def ahead(self) -> timedelta:
        """How far AWS's clock is ahead of this machine's (AWS-FACTS 38); 0 within CLOCK_TOLERANCE."""
        self.account  # noqa: B018 - its answer has AWS's time
        return self._ahead

    def now(self) -> datetime:
        """The time by AWS's clock, which stamps the log events; this machine's may be off."""
        return times.now() + self.ahead

    @property
    def partition(self) -> str:
        """The ARN partition of the region (`aws`, `aws-cn`, `aws-us-gov`)."""
        return self._session.get_partition_for_region(self.region)

    def impatient(self) -> Cloud:
        """Return the same place with at most two attempts per call, for a caller that polls."""
        # A copy has the same lock, which guards the session that both make their clients from.
        other = copy.copy(self)
        other._attempts, other._clients = IMPATIENT_ATTEMPTS, {}
        return other

    def arn(self, service: str, resource: str, *, region: bool = True) -> str:
        """Compute an ARN from the account, the region and the resource part; IAM's have no region."""
        return f"arn:{self.partition}:{service}:{self.region if region else ''}:{self.account}:{resource}"

    def endpoint_for(self, service: str) -> str:
        """The URL that calls to `service` go to, as botocore resolved it."""
        return cast(str, self.client(service).meta.endpoint_url)

    def road_to(self, url: str) -> Road:
        """Find the proxy and the authorities that botocore's own calls to this URL use (AWS-FACTS 26).

        The proxy and NO_PROXY come from the environment; the authorities from AWS_CA_BUNDLE, the profile's
        `ca_bundle`, REQUESTS_CA_BUNDLE, or botocore. The embedded cloud is reached directly.
        """
        if self.target is Target.LOCAL:
            return DIRECT
        proxies = ProxyConfiguration(get_environ_proxies(url))
        trusted = self._ca_bundle or os.environ.get("REQUESTS_CA_BUNDLE") or get_cert_path(True)
        return Road(proxies.proxy_url_for(url), trusted)

    def client(self, service: str) -> Any:
        # boto3 sessions are not thread-safe while they make clients; the clients themselves are.
        with self._lock:
            if service not in self._clients:
                attempts = IDENTITY_ATTEMPTS if service == "sts" else self._attempts
                config = Config(
                    connect_timeout=CONNECT_TIMEOUT_SECONDS,
                    read_timeout=READ_TIMEOUT_SECONDS,
                    max_pool_connections=MAX_POOL_CONNECTIONS,
                    # No proxy may stand between this machine and itself; None takes those of the environment.
                    proxies={} if self.target is Target.LOCAL else None,
                    retries={"mode": "standard", "total_max_attempts": attempts},
                    user_agent_extra="ordernotify",
                )
                self._clients[service] = self._session.client(  # type: ignore[call-overload]
                    service, endpoint_url=self.endpoint, config=config
                )
            return self._clients[service]

    @property
    def credentials(self) -> Credentials | None:
        """The session's credentials, which refresh themselves; None if there are none."""
        with self._lock:
            return self._session.get_credentials()


def ahead_of_here(answer: Mapping[str, Any]) -> timedelta:
    """Read from an answer, or from the refusal in a ClientError, how far AWS's clock is ahead."""
    try:
        date = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    except (KeyError, TypeError, ValueError):
        return timedelta()
    ahead = date - times.now()
    return ahead if abs(ahead) > CLOCK_TOLERANCE else timedelta()


def unconfigured_session() -> botocore.session.Session:
    """A botocore session that reads none of the person's files, of which one may be broken."""
    no_file = (None, None, os.devnull, None)
    unread = {"profile": (None, None, None, None), "config_file": no_file, "credentials_file": no_file}
    return botocore.session.Session(session_vars=unread)


def local_cloud(endpoint: str, region: str | None = None) -> Cloud:
    """The embedded cloud at `endpoint`, whatever AWS configuration the person has.

    The fixed credentials are those of the emulator's root user; they open nothing else.
    """
    session = boto3.Session(
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name=region or LOCAL_REGION,
        botocore_session=unconfigured_session(),
    )
    return Cloud(session, Target.LOCAL, endpoint)


def aws_cloud(region: str | None = None, profile: str | None = None) -> Cloud:
    """The account that boto3's ordinary configuration points to.

    Raises CredentialsError without credentials or with an unknown profile, AwsError without a region.
    """
    with map_botocore_errors("open", "session"):
        # botocore reads AWS_DEFAULT_REGION only; the AWS command line and Lambda also know AWS_REGION.
        region = region or os.environ.get("AWS_REGION")
        core = botocore.session.Session()
        session = boto3.Session(region_name=region, profile_name=profile, botocore_session=core)
        if not session.region_name:
            raise AwsError(
                "no AWS region is set",
                "Give --region, set AWS_REGION, or put a region into the profile.",
            )
        if session.get_credentials() is None:
            raise CredentialsError("there are no AWS credentials", CREDENTIALS_HINT, code="NoCredentials")
        return Cloud(session, Target.AWS, ca_bundle=core.get_config_variable("ca_bundle"))


def known_profiles() -> list[str]:
    """The profiles of the person's AWS configuration; none where there is no such file."""
    with map_botocore_errors("read", "AWS configuration"):
        return botocore.session.Session().available_profiles


def default_region(profile: str | None) -> str:
    """The region that boto3's ordinary configuration names for this profile; empty if it names none."""
    core = botocore.session.Session(profile=profile)
    with map_botocore_errors("read", "AWS configuration"):
        return os.environ.get("AWS_REGION") or core.get_config_variable("region") or ""


def check_region(region: str) -> None:
    """Raise UsageError unless this has the form of a region of one of AWS's partitions."""
    try:
        unconfigured_session().get_partition_for_region(region)
    except BotoCoreError:
        raise UsageError(f"{region!r} is not a region", "Give one such as us-east-1 or eu-west-1.") from None
