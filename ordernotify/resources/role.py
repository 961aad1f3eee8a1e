"""Guide step 4: the function's role, with exactly what the function needs on exactly its resources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.exceptions import ClientError

from ordernotify.aws.errors import has_code, ignore_codes, map_botocore_errors
from ordernotify.aws.session import Cloud
from ordernotify.aws.tags import tag_list
from ordernotify.errors import NotOursError, OrderNotifyError
from ordernotify.iam.calls import Calls, allow
from ordernotify.iam.function_policy import MARK_STATEMENT, function_policy
from ordernotify.resources.base import (
    Live,
    Needed,
    Resource,
    Step,
    Verb,
    json_statements,
    policy_text,
    same_policy_text,
    tags_of,
)
from ordernotify.settings.names import REGION_TAG, STACK_TAG

POLICY_NAME = "ordernotify"
_MAX_NAME = 64
_ABSENT = "NoSuchEntity"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyRoleState:
    """What the function needs of its role: the id, which is another one when the role is made again."""

    id: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleState(AnyRoleState):
    """The role's policy documents, as `policy_text` writes them; empty: none."""

    trust: str = ""
    policy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenRoleState(AnyRoleState):
    """Which actions the person's role lacks, and whether Lambda may assume it."""

    lacks: str = ""
    trusts_lambda: bool = True


def role_name_in_region(cloud: Cloud, stack: str, name: str) -> str:
    """Choose the name of the stack's own role in this region: `name`, or `name-REGION`.

    IAM is global, and the same stack may live in several regions. The first has the role of the plain name; a
    region that found it taken keeps the longer name until its teardown. Read from the account alone, so that
    it holds whatever was set up, removed or cut off in between.
    """
    in_region = _name_in_region(cloud, name)
    if _belongs_to(cloud, in_region) == (stack, cloud.region):
        return in_region
    owner, region = _belongs_to(cloud, name)
    return in_region if owner == stack and region != cloud.region else name


def role_name_calls(cloud: Cloud, name: str) -> Calls:
    """What `role_name_in_region` calls."""
    arns = [cloud.arn("iam", f"role/{one}", region=False) for one in (name, _name_in_region(cloud, name))]
    return (allow("iam", "GetRole", "GetRolePolicy", on=arns),)


def _name_in_region(cloud: Cloud, name: str) -> str:
    return f"{name[: _MAX_NAME - 1 - len(cloud.region)]}-{cloud.region}"


def _belongs_to(cloud: Cloud, name: str) -> tuple[str, str]:
    """Read which stack and region a role belongs to; empty texts for none."""
    with map_botocore_errors("read", Role.kind, name):
        try:
            tags = tags_of(cloud.iam.get_role(RoleName=name)["Role"].get("Tags"))
        except ClientError as error:
            if has_code(error, _ABSENT):
                return "", ""
            raise
        region = tags.get(REGION_TAG) or _region_served(_inline_policy(cloud, name)) or cloud.region
        return tags.get(STACK_TAG, ""), region


def _inline_policy(cloud: Cloud, name: str) -> str:
    try:
        answer = cloud.iam.get_role_policy(RoleName=name, PolicyName=POLICY_NAME)
    except ClientError as error:
        if has_code(error, _ABSENT):
            return ""
        raise
    return same_policy_text(answer["PolicyDocument"])


def _region_served(policy: str) -> str:
    """Tell a role's region from its policy: version 0.1.0 gave it no tag. Empty without a policy."""
    resources = (statement.get("Resource") for statement in json_statements(policy or "{}"))
    arns = (one.split(":") for one in resources if isinstance(one, str))
    return next((parts[3] for parts in arns if len(parts) > 5 and parts[2] == "dynamodb"), "")


class Role(Resource[RoleState]):
    """The role that the function runs as, and its inline policy; see `role_name_in_region`."""

    kind = "role"
    removed_when_unwanted = True
    deleted_after: tuple[str, ...] = ("function",)

    @property
    def name(self) -> str:
        return self.settings.names.role

    @property
    def wanted(self) -> bool:
        """Not with --role-arn."""
        return self.settings.role_arn is None

    @property
    def arn(self) -> str:
        """The role's ARN; IAM has no region."""
        return self.cloud.arn("iam", f"role/{self.name}", region=False)

    @property
    def own_tags(self) -> dict[str, str]:
        """With the region: a role is global, and the same stack in another region has its own."""
        return {**self.settings.all_tags, REGION_TAG: self.cloud.region}

    def owns(self, tags: Mapping[str, str]) -> bool:
        """Whether it is this stack's in this region; version 0.1.0 gave no region."""
        return super().owns(tags) and tags.get(REGION_TAG, self.cloud.region) == self.cloud.region

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        """All calls are on the role; IAM also checks TagRole when CreateRole carries tags."""
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

    def described(self, needed: Needed) -> RoleState:
        """Return the trust policy and the inline policy."""
        policy = policy_text(function_policy(self.settings, self.cloud))
        return RoleState(trust=policy_text(self._trust()), policy=policy)

    def find(self) -> Live[RoleState] | None:
        """Read the role, its tags and its inline policy; None for one that the person gave as --role-arn."""
        if self.settings.role_arn == self.arn:
            return None
        try:
            role = self.cloud.iam.get_role(RoleName=self.name)["Role"]
        except ClientError as error:
            if has_code(error, _ABSENT):
                return None
            raise
        trust = same_policy_text(role.get("AssumeRolePolicyDocument"))
        state = RoleState(trust=trust, policy=_inline_policy(self.cloud, self.name), id=role["RoleId"])
        return self.live(state, tags_of(role.get("Tags")))

    def create(self, step: Step) -> Live[RoleState]:
        """Create the role with its tag and put its policy."""
        wanted = self.described(step.needed)
        try:
            role = self.cloud.iam.create_role(
                RoleName=self.name,
                AssumeRolePolicyDocument=wanted.trust,
                Description="The role of ordernotify's function",
                Tags=tag_list(self.own_tags),
            )["Role"]
        except ClientError as error:
            found = self.find() if has_code(error, "EntityAlreadyExists") else None
            if found is None:
                raise
            if not found.owned:
                raise NotOursError(
                    f"a role {self.name} appeared that is not this stack's in this region",
                    "Run the same command again: it takes another name if it is the stack's elsewhere.",
                ) from error
            return self.update(found, step)
        return self.update(Live(self.arn, RoleState(trust=wanted.trust, id=role["RoleId"])), step)

    def update(self, live: Live[RoleState], step: Step) -> Live[RoleState]:
        """Put the policies over the old ones; never delete and recreate them (AWS-FACTS 2 and 4)."""
        found, wanted = live.state, self.described(step.needed)
        if found.trust != wanted.trust:
            self.cloud.iam.update_assume_role_policy(RoleName=self.name, PolicyDocument=wanted.trust)
        if found.policy != wanted.policy:
            self.cloud.iam.put_role_policy(
                RoleName=self.name, PolicyName=POLICY_NAME, PolicyDocument=wanted.policy
            )
        return Live(self.arn, replace(wanted, id=found.id))

    def put_tags(self, live: Live[RoleState]) -> None:
        self.cloud.iam.tag_role(RoleName=self.name, Tags=tag_list(self.own_tags))

    def delete(self, live: Live[RoleState], step: Step) -> None:
        """Remove inline and attached policies first, then the role (AWS-FACTS 18)."""
        with ignore_codes(_ABSENT):
            for inline in self.cloud.iam.get_paginator("list_role_policies").paginate(RoleName=self.name):
                for policy in inline["PolicyNames"]:
                    with ignore_codes(_ABSENT):  # botocore repeats a call that was cut off
                        self.cloud.iam.delete_role_policy(RoleName=self.name, PolicyName=policy)
            attached_pages = self.cloud.iam.get_paginator("list_attached_role_policies")
            for attached in attached_pages.paginate(RoleName=self.name):
                for managed in attached["AttachedPolicies"]:
                    with ignore_codes(_ABSENT):
                        self.cloud.iam.detach_role_policy(RoleName=self.name, PolicyArn=managed["PolicyArn"])
            self.cloud.iam.delete_role(RoleName=self.name)

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


class ExistingRole(Resource[GivenRoleState]):
    """The role of --role-arn: checked for what it lacks, never changed or deleted."""

    kind = "given role"
    shared = True

    @property
    def name(self) -> str:
        """The role's name, without its path."""
        return self.arn.rpartition("/")[2]

    @property
    def arn(self) -> str:
        return self.settings.role_arn or ""

    @property
    def wanted(self) -> bool:
        """Only with --role-arn."""
        return self.settings.role_arn is not None

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        """Reading the role, and simulating its policies where the caller may."""
        if not self.wanted:
            return {}
        simulate = allow("iam", "SimulatePrincipalPolicy", on=self.arn, optional=True)
        return {Verb.FIND: (allow("iam", "GetRole", on=self.arn), simulate)}

    def described(self, needed: Needed) -> GivenRoleState:
        """Return that it lacks nothing, and that Lambda may assume it."""
        return GivenRoleState()

    def find(self) -> Live[GivenRoleState] | None:
        """Read the role and simulate its policies; None if there is none of exactly this ARN.

        Where the caller may not simulate, or an emulator cannot, the policies stay unchecked.
        """
        if not self.wanted:
            return None
        try:
            role = self.cloud.iam.get_role(RoleName=self.name)["Role"]
        except ClientError as error:
            if has_code(error, _ABSENT):
                return None
            raise
        if role["Arn"] != self.arn:
            return None
        trusted = "lambda.amazonaws.com" in same_policy_text(role.get("AssumeRolePolicyDocument"))
        lacks = ", ".join(self._lacking())
        return Live(self.arn, GivenRoleState(lacks=lacks, trusts_lambda=trusted, id=role["RoleId"]))

    def refuse_missing(self) -> None:
        """Refuse a role that is gone, of another account or of another path: only the person may make it."""
        raise OrderNotifyError(
            f"the role {self.arn} does not exist",
            f"Give the ARN of a role in the account {self.cloud.account}, or leave --role-arn away.",
        )

    def refuse(self, found: GivenRoleState, wanted: GivenRoleState) -> None:
        """Refuse a role that will not do: only the person may change it."""
        if found.lacks:
            raise OrderNotifyError(
                f"the role {self.name} lacks {found.lacks}",
                "`ordernotify policy function` prints the policy to add to it; or leave --role-arn away.",
            )
        if not found.trusts_lambda:
            raise OrderNotifyError(
                f"Lambda may not assume the role {self.name}",
                "Add the service lambda.amazonaws.com to its trust policy; or leave --role-arn away.",
            )

    def create(self, step: Step) -> Live[GivenRoleState]:
        """Never called: the plan refuses a role that does not exist."""
        raise NotImplementedError(self.kind)

    def update(self, live: Live[GivenRoleState], step: Step) -> Live[GivenRoleState]:
        """Do nothing: the role is the person's."""
        return live

    def delete(self, live: Live[GivenRoleState], step: Step) -> None:
        """Do nothing: the role is the person's."""

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
