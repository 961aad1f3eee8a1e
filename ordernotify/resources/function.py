"""Guide step 4: the Lambda function, from a zip that is the same for the same code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from ordernotify.aws.endpoints import function_endpoint
from ordernotify.aws.errors import error_text, has_code, ignore_codes, read_or_none
from ordernotify.errors import OrderNotifyError
from ordernotify.iam.calls import Calls, allow
from ordernotify.iam.kms import USE_OF_KEY, allow_key
from ordernotify.resources.api.base import proxied_on_preflight
from ordernotify.resources.base import (
    UNKNOWN,
    Live,
    Needed,
    Resource,
    Step,
    Verb,
    needed_state,
)
from ordernotify.resources.function_code import HANDLER, code_sha256, function_zip
from ordernotify.resources.function_state import (
    FAILED,
    PENDING,
    ROLE_ID_TAG,
    UPDATE_FAILED,
    FunctionState,
    settings_tagged,
    status_of,
)
from ordernotify.resources.given_role import GivenRoleState
from ordernotify.resources.kms_key import GivenKeyState
from ordernotify.resources.own_role import own_role_arn
from ordernotify.resources.role import AnyRoleState, RoleState
from ordernotify.settings.model import SETTING_TAG_PREFIX
from ordernotify.settings.names import MANAGED_TAG

if TYPE_CHECKING:
    from mypy_boto3_lambda.literals import ArchitectureType

ROLE_TIMEOUT_SECONDS = 120.0
READY_TIMEOUT_SECONDS = 180.0
_ROLE_NOT_READY = (
    ("InvalidParameterValueException", "cannot be assumed by lambda"),
    ("InvalidParameterValueException", "execution role does not have permissions"),
    ("InvalidParameterValueException", "invalid for creategrant"),
    ("InvalidArnException", "valid principal"),
)
"""AWS-FACTS 1: a role that is not usable yet; the same codes mean other things with other texts."""
_ABSENT = "ResourceNotFoundException"


def is_role_not_ready(error: ClientError) -> bool:
    """Whether Lambda refused the role only because it is new (AWS-FACTS 1)."""
    return any(has_code(error, code, text=text) for code, text in _ROLE_NOT_READY)


def is_function_busy(error: ClientError) -> bool:
    """Whether another change of the function is running (AWS-FACTS 3), not whether it exists already."""
    text = error_text(error).lower()
    return has_code(error, "ResourceConflictException") and ("pending" in text or "in progress" in text)


class Function(Resource[FunctionState]):
    """The function, its configuration and its code."""

    kind = "function"
    needs: tuple[str, ...] = ("role", "given role", "log-group", "key")
    deleted_after: tuple[str, ...] = ("api", "permission")

    @property
    def name(self) -> str:
        return self.settings.names.function

    @property
    def arn(self) -> str:
        return self.cloud.arn("lambda", f"function:{self.name}")

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        """Beside the calls: passing the role, and ListTags, without which GetFunction leaves the tags out.

        https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html. An update may be a replacement.
        """
        to_lambda = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
        pass_role = allow("iam", "PassRole", on=self._role_arn, when=to_lambda)
        grant = allow_key(self.settings, self.cloud, *USE_OF_KEY)
        put = ("TagResource", "GetFunctionConfiguration")
        change = ("UpdateFunctionConfiguration", "UpdateFunctionCode", "UntagResource", "DeleteFunction")
        return {
            Verb.FIND: (allow("lambda", "GetFunction", "ListTags", on=self.arn),),
            Verb.CREATE: (allow("lambda", "CreateFunction", *put, on=self.arn), pass_role, *grant),
            Verb.UPDATE: (allow("lambda", *change, *put, on=self.arn), pass_role, *grant),
            Verb.DELETE: (allow("lambda", "DeleteFunction", on=self.arn),),
        }

    def described(self, needed: Needed) -> FunctionState:
        kind: type[AnyRoleState] = GivenRoleState if self.settings.role_arn else RoleState
        role = needed_state(needed, kind)
        return FunctionState(
            runtime=self.settings.runtime,
            handler=HANDLER,
            architecture=self.settings.architecture,
            memory=self.settings.memory,
            timeout=self.settings.timeout,
            environment=self._environment(),
            tracing=self.settings.tracing,
            encrypted_with=GivenKeyState.arn_in(self.settings, needed),
            role=self._role_arn,
            role_id=role.id if role else UNKNOWN,
            code=code_sha256(),
            settings=settings_tagged(self.settings.recorded),
        )

    def find(self) -> Live[FunctionState] | None:
        answer = read_or_none(lambda: self.cloud.lambda_.get_function(FunctionName=self.name), _ABSENT)
        if answer is None:
            return None
        tags = answer.get("Tags", {})
        return self.live(FunctionState.of(answer["Configuration"], tags), tags)

    def must_replace(self, found: FunctionState, wanted: FunctionState) -> bool:
        """Whether it never became active, or its role was deleted and made again.

        With the new role the function could not decrypt its environment (AWS-FACTS 2).
        """
        made_again = found.role == wanted.role and found.role_id not in {"", wanted.role_id}
        return found.status == FAILED or made_again

    def create(self, step: Step) -> Live[FunctionState]:
        """Create the function, waiting for the role to be usable and then for the function to be active."""
        wanted = self.described(step.needed)
        self._retry(step, lambda: self._create(wanted))
        self._wait_until_ready(step, new=True)
        return Live(self.arn, wanted)

    def update(self, live: Live[FunctionState], step: Step) -> Live[FunctionState]:
        """Change code and configuration one after the other, each waited for (AWS-FACTS 3)."""
        found, wanted = live.state, self.described(step.needed)
        # What Lambda reports after an update that it gave up need not be what is in effect.
        everything = found.status == UPDATE_FAILED
        self._wait_until_settled(step)
        if everything or (found.code, found.architecture) != (wanted.code, wanted.architecture):
            self._retry(
                step,
                lambda: self.cloud.lambda_.update_function_code(
                    FunctionName=self.name,
                    ZipFile=function_zip(),
                    Architectures=[cast("ArchitectureType", wanted.architecture)],
                ),
            )
            self._wait_until_ready(step)
        if everything or found.configuration != wanted.configuration:
            self._retry(
                step,
                lambda: self.cloud.lambda_.update_function_configuration(
                    FunctionName=self.name, **wanted.configuration
                ),
            )
            self._wait_until_ready(step)
        if everything or found.settings != wanted.settings:
            self._put_settings(found.settings)
        if everything or found.role_id != wanted.role_id:
            self.cloud.lambda_.tag_resource(Resource=self.arn, Tags={ROLE_ID_TAG: wanted.role_id})
        return Live(self.arn, wanted)

    def _put_settings(self, old: Mapping[str, str]) -> None:
        """Tag the function with its settings, and untag those that have their default again."""
        recorded = self.settings.recorded
        if recorded:
            self.cloud.lambda_.tag_resource(Resource=self.arn, Tags=recorded)
        stale = [key for name in old if (key := f"{SETTING_TAG_PREFIX}{name}") not in recorded]
        if stale:
            self.cloud.lambda_.untag_resource(Resource=self.arn, TagKeys=stale)

    def put_tags(self, live: Live[FunctionState]) -> None:
        self.cloud.lambda_.tag_resource(Resource=self.arn, Tags=self.settings.all_tags)
        if live.tags and MANAGED_TAG in live.tags:
            # Only an adoption gets here: it takes the stack back.
            self.cloud.lambda_.untag_resource(Resource=self.arn, TagKeys=[MANAGED_TAG])

    def delete(self, live: Live[FunctionState], step: Step) -> None:
        with ignore_codes(_ABSENT):
            self._retry(step, lambda: self.cloud.lambda_.delete_function(FunctionName=self.name))

    @property
    def _role_arn(self) -> str:
        own = own_role_arn(self.settings, self.cloud, self.settings.names.role)
        return self.settings.role_arn or own

    def _environment(self) -> dict[str, str]:
        cors = " ".join(self.settings.cors_origins) if proxied_on_preflight(self.settings) else ""
        # Resolved here, so that the handler need not know partitions.
        return {
            **({"CORS_ORIGIN": cors} if cors else {}),
            "TABLE_NAME": self.settings.names.table,
            "TOPIC_ARN": self.cloud.arn("sns", self.settings.names.topic),
            "STACK": self.settings.stack,
            "LOG_BODIES": str(self.settings.log_bodies).lower(),
            "AWS_ENDPOINT_URL_DYNAMODB": function_endpoint(self.cloud, "dynamodb"),
            "AWS_ENDPOINT_URL_SNS": function_endpoint(self.cloud, "sns"),
        }

    def _retry(self, step: Step, call: Callable[[], Any]) -> None:
        step.patience.retry(
            lambda: step.patience.retry(
                call,
                when=is_function_busy,
                waiting_for="the function's last change to end",
                timeout=READY_TIMEOUT_SECONDS,
            ),
            when=is_role_not_ready,
            waiting_for="the role to be usable",
            timeout=ROLE_TIMEOUT_SECONDS,
        )

    def _create(self, wanted: FunctionState) -> None:
        try:
            self.cloud.lambda_.create_function(
                FunctionName=self.name,
                Description="Validates, stores and announces orders (ordernotify)",
                Code={"ZipFile": function_zip()},
                Architectures=[cast("ArchitectureType", wanted.architecture)],
                **wanted.configuration,
                Tags={**self.settings.all_tags, **self.settings.recorded, ROLE_ID_TAG: wanted.role_id},
            )
        except ClientError as error:
            # AWS-FACTS 3 and 21: after a create that was cut off, the code means "already exists".
            if not (has_code(error, "ResourceConflictException", text="already exist") and self.is_ours()):
                raise

    def _wait_until_ready(self, step: Step, *, new: bool = False) -> None:
        """Wait until the change is in effect; raises OrderNotifyError if Lambda gave it up."""
        found = self._wait_until_settled(step, new=new)
        if status_of(found) in {FAILED, UPDATE_FAILED}:
            reason = found.get("StateReason") or found.get("LastUpdateStatusReason") or "no reason given"
            raise OrderNotifyError(
                f"Lambda could not put the function {self.name} into effect: {reason}",
                "When the reason is gone, run the same command again.",
            )

    def _wait_until_settled(self, step: Step, *, new: bool = False) -> Mapping[str, Any]:
        """Wait until no change is running; return the configuration. A `new` function may be read late."""
        found: Mapping[str, Any] = {}

        def settled() -> bool:
            nonlocal found
            answer = read_or_none(
                lambda: self.cloud.lambda_.get_function_configuration(FunctionName=self.name),
                *((_ABSENT,) if new else ()),
            )
            if answer is None:
                return False
            found = cast("Mapping[str, Any]", answer)
            return found.get("State") != PENDING and found.get("LastUpdateStatus") != "InProgress"

        step.patience.until(
            settled, waiting_for=f"the function {self.name} to be active", timeout=READY_TIMEOUT_SECONDS
        )
        return found
