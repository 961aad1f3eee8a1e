"""Guide step 4: the function's role, with exactly what the function needs on exactly its resources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from ordernotify.aws.errors import has_code, ignore_codes
from ordernotify.aws.session import Cloud
from ordernotify.aws.tags import tag_list
from ordernotify.errors import OrderNotifyError
from ordernotify.iam.calls import Permissions, allow
from ordernotify.resources.base import (
    Attributes,
    Change,
    Live,
    Resource,
    Step,
    Verb,
    policy_text,
    same_policy_text,
    tags_of,
)
from ordernotify.settings.model import Settings

POLICY_NAME = "ordernotify"
MARK_STATEMENT = "MarkOrders"
"""A given role may lack this one: the function then marks an order by PutItem."""
_ABSENT = "NoSuchEntity"


def function_policy(settings: Settings, cloud: Cloud) -> dict[str, Any]:
    """Build the function's policy document: storing and marking orders, Publish, and its own log group.

    Without logs:CreateLogGroup, so that a late log line cannot bring a deleted group back (AWS-FACTS 11).
    UpdateItem may touch the mark only, and may not read the rest of the item.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
    """
    names = settings.names
    table = cloud.arn("dynamodb", f"table/{names.table}")
    statements = [
        ("StoreOrders", ["dynamodb:PutItem"], table),
        ("PublishNotifications", ["sns:Publish"], cloud.arn("sns", names.topic)),
        (
            "WriteLogs",
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            cloud.arn("logs", f"log-group:{names.log_group}:*"),
        ),
    ]
    mark = {
        "Sid": MARK_STATEMENT,
        "Effect": "Allow",
        "Action": ["dynamodb:UpdateItem"],
        "Resource": table,
        "Condition": {
            "ForAllValues:StringEquals": {"dynamodb:Attributes": ["FileName", "messageId", "notification"]},
            "StringEqualsIfExists": {"dynamodb:ReturnValues": ["NONE", "UPDATED_NEW", "UPDATED_OLD"]},
        },
    }
    return {
        "Version": "2012-10-17",
        "Statement": [
            *(
                {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource}
                for sid, actions, resource in statements
            ),
            mark,
        ],
    }


class Role(Resource):
    """The role that the function runs as, and its inline policy."""

    kind = "role"
    removed_when_unwanted = True
    deleted_after: tuple[str, ...] = ("function",)

    @property
    def name(self) -> str:
        """The role's name."""
        return self.settings.names.role

    @property
    def wanted(self) -> bool:
        """Not where the person gave a role of their own."""
        return self.settings.role_arn is None

    @property
    def arn(self) -> str:
        """The role's ARN; IAM has no region."""
        return self.cloud.arn("iam", f"role/{self.name}", region=False)

    @property
    def permissions(self) -> Mapping[Verb, Permissions]:
        """Everything is on the role; TagRole is also checked when a role is made with tags."""
        calls = {
            Verb.FIND: ("GetRole", "GetRolePolicy"),
            Verb.CREATE: ("CreateRole", "TagRole", "PutRolePolicy", "UpdateAssumeRolePolicy"),
            Verb.UPDATE: ("TagRole", "PutRolePolicy", "UpdateAssumeRolePolicy"),
            Verb.DELETE: (
                "ListRolePolicies",
                "DeleteRolePolicy",
                "ListAttachedRolePolicies",
                "DetachRolePolicy",
                "DeleteRole",
            ),
        }
        return {verb: (allow("iam", *names, on=self.arn),) for verb, names in calls.items()}

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

    def put_tags(self, live: Live) -> None:
        """Add the tags."""
        self.cloud.iam.tag_role(RoleName=self.name, Tags=tag_list(self.settings.all_tags))

    def delete(self, live: Live, step: Step) -> None:
        """Remove inline and attached policies first, then the role (AWS-FACTS 18)."""
        with ignore_codes(_ABSENT):
            for inline in self.cloud.iam.get_paginator("list_role_policies").paginate(RoleName=self.name):
                for policy in inline["PolicyNames"]:
                    with ignore_codes(_ABSENT):  # the policy: botocore repeated a call that was cut off
                        self.cloud.iam.delete_role_policy(RoleName=self.name, PolicyName=policy)
            attached_pages = self.cloud.iam.get_paginator("list_attached_role_policies")
            for attached in attached_pages.paginate(RoleName=self.name):
                for managed in attached["AttachedPolicies"]:
                    with ignore_codes(_ABSENT):
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


class ExistingRole(Resource):
    """A role that the person gave: checked for what it lacks, never changed or deleted."""

    kind = "given role"
    shared = True

    @property
    def name(self) -> str:
        """The role's name, without its path."""
        return self.arn.rpartition("/")[2]

    @property
    def arn(self) -> str:
        """The ARN that was given."""
        return self.settings.role_arn or ""

    @property
    def wanted(self) -> bool:
        """Only where a role was given."""
        return self.settings.role_arn is not None

    @property
    def permissions(self) -> Mapping[Verb, Permissions]:
        """Reading the role, and simulating its policies where the caller may."""
        if not self.wanted:
            return {}
        simulate = allow("iam", "SimulatePrincipalPolicy", on=self.arn, optional=True)
        return {Verb.FIND: (allow("iam", "GetRole", on=self.arn), simulate)}

    def described(self, needed: Mapping[str, Live]) -> Attributes:
        """Return that it lacks nothing, and that Lambda may assume it."""
        return {"lacks": "", "assumed by Lambda": True}

    def find(self) -> Live | None:
        """Read the role and simulate its policies; raises OrderNotifyError if it does not exist.

        A caller who may not simulate, or an emulator that cannot, leaves the permissions unchecked.
        """
        if not self.wanted:
            return None
        try:
            role = self.cloud.iam.get_role(RoleName=self.name)["Role"]
        except ClientError as error:
            if has_code(error, _ABSENT):
                raise OrderNotifyError(
                    f"the role {self.arn} does not exist", "Give an existing role, or leave --role-arn away."
                ) from error
            raise
        if role["Arn"] != self.arn:
            raise OrderNotifyError(
                f"there is a role {self.name}, but its ARN is {role['Arn']}",
                "Give that ARN, in this account.",
            )
        trusted = "lambda.amazonaws.com" in same_policy_text(role.get("AssumeRolePolicyDocument"))
        attributes = {"lacks": ", ".join(self._lacking()), "assumed by Lambda": trusted}
        return Live(self.arn, attributes, ids={"id": role["RoleId"]})

    def diff(self, live: Live, needed: Mapping[str, Live]) -> tuple[Change, ...]:
        """Refuse a role that would not do: it is not ours to change."""
        if live.attributes["lacks"]:
            raise OrderNotifyError(
                f"the role {self.name} lacks {live.attributes['lacks']}",
                "`ordernotify policy function` prints the policy to add to it; or leave --role-arn away.",
            )
        if not live.attributes["assumed by Lambda"]:
            raise OrderNotifyError(
                f"Lambda may not assume the role {self.name}",
                "Add the service lambda.amazonaws.com to its trust policy; or leave --role-arn away.",
            )
        return ()

    def create(self, step: Step) -> Live:
        """Nothing: `find` has refused a role that does not exist."""
        raise NotImplementedError(self.kind)

    def update(self, live: Live, changed: frozenset[str], step: Step) -> Live:
        """Nothing: the role is not ours."""
        return live

    def delete(self, live: Live, step: Step) -> None:
        """Nothing: the role is not ours."""

    def _lacking(self) -> list[str]:
        lacking = []
        for statement in function_policy(self.settings, self.cloud)["Statement"]:
            if statement["Sid"] == MARK_STATEMENT:
                continue
            try:
                answer = self.cloud.iam.simulate_principal_policy(
                    PolicySourceArn=self.arn,
                    ActionNames=statement["Action"],
                    ResourceArns=[statement["Resource"].replace(":*", ":log-stream:any")],
                )
            except ClientError as error:
                if has_code(
                    error, "AccessDenied", "AccessDeniedException", "NotImplemented", "InvalidAction"
                ):
                    return []
                raise
            lacking += [
                result["EvalActionName"]
                for result in answer["EvaluationResults"]
                if result["EvalDecision"] != "allowed"
            ]
        return lacking
