"""The role of --role-arn: the person's own, read and never changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from ordernotify.aws.errors import read_or_none
from ordernotify.errors import OrderNotifyError
from ordernotify.iam.calls import Calls, allow
from ordernotify.iam.documents import same_policy_text
from ordernotify.iam.function_policy import KEY_STATEMENT, MARK_STATEMENT, function_policy
from ordernotify.resources.base import Given, Live, Needed, Verb
from ordernotify.resources.own_role import NO_ROLE
from ordernotify.resources.role import AnyRoleState

if TYPE_CHECKING:
    from mypy_boto3_iam.type_defs import EvaluationResultTypeDef

_CANNOT_SIMULATE = ("AccessDenied", "AccessDeniedException", "NotImplemented", "InvalidAction")
"""The caller may not, or it is an emulator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenRoleState(AnyRoleState):
    """Which actions the person's role lacks, and whether Lambda may assume it."""

    lacks: str = ""
    trusts_lambda: bool = True
    unsure: str = field(default="", compare=False)
    """The condition keys on which its rights depend, and which only a real call has."""


class ExistingRole(Given[GivenRoleState]):
    """The role of --role-arn: checked for what it lacks, never changed or deleted."""

    kind = "given role"

    @property
    def name(self) -> str:
        return self.arn.rpartition("/")[2]

    @property
    def arn(self) -> str:
        return self.settings.role_arn or ""

    @property
    def wanted(self) -> bool:
        return self.settings.role_arn is not None

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        """Reading the role, and simulating its policies where the caller may."""
        if not self.wanted:
            return {}
        simulate = allow("iam", "SimulatePrincipalPolicy", on=self.arn, optional=True)
        return {Verb.FIND: (allow("iam", "GetRole", on=self.arn), simulate)}

    def described(self, needed: Needed) -> GivenRoleState:
        return GivenRoleState()

    def find(self) -> Live[GivenRoleState] | None:
        """Read the role and simulate its policies; None if there is none of exactly this ARN.

        Where the caller may not simulate, or an emulator cannot, the policies stay unchecked.
        """
        if not self.wanted:
            return None
        found = read_or_none(lambda: self.cloud.iam.get_role(RoleName=self.name), NO_ROLE)
        if found is None or (role := found["Role"])["Arn"] != self.arn:
            return None
        trusted = "lambda.amazonaws.com" in same_policy_text(role.get("AssumeRolePolicyDocument"))
        refused = [one for one in self._simulated() if one["EvalDecision"] != "allowed"]
        unsure = {key for one in refused for key in one.get("MissingContextValues", ())}
        state = GivenRoleState(
            lacks=", ".join(one["EvalActionName"] for one in refused if not one.get("MissingContextValues")),
            trusts_lambda=trusted,
            unsure=", ".join(sorted(unsure)),
            id=role["RoleId"],
        )
        return Live(self.arn, state)

    def refuse_missing(self) -> None:
        """Refuse a role that is gone, of another account or of another path: only the person may make it."""
        raise OrderNotifyError(
            f"the role {self.arn} does not exist",
            f"Give the ARN of a role in the account {self.cloud.account}, or leave out --role-arn.",
        )

    def refuse(self, found: GivenRoleState, wanted: GivenRoleState) -> None:
        """Refuse a role that will not do: only the person may change it."""
        if found.lacks:
            raise OrderNotifyError(
                f"the role {self.name} lacks {found.lacks}",
                "`ordernotify policy function` prints the policy to add to it; or leave out --role-arn.",
            )
        if not found.trusts_lambda:
            raise OrderNotifyError(
                f"Lambda may not assume the role {self.name}",
                "Add the service lambda.amazonaws.com to its trust policy; or leave out --role-arn.",
            )

    def staying(self, live: Live[GivenRoleState]) -> tuple[str, ...]:
        """Say where the simulation could not tell what the role may do."""
        if not live.state.unsure:
            return ()
        return (
            f"The rights of the role {self.name} depend on {live.state.unsure}: whether they are enough was "
            "not checked. `ordernotify verify` proves it with an order.",
        )

    def _simulated(self) -> Iterator[EvaluationResultTypeDef]:
        """Simulate what the function does; yields nothing where that is not possible.

        A result with MissingContextValues is not to be trusted.
        https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html
        """
        for statement in function_policy(self.settings, self.cloud)["Statement"]:
            if statement["Sid"] in (MARK_STATEMENT, KEY_STATEMENT):
                continue
            answer = read_or_none(
                partial(
                    self.cloud.iam.simulate_principal_policy,
                    PolicySourceArn=self.arn,
                    ActionNames=statement["Action"],
                    ResourceArns=[statement["Resource"].replace(":*", ":log-stream:any")],
                ),
                *_CANNOT_SIMULATE,
            )
            if answer is None:
                return
            yield from answer["EvaluationResults"]
