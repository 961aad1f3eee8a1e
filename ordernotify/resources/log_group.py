"""The function's log group, made before the function so that it has a retention (AWS-FACTS 11)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from botocore.exceptions import ClientError

from ordernotify.aws.errors import has_code, ignore_codes
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.base import Live, Needed, Resource, Step, Verb

LATE_LINES_SECONDS = 1.0
"""Teardown waits this long, then looks whether a late invocation made the group again."""


@dataclass(frozen=True, slots=True)
class LogGroupState:
    """How long a group keeps its lines, in days; 0: forever."""

    retention: int = 0


class LogGroup(Resource[LogGroupState]):
    """A log group with a retention in days."""

    kind = "log-group"
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
        tag, retain = allow("logs", "TagResource", on=self.arn), ("PutRetentionPolicy",)
        return {
            Verb.FIND: (
                allow("logs", "DescribeLogGroups", on="*"),
                allow("logs", "ListTagsForResource", on=self.arn),
            ),
            Verb.CREATE: (allow("logs", "CreateLogGroup", *retain, on=f"{self.arn}:*"), tag),
            Verb.UPDATE: (allow("logs", *retain, on=f"{self.arn}:*"), tag),
            Verb.DELETE: (allow("logs", "DeleteLogGroup", on=f"{self.arn}:*"),),
        }

    def described(self, needed: Needed) -> LogGroupState:
        """Return the retention that the settings give."""
        return LogGroupState(self.settings.log_retention)

    def find(self) -> Live[LogGroupState] | None:
        """Find the group by its exact name: listings match by prefix (AWS-FACTS 20)."""
        pages = self.cloud.logs.get_paginator("describe_log_groups")
        for page in pages.paginate(logGroupNamePrefix=self.name):
            for group in page["logGroups"]:
                if group["logGroupName"] == self.name:
                    tags = self.cloud.logs.list_tags_for_resource(resourceArn=self.arn)["tags"]
                    return self.live(LogGroupState(group.get("retentionInDays", 0)), tags)
        return None

    def create(self, step: Step) -> Live[LogGroupState]:
        """Create the group with its tag, then set its retention."""
        try:
            self._retry(step, self._create)
        except ClientError as error:
            # AWS-FACTS 21: a call that was cut off has made it already, or somebody else has.
            found = self.find() if has_code(error, "ResourceAlreadyExistsException") else None
            if found is None or not found.owned:
                raise
        return self.update(Live(self.arn, LogGroupState()), step)

    def update(self, live: Live[LogGroupState], step: Step) -> Live[LogGroupState]:
        wanted = self.described(step.needed)
        self._retry(
            step,
            lambda: self.cloud.logs.put_retention_policy(
                logGroupName=self.name, retentionInDays=wanted.retention
            ),
        )
        return Live(self.arn, wanted)

    def put_tags(self, live: Live[LogGroupState]) -> None:
        self.cloud.logs.tag_resource(resourceArn=self.arn, tags=self.settings.all_tags)

    def delete(self, live: Live[LogGroupState], step: Step) -> None:
        """Delete the group, and look again: a late line can bring it back (AWS-FACTS 11)."""
        self._delete(step)
        step.patience.clock.sleep(LATE_LINES_SECONDS)
        if self.find() is not None:
            self._delete(step)

    def _create(self) -> None:
        self.cloud.logs.create_log_group(logGroupName=self.name, tags=dict(self.settings.all_tags))

    def _delete(self, step: Step) -> None:
        with ignore_codes("ResourceNotFoundException"):
            self._retry(step, lambda: self.cloud.logs.delete_log_group(logGroupName=self.name))

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
        """Only with access logs."""
        return self.settings.access_logs
