"""Guide step 5, the other kind: the HTTP API with the route `POST /orders`, its integration and stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, cast

from botocore.exceptions import ClientError

from ordernotify.aws.errors import has_code, ignore_codes
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.api.base import (
    ALLOWED_HEADERS,
    EXPOSED_HEADERS,
    METHOD,
    NOT_FOUND,
    PREFLIGHT_SECONDS,
    FoundApi,
    OldApi,
    api_arn,
    call_when_free,
    lists_apis,
)
from ordernotify.resources.api.http_stage import LOG_DELIVERY_CALLS, DeployingApi
from ordernotify.resources.base import Attributes, Live, Step, Verb
from ordernotify.settings.names import ORDERS_PATH

if TYPE_CHECKING:
    from mypy_boto3_apigatewayv2.type_defs import CorsTypeDef, IntegrationTypeDef, RouteTypeDef

ROUTE_KEY = f"{METHOD} /{ORDERS_PATH}"
PAYLOAD_VERSION = "2.0"
_READING_CALLS = ("GetRoutes", "GetIntegrations", "GetStages")
_CHANGING_CALLS = (
    "UpdateApi",
    "DeleteCorsConfiguration",
    "CreateIntegration",
    "DeleteIntegration",
    "CreateRoute",
    "UpdateRoute",
    "CreateStage",
    "UpdateStage",
    "DeleteAccessLogSettings",
    "DeleteStage",
    "DeleteApi",
)
_CORS: Mapping[str, Callable[[str], str]] = {
    "AllowOrigins": str,
    "AllowMethods": str.upper,
    "AllowHeaders": str.lower,
    "ExposeHeaders": str.lower,
}
"""The lists of a CORS configuration, each with the form in which its values are compared."""


class HttpApi(DeployingApi):
    """The HTTP API; its stage deploys every change by itself."""

    takes_place_of: ClassVar[str | None] = "old-api"

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        """TagResource is also checked for a new API, as an action of its own on the listing."""
        change: Calls = (allow("apigatewayv2", *_CHANGING_CALLS, "TagResource"),)
        if self.settings.access_logs:
            change += (allow("logs", *LOG_DELIVERY_CALLS, on="*"),)
        listing = api_arn(self.cloud, self.api_kind, "").rstrip("/")
        tag_new = allow("apigateway", "TagResource", on=listing)
        return {
            Verb.FIND: (*lists_apis(self.api_kind), allow("apigatewayv2", *_READING_CALLS)),
            Verb.CREATE: (allow("apigatewayv2", "CreateApi"), tag_new, *change),
            Verb.UPDATE: change,
            Verb.DELETE: (allow("apigatewayv2", "DeleteApi"),),
        }

    def described(self, needed: Mapping[str, Live]) -> Attributes:
        """Return the route, the integration, CORS, and the stage with what it limits and logs."""
        return {
            "route": ROUTE_KEY,
            "authorization": self.authorization,
            "integration": self._integration,
            "other integrations": 0,
            "cors": self._cors,
            "stages": [self.settings.stage],
            "automatic deployment": True,
            "throttle": self.throttle,
            "access log": self.access_log,
            "copies": 1,
        }

    def parts(self, api: FoundApi) -> Attributes:
        """Read the route, its integration, and the stage."""
        route = self._find_route(api.id)
        integrations = self._integrations(api.id)
        target = _target(route) if route else None
        integration = integrations.get(target or "")
        return {
            "route": route["RouteKey"] if route else None,
            "authorization": route.get("AuthorizationType") if route else None,
            "integration": _integration_text(integration) if integration else None,
            "other integrations": len(integrations) - (1 if integration else 0),
            "cors": _cors_attribute(api.cors),
            **self.stage_parts(api.id),
        }

    def create(self, step: Step) -> Live:
        """Create the API with its tags, then its parts; the stage last, so that it deploys once."""
        created = call_when_free(
            step,
            self.cloud.apigatewayv2.create_api,
            Name=self.name,
            ProtocolType="HTTP",
            Description="Takes orders (ordernotify)",
            Tags=self.settings.all_tags,
        )
        wanted = self.described(step.needed)
        missing = frozenset(name for name, value in wanted.items() if value) - {"copies"}
        return self.update(self.found(created["ApiId"], {}), missing, step)

    def update(self, live: Live, changed: frozenset[str], step: Step) -> Live:
        """Put every part that differs."""
        api_id = live.ids["id"]
        if "copies" in changed:
            self.delete_copies(api_id, step)
        if "cors" in changed:
            self._put_cors(api_id, step)
        if changed & {"route", "authorization", "integration", "other integrations"}:
            self._put_route(api_id, step)
        if changed & {"stages", "automatic deployment", "throttle", "access log"}:
            self.put_stage(api_id, step, forget_logs="access log" in changed and not self.access_log)
        if "stages" in changed:
            self.delete_other_stages(api_id, step)
        return self.found(api_id, self.described(step.needed))

    def put_tags(self, live: Live) -> None:
        """Add the tags."""
        self.cloud.apigatewayv2.tag_resource(ResourceArn=live.arn, Tags=self.settings.all_tags)

    def remove(self, api_id: str) -> None:
        """Delete one API."""
        self.cloud.apigatewayv2.delete_api(ApiId=api_id)

    @property
    def _integration(self) -> str:
        return f"AWS_PROXY {PAYLOAD_VERSION} {self.integration_uri}"

    @property
    def _cors(self) -> dict[str, Any] | None:
        if not self.settings.cors_origins:
            return None
        return {
            "AllowOrigins": sorted(self.settings.cors_origins),
            "AllowMethods": [METHOD],
            "AllowHeaders": list(ALLOWED_HEADERS),
            "ExposeHeaders": list(EXPOSED_HEADERS),
            "MaxAge": PREFLIGHT_SECONDS,
        }

    def _put_cors(self, api_id: str, step: Step) -> None:
        client = self.cloud.apigatewayv2
        if self._cors:
            cors = cast("CorsTypeDef", self._cors)
            call_when_free(step, client.update_api, ApiId=api_id, CorsConfiguration=cors)
        else:
            # An update cannot remove it.
            with ignore_codes(NOT_FOUND):
                call_when_free(step, client.delete_cors_configuration, ApiId=api_id)

    def _find_route(self, api_id: str) -> RouteTypeDef | None:
        pages = self.cloud.apigatewayv2.get_paginator("get_routes").paginate(ApiId=api_id)
        return next((r for page in pages for r in page["Items"] if r["RouteKey"] == ROUTE_KEY), None)

    def _integrations(self, api_id: str) -> dict[str, IntegrationTypeDef]:
        pages = self.cloud.apigatewayv2.get_paginator("get_integrations").paginate(ApiId=api_id)
        return {found["IntegrationId"]: found for page in pages for found in page["Items"]}

    def _put_route(self, api_id: str, step: Step) -> None:
        """Point the route to one right integration, and remove the others that a cut-off create left."""
        client = self.cloud.apigatewayv2
        route, integrations = self._find_route(api_id), self._integrations(api_id)
        right = [key for key, found in integrations.items() if _integration_text(found) == self._integration]
        kept = right[0] if right else self._create_integration(api_id, step)
        target = f"integrations/{kept}"
        if route:
            call_when_free(
                step,
                client.update_route,
                ApiId=api_id,
                RouteId=route["RouteId"],
                AuthorizationType=self.authorization,  # type: ignore[arg-type]
                Target=target,
            )
        else:
            call_when_free(step, self._create_route, api_id, target)
        # Read anew: a create that was cut off and repeated has just left a second one (AWS-FACTS 21).
        for spare in self._integrations(api_id).keys() - {kept}:
            with ignore_codes(NOT_FOUND):
                call_when_free(step, client.delete_integration, ApiId=api_id, IntegrationId=spare)

    def _create_integration(self, api_id: str, step: Step) -> str:
        created = call_when_free(
            step,
            self.cloud.apigatewayv2.create_integration,
            ApiId=api_id,
            IntegrationType="AWS_PROXY",
            IntegrationMethod="POST",
            IntegrationUri=self.integration_uri,
            PayloadFormatVersion=PAYLOAD_VERSION,
        )
        return created["IntegrationId"]

    def _create_route(self, api_id: str, target: str) -> None:
        try:
            self.cloud.apigatewayv2.create_route(
                ApiId=api_id,
                RouteKey=ROUTE_KEY,
                AuthorizationType=self.authorization,  # type: ignore[arg-type]
                Target=target,
            )
        except ClientError as error:
            # AWS-FACTS 21: made already, by an attempt that was cut off.
            if not has_code(error, "ConflictException", text="already exists"):
                raise


def _target(route: RouteTypeDef) -> str:
    return route.get("Target", "").removeprefix("integrations/")


def _integration_text(found: IntegrationTypeDef) -> str:
    keys = ("IntegrationType", "PayloadFormatVersion", "IntegrationUri")
    return " ".join(str(found.get(key)) for key in keys)


def _cors_attribute(cors: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Bring AWS's form into ours: the cases of names may come back changed, and the order means nothing."""
    if not cors:
        return None
    lists = {name: sorted(form(value) for value in cors.get(name, ())) for name, form in _CORS.items()}
    return {**lists, "MaxAge": cors.get("MaxAge")}


class OldHttpApi(OldApi, HttpApi):
    """The HTTP API of a stack that is described with a REST API now."""
