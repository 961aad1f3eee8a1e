"""The role that lets API Gateway write the logs of REST APIs: one for the whole account and region."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ordernotify.aws.errors import has_code, ignore_codes
from ordernotify.aws.tags import tag_list
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.api.quota import call_when_free
from ordernotify.resources.base import Live, Needed, Resource, Step, Verb
from ordernotify.resources.own_role import (
    call_on_role,
    only_with_boundary,
    own_role_arn,
    place_of_role,
    trust_policy,
)
from ordernotify.settings.model import ApiKind
from ordernotify.settings.names import API_LOG_ROLE, SHARED_TAG

if TYPE_CHECKING:
    from mypy_boto3_apigateway.type_defs import PatchOperationTypeDef

POLICY = "service-role/AmazonAPIGatewayPushToCloudWatchLogs"
ROLE_TIMEOUT_SECONDS = 120.0
ROLE_STEP_SECONDS = 5.0
_NEW_ROLE_TEXTS = (
    "does not have required permissions",
    "could not successfully write to CloudWatch Logs using the ARN specified",
)


def is_log_role_not_ready(error: ClientError) -> bool:
    """Whether API Gateway refused the role only because it is new (AWS-FACTS 9 and 25)."""
    return any(has_code(error, "BadRequestException", text=text) for text in _NEW_ROLE_TEXTS)


@dataclass(frozen=True, slots=True)
class ApiLogRoleState:
    """Nothing is compared: whichever role is set will do."""


class ApiLogRole(Resource[ApiLogRoleState]):
    """The account's setting: made only where it is unset, with its own role; never removed (AWS-FACTS 9)."""

    kind = "api-log-role"
    shared = True
    notice = "API Gateway's setting for the whole account and region; teardown keeps it"

    @property
    def name(self) -> str:
        """The name of the role that is made where the setting is unset."""
        return API_LOG_ROLE

    @property
    def arn(self) -> str:
        return own_role_arn(self.settings, self.cloud, API_LOG_ROLE)

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        """Making the role, with AWS's own policy and no other, and passing it to API Gateway."""
        if not self.wanted:
            return {}
        bounded = only_with_boundary(self.settings)
        this_policy = {**bounded, "ArnEquals": {"iam:PolicyARN": self._policy_arn}}
        to_api_gateway = {"StringEquals": {"iam:PassedToService": "apigateway.amazonaws.com"}}
        return {
            Verb.FIND: (allow("apigateway", "GetAccount"),),
            Verb.CREATE: (
                allow("iam", "CreateRole", on=self.arn, when=bounded),
                allow("iam", "TagRole", on=self.arn),
                allow("iam", "AttachRolePolicy", on=self.arn, when=this_policy),
                allow("iam", "PassRole", on=self.arn, when=to_api_gateway),
                allow("apigateway", "UpdateAccount"),
            ),
        }

    @property
    def wanted(self) -> bool:
        """Only for the logs of a REST API; those of an HTTP API need no role."""
        logged = self.settings.access_logs or self.settings.execution_logs
        return logged and self.settings.api is ApiKind.REST

    def described(self, needed: Needed) -> ApiLogRoleState:
        """Whichever role is set will do."""
        return ApiLogRoleState()

    def find(self) -> Live[ApiLogRoleState] | None:
        """Read the account's setting; None if it is unset, or nobody needs it."""
        if not self.wanted:
            return None
        role = self.cloud.apigateway.get_account().get("cloudwatchRoleArn")
        return Live(role, ApiLogRoleState()) if role else None

    def create(self, step: Step) -> Live[ApiLogRoleState]:
        iam = self.cloud.iam
        setting: PatchOperationTypeDef = {"op": "replace", "path": "/cloudwatchRoleArn", "value": self.arn}
        with ignore_codes("EntityAlreadyExists"):
            iam.create_role(
                RoleName=API_LOG_ROLE,
                AssumeRolePolicyDocument=trust_policy("apigateway"),
                **place_of_role(self.settings),
                Description="Lets API Gateway write logs, for every API of this account (ordernotify)",
            )
        tags = tag_list({**self.settings.tags, SHARED_TAG: "account"})
        call_on_role(step, lambda: iam.tag_role(RoleName=API_LOG_ROLE, Tags=tags))
        call_on_role(step, lambda: iam.attach_role_policy(RoleName=API_LOG_ROLE, PolicyArn=self._policy_arn))
        step.patience.retry(
            lambda: call_when_free(step, self.cloud.apigateway.update_account, patchOperations=[setting]),
            when=is_log_role_not_ready,
            waiting_for="the role to be usable by API Gateway",
            timeout=ROLE_TIMEOUT_SECONDS,
            step=ROLE_STEP_SECONDS,
        )
        return Live(self.arn, ApiLogRoleState())

    def delete(self, live: Live[ApiLogRoleState], step: Step) -> None:
        """Do nothing: other APIs may need it."""

    @property
    def _policy_arn(self) -> str:
        return f"arn:{self.cloud.partition}:iam::aws:policy/{POLICY}"
