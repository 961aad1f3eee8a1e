"""Guide step 6: exactly this API, stage, method and path may invoke the function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from botocore.exceptions import ClientError

from ordernotify.aws.errors import has_code, ignore_codes, read_or_none
from ordernotify.iam.calls import Calls, allow
from ordernotify.iam.documents import json_statements
from ordernotify.resources.api.base import METHOD, ApiState, proxied_on_preflight
from ordernotify.resources.base import UNKNOWN, Live, Needed, Resource, Step, Verb, needed_state
from ordernotify.settings.names import ORDERS_PATH

_PRINCIPAL = "apigateway.amazonaws.com"
_ACTION = "lambda:InvokeFunction"
_ABSENT = "ResourceNotFoundException"


@dataclass(frozen=True, slots=True)
class PermissionState:
    """Who may do what with the function, and for which requests (an ARN)."""

    principal: str
    action: str
    source: str
    statement: str = field(default="", compare=False)
    """The id of the statement."""


class Permission(Resource[PermissionState]):
    """A statement in the function's policy."""

    kind = "permission"
    needs: tuple[str, ...] = ("api", "function")
    part_of = "function"
    method: ClassVar[str] = METHOD
    statement_id: ClassVar[str] = "ordernotify-api"

    @property
    def name(self) -> str:
        return self.statement_id

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        put = ("AddPermission", "RemovePermission")
        calls = {
            Verb.FIND: ("GetPolicy",),
            Verb.CREATE: put,
            Verb.UPDATE: put,
            Verb.DELETE: ("RemovePermission",),
        }
        function = self.cloud.arn("lambda", f"function:{self._function}")
        return {verb: (allow("lambda", *names, on=function),) for verb, names in calls.items()}

    def described(self, needed: Needed) -> PermissionState:
        """Return who may do what; a wrong source ARN would answer every request with 500 (AWS-FACTS 5)."""
        return PermissionState(_PRINCIPAL, _ACTION, self._source(needed), self.statement_id)

    def find(self) -> Live[PermissionState] | None:
        """Read the function's policy; None if it lacks the statement.

        Another tool may have written the same statement under another id: CloudFormation always does.
        """
        answer = read_or_none(lambda: self.cloud.lambda_.get_policy(FunctionName=self._function), _ABSENT)
        if answer is None:
            return None
        states = [_state_of(statement) for statement in json_statements(answer["Policy"])]
        own = [state for state in states if state.statement == self.statement_id]
        others = [state for state in states if self._is_for_some_api(state)]
        return Live("", (own or others)[0]) if own or others else None

    def create(self, step: Step) -> Live[PermissionState]:
        wanted = self.described(step.needed)
        try:
            self._add(wanted)
        except ClientError as error:
            # There is one with another source.
            if not has_code(error, "ResourceConflictException"):
                raise
            return self.update(Live("", wanted), step)
        return Live("", wanted)

    def update(self, live: Live[PermissionState], step: Step) -> Live[PermissionState]:
        """Lambda cannot change a statement: remove it and add it again, one call at a time (AWS-FACTS 5)."""
        wanted = self.described(step.needed)
        self._remove(self.statement_id)
        self._add(wanted)
        return Live("", wanted)

    def delete(self, live: Live[PermissionState], step: Step) -> None:
        self._remove(live.state.statement)

    @property
    def _function(self) -> str:
        return self.settings.names.function

    def _source(self, needed: Needed) -> str:
        api = needed_state(needed, ApiState)
        return self._source_of(api.id) if api else UNKNOWN

    def _source_of(self, api_id: str) -> str:
        return self.cloud.arn("execute-api", f"{api_id}/{self.settings.stage}/{self.method}/{ORDERS_PATH}")

    def _is_for_some_api(self, state: PermissionState) -> bool:
        """Whether it is what is described, for the stack's API or another one."""
        api_id = state.source.rpartition(":")[2].partition("/")[0]
        return state == PermissionState(_PRINCIPAL, _ACTION, self._source_of(api_id))

    def _add(self, wanted: PermissionState) -> None:
        try:
            self.cloud.lambda_.add_permission(
                FunctionName=self._function,
                StatementId=self.statement_id,
                Action=wanted.action,
                Principal=wanted.principal,
                SourceArn=wanted.source,
            )
        except ClientError as error:
            # AWS-FACTS 21: added already, by an attempt that was cut off or by another setup.
            found = self.find() if has_code(error, "ResourceConflictException") else None
            if found is None or found.state != wanted:
                raise

    def _remove(self, statement: str) -> None:
        with ignore_codes(_ABSENT):
            self.cloud.lambda_.remove_permission(FunctionName=self._function, StatementId=statement)


def _state_of(statement: Mapping[str, Any]) -> PermissionState:
    principal = statement.get("Principal")
    return PermissionState(
        principal=principal.get("Service", "") if isinstance(principal, dict) else str(principal),
        action=statement.get("Action", ""),
        source=statement.get("Condition", {}).get("ArnLike", {}).get("AWS:SourceArn", ""),
        statement=statement.get("Sid", ""),
    )


class PreflightPermission(Permission):
    """The same for the preflights of browsers, where the function answers them."""

    kind = "preflight-permission"
    # Statements are changed one at a time (AWS-FACTS 5).
    needs: tuple[str, ...] = ("api", "function", "permission")
    removed_when_unwanted = True
    method = "OPTIONS"
    statement_id = "ordernotify-api-preflight"

    @property
    def wanted(self) -> bool:
        """Only for a REST API that pages may use."""
        return proxied_on_preflight(self.settings)
