"""The stage of an HTTP API: what it limits, and where it logs to; it deploys every change by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ordernotify.aws.errors import has_code, ignore_codes
from ordernotify.errors import AccessDeniedError
from ordernotify.resources.api.base import (
    NOT_FOUND,
    Api,
    call_when_free,
    throttle_of,
)
from ordernotify.resources.base import Attributes, Step
from ordernotify.settings.model import ApiKind

if TYPE_CHECKING:
    from mypy_boto3_apigatewayv2.type_defs import StageTypeDef

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


class DeployingApi(Api):
    """An HTTP API as far as its stage goes."""

    api_kind = ApiKind.HTTP

    def stage_parts(self, api_id: str) -> Attributes:
        """Read the stages, and of the described one its throttle and its access log."""
        stages = self._stages(api_id)
        stage = stages.get(self.settings.stage)
        settings = stage.get("DefaultRouteSettings", {}) if stage else {}
        logs = stage.get("AccessLogSettings", {}) if stage else {}
        return {
            "stages": sorted(stages),
            "automatic deployment": bool(stage and stage.get("AutoDeploy")),
            "throttle": throttle_of(
                settings.get("ThrottlingRateLimit"), settings.get("ThrottlingBurstLimit")
            ),
            "access log": {
                "destination": logs["DestinationArn"].removesuffix(":*"),
                "format": logs.get("Format", ""),
            }
            if logs.get("DestinationArn")
            else None,
        }

    def put_stage(self, api_id: str, step: Step, *, forget_logs: bool) -> None:
        """Create or update the stage, with its throttle and its access log."""
        client, stage = self.cloud.apigatewayv2, self.settings.stage
        if forget_logs:
            # An update cannot remove it.
            with ignore_codes(NOT_FOUND):
                call_when_free(step, client.delete_access_log_settings, ApiId=api_id, StageName=stage)
        exists = stage in self._stages(api_id)
        put = client.update_stage if exists else client.create_stage
        arguments = self._stage_arguments(exists)
        call_when_free(step, _put, put, ApiId=api_id, StageName=stage, **arguments)

    def delete_other_stages(self, api_id: str, step: Step) -> None:
        """Delete the stages that are not the described one, such as the last one of another name."""
        client = self.cloud.apigatewayv2
        for other in self._stages(api_id).keys() - {self.settings.stage}:
            with ignore_codes(NOT_FOUND):
                call_when_free(step, client.delete_stage, ApiId=api_id, StageName=other)

    def _stages(self, api_id: str) -> dict[str, StageTypeDef]:
        pages = self.cloud.apigatewayv2.get_paginator("get_stages").paginate(ApiId=api_id)
        return {stage["StageName"]: stage for page in pages for stage in page["Items"]}

    def _stage_arguments(self, exists: bool) -> dict[str, Any]:
        arguments: dict[str, Any] = {"AutoDeploy": True}
        if self.throttle:
            rate, burst = self.throttle["rate"], self.throttle["burst"]
            arguments["DefaultRouteSettings"] = {"ThrottlingRateLimit": rate, "ThrottlingBurstLimit": burst}
        elif exists:
            # Empty settings take the stage back to the account's own limits.
            arguments["DefaultRouteSettings"] = {}
        if self.access_log:
            log = self.access_log
            arguments["AccessLogSettings"] = {"DestinationArn": log["destination"], "Format": log["format"]}
        return arguments


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
