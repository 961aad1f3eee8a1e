"""What the two kinds of API have in common: how one is described, owned and removed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.api.listing import (
    FoundApi,
    find_apis,
    invoke_url,
    with_tags_of_now,
)
from ordernotify.resources.api.namesake import Namesake
from ordernotify.resources.api.quota import call_when_free
from ordernotify.resources.base import UNKNOWN, AnyLive, Change, Needed, State, Step, needed_state
from ordernotify.resources.subscriptions import SubscriptionsState
from ordernotify.resources.suspension import THROTTLED_BURST, THROTTLED_RATE, throttled_by_default
from ordernotify.settings.model import ApiKind, Auth, Settings

METHOD = "POST"
PREFLIGHT_SECONDS = 600
"""How long a browser may remember what a preflight allowed."""
ALLOWED_HEADERS = (
    "authorization",
    "content-type",
    "idempotency-key",
    "x-amz-date",
    "x-amz-security-token",
    "x-api-key",
)
EXPOSED_HEADERS = ("idempotency-key", "idempotency-replayed", "retry-after")
LOG_DELIVERY_REMOVAL = allow("logs", "DeleteLogDelivery", on="*")
"""What API Gateway does in the caller's name when an HTTP API's access log is turned off (AWS-FACTS 29)."""

_LOGGED = {
    "requestId": "requestId",
    "extendedRequestId": "extendedRequestId",
    "requestTime": "requestTime",
    "ip": "identity.sourceIp",
    "method": "httpMethod",
    "path": "path",
    "status": "status",
    "responseLength": "responseLength",
    "latencyMs": "responseLatency",
    "error": "error.message",
    "errorType": "error.responseType",
}
_LOGGED_BY_KIND = {
    ApiKind.REST: {
        "integrationLatencyMs": "integration.latency",
        "integrationStatus": "integration.integrationStatus",
        "integrationError": "integration.error",
    },
    ApiKind.HTTP: {
        "integrationLatencyMs": "integrationLatency",
        "integrationStatus": "integrationStatus",
        "integrationError": "integrationErrorMessage",
    },
}
LOG_FORMATS = {
    kind: json.dumps({name: f"$context.{variable}" for name, variable in {**_LOGGED, **more}.items()})
    for kind, more in _LOGGED_BY_KIND.items()
}
"""One line of the access log: JSON in which every value is a text, so that it is valid whatever is missing.

No user agent or other text of a client's choice: API Gateway does not escape it. Source of the variables:
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html and
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html
"""


@dataclass(frozen=True, slots=True)
class Throttle:
    """Requests a second, and how many may come at once."""

    rate: int
    burst: int


ACCOUNT_THROTTLE = Throttle(rate=10_000, burst=5_000)
"""The account's own limits, which API Gateway reports where nobody set a throttle.

https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
"""


def throttle_of(rate: float | None, burst: int | None) -> Throttle | None:
    """Bring a throttle into the form that is compared; None where the account's own limits hold."""
    if rate is None or burst is None:
        return None
    throttle = Throttle(int(rate), int(burst))
    return None if throttle == ACCOUNT_THROTTLE else throttle


@dataclass(frozen=True, slots=True)
class AccessLog:
    """Where a stage logs to, as the ARN of a log group, and the text of a line."""

    destination: str
    format: str


def access_log_of(destination: str | None, line: str | None) -> AccessLog | None:
    """Bring an access log into the form that is compared; None where there is none."""
    return AccessLog(destination.removesuffix(":*"), line or "") if destination else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiState:
    """What others need of the stack's API; each kind adds what it compares."""

    id: str = field(default="", compare=False)
    url: str = field(default="", compare=False)
    """The full address to POST orders to."""
    description: str = field(default="", compare=False)


class AnyApi(Namesake[State, FoundApi]):
    """How an API of either kind is found and removed."""

    api_kind: ApiKind

    @property
    def name(self) -> str:
        return self.settings.names.api

    def named(self) -> Sequence[FoundApi]:
        found = find_apis(self.cloud, self.api_kind, self.name, self.settings.stack)
        return [with_tags_of_now(self.cloud, api) for api in found]

    def remove(self, entry: FoundApi, step: Step) -> None:
        if self.api_kind is ApiKind.REST:
            call_when_free(step, self.cloud.apigateway.delete_rest_api, restApiId=entry.id)
        else:
            call_when_free(step, self.cloud.apigatewayv2.delete_api, ApiId=entry.id)

    def invoke_url(self, api_id: str) -> str:
        return invoke_url(self.cloud, api_id, self.settings.stage)


def removes_api(kind: ApiKind) -> Calls:
    if kind is ApiKind.REST:
        return (allow("apigateway", "DeleteRestApi"),)
    return (allow("apigatewayv2", "DeleteApi"), LOG_DELIVERY_REMOVAL)


class Api(AnyApi[State]):
    """An API and all that is in it: changed one call at a time (AWS-FACTS 7)."""

    kind = "api"
    needs: tuple[str, ...] = ("api-log-group", "api-log-role", "subscriptions")
    takes_place_of: ClassVar[str | None] = "old-api"

    def replacement(self, old: AnyLive) -> tuple[Change, ...]:
        """Announce the other kind and that the URL changes with it."""
        return (
            Change("kind", str(old.state.kind), str(self.api_kind)),
            Change("invoke URL", old.state.url, UNKNOWN),
        )

    @property
    def authorization(self) -> str:
        """What API Gateway checks by itself, in its own words."""
        return "AWS_IAM" if self.settings.auth is Auth.IAM else "NONE"

    @property
    def integration_uri(self) -> str:
        """The address by which API Gateway invokes the function."""
        function = self.cloud.arn("lambda", f"function:{self.settings.names.function}")
        path = f"2015-03-31/functions/{function}/invocations"
        return f"arn:{self.cloud.partition}:apigateway:{self.cloud.region}:lambda:path/{path}"

    @property
    def access_log(self) -> AccessLog | None:
        if not self.settings.access_logs:
            return None
        group = self.cloud.arn("logs", f"log-group:{self.settings.names.api_log_group}")
        return AccessLog(group, LOG_FORMATS[self.api_kind])

    def throttle(self, needed: Needed) -> Throttle | None:
        """Return the described throttle; without a rate, the one that protects mailboxes (AWS-FACTS 22)."""
        if self.settings.rate:
            return throttle_of(self.settings.rate, self.settings.burst)
        subscriptions = needed_state(needed, SubscriptionsState) or SubscriptionsState()
        mailboxes = subscriptions.mailboxes_with(self.settings.emails)
        if throttled_by_default(self.settings, self.cloud, mailboxes):
            return Throttle(THROTTLED_RATE, THROTTLED_BURST)
        return None


def proxied_on_preflight(settings: Settings) -> bool:
    """Whether the function answers preflights: only an HTTP API has CORS built in."""
    return settings.api is ApiKind.REST and bool(settings.cors_origins)
