"""Guide step 4: the function's role, with exactly what the function needs on exactly its resources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from botocore.exceptions import ClientError

from ordernotify.aws.errors import (
    has_code,
    ignore_codes,
    is_changed_at_once,
    read_or_none,
)
from ordernotify.aws.tags import tag_list, tags_of
from ordernotify.errors import NotOursError, OrderNotifyError
from ordernotify.iam.calls import Calls, allow
from ordernotify.iam.documents import policy_text, same_policy_text
from ordernotify.iam.function_policy import function_policy
from ordernotify.resources.base import Live, Needed, Resource, Step, Verb, shown_as
from ordernotify.resources.own_role import (
    NO_ROLE,
    SETTLING_TIMEOUT_SECONDS,
    call_on_role,
    only_with_boundary,
    own_role_arn,
    place_of_role,
    trust_policy,
)
from ordernotify.resources.role_names import DESCRIPTION, POLICY_NAME
from ordernotify.settings.names import REGION_TAG


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyRoleState:
    """What the function needs of its role: the id, which is another one when the role is made again."""

    id: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleState(AnyRoleState):
    """The role's policy documents, as `policy_text` writes them, its boundary's ARN and path; empty: none."""

    trust: str = ""
    policy: str = ""
    boundary: str = field(default="", metadata=shown_as("permissions boundary"))
    path: str = "/"
    owned: bool = field(default=True, compare=False)
    description: str = field(default="", compare=False)


class Role(Resource[RoleState]):
    """The role that the function runs as, and its inline policy; see `role_name_in_region`."""

    kind = "role"
    removed_when_unwanted = True
    unknown_when_new = True
    deleted_after: tuple[str, ...] = ("function",)

    @property
    def name(self) -> str:
        return self.settings.names.role

    @property
    def wanted(self) -> bool:
        return self.settings.role_arn is None

    @property
    def arn(self) -> str:
        return own_role_arn(self.settings, self.cloud, self.name)

    @property
    def own_tags(self) -> dict[str, str]:
        """With the region: a role is global, and the same stack in another region has its own."""
        return {**self.settings.all_tags, REGION_TAG: self.cloud.region}

    def owns(self, tags: Mapping[str, str]) -> bool:
        """Whether it is this stack's, and of no other region."""
        return super().owns(tags) and tags.get(REGION_TAG, self.cloud.region) == self.cloud.region

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        """All calls are on the role; IAM also checks TagRole when CreateRole carries tags.

        With a boundary, what would widen the role's rights is granted only where the role has it. Of a role
        that does not exist, IAM knows no path.
        """
        bounded = only_with_boundary(self.settings)
        by_name = self.cloud.arn("iam", f"role/{self.name}", region=False)
        put = ("PutRolePolicy", *(("PutRolePermissionsBoundary",) if bounded else ()))
        change = (
            allow("iam", *put, on=self.arn, when=bounded),
            allow("iam", "TagRole", "UpdateAssumeRolePolicy", on=self.arn),
        )
        create = allow("iam", "CreateRole", on=self.arn, when=bounded)
        delete = allow(
            "iam",
            *("ListRolePolicies", "DeleteRolePolicy", "ListAttachedRolePolicies"),
            *("DetachRolePolicy", "DeleteRole"),
            on=self.arn,
        )
        return {
            Verb.FIND: (allow("iam", "GetRole", "GetRolePolicy", on={self.arn, by_name}),),
            Verb.CREATE: (create, *change),
            Verb.UPDATE: change,
            Verb.DELETE: (delete,),
        }

    def described(self, needed: Needed) -> RoleState:
        return RoleState(
            trust=trust_policy("lambda", {"StringEquals": {"aws:SourceAccount": self.cloud.account}}),
            policy=policy_text(function_policy(self.settings, self.cloud)),
            boundary=self.settings.permissions_boundary or "",
            path=self.settings.role_path,
        )

    def find(self) -> Live[RoleState] | None:
        """Read the role, its tags and its inline policy; None for the role of --role-arn.

        A boundary that somebody else set is not a difference if none is described: it only takes rights away.
        """
        if self.settings.role_arn and self.settings.role_arn.rpartition("/")[2] == self.name:
            return None
        found = read_or_none(lambda: self.cloud.iam.get_role(RoleName=self.name), NO_ROLE)
        if found is None:
            return None
        role = found["Role"]
        tags = tags_of(role.get("Tags"))
        boundary = role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "")
        state = RoleState(
            trust=same_policy_text(role.get("AssumeRolePolicyDocument")),
            policy=self._inline_policy(),
            boundary=boundary if self.settings.permissions_boundary else "",
            path=role["Path"],
            owned=self.owns(tags),
            id=role["RoleId"],
            description=role.get("Description", ""),
        )
        return Live(role["Arn"], state, self.owns(tags), tags)

    def must_replace(self, found: RoleState, wanted: RoleState) -> bool:
        """Whether the path differs, which is part of the ARN."""
        return found.path != wanted.path

    def refuse(self, found: RoleState, wanted: RoleState) -> None:
        """Refuse to replace a role that was not made by the stack: others may run as it."""
        if found.path != wanted.path and not found.owned:
            raise OrderNotifyError(
                f"the role {self.name} has the path {found.path}, and a role's path cannot be changed",
                f"Give its path: --role-path {found.path}",
            )

    def create(self, step: Step) -> Live[RoleState]:
        wanted = self.described(step.needed)
        try:
            role = self.cloud.iam.create_role(
                RoleName=self.name,
                **place_of_role(self.settings),
                AssumeRolePolicyDocument=wanted.trust,
                Description=DESCRIPTION,
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
        made = replace(wanted, policy="", id=role["RoleId"])
        return self.update(Live(self.arn, made), step)

    def update(self, live: Live[RoleState], step: Step) -> Live[RoleState]:
        """Put the policies over the old ones; never delete and recreate them (AWS-FACTS 2 and 4).

        The boundary first: the right to put the policy may depend on it.
        """
        iam, found, wanted = self.cloud.iam, live.state, self.described(step.needed)
        name = self.name
        if wanted.boundary and found.boundary != wanted.boundary:
            call_on_role(
                step,
                lambda: iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=wanted.boundary),
            )
        if found.trust != wanted.trust:
            call_on_role(
                step, lambda: iam.update_assume_role_policy(RoleName=name, PolicyDocument=wanted.trust)
            )
        if found.policy != wanted.policy:
            call_on_role(
                step,
                lambda: iam.put_role_policy(
                    RoleName=name, PolicyName=POLICY_NAME, PolicyDocument=wanted.policy
                ),
            )
        return Live(self.arn, replace(wanted, id=found.id))

    def _inline_policy(self) -> str:
        answer = read_or_none(
            lambda: self.cloud.iam.get_role_policy(RoleName=self.name, PolicyName=POLICY_NAME), NO_ROLE
        )
        return same_policy_text(answer["PolicyDocument"]) if answer else ""

    def put_tags(self, live: Live[RoleState]) -> None:
        self.cloud.iam.tag_role(RoleName=self.name, Tags=tag_list(self.own_tags))

    def delete(self, live: Live[RoleState], step: Step) -> None:
        step.patience.retry(
            self._delete,
            when=is_changed_at_once,
            waiting_for="another change of the role to end",
            timeout=SETTLING_TIMEOUT_SECONDS,
        )

    def _delete(self) -> None:
        """Remove inline and attached policies first, then the role (AWS-FACTS 18)."""
        iam, name = self.cloud.iam, self.name
        with ignore_codes(NO_ROLE):
            for inline in iam.get_paginator("list_role_policies").paginate(RoleName=name):
                for policy in inline["PolicyNames"]:
                    with ignore_codes(NO_ROLE):  # botocore repeats a call that was cut off
                        iam.delete_role_policy(RoleName=name, PolicyName=policy)
            attached_pages = iam.get_paginator("list_attached_role_policies")
            for attached in attached_pages.paginate(RoleName=name):
                for managed in attached["AttachedPolicies"]:
                    with ignore_codes(NO_ROLE):
                        iam.detach_role_policy(RoleName=name, PolicyArn=managed["PolicyArn"])
            iam.delete_role(RoleName=name)
