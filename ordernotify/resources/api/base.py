"""What the two kinds of API have in common: how one is found, owned, addressed and called."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, ParamSpec, TypeVar

from botocore.exceptions import ClientError

from ordernotify.aws.errors import has_code, ignore_codes, is_throttled
from ordernotify.aws.session import Cloud
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.base import UNKNOWN, Attributes, Change, Live, Resource, Step, Verb
from ordernotify.settings.model import ApiKind, Auth, Settings
from ordernotify.settings.names import ORDERS_PATH, STACK_TAG

METHOD = "POST"
NOT_FOUND = "NotFoundException"
QUOTA_TIMEOUT_SECONDS = 150.0
"""DeleteRestApi is allowed once in 30 s (AWS-FACTS 6); several stacks may be waiting for it."""
QUOTA_STEP_SECONDS = 3.0
ACCOUNT_THROTTLE = {"rate": 10_000, "burst": 5_000}
"""What API Gateway reports where nobody set a throttle: the account's own limits."""
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
Given = ParamSpec("Given")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiState:
    """What others need of the stack's API; each kind adds what it compares."""

    id: str = field(default="", compare=False)
    url: str = field(default="", compare=False)
    """The full address to POST orders to."""


@dataclass(frozen=True, slots=True)
class FoundApi:
    """An API as a listing tells of it; `cors` is an HTTP API's own CORS configuration, in AWS's words."""

    kind: ApiKind
    id: str
    name: str
    tags: Mapping[str, str]
    created: float
    cors: Mapping[str, Any] | None = None


def list_apis(cloud: Cloud, kind: ApiKind) -> list[FoundApi]:
    """List every API of the kind in this account and region."""
    if kind is ApiKind.REST:
        rest = cloud.apigateway.get_paginator("get_rest_apis").paginate(PaginationConfig={"PageSize": 500})
        return [
            FoundApi(kind, api["id"], api["name"], api.get("tags", {}), api["createdDate"].timestamp())
            for page in rest
            for api in page["items"]
        ]
    http = cloud.apigatewayv2.get_paginator("get_apis").paginate(PaginationConfig={"PageSize": 500})
    return [
        FoundApi(
            kind,
            api["ApiId"],
            api["Name"],
            api.get("Tags", {}),
            api["CreatedDate"].timestamp(),
            api.get("CorsConfiguration"),
        )
        for page in http
        for api in page["Items"]
        if api["ProtocolType"] == "HTTP"
    ]


def lists_apis(kind: ApiKind) -> Calls:
    """What `list_apis` and `find_apis` call."""
    if kind is ApiKind.REST:
        return (allow("apigateway", "GetRestApis", "GetTags"),)
    return (allow("apigatewayv2", "GetApis", "GetTags"),)


def find_apis(cloud: Cloud, kind: ApiKind, name: str, stack: str) -> list[FoundApi]:
    """Find the APIs of this exact name, the stack's first, oldest first.

    Names are not unique, and listings are paged (AWS-FACTS 20).
    """
    named = [api for api in list_apis(cloud, kind) if api.name == name]
    # An emulator's listing has the tags that the API was made with, not those of an adoption.
    known = [api if STACK_TAG in api.tags else read_tags(cloud, api) for api in named]
    return sorted(known, key=lambda api: (api.tags.get(STACK_TAG) != stack, api.created, api.id))


def read_tags(cloud: Cloud, api: FoundApi) -> FoundApi:
    """Read the API's tags as they are now; those of the listing if the service keeps none apart."""
    arn, tags = api_arn(cloud, api.kind, api.id), api.tags
    with ignore_codes(NOT_FOUND, "404"):  # a moto server has no such page
        if api.kind is ApiKind.REST:
            tags = cloud.apigateway.get_tags(resourceArn=arn).get("tags", {})
        else:
            tags = cloud.apigatewayv2.get_tags(ResourceArn=arn).get("Tags", {})
    return replace(api, tags=tags)


def api_arn(cloud: Cloud, kind: ApiKind, api_id: str) -> str:
    """Compute the ARN of an API; it has no account."""
    path = "restapis" if kind is ApiKind.REST else "apis"
    return f"arn:{cloud.partition}:apigateway:{cloud.region}::/{path}/{api_id}"


def invoke_url(cloud: Cloud, api_id: str, stage: str) -> str:
    """Build the full address to POST orders to; emulators answer under a path of their own endpoint."""
    endpoint = cloud.endpoint_for("apigateway")
    if ".amazonaws." in endpoint:
        suffix = endpoint.partition("apigateway.")[2].rstrip("/")
        return f"https://{api_id}.execute-api.{suffix}/{stage}/{ORDERS_PATH}"
    return f"{endpoint.rstrip('/')}/_aws/execute-api/{api_id}/{stage}/{ORDERS_PATH}"


def throttle_of(rate: float | None, burst: int | None) -> dict[str, int] | None:
    """Compare-ready form of a throttle; None where the account's own limits hold."""
    if rate is None or burst is None:
        return None
    throttle = {"rate": int(rate), "burst": int(burst)}
    return None if throttle == ACCOUNT_THROTTLE else throttle


def is_api_busy(error: ClientError) -> bool:
    """Whether the call may be repeated: throttled, or another change under way (AWS-FACTS 6 and 7)."""
    return is_throttled(error) or has_code(error, "ConflictException", text="concurrent modification")


def call_when_free(
    step: Step, call: Callable[Given, Result], *args: Given.args, **arguments: Given.kwargs
) -> Result:
    """Make a call with these arguments, repeated while API Gateway is busy or its quota is used up."""
    return step.patience.retry(
        lambda: call(*args, **arguments),
        when=is_api_busy,
        waiting_for="API Gateway's quota",
        timeout=QUOTA_TIMEOUT_SECONDS,
        step=QUOTA_STEP_SECONDS,
    )


class Api(Resource):
    """An API and all that is in it: changed one call at a time (AWS-FACTS 7)."""

    kind = "api"
    api_kind: ClassVar[ApiKind]
    needs: tuple[str, ...] = ("api-log-group", "api-log-role")

    @property
    def name(self) -> str:
        """The API's name."""
        return self.settings.names.api

    @property
    def arn(self) -> str:
        """Empty: the ARN holds the id that AWS chooses."""
        return ""

    def find(self) -> Live | None:
        """Read the API and its parts; an API of ours wins over others of its name."""
        apis = find_apis(self.cloud, self.api_kind, self.name, self.settings.stack)
        if not apis:
            return None
        api = read_tags(self.cloud, apis[0])
        ours = sum(self.owns(found.tags) for found in apis)
        return self.found(api.id, {**self.parts(api), "copies": max(ours, 1)}, api.tags)

    @abstractmethod
    def parts(self, api: FoundApi) -> Attributes:
        """Read what is in the API."""

    @abstractmethod
    def remove(self, api_id: str) -> None:
        """Delete one API; raises what AWS answers."""

    def found(self, api_id: str, attributes: Attributes, tags: Mapping[str, str] | None = None) -> Live:
        """Build what the verbs return; without `tags`, for an API that was just made or changed."""
        arn = api_arn(self.cloud, self.api_kind, api_id)
        url = invoke_url(self.cloud, api_id, self.settings.stage)
        owned = tags is None or self.owns(tags)
        return Live(arn, attributes, owned, tags, {"id": api_id, "url": url, "kind": self.api_kind})

    def replacement(self, old: Live) -> tuple[Change, ...]:
        """Announce the other kind and that the URL changes with it."""
        return (
            Change("kind", old.ids["kind"], str(self.api_kind)),
            Change("invoke URL", old.ids["url"], UNKNOWN),
        )

    def has_rival(self, live: Live) -> bool:
        """Whether the API just made is not the only one of ours that has the name."""
        apis = find_apis(self.cloud, self.api_kind, self.name, self.settings.stack)
        return [api.id for api in apis if self.owns(api.tags)] != [live.ids["id"]]

    def delete(self, live: Live, step: Step) -> None:
        """Delete every API of ours that has the name."""
        self.delete_copies("", step)

    def delete_copies(self, kept: str, step: Step) -> None:
        """Delete our APIs of this name but one.

        AWS-FACTS 21: a create that was cut off after it was applied, and repeated, leaves a second API.
        """
        for api in find_apis(self.cloud, self.api_kind, self.name, self.settings.stack):
            if api.id != kept and self.owns(api.tags):
                self.delete_api(api.id, step)

    def delete_api(self, api_id: str, step: Step) -> None:
        """Delete one API; succeeds if it is gone already."""
        with ignore_codes(NOT_FOUND):
            call_when_free(step, self.remove, api_id)

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
    def access_log(self) -> dict[str, str] | None:
        """Where the stage logs to and how, if it does."""
        if not self.settings.access_logs:
            return None
        group = self.cloud.arn("logs", f"log-group:{self.settings.names.api_log_group}")
        return {"destination": group, "format": LOG_FORMATS[self.api_kind]}

    @property
    def throttle(self) -> dict[str, int] | None:
        """The described throttle."""
        return throttle_of(self.settings.rate, self.settings.burst)


def proxied_on_preflight(settings: Settings) -> bool:
    """Whether the function answers preflights: a REST API has no CORS of its own, an HTTP API has."""
    return settings.api is ApiKind.REST and bool(settings.cors_origins)


class OldApi(Api):
    """The API of the kind that the stack had before: found in order to be removed, and nothing else."""

    kind = "old-api"
    takes_place_of: ClassVar[str | None] = None
    removed_when_unwanted = True
    deleted_after: tuple[str, ...] = ("api", "permission", "preflight-permission", "usage-plan")

    @property
    def wanted(self) -> bool:
        """Never."""
        return False

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        """Only what finding and removing it calls."""
        whole = super().calls  # type: ignore[safe-super]  # of the kind that this is mixed with
        return {Verb.FIND: lists_apis(self.api_kind), Verb.DELETE: whole[Verb.DELETE]}

    def parts(self, api: FoundApi) -> Attributes:
        """Read nothing that is in it: it is to be removed whole."""
        return {}

    def find(self) -> Live | None:
        """Find it only if it is ours: others may have APIs of this name."""
        live = super().find()
        return live if live and live.owned else None
