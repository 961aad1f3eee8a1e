"""The function's log group, made before the function so that it has a retention (AWS-FACTS 11)."""

from __future__ import annotations

from collections.abc import Mapping

from ordernotify.aws import ignore_codes
from ordernotify.resources.base import Attributes, Live, Resource, Step

LATE_LINES_SECONDS = 1.0
"""How long teardown waits before it looks whether a late invocation made the group again."""


class LogGroup(Resource):
    """A log group with a retention in days."""

    kind = "log-group"
    deleted_after: tuple[str, ...] = ("function",)

    @property
    def name(self) -> str:
        """The log group's name."""
        return self.settings.names.log_group

    @property
    def arn(self) -> str:
        """The log group's ARN, without the `:*` of listings."""
        return self.cloud.arn("logs", f"log-group:{self.name}")

    def described(self, needed: Mapping[str, Live]) -> Attributes:
        """Return the retention in days."""
        return {"retention": self.settings.log_retention}

    def find(self) -> Live | None:
        """Find the group by its exact name: listings match by prefix (AWS-FACTS 20)."""
        pages = self.cloud.logs.get_paginator("describe_log_groups")
        for page in pages.paginate(logGroupNamePrefix=self.name):
            for group in page["logGroups"]:
                if group["logGroupName"] == self.name:
                    tags = self.cloud.logs.list_tags_for_resource(resourceArn=self.arn)["tags"]
                    return self.live({"retention": group.get("retentionInDays", 0)}, tags)
        return None

    def create(self, step: Step) -> Live:
        """Create the group with its tag, then set its retention."""
        with ignore_codes("ResourceAlreadyExistsException"):
            self.cloud.logs.create_log_group(logGroupName=self.name, tags=dict(self.settings.all_tags))
        return self.update(Live(self.arn, {}), frozenset({"retention"}), step)

    def update(self, live: Live, changed: frozenset[str], step: Step) -> Live:
        """Set the retention."""
        wanted = self.described(step.needed)
        self.cloud.logs.put_retention_policy(logGroupName=self.name, retentionInDays=wanted["retention"])
        return Live(self.arn, wanted)

    def put_tags(self, live: Live) -> None:
        """Add the tags."""
        self.cloud.logs.tag_resource(resourceArn=self.arn, tags=self.settings.all_tags)

    def delete(self, live: Live, step: Step) -> None:
        """Delete the group, and look again: a late line can bring it back (AWS-FACTS 11)."""
        self._delete()
        step.patience.clock.sleep(LATE_LINES_SECONDS)
        if self.find() is not None:
            self._delete()

    def _delete(self) -> None:
        with ignore_codes("ResourceNotFoundException"):
            self.cloud.logs.delete_log_group(logGroupName=self.name)
