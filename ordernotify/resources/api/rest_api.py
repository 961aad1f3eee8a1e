"""Guide step 5: the REST API with `POST /orders`, its proxy integration, deployment and stage."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from ordernotify.aws.errors import ignore_codes
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.api.base import (
    METHOD,
    NOT_FOUND,
    FoundApi,
    OldApi,
    api_arn,
    call_when_free,
    lists_apis,
    proxied_on_preflight,
)
from ordernotify.resources.api.rest_stage import STAGE_CALLS, DeployedApi
from ordernotify.resources.base import Attributes, Live, Step, Verb
from ordernotify.settings.model import Auth
from ordernotify.settings.names import ORDERS_PATH

PREFLIGHT = "OPTIONS"
GATEWAY_RESPONSES: tuple[Literal["DEFAULT_4XX", "DEFAULT_5XX"], ...] = ("DEFAULT_4XX", "DEFAULT_5XX")
"""The answers that API Gateway gives itself, such as 403 and 429: a page may read them too."""
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
_METHOD = {"resource", "authorization", "api key required", "integration"}
_DEPLOYED = _METHOD | {"preflight", "gateway responses"}
"""What takes effect only when it is deployed."""


class RestApi(DeployedApi):
    """The REST API; its stage serves what was deployed to it last."""

    takes_place_of: ClassVar[str | None] = "old-api"

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
            Verb.DELETE: (allow("apigateway", "DeleteRestApi"),),
        }

    def described(self, needed: Mapping[str, Live]) -> Attributes:
        """Return the methods, the integration, the stage, and that exactly this is deployed."""
        deployed = {
            "resource": f"/{ORDERS_PATH}",
            "authorization": self.authorization,
            "api key required": self.settings.auth is Auth.API_KEY,
            "integration": self._integration,
            "preflight": self._integration if proxied_on_preflight(self.settings) else None,
            "gateway responses": self._gateway_responses,
        }
        return {
            **deployed,
            "deployed": _fingerprint(deployed),
            "other deployments": 0,
            "stages": [self.settings.stage],
            "throttle": self.throttle,
            "access log": self.access_log,
            "copies": 1,
        }

    def parts(self, api: FoundApi) -> Attributes:
        """Read the methods, the gateway responses, the stage and its deployment."""
        resource = self._find_resource(api.id, f"/{ORDERS_PATH}") or {}
        methods = resource.get("resourceMethods", {})
        method = methods.get(METHOD, {})
        return {
            "resource": resource["path"] if method else None,
            "authorization": method.get("authorizationType"),
            "api key required": method.get("apiKeyRequired", False),
            "integration": _integration_text(method),
            "preflight": _integration_text(methods.get(PREFLIGHT, {})),
            "gateway responses": self._find_gateway_responses(api.id),
            **self.stage_parts(api.id),
        }

    def create(self, step: Step) -> Live:
        """Create the API with its tags, then its parts, then deploy."""
        created = call_when_free(
            step,
            self.cloud.apigateway.create_rest_api,
            name=self.name,
            description="Takes orders (ordernotify)",
            endpointConfiguration={"types": ["REGIONAL"]},
            tags=self.settings.all_tags,
        )
        wanted = self.described(step.needed)
        missing = frozenset(name for name, value in wanted.items() if value) - {"copies"}
        return self.update(self.found(created["id"], {}), missing, step)

    def update(self, live: Live, changed: frozenset[str], step: Step) -> Live:
        """Put every part that differs, then deploy: never before the integrations are there (AWS-FACTS 8)."""
        api_id, wanted = live.ids["id"], self.described(step.needed)
        if "copies" in changed:
            self.delete_copies(api_id, step)
        if changed & (_METHOD | {"preflight"}):
            self._put_methods(api_id, changed, step)
        if "gateway responses" in changed:
            self._put_gateway_responses(api_id, step)
        deployment = None
        if changed & (_DEPLOYED | {"deployed", "stages"}):
            deployment = self.deploy(api_id, wanted["deployed"], step)
        self.put_stage(api_id, deployment, changed, step)
        if "stages" in changed:
            self.delete_other_stages(api_id, step)
        if changed & (_DEPLOYED | {"deployed", "stages", "other deployments"}):
            self.delete_other_deployments(api_id, step)
        return self.found(api_id, wanted)

    def put_tags(self, live: Live) -> None:
        """Add the tags."""
        self.cloud.apigateway.tag_resource(resourceArn=live.arn, tags=self.settings.all_tags)

    def remove(self, api_id: str) -> None:
        """Delete one API."""
        self.cloud.apigateway.delete_rest_api(restApiId=api_id)

    @property
    def _integration(self) -> str:
        # Lambda integrations always use POST (AWS-FACTS 5).
        return f"AWS_PROXY POST {self.integration_uri}"

    @property
    def _gateway_responses(self) -> dict[str, dict[str, str]]:
        """The CORS headers of API Gateway's own answers.

        They tell nothing that is secret, so that with several origins each is simply told its own.
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

    def _put_gateway_responses(self, api_id: str, step: Step) -> None:
        client = self.cloud.apigateway
        for kind in GATEWAY_RESPONSES:
            parameters = self._gateway_responses.get(kind)
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

    def _put_methods(self, api_id: str, changed: frozenset[str], step: Step) -> None:
        resource_id = self._ensure_resource(api_id, step)
        if changed & _METHOD:
            key = self.settings.auth is Auth.API_KEY
            self._put_method(api_id, resource_id, METHOD, step, authorization=self.authorization, key=key)
        if "preflight" in changed:
            if proxied_on_preflight(self.settings):
                # A browser's preflight carries neither signature nor key (https://fetch.spec.whatwg.org).
                self._put_method(api_id, resource_id, PREFLIGHT, step, authorization="NONE", key=False)
            else:
                call_when_free(step, self._delete_method, api_id, resource_id, PREFLIGHT)

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


def _fingerprint(deployed: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(deployed, sort_keys=True).encode()).hexdigest()
    return f"ordernotify {digest[:16]}"


class OldRestApi(OldApi, RestApi):
    """The REST API of a stack that is described with an HTTP API now."""
