"""The function's log group, made before the function so that it has a retention (AWS-FACTS 11)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ordernotify.aws.errors import has_code, ignore_codes
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.api.base import ApiState
from ordernotify.resources.api.listing import FoundApi, apis_named, list_apis, lists_apis
from ordernotify.resources.base import UNKNOWN, Live, Needed, Resource, Step, Verb, needed_state
from ordernotify.resources.kms_key import GivenKeyState
from ordernotify.settings.model import ApiKind

EXECUTION_LOGS_PREFIX = "API-Gateway-Execution-Logs_"
LATE_LINES_SECONDS = 1.0
"""Teardown waits this long, then looks whether a late invocation made the group again."""


@dataclass(frozen=True, slots=True)
class LogGroupState:
    """How long a group keeps its lines, in days (0: forever), and its KMS key's ARN; empty: AWS's own."""

    retention: int = 0
    encrypted_with: str = ""


class LogGroup(Resource[LogGroupState]):
    """A log group with a retention in days."""

    kind = "log-group"
    needs: tuple[str, ...] = ("key",)
    stays_when_renamed = True
    deleted_after: tuple[str, ...] = ("function",)

    @property
    def name(self) -> str:
        return self.settings.names.log_group

    @property
    def arn(self) -> str:
        """The log group's ARN, without the `:*` of listings."""
        return self.cloud.arn("logs", f"log-group:{self.name}")

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        """IAM knows the group with `:*`, but for tags without it; listing has no resource.

        https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html
        """
        return self._calls_on(self.arn)

    def _calls_on(self, arn: str) -> dict[Verb, Calls]:
        tag, retain = allow("logs", "TagResource", on=arn), self._retaining
        return {
            Verb.FIND: (
                allow("logs", "DescribeLogGroups", on="*"),
                allow("logs", "ListTagsForResource", on=arn),
            ),
            Verb.CREATE: (allow("logs", "CreateLogGroup", *retain, on=f"{arn}:*"), tag),
            Verb.UPDATE: (allow("logs", *retain, on=f"{arn}:*"), tag),
            Verb.DELETE: (allow("logs", "DeleteLogGroup", on=f"{arn}:*"),),
        }

    def described(self, needed: Needed) -> LogGroupState:
        return LogGroupState(self.settings.log_retention, GivenKeyState.arn_in(self.settings, needed))

    def find(self) -> Live[LogGroupState] | None:
        """Find the group by its exact name: listings match by prefix (AWS-FACTS 20)."""
        for name, found in self._groups(self.name):
            if name == self.name:
                return self.live(found, self._tags(self.arn))
        return None

    def create(self, step: Step) -> Live[LogGroupState]:
        arn = self.arn_with(step.needed)
        made = LogGroupState(encrypted_with=self.described(step.needed).encrypted_with)
        try:
            self._retry(step, lambda: self._create(log_group_name(arn), made.encrypted_with))
        except ClientError as error:
            # AWS-FACTS 21: a call that was cut off has made it already, or somebody else has.
            found = self.find() if has_code(error, "ResourceAlreadyExistsException") else None
            if found is None or not found.owned:
                raise
            made = found.state
        return self.update(Live(arn, made), step)

    def update(self, live: Live[LogGroupState], step: Step) -> Live[LogGroupState]:
        found, wanted = live.state, self.described(step.needed)
        name = log_group_name(live.arn)
        if found.retention != wanted.retention:
            self._retry(
                step,
                lambda: self.cloud.logs.put_retention_policy(
                    logGroupName=name, retentionInDays=wanted.retention
                ),
            )
        if found.encrypted_with != wanted.encrypted_with:
            self._retry(step, lambda: self._encrypt(name, wanted.encrypted_with))
        return Live(live.arn, wanted)

    def _encrypt(self, name: str, key: str) -> None:
        if key:
            self.cloud.logs.associate_kms_key(logGroupName=name, kmsKeyId=key)
        else:
            self.cloud.logs.disassociate_kms_key(logGroupName=name)

    @property
    def _retaining(self) -> tuple[str, ...]:
        keys = ("AssociateKmsKey",) if self.settings.kms_key else ()
        return ("PutRetentionPolicy", "DisassociateKmsKey", *keys)

    def put_tags(self, live: Live[LogGroupState]) -> None:
        self.cloud.logs.tag_resource(resourceArn=live.arn, tags=self.settings.all_tags)

    def delete(self, live: Live[LogGroupState], step: Step) -> None:
        """Delete the group, and look again: a late line can bring it back (AWS-FACTS 11)."""
        name = log_group_name(live.arn)
        self._delete(name, step)
        step.patience.clock.sleep(LATE_LINES_SECONDS)
        if any(found == name for found, _ in self._groups(name)):
            self._delete(name, step)

    def arn_with(self, needed: Needed) -> str:
        """The ARN, once the needed resources exist."""
        return self.arn

    def _groups(self, prefix: str) -> Iterator[tuple[str, LogGroupState]]:
        pages = self.cloud.logs.get_paginator("describe_log_groups")
        for page in pages.paginate(logGroupNamePrefix=prefix):
            for group in page["logGroups"]:
                state = LogGroupState(group.get("retentionInDays", 0), group.get("kmsKeyId") or "")
                yield group["logGroupName"], state

    def _tags(self, arn: str) -> Mapping[str, str]:
        return self.cloud.logs.list_tags_for_resource(resourceArn=arn)["tags"]

    def _create(self, name: str, key: str) -> None:
        encryption: Any = {"kmsKeyId": key} if key else {}
        self.cloud.logs.create_log_group(logGroupName=name, tags=self.settings.all_tags, **encryption)

    def _delete(self, name: str, step: Step) -> None:
        with ignore_codes("ResourceNotFoundException"):
            self._retry(step, lambda: self.cloud.logs.delete_log_group(logGroupName=name))

    def _retry(self, step: Step, call: Callable[[], object]) -> None:
        step.patience.retry(
            call,
            when=lambda error: has_code(error, "OperationAbortedException"),  # AWS-FACTS 11
            waiting_for=f"another change of the log group {self.name} to end",
        )


class ApiLogGroup(LogGroup):
    """The group of the API's access log."""

    kind = "api-log-group"
    deleted_after: tuple[str, ...] = ("api", "old-api")
    removed_when_unwanted = True

    @property
    def name(self) -> str:
        return self.settings.names.api_log_group

    @property
    def wanted(self) -> bool:
        return self.settings.access_logs


class ExecutionLogGroup(LogGroup):
    """The group of a REST API's execution logs, made before API Gateway would make it without a retention.

    API Gateway names it after the API's id, which it chooses.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
    """

    kind = "execution-logs"
    part_of = "api"
    needs: tuple[str, ...] = ("api", "key")
    deleted_after: tuple[str, ...] = ("api", "old-api")
    removed_when_unwanted = True

    @property
    def name(self) -> str:
        """The API's name: the group's own holds the API's id."""
        return self.settings.names.api

    @property
    def arn(self) -> str:
        """Empty: the ARN holds the API's id."""
        return ""

    @property
    def wanted(self) -> bool:
        return self.settings.execution_logs

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        """Those of a log group, on that of any API's stage of this name; and finding the API."""
        calls = self._calls_on(self._arn_of("*"))
        return {**calls, Verb.FIND: (*calls[Verb.FIND], *lists_apis(ApiKind.REST))}

    def find(self) -> Live[LogGroupState] | None:
        """Find the group of the stack's API; where none is to be made for it, one that was left.

        The first is the stack's whether it has the tag or not: API Gateway may have made it.
        """
        apis, groups = list_apis(self.cloud, ApiKind.REST), self._execution_groups()
        named = apis_named(self.cloud, apis, self.settings.names.api, self.settings.stack)
        ours = {self._arn_of(api.id) for api in named if self.owns(api.tags)}
        for arn, state in groups.items():
            if arn in ours:
                return Live(arn, state, tags=self._tags(arn))
        return None if ours and self.wanted else next(self._left(apis, groups), None)

    def delete(self, live: Live[LogGroupState], step: Step) -> None:
        """Delete the group, and those that former APIs of the stack left."""
        left = self._left(list_apis(self.cloud, ApiKind.REST), self._execution_groups())
        for one in {found.arn: found for found in (live, *left)}.values():
            super().delete(one, step)

    def _execution_groups(self) -> dict[str, LogGroupState]:
        """Read the groups of all stages of REST APIs, by ARN."""
        return {self._arn_named(name): state for name, state in self._groups(EXECUTION_LOGS_PREFIX)}

    def _left(
        self, apis: Iterable[FoundApi], groups: Mapping[str, LogGroupState]
    ) -> Iterator[Live[LogGroupState]]:
        """Find the stack's groups of this stage whose API was deleted; `calls` covers no other stage."""
        in_use = {self._arn_of(api.id) for api in apis}
        for arn, state in groups.items():
            if arn.endswith(f"/{self.settings.stage}") and arn not in in_use:
                tags = self._tags(arn)
                if self.owns(tags):
                    yield Live(arn, state, tags=tags)

    def arn_with(self, needed: Needed) -> str:
        """The ARN of the group that API Gateway will write to."""
        api = needed_state(needed, ApiState)
        return self._arn_of(api.id if api else UNKNOWN)

    def _arn_of(self, api_id: str) -> str:
        return self._arn_named(f"{EXECUTION_LOGS_PREFIX}{api_id}/{self.settings.stage}")

    def _arn_named(self, name: str) -> str:
        return self.cloud.arn("logs", f"log-group:{name}")


def log_group_name(arn: str) -> str:
    """Return the name in the ARN of a log group."""
    return arn.partition(":log-group:")[2]
