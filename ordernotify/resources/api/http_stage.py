"""The stage of an HTTP API: what it limits, and where it logs to; it deploys every change by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ordernotify.aws.errors import has_code, ignore_codes
from ordernotify.errors import AccessDeniedError
from ordernotify.resources.api.base import (
    ACCOUNT_THROTTLE,
    AccessLog,
    Api,
    ApiState,
    Throttle,
    access_log_of,
    throttle_of,
)
from ordernotify.resources.api.quota import NOT_FOUND, call_when_free
from ordernotify.resources.base import Step
from ordernotify.settings.model import ApiKind

LOG_DELIVERY_CALLS = (
    "CreateLogDelivery",
    "GetLogDelivery",
    "UpdateLogDelivery",
    "ListLogDeliveries",
    "PutResourcePolicy",
    "DescribeResourcePolicies",
    "DescribeLogGroups",
)
"""What API Gateway does in the caller's name when the access log is turned on; none has a resource.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-and-resource-policy.html
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cors:
    """An HTTP API's own CORS configuration, in one form: AWS may change the case and the order of names."""

    allow_origins: tuple[str, ...]
    allow_methods: tuple[str, ...]
    allow_headers: tuple[str, ...]
    expose_headers: tuple[str, ...]
    max_age: int | None
    """How long a browser may remember the answer, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpApiState(ApiState):
    """An HTTP API with its route, integration and stages; the defaults are a new one without any part."""

    route: str | None = None
    authorization: str | None = None
    integration: str | None = None
    other_integrations: int = 0
    cors: Cors | None = None
    stages: tuple[str, ...] = ()
    automatic_deployment: bool = False
    throttle: Throttle | None = None
    access_log: AccessLog | None = None
    copies: int = 1

    @property
    def way(self) -> tuple[object, ...]:
        """The way of a request to the function."""
        return self.route, self.authorization, self.integration, self.other_integrations

    @property
    def stage(self) -> tuple[object, ...]:
        """What the stage is put with."""
        return self.stages, self.automatic_deployment, self.throttle, self.access_log


def throttle_in(stage: Mapping[str, Any]) -> Throttle | None:
    settings = stage.get("DefaultRouteSettings", {})
    return throttle_of(settings.get("ThrottlingRateLimit"), settings.get("ThrottlingBurstLimit"))


def access_log_in(stage: Mapping[str, Any]) -> AccessLog | None:
    settings = stage.get("AccessLogSettings", {})
    return access_log_of(settings.get("DestinationArn"), settings.get("Format"))


class DeployingApi(Api[HttpApiState]):
    """The stage of an HTTP API."""

    api_kind = ApiKind.HTTP

    def read_stages(self, api_id: str) -> dict[str, Mapping[str, Any]]:
        pages = self.cloud.apigatewayv2.get_paginator("get_stages").paginate(ApiId=api_id)
        return {stage["StageName"]: stage for page in pages for stage in page["Items"]}

    def put_stage(self, found: HttpApiState, wanted: HttpApiState, step: Step) -> None:
        """Create or update the stage, with its throttle and its access log."""
        client, stage = self.cloud.apigatewayv2, self.settings.stage
        if found.access_log and not wanted.access_log:
            # An update cannot remove it.
            with ignore_codes(NOT_FOUND):
                call_when_free(step, client.delete_access_log_settings, ApiId=found.id, StageName=stage)
        exists = stage in self.read_stages(found.id)
        put = client.update_stage if exists else client.create_stage
        arguments: dict[str, Any] = {"AutoDeploy": True}
        if wanted.throttle:
            arguments["DefaultRouteSettings"] = _route_settings(wanted.throttle)
        elif found.throttle:
            # Empty settings take the stage back to the account's own limits.
            arguments["DefaultRouteSettings"] = {}
        if log := wanted.access_log:
            arguments["AccessLogSettings"] = {"DestinationArn": log.destination, "Format": log.format}
        call_when_free(step, _put, put, ApiId=found.id, StageName=stage, **arguments)
        self._mend_throttle(found.id, wanted.throttle, step)

    def _mend_throttle(self, api_id: str, wanted: Throttle | None, step: Step) -> None:
        """Read the throttle back, and set it explicitly where it is not as described.

        AWS-FACTS 36: empty settings may leave 0 requests a second, which refuses every order.
        """
        stage = self.settings.stage
        if throttle_in(self.read_stages(api_id).get(stage, {})) != wanted:
            call_when_free(
                step,
                self.cloud.apigatewayv2.update_stage,
                ApiId=api_id,
                StageName=stage,
                DefaultRouteSettings=_route_settings(wanted or ACCOUNT_THROTTLE),
            )

    def delete_other_stages(self, api_id: str, step: Step) -> None:
        """Delete the stages that are not the described one, for example the last one of another name."""
        client = self.cloud.apigatewayv2
        for other in self.read_stages(api_id).keys() - {self.settings.stage}:
            with ignore_codes(NOT_FOUND):
                call_when_free(step, client.delete_stage, ApiId=api_id, StageName=other)


def _route_settings(throttle: Throttle) -> Any:
    return {"ThrottlingRateLimit": throttle.rate, "ThrottlingBurstLimit": throttle.burst}


def _put(put: Callable[..., Any], **arguments: Any) -> None:
    try:
        put(**arguments)
    except ClientError as error:
        if has_code(error, "BadRequestException", text="insufficient permissions to enable logging"):
            # AWS-FACTS 10
            raise AccessDeniedError(
                "could not turn on the API's access logs: your user or role may not deliver logs",
                f"Ask for {', '.join(f'logs:{call}' for call in LOG_DELIVERY_CALLS)} "
                "(`ordernotify policy setup --access-logs` prints the policy); or use --no-access-logs.",
                code="BadRequestException",
            ) from error
        # AWS-FACTS 21: made already, by an attempt that was cut off.
        if not has_code(error, "ConflictException", text="already exists"):
            raise
