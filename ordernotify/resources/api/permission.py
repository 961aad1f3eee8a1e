"""Guide step 6: exactly this API, stage, method and path may invoke the function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from botocore.exceptions import ClientError

from ordernotify.aws.errors import has_code, ignore_codes
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.api.base import METHOD, ApiState, proxied_on_preflight
from ordernotify.resources.base import (
    UNKNOWN,
    Live,
    Needed,
    Resource,
    Step,
    Verb,
    json_statements,
    needed_state,
)
from ordernotify.settings.names import ORDERS_PATH

_PRINCIPAL = "apigateway.amazonaws.com"
_ABSENT = "ResourceNotFoundException"


@dataclass(frozen=True, slots=True)
class PermissionState:
    """Who may do what with the function, and for which requests (an ARN)."""

    principal: str
    action: str
    source: str


class Permission(Resource[PermissionState]):
    """A statement in the function's policy."""

    kind = "permission"
    needs: tuple[str, ...] = ("api", "function")
    part_of = "function"
    method: ClassVar[str] = METHOD
    statement_id: ClassVar[str] = "ordernotify-api"

    @property
    def name(self) -> str:
        """The statement's id."""
        return self.statement_id

    @property
    def arn(self) -> str:
        """Empty: a statement has no ARN."""
        return ""

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        """Everything is on the function."""
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
        return PermissionState(_PRINCIPAL, "lambda:InvokeFunction", self._source(needed))

    def find(self) -> Live[PermissionState] | None:
        """Read the function's policy; None if it lacks the statement."""
        try:
            policy = self.cloud.lambda_.get_policy(FunctionName=self._function)["Policy"]
        except ClientError as error:
            if has_code(error, _ABSENT):
                return None
            raise
        for statement in json_statements(policy):
            if statement.get("Sid") == self.statement_id:
                principal = statement.get("Principal")
                condition = statement.get("Condition", {})
                state = PermissionState(
                    principal=principal.get("Service", "") if isinstance(principal, dict) else str(principal),
                    action=statement.get("Action", ""),
                    source=condition.get("ArnLike", {}).get("AWS:SourceArn", ""),
                )
                return Live("", state)
        return None

    def create(self, step: Step) -> Live[PermissionState]:
        """Add the statement."""
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
        self._remove()
        self._add(wanted)
        return Live("", wanted)

    def delete(self, live: Live[PermissionState], step: Step) -> None:
        """Remove the statement."""
        self._remove()

    @property
    def _function(self) -> str:
        return self.settings.names.function

    def _source(self, needed: Needed) -> str:
        api = needed_state(needed, ApiState)
        if api is None:
            return UNKNOWN
        return self.cloud.arn("execute-api", f"{api.id}/{self.settings.stage}/{self.method}/{ORDERS_PATH}")

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

    def _remove(self) -> None:
        with ignore_codes(_ABSENT):
            self.cloud.lambda_.remove_permission(FunctionName=self._function, StatementId=self.statement_id)


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
