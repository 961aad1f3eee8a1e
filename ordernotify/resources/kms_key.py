"""The key of --kms-key: the person's own, read and never changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ordernotify.aws.errors import read_or_none
from ordernotify.errors import OrderNotifyError
from ordernotify.iam.calls import Calls
from ordernotify.iam.kms import allow_key, missing_statements, needed_statements
from ordernotify.resources.base import UNKNOWN, Given, Live, Needed, Verb, needed_state, shown_as
from ordernotify.settings.model import Settings

_ABSENT = "NotFoundException"
_DENIED = ("AccessDenied", "AccessDeniedException")


@dataclass(frozen=True, slots=True)
class GivenKeyState:
    """Whether the key can be used: its state, kind and use in KMS's words."""

    state: str = "Enabled"
    spec: str = "SYMMETRIC_DEFAULT"
    usage: str = "ENCRYPT_DECRYPT"
    lacks: str = field(default="", metadata=shown_as("its policy lacks"))
    """The statements without which logs, alarms and dead letters would be lost, as JSON."""
    arn: str = field(default="", compare=False)
    unread: bool = field(default=False, compare=False)
    """Whether the caller may not read its policy."""

    @staticmethod
    def arn_in(settings: Settings, needed: Needed) -> str:
        """Return the ARN of the key that a resource is to be encrypted with; empty: AWS's own."""
        if settings.kms_key is None:
            return ""
        key = needed_state(needed, GivenKeyState)
        return key.arn if key else UNKNOWN


class GivenKey(Given[GivenKeyState]):
    """The key of --kms-key: checked for what would not work with it, never changed or deleted."""

    kind = "key"

    @property
    def name(self) -> str:
        return self.settings.kms_key or ""

    @property
    def wanted(self) -> bool:
        """Only with --kms-key."""
        return self.settings.kms_key is not None

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        """Reading the key and its policy; without Decrypt, Lambda and DynamoDB show nothing encrypted."""
        return {Verb.FIND: allow_key(self.settings, self.cloud, "DescribeKey", "GetKeyPolicy", "Decrypt")}

    def described(self, needed: Needed) -> GivenKeyState:
        """Return a key that encrypts and is enabled."""
        return GivenKeyState()

    def find(self) -> Live[GivenKeyState] | None:
        """Read the key and its policy; None if there is none, or without --kms-key."""
        if not self.wanted:
            return None
        kms = self.cloud.client("kms")
        found = read_or_none(lambda: kms.describe_key(KeyId=self.name), _ABSENT)
        if found is None:
            return None
        key = found["KeyMetadata"]
        state = GivenKeyState(
            state=key["KeyState"],
            spec=key.get("KeySpec", "SYMMETRIC_DEFAULT"),
            usage=key.get("KeyUsage", "ENCRYPT_DECRYPT"),
            arn=key["Arn"],
        )
        policy = read_or_none(lambda: kms.get_key_policy(KeyId=key["Arn"], PolicyName="default"), *_DENIED)
        if policy is None:
            return Live(key["Arn"], replace(state, unread=True))
        needed = needed_statements(self.settings, self.cloud)
        lacking = list(missing_statements(json.loads(policy["Policy"]), needed))
        return Live(key["Arn"], replace(state, lacks=json.dumps(lacking) if lacking else ""))

    def refuse_missing(self) -> None:
        """Refuse a key that does not exist: only the person makes one."""
        raise OrderNotifyError(
            f"there is no KMS key {self.name} in account {self.cloud.account}, region {self.cloud.region}",
            "Make it (`aws kms create-key`, `aws kms create-alias`), or leave --kms-key out.",
        )

    def refuse(self, found: GivenKeyState, wanted: GivenKeyState) -> None:
        """Refuse a key that cannot encrypt; only the person may change it."""
        if (found.spec, found.usage) != (wanted.spec, wanted.usage):
            raise OrderNotifyError(
                f"the KMS key {self.name} is {found.spec} for {found.usage}, and the services need a "
                "symmetric one that encrypts",
                "Give another --kms-key.",
            )
        if found.state != wanted.state:
            raise OrderNotifyError(
                f"the KMS key {self.name} is {found.state}, so that nothing could be read with it",
                f"Enable it (`aws kms enable-key --key-id {found.arn}`), or give another --kms-key.",
            )
        raise OrderNotifyError(
            f"the policy of the KMS key {self.name} lets not every service use it, and what they write or "
            "send would be lost",
            f"Add these statements to it (`aws kms put-key-policy`), or leave --kms-key out: {found.lacks}",
        )

    def staying(self, live: Live[GivenKeyState]) -> tuple[str, ...]:
        """Say where the key's policy could not be checked."""
        if not live.state.unread:
            return ()
        return (
            f"The policy of the KMS key {self.name} may not be read (kms:GetKeyPolicy): whether alarms, dead "
            "letters and logs can use the key was not checked.",
        )
