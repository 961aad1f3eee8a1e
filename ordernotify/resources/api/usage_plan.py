"""The usage plan that admits the API key to the API's stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ordernotify.aws.errors import ignore_codes
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.api.base import NOT_FOUND, call_when_free
from ordernotify.resources.base import UNKNOWN, Attributes, Live, Resource, Step, Verb
from ordernotify.settings.model import Auth


class UsagePlan(Resource):
    """The plan that ties the key to the API's stage, with the throttle for each key."""

    kind = "usage-plan"
    needs: tuple[str, ...] = ("api", "api-key")
    # A plan's stage is not changed in place: AWS wants the old one taken out first, and it may be gone.
    replaced_by = frozenset({"stage"})
    removed_when_unwanted = True

    @property
    def name(self) -> str:
        """The plan's name."""
        return self.settings.names.usage_plan

    @property
    def arn(self) -> str:
        """Empty: the ARN holds the id that AWS chooses."""
        return ""

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        """TagResource is also checked for a new plan."""
        put_key = ("CreateUsagePlanKey", "DeleteUsagePlanKey")
        change = ("UpdateUsagePlan", "DeleteUsagePlan", "TagResource", *put_key)
        return {
            Verb.FIND: (allow("apigateway", "GetUsagePlans", "GetUsagePlanKeys"),),
            Verb.CREATE: (allow("apigateway", "CreateUsagePlan", "TagResource", *put_key),),
            Verb.UPDATE: (allow("apigateway", *change),),
            Verb.DELETE: (allow("apigateway", "UpdateUsagePlan", "DeleteUsagePlan"),),
        }

    @property
    def wanted(self) -> bool:
        """Only where clients must present a key."""
        return self.settings.auth is Auth.API_KEY

    def described(self, needed: Mapping[str, Live]) -> Attributes:
        """Return the stage, the key and the throttle."""
        api, key = needed.get("api"), needed.get("api-key")
        throttle = {"rate": self.settings.rate, "burst": self.settings.burst}
        return {
            "stage": f"{api.ids['id']}:{self.settings.stage}" if api else UNKNOWN,
            "key": key.ids["id"] if key else UNKNOWN,
            "throttle": throttle if self.settings.rate else None,
            "copies": 1,
        }

    def find(self) -> Live | None:
        """Read the plan and its keys; one of ours wins over others of its name."""
        plans = self._plans()
        if not plans:
            return None
        ours = [plan for plan in plans if self.owns(plan.get("tags", {}))]
        plan = (ours or plans)[0]
        throttle = plan.get("throttle") or {}
        attributes = {
            "stage": " ".join(_stages(plan)),
            "key": " ".join(sorted(self._keys(plan["id"]))),
            "throttle": {"rate": int(throttle["rateLimit"]), "burst": throttle.get("burstLimit")}
            if throttle.get("rateLimit")
            else None,
            "copies": max(len(ours), 1),
        }
        return self._live(plan["id"], attributes, plan.get("tags", {}))

    def create(self, step: Step) -> Live:
        """Create the plan with its stage and throttle, then put the key into it."""
        api, wanted = step.needed["api"], self.described(step.needed)
        arguments: dict[str, Any] = {}
        if wanted["throttle"]:
            rate, burst = wanted["throttle"]["rate"], wanted["throttle"]["burst"]
            arguments["throttle"] = {"rateLimit": rate, "burstLimit": burst}
        created = call_when_free(
            step,
            self.cloud.apigateway.create_usage_plan,
            name=self.name,
            description="Who may post orders (ordernotify)",
            apiStages=[{"apiId": api.ids["id"], "stage": self.settings.stage}],
            tags=self.settings.all_tags,
            **arguments,
        )
        return self.update(self._live(created["id"], {}), frozenset({"key"}), step)

    def update(self, live: Live, changed: frozenset[str], step: Step) -> Live:
        """Set the throttle, put the key into the plan and take others out, and delete copies of the plan."""
        plan_id, wanted = live.ids["id"], self.described(step.needed)
        if "throttle" in changed:
            self._put_throttle(plan_id, wanted["throttle"], step)
        if "key" in changed:
            self._put_key(plan_id, wanted["key"], step)
        if "copies" in changed:
            self._delete_all_but(plan_id, step)
        return self._live(plan_id, wanted)

    def put_tags(self, live: Live) -> None:
        """Add the tags."""
        self.cloud.apigateway.tag_resource(resourceArn=live.arn, tags=self.settings.all_tags)

    def has_rival(self, live: Live) -> bool:
        """Whether the plan just made is not the only one of ours that has the name."""
        ours = [plan["id"] for plan in self._plans() if self.owns(plan.get("tags", {}))]
        return ours != [live.ids["id"]]

    def delete(self, live: Live, step: Step) -> None:
        """Delete every plan of ours that has the name."""
        self._delete_all_but("", step)

    def _plans(self) -> list[dict[str, Any]]:
        pages = self.cloud.apigateway.get_paginator("get_usage_plans").paginate()
        return [dict(plan) for page in pages for plan in page["items"] if plan["name"] == self.name]

    def _keys(self, plan_id: str) -> set[str]:
        pages = self.cloud.apigateway.get_paginator("get_usage_plan_keys").paginate(usagePlanId=plan_id)
        return {key["id"] for page in pages for key in page["items"]}

    def _put_throttle(self, plan_id: str, throttle: Mapping[str, int] | None, step: Step) -> None:
        rate = [("rateLimit", throttle["rate"]), ("burstLimit", throttle["burst"])] if throttle else []
        operations: Any = [
            {"op": "replace", "path": f"/throttle/{name}", "value": str(value)} for name, value in rate
        ]
        call_when_free(
            step,
            self.cloud.apigateway.update_usage_plan,
            usagePlanId=plan_id,
            patchOperations=operations or [{"op": "remove", "path": "/throttle"}],
        )

    def _put_key(self, plan_id: str, key_id: str, step: Step) -> None:
        client, present = self.cloud.apigateway, self._keys(plan_id)
        if key_id not in present:
            # AWS-FACTS 21: there already, put by an attempt that was cut off.
            with ignore_codes("ConflictException"):
                call_when_free(
                    step, client.create_usage_plan_key, usagePlanId=plan_id, keyId=key_id, keyType="API_KEY"
                )
        for other in present - {key_id}:
            with ignore_codes(NOT_FOUND):
                call_when_free(step, client.delete_usage_plan_key, usagePlanId=plan_id, keyId=other)

    def _delete_all_but(self, kept: str, step: Step) -> None:
        for plan in self._plans():
            if plan["id"] != kept and self.owns(plan.get("tags", {})):
                self._delete(plan, step)

    def _delete(self, plan: Mapping[str, Any], step: Step) -> None:
        client, plan_id = self.cloud.apigateway, plan["id"]
        with ignore_codes(NOT_FOUND):
            for stage in _stages(plan):
                # AWS refuses to delete a plan that has stages.
                with ignore_codes(NOT_FOUND):  # the stage: taken out by an attempt that was cut off
                    call_when_free(
                        step,
                        client.update_usage_plan,
                        usagePlanId=plan_id,
                        patchOperations=[{"op": "remove", "path": "/apiStages", "value": stage}],
                    )
            call_when_free(step, client.delete_usage_plan, usagePlanId=plan_id)

    def _live(self, plan_id: str, attributes: Attributes, tags: Mapping[str, str] | None = None) -> Live:
        arn = f"arn:{self.cloud.partition}:apigateway:{self.cloud.region}::/usageplans/{plan_id}"
        return Live(arn, attributes, tags is None or self.owns(tags), tags, {"id": plan_id})


def _stages(plan: Mapping[str, Any]) -> list[str]:
    return [f"{entry['apiId']}:{entry['stage']}" for entry in plan.get("apiStages") or ()]
