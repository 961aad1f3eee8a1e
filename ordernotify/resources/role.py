"""Guide step 4: the function's role, with exactly what the function needs on exactly its resources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from ordernotify.aws import Cloud, has_code, ignore_codes, tag_list
from ordernotify.config import Settings
from ordernotify.resources.base import (
    Attributes,
    Live,
    Resource,
    Step,
    policy_text,
    same_policy_text,
    tags_of,
)

POLICY_NAME = "ordernotify"
_ABSENT = "NoSuchEntity"


def function_policy(settings: Settings, cloud: Cloud) -> dict[str, Any]:
    """Build the function's policy document: PutItem, Publish, and writing to its own log group.

    Without logs:CreateLogGroup, so that a late log line cannot bring a deleted group back (AWS-FACTS 11).
    """
    names = settings.names
    statements = [
        ("StoreOrders", ["dynamodb:PutItem"], cloud.arn("dynamodb", f"table/{names.table}")),
        ("PublishNotifications", ["sns:Publish"], cloud.arn("sns", names.topic)),
        (
            "WriteLogs",
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            cloud.arn("logs", f"log-group:{names.log_group}:*"),
        ),
    ]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource}
            for sid, actions, resource in statements
        ],
    }


class Role(Resource):
    """The role that the function runs as, and its inline policy."""

    kind = "role"
    deleted_after = ("function",)

    @property
    def name(self) -> str:
        """The role's name."""
        return self.settings.names.role

    @property
    def arn(self) -> str:
        """The role's ARN; IAM has no region."""
        return self.cloud.arn("iam", f"role/{self.name}", region=False)

    def described(self, needed: Mapping[str, Live]) -> Attributes:
        """Return the trust policy and the inline policy."""
        return {
            "trust": policy_text(self._trust()),
            "policy": policy_text(function_policy(self.settings, self.cloud)),
        }

    def find(self) -> Live | None:
        """Read the role, its tags and its inline policy."""
        try:
            role = self.cloud.iam.get_role(RoleName=self.name)["Role"]
        except ClientError as error:
            if has_code(error, _ABSENT):
                return None
            raise
        attributes = {
            "trust": same_policy_text(role.get("AssumeRolePolicyDocument")),
            "policy": self._inline_policy(),
        }
        return self.live(attributes, tags_of(role.get("Tags")), id=role["RoleId"])

    def create(self, step: Step) -> Live:
        """Create the role with its tag and put its policy."""
        wanted = self.described(step.needed)
        try:
            role = self.cloud.iam.create_role(
                RoleName=self.name,
                AssumeRolePolicyDocument=wanted["trust"],
                Description="The role of ordernotify's function",
                Tags=tag_list(self.settings.all_tags),
            )["Role"]
        except ClientError as error:
            found = self.find() if has_code(error, "EntityAlreadyExists") else None
            if found is None or not found.owned:
                raise
            return self.update(found, frozenset(wanted), step)
        return self.update(Live(self.arn, {}, ids={"id": role["RoleId"]}), frozenset({"policy"}), step)

    def update(self, live: Live, changed: frozenset[str], step: Step) -> Live:
        """Put the policies over the old ones, never delete and recreate (AWS-FACTS 2 and 4)."""
        wanted = self.described(step.needed)
        if "trust" in changed:
            self.cloud.iam.update_assume_role_policy(RoleName=self.name, PolicyDocument=wanted["trust"])
        if "policy" in changed:
            self.cloud.iam.put_role_policy(
                RoleName=self.name, PolicyName=POLICY_NAME, PolicyDocument=wanted["policy"]
            )
        return Live(self.arn, wanted, ids=live.ids)

    def delete(self, live: Live, step: Step) -> None:
        """Remove inline and attached policies first, then the role (AWS-FACTS 18)."""
        with ignore_codes(_ABSENT):
            for inline in self.cloud.iam.get_paginator("list_role_policies").paginate(RoleName=self.name):
                for policy in inline["PolicyNames"]:
                    self.cloud.iam.delete_role_policy(RoleName=self.name, PolicyName=policy)
            attached_pages = self.cloud.iam.get_paginator("list_attached_role_policies")
            for attached in attached_pages.paginate(RoleName=self.name):
                for managed in attached["AttachedPolicies"]:
                    self.cloud.iam.detach_role_policy(RoleName=self.name, PolicyArn=managed["PolicyArn"])
            self.cloud.iam.delete_role(RoleName=self.name)

    def _inline_policy(self) -> str:
        try:
            answer = self.cloud.iam.get_role_policy(RoleName=self.name, PolicyName=POLICY_NAME)
        except ClientError as error:
            if has_code(error, _ABSENT):
                return ""
            raise
        return same_policy_text(answer["PolicyDocument"])

    def _trust(self) -> dict[str, Any]:
        return {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "lambda.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                    "Condition": {"StringEquals": {"aws:SourceAccount": self.cloud.account}},
                }
            ],
        }
