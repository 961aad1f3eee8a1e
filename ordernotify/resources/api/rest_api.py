"""Guide step 5: the REST API with `POST /orders`, its proxy integration, deployment and stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from ordernotify.aws.errors import ignore_codes
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.api.base import METHOD, proxied_on_preflight, removes_api
from ordernotify.resources.api.listing import FoundApi, api_arn, lists_apis
from ordernotify.resources.api.quota import NOT_FOUND, call_when_free
from ordernotify.resources.api.rest_stage import (
    EXECUTION_LOGS,
    NO_EXECUTION_LOGS,
    STAGE_CALLS,
    DeployedApi,
    RestApiState,
    access_log_in,
    execution_logs_in,
    throttle_in,
)
from ordernotify.resources.base import Live, Needed, Step, Verb
from ordernotify.resources.tagged import recorded_web_acl
from ordernotify.settings.model import Auth
from ordernotify.settings.names import ORDERS_PATH

PREFLIGHT = "OPTIONS"
GATEWAY_RESPONSES: tuple[Literal["DEFAULT_4XX", "DEFAULT_5XX"], ...] = ("DEFAULT_4XX", "DEFAULT_5XX")
"""The answers that API Gateway writes itself, for example 403 and 429: a page may read them too."""
_READING_CALLS = ("GetResources", "GetGatewayResponses", "GetStages", "GetDeployments")
_CHANGING_CALLS = (
    "CreateResource",
    "PutMethod",
    "DeleteMethod",
    "PutIntegration",
    "PutGatewayResponse",
    "DeleteGatewayResponse",
    "DeleteRestApi",
)


class RestApi(DeployedApi):
    """The REST API; its stage serves what was deployed to it last."""

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        """TagResource is also checked for a new API; for an old one, so is changing it.

        https://github.com/iann0036/iam-dataset/pull/39
        """
        change = allow("apigateway", *_CHANGING_CALLS, *STAGE_CALLS)
        tag = allow("apigateway", "TagResource")
        arn = api_arn(self.cloud, self.api_kind, "*")
        return {
            Verb.FIND: (*lists_apis(self.api_kind), allow("apigateway", *_READING_CALLS)),
            Verb.CREATE: (allow("apigateway", "CreateRestApi"), tag, change),
            Verb.UPDATE: (tag, change, allow("apigateway", "PATCH", on=arn)),
            Verb.DELETE: removes_api(self.api_kind),
        }

    def described(self, needed: Needed) -> RestApiState:
        # Lambda integrations always use POST (AWS-FACTS 5).
        integration = f"AWS_PROXY POST {self.integration_uri}"
        wanted = RestApiState(
            resource=f"/{ORDERS_PATH}",
            authorization=self.authorization,
            api_key_required=self.settings.auth is Auth.API_KEY,
            integration=integration,
            preflight=integration if proxied_on_preflight(self.settings) else None,
            gateway_responses=self._gateway_responses,
            stages=(self.settings.stage,),
            throttle=self.throttle(needed),
            access_log=self.access_log,
            tracing=self.settings.tracing,
            execution_logs=EXECUTION_LOGS if self.settings.execution_logs else NO_EXECUTION_LOGS,
        )
        return replace(wanted, deployed=wanted.fingerprint)

    def read(self, entry: FoundApi, copies: int) -> RestApiState:
        resource = self._find_resource(entry.id, f"/{ORDERS_PATH}") or {}
        methods = resource.get("resourceMethods", {})
        method = methods.get(METHOD, {})
        stages, deployments = self.read_stages(entry.id), self.read_deployments(entry.id)
        stage = stages.get(self.settings.stage, {})
        current = stage.get("deploymentId", "")
        return RestApiState(
            id=entry.id,
            url=self.invoke_url(entry.id),
            description=entry.description,
            endpoint_types=entry.endpoint_types,
            resource=resource["path"] if method else None,
            authorization=method.get("authorizationType"),
            api_key_required=method.get("apiKeyRequired", False),
            integration=_integration_text(method),
            preflight=_integration_text(methods.get(PREFLIGHT, {})),
            gateway_responses=self._find_gateway_responses(entry.id),
            deployed=deployments.get(current),
            other_deployments=len(deployments.keys() - {current}),
            stages=tuple(sorted(stages)),
            throttle=throttle_in(stage),
            access_log=access_log_in(stage),
            tracing=stage.get("tracingEnabled", False),
            execution_logs=execution_logs_in(stage),
            copies=copies,
            web_acl=stage.get("webAclArn") or "",
        )

    def create(self, step: Step) -> Live[RestApiState]:
        created = call_when_free(
            step,
            self.cloud.apigateway.create_rest_api,
            name=self.name,
            description="Takes orders (ordernotify)",
            endpointConfiguration={"types": ["REGIONAL"]},
            tags=self.settings.all_tags,
        )
        api_id = created["id"]
        new = RestApiState(id=api_id, url=self.invoke_url(api_id))
        return self.update(Live(api_arn(self.cloud, self.api_kind, api_id), new), step)

    def update(self, live: Live[RestApiState], step: Step) -> Live[RestApiState]:
        """Put every part that differs, then deploy: never before the integrations are there (AWS-FACTS 8)."""
        found, wanted = live.state, self.described(step.needed)
        if found.copies != wanted.copies:
            self.delete_all_but(live.arn, step)
        self._put_methods(found, wanted, step)
        if found.gateway_responses != wanted.gateway_responses:
            self._put_gateway_responses(found.id, wanted.gateway_responses, step)
        if found.served != wanted.served:
            self.deploy(found.id, wanted.deployed, step)
        self.put_stage(found, wanted, step)
        if found.stages != wanted.stages:
            self.delete_other_stages(found.id, step)
        if found.served != wanted.served or found.other_deployments:
            self.delete_other_deployments(found.id, step)
        return Live(live.arn, replace(wanted, id=found.id, url=found.url))

    def staying(self, live: Live[RestApiState]) -> tuple[str, ...]:
        """Say which web ACL somebody else associated with the stage."""
        acl = live.state.web_acl
        if not acl or self.settings.waf_acl or acl == recorded_web_acl(self.cloud, self.settings):
            return ()
        return (
            f"The web ACL {acl} is not described and stays with the stage {self.settings.stage}: "
            "setup did not associate it.",
        )

    @property
    def _gateway_responses(self) -> dict[str, dict[str, str]]:
        """The CORS headers of API Gateway's own answers.

        They hold no secret: with several origins, each is simply told its own.
        """
        origins = self.settings.cors_origins
        if not origins:
            return {}
        origin = f"'{origins[0]}'" if len(origins) == 1 else "method.request.header.Origin"
        headers = {"Access-Control-Allow-Origin": origin}
        if origin != "'*'":
            headers["Vary"] = "'Origin'"
        parameters = {f"gatewayresponse.header.{name}": value for name, value in headers.items()}
        return dict.fromkeys(GATEWAY_RESPONSES, parameters)

    def _find_resource(self, api_id: str, path: str) -> dict[str, Any] | None:
        pages = self.cloud.apigateway.get_paginator("get_resources").paginate(
            restApiId=api_id, embed=["methods"]
        )
        found = (dict(r) for page in pages for r in page["items"] if r["path"] == path)
        return next(found, None)

    def _find_gateway_responses(self, api_id: str) -> dict[str, dict[str, str]]:
        pages = self.cloud.apigateway.get_paginator("get_gateway_responses").paginate(restApiId=api_id)
        return {
            found["responseType"]: found["responseParameters"]
            for page in pages
            for found in page["items"]
            if found["responseType"] in GATEWAY_RESPONSES and found.get("responseParameters")
        }

    def _put_gateway_responses(
        self, api_id: str, wanted: Mapping[str, Mapping[str, str]], step: Step
    ) -> None:
        client = self.cloud.apigateway
        for kind in GATEWAY_RESPONSES:
            parameters = wanted.get(kind)
            if parameters:
                call_when_free(
                    step,
                    client.put_gateway_response,
                    restApiId=api_id,
                    responseType=kind,
                    responseParameters=parameters,
                )
            else:
                with ignore_codes(NOT_FOUND):
                    call_when_free(step, client.delete_gateway_response, restApiId=api_id, responseType=kind)

    def _put_methods(self, found: RestApiState, wanted: RestApiState, step: Step) -> None:
        if (found.method, found.preflight) == (wanted.method, wanted.preflight):
            return
        resource_id = self._ensure_resource(found.id, step)
        if found.method != wanted.method:
            key = wanted.api_key_required
            self._put_method(found.id, resource_id, METHOD, step, authorization=self.authorization, key=key)
        if found.preflight == wanted.preflight:
            return
        if wanted.preflight:
            # A browser's preflight carries neither signature nor key (https://fetch.spec.whatwg.org).
            self._put_method(found.id, resource_id, PREFLIGHT, step, authorization="NONE", key=False)
        else:
            call_when_free(step, self._delete_method, found.id, resource_id, PREFLIGHT)

    def _ensure_resource(self, api_id: str, step: Step) -> str:
        found = self._find_resource(api_id, f"/{ORDERS_PATH}")
        if found is None:
            root = self._find_resource(api_id, "/")
            assert root is not None, "every REST API has a root resource"
            call_when_free(step, self._create_resource, api_id, root["id"])
            found = self._find_resource(api_id, f"/{ORDERS_PATH}")
        assert found is not None, "the resource was made a moment ago"
        return str(found["id"])

    def _create_resource(self, api_id: str, root_id: str) -> None:
        # AWS-FACTS 21: made already, by an attempt that was cut off.
        with ignore_codes("ConflictException", text="already has this name"):
            self.cloud.apigateway.create_resource(restApiId=api_id, parentId=root_id, pathPart=ORDERS_PATH)

    def _put_method(
        self, api_id: str, resource_id: str, method: str, step: Step, *, authorization: str, key: bool
    ) -> None:
        client = self.cloud.apigateway

        def replace() -> None:
            self._delete_method(api_id, resource_id, method)
            client.put_method(
                restApiId=api_id,
                resourceId=resource_id,
                httpMethod=method,
                authorizationType=authorization,
                apiKeyRequired=key,
            )

        call_when_free(step, replace)
        call_when_free(
            step,
            client.put_integration,
            restApiId=api_id,
            resourceId=resource_id,
            httpMethod=method,
            type="AWS_PROXY",
            integrationHttpMethod="POST",
            uri=self.integration_uri,
        )

    def _delete_method(self, api_id: str, resource_id: str, method: str) -> None:
        with ignore_codes(NOT_FOUND):
            self.cloud.apigateway.delete_method(restApiId=api_id, resourceId=resource_id, httpMethod=method)


def _integration_text(method: Mapping[str, Any]) -> str | None:
    integration = method.get("methodIntegration")
    if not integration:
        return None
    return " ".join(str(integration.get(key)) for key in ("type", "httpMethod", "uri"))
