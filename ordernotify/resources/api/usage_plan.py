"""The usage plan that admits the API key to the API's stage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ordernotify.aws.errors import ignore_codes, map_botocore_errors
from ordernotify.aws.session import Cloud
from ordernotify.errors import OrderNotifyError
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.api.base import ApiState, Throttle
from ordernotify.resources.api.key import ApiKeyState
from ordernotify.resources.api.listing import Found, gateway_arn, tags_of_now
from ordernotify.resources.api.namesake import Namesake
from ordernotify.resources.api.quota import NOT_FOUND, call_when_free
from ordernotify.resources.base import UNKNOWN, Live, Needed, Step, Verb, needed_state
from ordernotify.settings.model import Auth
from ordernotify.settings.names import API_KEY_END, STACK_TAG, USAGE_PLAN_END

if TYPE_CHECKING:
    from mypy_boto3_apigateway.type_defs import PatchOperationTypeDef, UsagePlanTypeDef


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPlan(Found):
    """A usage plan; its stages as `api:stage`."""

    stages: tuple[str, ...]
    throttle: Throttle | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsagePlanState:
    """A usage plan: which stage (as `api:stage`) it admits which key to, by their ids."""

    id: str = field(default="", compare=False)
    description: str = field(default="", compare=False)
    owned: bool = field(default=True, compare=False)
    stage: str = ""
    key: str = ""
    throttle: Throttle | None = None
    copies: int = 1


def apis_admitted_to(cloud: Cloud, stack: str) -> set[str]:
    """Name the APIs for which the stack has keys or usage plans; the APIs themselves may be gone."""

    def names(operation: str, end: str) -> Iterator[str]:
        for page in cloud.apigateway.get_paginator(operation).paginate():  # type: ignore[call-overload]
            for one in page["items"]:
                if one.get("tags", {}).get(STACK_TAG) == stack and one["name"].endswith(end):
                    yield one["name"].removesuffix(end)

    with map_botocore_errors("list", "API keys and usage plans"):
        return {*names("get_api_keys", API_KEY_END), *names("get_usage_plans", USAGE_PLAN_END)}


def lists_admissions() -> Calls:
    """What `apis_admitted_to` calls."""
    return (allow("apigateway", "GetApiKeys", "GetUsagePlans"),)


class UsagePlan(Namesake[UsagePlanState, FoundPlan]):
    """The plan that ties the key to the API's stage, with the throttle for each key."""

    kind = "usage-plan"
    needs: tuple[str, ...] = ("api", "api-key")
    removed_when_unwanted = True

    @property
    def name(self) -> str:
        return self.settings.names.usage_plan

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        """TagResource is also checked for a new plan."""
        put_key = ("CreateUsagePlanKey", "DeleteUsagePlanKey")
        change = ("UpdateUsagePlan", "DeleteUsagePlan", "TagResource", *put_key)
        return {
            Verb.FIND: (allow("apigateway", "GetUsagePlans", "GetUsagePlanKeys", "GetTags"),),
            Verb.CREATE: (allow("apigateway", "CreateUsagePlan", "TagResource", *put_key),),
            Verb.UPDATE: (allow("apigateway", *change),),
            Verb.DELETE: (allow("apigateway", "UpdateUsagePlan", "DeleteUsagePlan"),),
        }

    @property
    def wanted(self) -> bool:
        return self.settings.auth is Auth.API_KEY

    def described(self, needed: Needed) -> UsagePlanState:
        api, key = needed_state(needed, ApiState), needed_state(needed, ApiKeyState)
        rate, burst = self.settings.rate, self.settings.burst
        return UsagePlanState(
            stage=f"{api.id}:{self.settings.stage}" if api else UNKNOWN,
            key=key.id if key else UNKNOWN,
            throttle=Throttle(int(rate), burst) if rate and burst else None,
        )

    def must_replace(self, found: UsagePlanState, wanted: UsagePlanState) -> bool:
        """Whether it is for another stage: AWS wants the old one taken out first, and it may be gone."""
        return found.stage != wanted.stage

    def refuse(self, found: UsagePlanState, wanted: UsagePlanState) -> None:
        """Refuse to take over a plan that is not for this stage: callers of another API would lose it."""
        if not found.owned and found.stage != wanted.stage:
            raise OrderNotifyError(
                f"the usage plan {self.name} does not belong to the stack {self.settings.stack} and is for "
                f"{found.stage or 'no stage'}: only a plan for the stage of this API alone can be taken over",
                "Rename or delete that plan by hand; or choose another name with --api-name.",
            )

    def named(self) -> Sequence[FoundPlan]:
        pages = self.cloud.apigateway.get_paginator("get_usage_plans").paginate()
        return [self._found(plan) for page in pages for plan in page["items"] if plan["name"] == self.name]

    def read(self, entry: FoundPlan, copies: int) -> UsagePlanState:
        return UsagePlanState(
            id=entry.id,
            description=entry.description,
            stage=" ".join(entry.stages),
            key=" ".join(sorted(self._keys(entry.id))),
            throttle=entry.throttle,
            copies=copies,
            owned=self.owns(entry.tags),
        )

    def create(self, step: Step) -> Live[UsagePlanState]:
        wanted = self.described(step.needed)
        api_id, _, stage = wanted.stage.partition(":")
        arguments: dict[str, Any] = {}
        if wanted.throttle:
            arguments["throttle"] = {
                "rateLimit": wanted.throttle.rate,
                "burstLimit": wanted.throttle.burst,
            }
        created = call_when_free(
            step,
            self.cloud.apigateway.create_usage_plan,
            name=self.name,
            description="Who may post orders (ordernotify)",
            apiStages=[{"apiId": api_id, "stage": stage}],
            tags=self.settings.all_tags,
            **arguments,
        )
        new = replace(wanted, id=created["id"], key="")
        return self.update(Live(self._arn(created["id"]), new), step)

    def update(self, live: Live[UsagePlanState], step: Step) -> Live[UsagePlanState]:
        found, wanted = live.state, self.described(step.needed)
        if found.throttle != wanted.throttle:
            self._put_throttle(found.id, wanted.throttle, step)
        if found.key != wanted.key:
            self._put_key(found.id, wanted.key, step)
        if found.copies != wanted.copies:
            self.delete_all_but(live.arn, step)
        return Live(live.arn, replace(wanted, id=found.id))

    def remove(self, entry: FoundPlan, step: Step) -> None:
        """Take the stages out of the plan, as AWS wants it, and delete it."""
        client = self.cloud.apigateway
        for stage in entry.stages:
            with ignore_codes(NOT_FOUND):  # the stage: taken out by an attempt that was cut off
                call_when_free(
                    step,
                    client.update_usage_plan,
                    usagePlanId=entry.id,
                    patchOperations=[{"op": "remove", "path": "/apiStages", "value": stage}],
                )
        call_when_free(step, client.delete_usage_plan, usagePlanId=entry.id)

    def _found(self, plan: UsagePlanTypeDef) -> FoundPlan:
        arn, throttle = self._arn(plan["id"]), plan.get("throttle") or {}
        rate, burst = throttle.get("rateLimit"), throttle.get("burstLimit")
        return FoundPlan(
            arn=arn,
            id=plan["id"],
            tags=tags_of_now(self.cloud, arn, plan.get("tags", {})),
            description=plan.get("description", ""),
            stages=tuple(f"{entry['apiId']}:{entry['stage']}" for entry in plan.get("apiStages") or ()),
            throttle=Throttle(int(rate), burst or 0) if rate else None,
        )

    def _keys(self, plan_id: str) -> set[str]:
        pages = self.cloud.apigateway.get_paginator("get_usage_plan_keys").paginate(usagePlanId=plan_id)
        return {key["id"] for page in pages for key in page["items"]}

    def _put_throttle(self, plan_id: str, throttle: Throttle | None, step: Step) -> None:
        operations: list[PatchOperationTypeDef] = [{"op": "remove", "path": "/throttle"}]
        if throttle:
            operations = [
                {"op": "replace", "path": "/throttle/rateLimit", "value": str(throttle.rate)},
                {"op": "replace", "path": "/throttle/burstLimit", "value": str(throttle.burst)},
            ]
        call_when_free(
            step, self.cloud.apigateway.update_usage_plan, usagePlanId=plan_id, patchOperations=operations
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

    def _arn(self, plan_id: str) -> str:
        return gateway_arn(self.cloud, "usageplans", plan_id)
