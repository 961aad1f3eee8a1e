"""Guide step 5: the REST API with `POST /orders`, its proxy integration, deployment and stage."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from ordernotify.aws import Cloud, has_code, ignore_codes, is_throttled
from ordernotify.config import ORDERS_PATH, STACK_TAG, Names
from ordernotify.resources.base import Attributes, Live, Resource, Step

METHOD = "POST"
STAGE_TAG = "ordernotify:stage"
QUOTA_TIMEOUT_SECONDS = 150.0
"""DeleteRestApi is allowed once in 30 s (AWS-FACTS 6); several stacks may be waiting for it."""
_ABSENT = "NotFoundException"
Result = TypeVar("Result")


def is_api_busy(error: ClientError) -> bool:
    """Whether the call may be repeated: throttled, or another change of the API under way (AWS-FACTS 6 and 7)."""
    return is_throttled(error) or has_code(error, "ConflictException", text="concurrent modification")


def find_rest_apis(cloud: Cloud, names: Names, stack: str) -> list[dict[str, Any]]:
    """List the REST APIs of this name, ours first, oldest first: names are not unique (AWS-FACTS 20)."""
    pages = cloud.apigateway.get_paginator("get_rest_apis").paginate(PaginationConfig={"PageSize": 500})
    named: list[dict[str, Any]] = [
        dict(api) for page in pages for api in page["items"] if api["name"] == names.api
    ]
    return sorted(
        named,
        key=lambda api: (
            api.get("tags", {}).get(STACK_TAG) != stack,
            api["createdDate"].timestamp(),
            api["id"],
        ),
    )


def rest_url(cloud: Cloud, api_id: str, stage: str) -> str:
    """Build the full address to POST orders to; emulators answer under a path of their own endpoint."""
    endpoint = cloud.endpoint_for("apigateway")
    if ".amazonaws." in endpoint:
        suffix = endpoint.partition("apigateway.")[2].rstrip("/")
        return f"https://{api_id}.execute-api.{suffix}/{stage}/{ORDERS_PATH}"
    return f"{endpoint.rstrip('/')}/_aws/execute-api/{api_id}/{stage}/{ORDERS_PATH}"


class RestApi(Resource):
    """The API and all that is in it: changed one call at a time (AWS-FACTS 7)."""

    kind = "api"

    @property
    def name(self) -> str:
        """The API's name."""
        return self.settings.names.api

    @property
    def arn(self) -> str:
        """Empty: the ARN holds the id that AWS chooses."""
        return ""

    def described(self, needed: Mapping[str, Live]) -> Attributes:
        """Return the method, the integration, the stage, and that exactly this is deployed."""
        wanted = {
            "resource": f"/{ORDERS_PATH}",
            "authorization": "NONE",
            "api key required": False,
            # Lambda integrations always use POST (AWS-FACTS 5).
            "integration": f"AWS_PROXY POST {self._integration_uri}",
            "stage": self.settings.stage,
            "copies": 1,
        }
        return {**wanted, "deployed": _fingerprint(wanted)}

    def find(self) -> Live | None:
        """Read the API and its parts; an API of ours wins over others of its name."""
        apis = find_rest_apis(self.cloud, self.settings.names, self.settings.stack)
        if not apis:
            return None
        tags = apis[0].get("tags", {})
        ours = [api for api in apis if self.owns(api.get("tags", {}))]
        attributes = {**self._parts(apis[0]["id"], tags), "copies": max(len(ours), 1)}
        return self._live(apis[0]["id"], attributes, owned=bool(ours))

    def create(self, step: Step) -> Live:
        """Create the API with its tags, then its parts, then deploy."""
        created = self._call(
            step,
            lambda: self.cloud.apigateway.create_rest_api(
                name=self.name,
                description="Takes orders (ordernotify)",
                endpointConfiguration={"types": ["REGIONAL"]},
                tags={**self.settings.all_tags, STAGE_TAG: self.settings.stage},
            ),
        )
        wanted = self.described(step.needed)
        return self.update(self._live(created["id"], {}), frozenset(wanted) - {"copies"}, step)

    def update(self, live: Live, changed: frozenset[str], step: Step) -> Live:
        """Put every part that differs, then deploy: a stage serves what was deployed to it (AWS-FACTS 8)."""
        api_id, wanted = live.ids["id"], self.described(step.needed)
        if "copies" in changed:
            self._delete_copies(api_id, step)
        resource_id = self._ensure_resource(api_id, step)
        if changed & {"resource", "authorization", "api key required"}:
            self._put_method(api_id, resource_id, step)
        if changed & {"resource", "authorization", "api key required", "integration"}:
            self._put_integration(api_id, resource_id, step)
        if changed & {"stage", "deployed", "resource", "authorization", "api key required", "integration"}:
            self._deploy(api_id, wanted, step)
        return self._live(api_id, wanted)

    def delete(self, live: Live, step: Step) -> None:
        """Delete every API of ours that has the name."""
        for api in find_rest_apis(self.cloud, self.settings.names, self.settings.stack):
            if self.owns(api.get("tags", {})):
                self._delete_api(api["id"], step)

    def _live(self, api_id: str, attributes: Attributes, *, owned: bool = True) -> Live:
        arn = f"arn:{self.cloud.partition}:apigateway:{self.cloud.region}::/restapis/{api_id}"
        url = rest_url(self.cloud, api_id, self.settings.stage)
        return Live(arn, attributes, owned, ids={"id": api_id, "url": url})

    @property
    def _integration_uri(self) -> str:
        function = self.cloud.arn("lambda", f"function:{self.settings.names.function}")
        path = f"2015-03-31/functions/{function}/invocations"
        return f"arn:{self.cloud.partition}:apigateway:{self.cloud.region}:lambda:path/{path}"

    def _parts(self, api_id: str, tags: Mapping[str, str]) -> dict[str, Any]:
        resource = self._find_resource(api_id, f"/{ORDERS_PATH}")
        method = (resource or {}).get("resourceMethods", {}).get(METHOD, {})
        integration = method.get("methodIntegration", {})
        return {
            "resource": resource["path"] if resource and method else None,
            "authorization": method.get("authorizationType"),
            "api key required": method.get("apiKeyRequired", False),
            "integration": " ".join(str(integration.get(key)) for key in ("type", "httpMethod", "uri"))
            if integration
            else None,
            **self._stage(api_id, tags),
        }

    def _stage(self, api_id: str, tags: Mapping[str, str]) -> dict[str, Any]:
        try:
            stage = self.cloud.apigateway.get_stage(restApiId=api_id, stageName=self.settings.stage)
            deployment = self.cloud.apigateway.get_deployment(
                restApiId=api_id, deploymentId=stage["deploymentId"]
            )
        except ClientError as error:
            if has_code(error, _ABSENT):
                return {"stage": None, "deployed": None}
            raise
        return {"stage": stage["stageName"], "deployed": deployment.get("description")}

    def _find_resource(self, api_id: str, path: str) -> dict[str, Any] | None:
        pages = self.cloud.apigateway.get_paginator("get_resources").paginate(
            restApiId=api_id, embed=["methods"]
        )
        for page in pages:
            for resource in page["items"]:
                if resource["path"] == path:
                    return dict(resource)
        return None

    def _ensure_resource(self, api_id: str, step: Step) -> str:
        found = self._find_resource(api_id, f"/{ORDERS_PATH}")
        if found:
            return str(found["id"])
        root = self._find_resource(api_id, "/")
        assert root is not None, "every REST API has a root resource"
        created = self._call(
            step,
            lambda: self.cloud.apigateway.create_resource(
                restApiId=api_id, parentId=root["id"], pathPart=ORDERS_PATH
            ),
        )
        return created["id"]

    def _put_method(self, api_id: str, resource_id: str, step: Step) -> None:
        def replace() -> None:
            with ignore_codes(_ABSENT):
                self.cloud.apigateway.delete_method(
                    restApiId=api_id, resourceId=resource_id, httpMethod=METHOD
                )
            self.cloud.apigateway.put_method(
                restApiId=api_id, resourceId=resource_id, httpMethod=METHOD, authorizationType="NONE"
            )

        self._call(step, replace)

    def _put_integration(self, api_id: str, resource_id: str, step: Step) -> None:
        self._call(
            step,
            lambda: self.cloud.apigateway.put_integration(
                restApiId=api_id,
                resourceId=resource_id,
                httpMethod=METHOD,
                type="AWS_PROXY",
                integrationHttpMethod="POST",
                uri=self._integration_uri,
            ),
        )

    def _deploy(self, api_id: str, wanted: Attributes, step: Step) -> None:
        # The description says what was deployed; a later run compares it.
        self._call(
            step,
            lambda: self.cloud.apigateway.create_deployment(
                restApiId=api_id, stageName=self.settings.stage, description=wanted["deployed"]
            ),
        )

    def _delete_copies(self, kept: str, step: Step) -> None:
        # AWS-FACTS 21: a create that was cut off after it was applied, and repeated, leaves a second API.
        for api in find_rest_apis(self.cloud, self.settings.names, self.settings.stack):
            if api["id"] != kept and self.owns(api.get("tags", {})):
                self._delete_api(api["id"], step)

    def _delete_api(self, api_id: str, step: Step) -> None:
        with ignore_codes(_ABSENT):
            self._call(step, lambda: self.cloud.apigateway.delete_rest_api(restApiId=api_id))

    def _call(self, step: Step, call: Callable[[], Result]) -> Result:
        return step.patience.retry(
            call,
            when=is_api_busy,
            waiting_for="API Gateway's quota",
            timeout=QUOTA_TIMEOUT_SECONDS,
            step=3.0,
        )


def _fingerprint(wanted: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()
    return f"ordernotify {digest[:16]}"
