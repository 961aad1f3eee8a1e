"""The stage of a REST API: what is deployed to it, what it limits, and where it logs to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ordernotify.aws.errors import has_code, ignore_codes
from ordernotify.resources.api.base import (
    NOT_FOUND,
    Api,
    call_when_free,
    throttle_of,
)
from ordernotify.resources.base import Attributes, Step
from ordernotify.settings.model import ApiKind

if TYPE_CHECKING:
    from mypy_boto3_apigateway.type_defs import PatchOperationTypeDef

LOG_ROLE_TIMEOUT_SECONDS = 60.0
STAGE_CALLS = (
    "CreateDeployment",
    "DeleteDeployment",
    "CreateStage",
    "GetStage",
    "UpdateStage",
    "DeleteStage",
)
"""What changing the stage and its deployments calls."""
_ALL_METHODS = "*/*"


def is_log_role_unknown(error: ClientError) -> bool:
    """Whether the stage does not know of the account's logging role, or not yet (AWS-FACTS 9)."""
    return has_code(error, "BadRequestException", text="CloudWatch Logs role ARN must be set")


class DeployedApi(Api):
    """A REST API as far as its stage and its deployments go."""

    api_kind = ApiKind.REST

    def stage_parts(self, api_id: str) -> Attributes:
        """Read the stages, and of the described one its deployment, its throttle and its access log."""
        listed = self.cloud.apigateway.get_stages(restApiId=api_id)["item"]
        stages: dict[str, Any] = {stage["stageName"]: stage for stage in listed}
        deployments = self._deployments(api_id)
        stage = stages.get(self.settings.stage, {})
        setting = stage.get("methodSettings", {}).get(_ALL_METHODS, {})
        current = stage.get("deploymentId", "")
        return {
            "deployed": deployments.get(current),
            "other deployments": len(deployments.keys() - {current}),
            "stages": sorted(stages),
            "throttle": throttle_of(setting.get("throttlingRateLimit"), setting.get("throttlingBurstLimit")),
            "access log": _access_log(stage),
        }

    def deploy(self, api_id: str, description: str, step: Step) -> str:
        """Deploy the API as it is, to no stage yet; returns the deployment's id.

        A later run compares the description, which says what was deployed.
        """
        created = call_when_free(
            step, self.cloud.apigateway.create_deployment, restApiId=api_id, description=description
        )
        return created["id"]

    def put_stage(self, api_id: str, deployment: str | None, changed: frozenset[str], step: Step) -> None:
        """Let the stage serve the deployment, if there is a new one, and set its throttle and access log."""
        operations: list[PatchOperationTypeDef] = []
        if deployment and not self._create_stage(api_id, deployment, step):
            operations.append({"op": "replace", "path": "/deploymentId", "value": deployment})
        if "throttle" in changed:
            operations += self._throttle_operations()
        if "access log" in changed:
            operations += self._log_operations()
        if operations:
            step.patience.retry(
                lambda: call_when_free(
                    step,
                    self.cloud.apigateway.update_stage,
                    restApiId=api_id,
                    stageName=self.settings.stage,
                    patchOperations=operations,
                ),
                when=is_log_role_unknown,
                waiting_for="API Gateway to know the account's logging role",
                timeout=LOG_ROLE_TIMEOUT_SECONDS,
            )

    def _create_stage(self, api_id: str, deployment: str, step: Step) -> bool:
        """Create the stage if there is none; returns whether that was so."""
        client, name = self.cloud.apigateway, self.settings.stage
        if name in {stage["stageName"] for stage in client.get_stages(restApiId=api_id)["item"]}:
            return False
        # AWS-FACTS 21: made already, by an attempt that was cut off.
        with ignore_codes("ConflictException", text="already exists"):
            call_when_free(
                step, client.create_stage, restApiId=api_id, stageName=name, deploymentId=deployment
            )
        return True

    def delete_other_stages(self, api_id: str, step: Step) -> None:
        """Delete the stages that are not the described one, such as the last one of another name."""
        client = self.cloud.apigateway
        for stage in client.get_stages(restApiId=api_id)["item"]:
            name = stage["stageName"]
            if name != self.settings.stage:
                with ignore_codes(NOT_FOUND):
                    call_when_free(step, client.delete_stage, restApiId=api_id, stageName=name)

    def delete_other_deployments(self, api_id: str, step: Step) -> None:
        """Delete what is deployed no more; deployments would pile up."""
        client = self.cloud.apigateway
        stage = client.get_stage(restApiId=api_id, stageName=self.settings.stage)
        for other in self._deployments(api_id).keys() - {stage["deploymentId"]}:
            with ignore_codes(NOT_FOUND):
                call_when_free(step, client.delete_deployment, restApiId=api_id, deploymentId=other)

    def _deployments(self, api_id: str) -> dict[str, str]:
        """Map each deployment to its description, which says what was deployed."""
        pages = self.cloud.apigateway.get_paginator("get_deployments").paginate(restApiId=api_id)
        return {found["id"]: found.get("description", "") for page in pages for found in page["items"]}

    def _throttle_operations(self) -> list[PatchOperationTypeDef]:
        if not self.throttle:
            return [{"op": "remove", "path": f"/{_ALL_METHODS}"}]
        path = f"/{_ALL_METHODS}/throttling"
        return [
            {"op": "replace", "path": f"{path}/rateLimit", "value": str(self.throttle["rate"])},
            {"op": "replace", "path": f"{path}/burstLimit", "value": str(self.throttle["burst"])},
        ]

    def _log_operations(self) -> list[PatchOperationTypeDef]:
        if not self.access_log:
            return [{"op": "remove", "path": "/accessLogSettings"}]
        path = "/accessLogSettings"
        return [
            {"op": "replace", "path": f"{path}/destinationArn", "value": self.access_log["destination"]},
            {"op": "replace", "path": f"{path}/format", "value": self.access_log["format"]},
        ]


def _access_log(stage: Mapping[str, Any]) -> dict[str, str] | None:
    settings = stage.get("accessLogSettings") or {}
    if not settings.get("destinationArn"):
        return None
    return {
        "destination": settings["destinationArn"].removesuffix(":*"),
        "format": settings.get("format", ""),
    }
