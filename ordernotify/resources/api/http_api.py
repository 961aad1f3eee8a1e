"""Guide step 5, the other kind: the HTTP API with the route `POST /orders`, its integration and stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ordernotify.aws.errors import has_code, ignore_codes
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.api.base import (
    ALLOWED_HEADERS,
    EXPOSED_HEADERS,
    LOG_DELIVERY_REMOVAL,
    METHOD,
    PREFLIGHT_SECONDS,
    removes_api,
)
from ordernotify.resources.api.http_stage import (
    LOG_DELIVERY_CALLS,
    Cors,
    DeployingApi,
    HttpApiState,
    access_log_in,
    throttle_in,
)
from ordernotify.resources.api.listing import FoundApi, api_arn, lists_apis
from ordernotify.resources.api.quota import NOT_FOUND, call_when_free
from ordernotify.resources.base import Live, Needed, Step, Verb
from ordernotify.settings.names import ORDERS_PATH

if TYPE_CHECKING:
    from mypy_boto3_apigatewayv2.type_defs import IntegrationTypeDef, RouteTypeDef

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


class HttpApi(DeployingApi):
    """The HTTP API; its stage deploys every change by itself."""

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        """TagResource is also checked as an action of its own: on the listing, and on an old API.

        AWS-FACTS 29 and 37.
        """
        change: Calls = (allow("apigatewayv2", *_CHANGING_CALLS, "TagResource"),)
        if self.settings.access_logs:
            change += (allow("logs", *LOG_DELIVERY_CALLS, on="*"),)
        listing = api_arn(self.cloud, self.api_kind, "").rstrip("/")
        tag_new = allow("apigateway", "TagResource", on=listing)
        tag_old = allow("apigateway", "TagResource", on=f"{listing}/*")
        return {
            Verb.FIND: (*lists_apis(self.api_kind), allow("apigatewayv2", *_READING_CALLS)),
            Verb.CREATE: (allow("apigatewayv2", "CreateApi"), tag_new, *change),
            Verb.UPDATE: (tag_old, LOG_DELIVERY_REMOVAL, *change),
            Verb.DELETE: removes_api(self.api_kind),
        }

    def described(self, needed: Needed) -> HttpApiState:
        return HttpApiState(
            route=ROUTE_KEY,
            authorization=self.authorization,
            integration=f"AWS_PROXY {PAYLOAD_VERSION} {self.integration_uri}",
            cors=self._cors,
            stages=(self.settings.stage,),
            automatic_deployment=True,
            throttle=self.throttle(needed),
            access_log=self.access_log,
        )

    def read(self, entry: FoundApi, copies: int) -> HttpApiState:
        route = self._find_route(entry.id)
        integrations = self._integrations(entry.id)
        integration = integrations.get(_target(route)) if route else None
        stages = self.read_stages(entry.id)
        stage = stages.get(self.settings.stage, {})
        return HttpApiState(
            id=entry.id,
            url=self.invoke_url(entry.id),
            description=entry.description,
            route=route["RouteKey"] if route else None,
            authorization=route.get("AuthorizationType") if route else None,
            integration=_integration_text(integration) if integration else None,
            other_integrations=len(integrations) - (1 if integration else 0),
            cors=_cors_in(entry.cors),
            stages=tuple(sorted(stages)),
            automatic_deployment=stage.get("AutoDeploy", False),
            throttle=throttle_in(stage),
            access_log=access_log_in(stage),
            copies=copies,
        )

    def create(self, step: Step) -> Live[HttpApiState]:
        """Create the API with its tags, then its parts; the stage last, so that it deploys once."""
        created = call_when_free(
            step,
            self.cloud.apigatewayv2.create_api,
            Name=self.name,
            ProtocolType="HTTP",
            Description="Takes orders (ordernotify)",
            Tags=self.settings.all_tags,
        )
        api_id = created["ApiId"]
        new = HttpApiState(id=api_id, url=self.invoke_url(api_id))
        return self.update(Live(api_arn(self.cloud, self.api_kind, api_id), new), step)

    def update(self, live: Live[HttpApiState], step: Step) -> Live[HttpApiState]:
        found, wanted = live.state, self.described(step.needed)
        if found.copies != wanted.copies:
            self.delete_all_but(live.arn, step)
        if found.cors != wanted.cors:
            self._put_cors(found.id, wanted.cors, step)
        if found.way != wanted.way:
            self._put_route(found.id, wanted, step)
        if found.stage != wanted.stage:
            self.put_stage(found, wanted, step)
        if found.stages != wanted.stages:
            self.delete_other_stages(found.id, step)
        return Live(live.arn, replace(wanted, id=found.id, url=found.url))

    def put_tags(self, live: Live[HttpApiState]) -> None:
        self.cloud.apigatewayv2.tag_resource(ResourceArn=live.arn, Tags=self.settings.all_tags)

    @property
    def _cors(self) -> Cors | None:
        if not self.settings.cors_origins:
            return None
        return Cors(
            allow_origins=tuple(sorted(self.settings.cors_origins)),
            allow_methods=(METHOD,),
            allow_headers=ALLOWED_HEADERS,
            expose_headers=EXPOSED_HEADERS,
            max_age=PREFLIGHT_SECONDS,
        )

    def _put_cors(self, api_id: str, cors: Cors | None, step: Step) -> None:
        client = self.cloud.apigatewayv2
        if cors:
            configuration: Any = {
                "AllowOrigins": list(cors.allow_origins),
                "AllowMethods": list(cors.allow_methods),
                "AllowHeaders": list(cors.allow_headers),
                "ExposeHeaders": list(cors.expose_headers),
                "MaxAge": cors.max_age,
            }
            call_when_free(step, client.update_api, ApiId=api_id, CorsConfiguration=configuration)
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

    def _put_route(self, api_id: str, wanted: HttpApiState, step: Step) -> None:
        """Point the route to one right integration, and remove the others that a cut-off create left."""
        client = self.cloud.apigatewayv2
        route, integrations = self._find_route(api_id), self._integrations(api_id)
        right = [key for key, found in integrations.items() if _integration_text(found) == wanted.integration]
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
        # Read again: a create that was cut off and repeated has just left a second one (AWS-FACTS 21).
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


def _cors_in(cors: Mapping[str, Any] | None) -> Cors | None:
    """Bring AWS's form into the one that is compared."""
    if not cors:
        return None
    return Cors(
        allow_origins=tuple(sorted(cors.get("AllowOrigins", ()))),
        allow_methods=tuple(sorted(name.upper() for name in cors.get("AllowMethods", ()))),
        allow_headers=tuple(sorted(name.lower() for name in cors.get("AllowHeaders", ()))),
        expose_headers=tuple(sorted(name.lower() for name in cors.get("ExposeHeaders", ()))),
        max_age=cors.get("MaxAge"),
    )
