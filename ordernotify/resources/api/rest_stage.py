"""The stage of a REST API: what is deployed to it, what it limits, and where it logs to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ordernotify.aws.errors import has_code, ignore_codes
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
from ordernotify.resources.base import Step, internal
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
NO_EXECUTION_LOGS = "OFF"
EXECUTION_LOGS = "INFO"
"""Every step of every request. API Gateway's data tracing, which would log bodies and headers, stays off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestContents(ApiState):
    """What takes effect only when it is deployed; the defaults are a new API without any part."""

    resource: str | None = None
    authorization: str | None = None
    api_key_required: bool = False
    integration: str | None = None
    preflight: str | None = None
    """The integration of the method that answers browsers' preflights."""
    gateway_responses: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def method(self) -> tuple[object, ...]:
        """What the method that takes orders is put with."""
        return self.resource, self.authorization, self.api_key_required, self.integration

    @property
    def contents(self) -> dict[str, object]:
        """What is deployed, by the plan's words."""
        return {
            one.name.replace("_", " "): getattr(self, one.name) for one in fields(RestContents) if one.compare
        }

    @property
    def fingerprint(self) -> str:
        """A deployment's description: it tells a later run what was deployed."""
        digest = hashlib.sha256(json.dumps(self.contents, sort_keys=True).encode()).hexdigest()
        return f"ordernotify {digest[:16]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RestApiState(RestContents):
    """A REST API with its deployments and stages."""

    endpoint_types: tuple[str, ...] = field(default=(), compare=False)
    deployed: str | None = field(default=None, metadata=internal("the deployment is not the newest"))
    """The fingerprint of what the described stage serves."""
    other_deployments: int = field(default=0, metadata=internal("old deployments"))
    stages: tuple[str, ...] = ()
    throttle: Throttle | None = None
    access_log: AccessLog | None = None
    tracing: bool = False
    execution_logs: str = NO_EXECUTION_LOGS
    """The level."""
    copies: int = 1
    web_acl: str = field(default="", compare=False)
    """The ARN of the web ACL that the stage has, whoever associated it."""

    @property
    def served(self) -> tuple[object, ...]:
        """What a new deployment is made for."""
        return self.contents, self.deployed, self.stages


def is_log_role_unknown(error: ClientError) -> bool:
    """Whether the stage does not know of the account's logging role, or not yet (AWS-FACTS 9)."""
    return has_code(error, "BadRequestException", text="CloudWatch Logs role ARN must be set")


def throttle_in(stage: Mapping[str, Any]) -> Throttle | None:
    setting = stage.get("methodSettings", {}).get(_ALL_METHODS, {})
    return throttle_of(setting.get("throttlingRateLimit"), setting.get("throttlingBurstLimit"))


def execution_logs_in(stage: Mapping[str, Any]) -> str:
    """Read at which level a stage logs what API Gateway does with every request, and whether in full."""
    setting = stage.get("methodSettings", {}).get(_ALL_METHODS, {})
    level: str = setting.get("loggingLevel") or NO_EXECUTION_LOGS
    return f"{level} with bodies" if setting.get("dataTraceEnabled") else level


def access_log_in(stage: Mapping[str, Any]) -> AccessLog | None:
    settings = stage.get("accessLogSettings") or {}
    return access_log_of(settings.get("destinationArn"), settings.get("format"))


class DeployedApi(Api[RestApiState]):
    """The stage and the deployments of a REST API."""

    api_kind = ApiKind.REST

    def read_stages(self, api_id: str) -> dict[str, Mapping[str, Any]]:
        listed = self.cloud.apigateway.get_stages(restApiId=api_id)["item"]
        return {stage["stageName"]: stage for stage in listed}

    def read_deployments(self, api_id: str) -> dict[str, str]:
        """Map each deployment to its description, which says what was deployed."""
        pages = self.cloud.apigateway.get_paginator("get_deployments").paginate(restApiId=api_id)
        return {found["id"]: found.get("description", "") for page in pages for found in page["items"]}

    def deploy(self, api_id: str, description: str | None, step: Step) -> None:
        """Deploy the API as it is, and let the described stage serve that."""
        client, name = self.cloud.apigateway, self.settings.stage
        created = call_when_free(
            step, client.create_deployment, restApiId=api_id, description=description or ""
        )
        if name in self.read_stages(api_id):
            self._update_stage(
                api_id, [{"op": "replace", "path": "/deploymentId", "value": created["id"]}], step
            )
            return
        # AWS-FACTS 21: made already, by an attempt that was cut off.
        with ignore_codes("ConflictException", text="already exists"):
            call_when_free(
                step, client.create_stage, restApiId=api_id, stageName=name, deploymentId=created["id"]
            )

    def put_stage(self, found: RestApiState, wanted: RestApiState, step: Step) -> None:
        """Set what the stage limits, logs and traces where it differs."""
        operations: list[PatchOperationTypeDef] = []
        if (found.throttle, found.execution_logs) != (wanted.throttle, wanted.execution_logs):
            operations += _method_operations(found, wanted)
        if found.tracing != wanted.tracing:
            operations.append(
                {"op": "replace", "path": "/tracingEnabled", "value": str(wanted.tracing).lower()}
            )
        if found.access_log != wanted.access_log:
            operations += _log_operations(wanted.access_log)
        if operations:
            self._update_stage(found.id, operations, step)

    def _update_stage(self, api_id: str, operations: list[PatchOperationTypeDef], step: Step) -> None:
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

    def delete_other_stages(self, api_id: str, step: Step) -> None:
        """Delete the stages that are not the described one, for example the last one of another name."""
        client = self.cloud.apigateway
        for other in self.read_stages(api_id).keys() - {self.settings.stage}:
            with ignore_codes(NOT_FOUND):
                call_when_free(step, client.delete_stage, restApiId=api_id, stageName=other)

    def delete_other_deployments(self, api_id: str, step: Step) -> None:
        """Delete the deployments that no stage serves any more; they would pile up."""
        client = self.cloud.apigateway
        stage = client.get_stage(restApiId=api_id, stageName=self.settings.stage)
        for other in self.read_deployments(api_id).keys() - {stage["deploymentId"]}:
            with ignore_codes(NOT_FOUND):
                call_when_free(step, client.delete_deployment, restApiId=api_id, deploymentId=other)


def _method_operations(found: RestApiState, wanted: RestApiState) -> list[PatchOperationTypeDef]:
    """Set what holds for all methods; without any of it, remove the settings: the account's limits hold."""
    path = f"/{_ALL_METHODS}"
    if not wanted.throttle and wanted.execution_logs == NO_EXECUTION_LOGS:
        return [{"op": "remove", "path": path}]
    limits = wanted.throttle or ACCOUNT_THROTTLE
    values = {"throttling/rateLimit": str(limits.rate), "throttling/burstLimit": str(limits.burst)}
    if found.execution_logs != wanted.execution_logs:
        values |= {"logging/loglevel": wanted.execution_logs, "logging/dataTrace": "false"}
    return [{"op": "replace", "path": f"{path}/{name}", "value": value} for name, value in values.items()]


def _log_operations(log: AccessLog | None) -> list[PatchOperationTypeDef]:
    path = "/accessLogSettings"
    if not log:
        return [{"op": "remove", "path": path}]
    return [
        {"op": "replace", "path": f"{path}/destinationArn", "value": log.destination},
        {"op": "replace", "path": f"{path}/format", "value": log.format},
    ]
