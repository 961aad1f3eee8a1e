"""Guide step 1: the DynamoDB table that keeps the orders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from ordernotify.aws.errors import has_code, ignore_codes, read_or_none
from ordernotify.aws.tags import tag_list, tags_of
from ordernotify.aws.waiting import Patience
from ordernotify.errors import OrderNotifyError
from ordernotify.iam.calls import Calls, allow
from ordernotify.iam.kms import USE_OF_KEY, allow_key
from ordernotify.resources.base import Live, Needed, Resource, Step, Verb, shown_as
from ordernotify.resources.kms_key import GivenKeyState
from ordernotify.settings.names import TABLE_KEY, Target

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import SSESpecificationTypeDef, TableDescriptionTypeDef

ACTIVE_TIMEOUT_SECONDS = 300.0
DELETED_TIMEOUT_SECONDS = 600.0
_ABSENT = "ResourceNotFoundException"


@dataclass(frozen=True, slots=True)
class TableState:
    """What a table is; `status` is DynamoDB's, but ACTIVE for a table that serves while it is updated."""

    key: str
    billing: Literal["PAY_PER_REQUEST", "PROVISIONED"]
    deletion_protection: bool
    recovery: bool = field(metadata=shown_as("point-in-time recovery"))
    status: str = field(metadata=shown_as("state"))
    encrypted_with: str = ""
    """The ARN of a KMS key; empty: DynamoDB's own."""


class Table(Resource[TableState]):
    """An on-demand table with the key `FileName`; protected and backed up on AWS."""

    kind = "table"
    needs: tuple[str, ...] = ("key",)
    keeps_orders = True
    stays_when_renamed = True
    deleted_after: tuple[str, ...] = ("function",)
    reading = Patience()
    """How `find` waits for a table that is being made."""

    @property
    def name(self) -> str:
        return self.settings.names.table

    @property
    def arn(self) -> str:
        return self.cloud.arn("dynamodb", f"table/{self.name}")

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        """All calls are on the table; IAM also checks TagResource when CreateTable carries tags."""
        calls = {
            Verb.FIND: ("DescribeTable", "ListTagsOfResource", "DescribeContinuousBackups"),
            Verb.CREATE: ("CreateTable", "TagResource", "UpdateContinuousBackups"),
            Verb.UPDATE: ("UpdateTable", "TagResource", "UpdateContinuousBackups"),
            Verb.DELETE: ("UpdateTable", "DeleteTable"),
        }
        grant = allow_key(self.settings, self.cloud, *USE_OF_KEY)
        more = {Verb.CREATE: grant, Verb.UPDATE: grant}
        return {
            verb: (allow("dynamodb", *names, on=self.arn), *more.get(verb, ()))
            for verb, names in calls.items()
        }

    def described(self, needed: Needed) -> TableState:
        careful = self.cloud.target is Target.AWS
        return TableState(
            key=f"{TABLE_KEY} (S)",
            billing="PAY_PER_REQUEST",
            deletion_protection=careful,
            recovery=careful,
            status="ACTIVE",
            encrypted_with=GivenKeyState.arn_in(self.settings, needed),
        )

    def refuse(self, found: TableState, wanted: TableState) -> None:
        """Refuse a table with another key: only a new table could have the right one."""
        if found.key != wanted.key:
            raise OrderNotifyError(
                f"the table {self.name} has the key {found.key} and not {wanted.key}: a table's key cannot "
                "be changed, and replacing the table would delete the orders in it",
                "Export the orders and remove the table by hand, or choose another name.",
            )

    def find(self) -> Live[TableState] | None:
        """Read the table, its tags and its backups; a table that is being deleted does not exist."""
        found = self._describe_with_tags()
        if found is None:
            return None
        table, tags = found
        types = {item["AttributeName"]: item["AttributeType"] for item in table["AttributeDefinitions"]}
        keys = [f"{item['AttributeName']} ({types[item['AttributeName']]})" for item in table["KeySchema"]]
        state = TableState(
            key=", ".join(keys),
            billing=table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
            deletion_protection=table.get("DeletionProtectionEnabled", False),
            recovery=self._recovery_enabled(),
            status="ACTIVE" if table["TableStatus"] == "UPDATING" else table["TableStatus"],
            encrypted_with=_key_of(table),
        )
        return self.live(state, tags)

    def create(self, step: Step) -> Live[TableState]:
        """Create the table, wait until it is active, then turn recovery on."""
        # AWS-FACTS 15: AWS may still be deleting a table of this name.
        wanted = self.described(step.needed)
        step.patience.retry(
            lambda: self._create(wanted),
            when=lambda error: has_code(error, "ResourceInUseException") and self._is_going(),
            waiting_for=f"the old table {self.name} to be gone",
            timeout=DELETED_TIMEOUT_SECONDS,
        )
        self._wait_until_active(step)
        if wanted.recovery:
            self._set_recovery(True, step)
        return Live(self.arn, wanted)

    def update(self, live: Live[TableState], step: Step) -> Live[TableState]:
        """Change what differs, one after the other: a table takes one change at a time."""
        found, wanted = live.state, self.described(step.needed)
        self._wait_until_active(step)
        if found.billing != wanted.billing:
            self.cloud.dynamodb.update_table(TableName=self.name, BillingMode=wanted.billing)
            self._wait_until_active(step)
        if found.deletion_protection != wanted.deletion_protection:
            self._set_protection(wanted.deletion_protection, step)
        if found.encrypted_with != wanted.encrypted_with:
            self.cloud.dynamodb.update_table(TableName=self.name, SSESpecification=_encryption(wanted))
            self._wait_until_active(step)
        if found.recovery != wanted.recovery:
            self._set_recovery(wanted.recovery, step)
        return Live(self.arn, wanted)

    def put_tags(self, live: Live[TableState]) -> None:
        self.cloud.dynamodb.tag_resource(ResourceArn=self.arn, Tags=tag_list(self.settings.all_tags))

    def delete(self, live: Live[TableState], step: Step) -> None:
        """Turn the protection off and delete the table with all its orders."""
        with ignore_codes(_ABSENT):
            self._wait_until_settled(step)
            # AWS-FACTS 16: the person has agreed to lose the orders.
            if live.state.deletion_protection:
                self._set_protection(False, step)
            self.cloud.dynamodb.delete_table(TableName=self.name)
        step.patience.until(
            lambda: self._describe() is None,
            waiting_for=f"the table {self.name} to be gone",
            timeout=DELETED_TIMEOUT_SECONDS,
        )

    def _describe_with_tags(self) -> tuple[TableDescriptionTypeDef, dict[str, str]] | None:
        """Read a table and its tags; one that is being made has none yet and is waited for (AWS-FACTS 23)."""
        found: list[tuple[TableDescriptionTypeDef, dict[str, str]]] = []

        def read() -> bool:
            table = self._describe()
            if table is None or table["TableStatus"] == "DELETING":
                return True
            tags = None if table["TableStatus"] == "CREATING" else self._tags(table["TableArn"])
            if tags is not None:
                found.append((table, tags))
            return tags is not None

        self.reading.until(
            read, waiting_for=f"the table {self.name} to be made", timeout=ACTIVE_TIMEOUT_SECONDS
        )
        return found[0] if found else None

    def _tags(self, arn: str) -> dict[str, str] | None:
        """Read the tags; None if DynamoDB does not know the table for this call, or not yet."""
        pages = self.cloud.dynamodb.get_paginator("list_tags_of_resource").paginate(ResourceArn=arn)
        return read_or_none(lambda: tags_of(tag for page in pages for tag in page["Tags"]), _ABSENT)

    def _describe(self) -> TableDescriptionTypeDef | None:
        answer = read_or_none(lambda: self.cloud.dynamodb.describe_table(TableName=self.name), _ABSENT)
        return answer["Table"] if answer else None

    def _is_going(self) -> bool:
        table = self._describe()
        return table is None or table["TableStatus"] == "DELETING"

    def _create(self, wanted: TableState) -> None:
        encryption: dict[str, Any] = (
            {"SSESpecification": _encryption(wanted)} if wanted.encrypted_with else {}
        )
        try:
            self.cloud.dynamodb.create_table(
                TableName=self.name,
                AttributeDefinitions=[{"AttributeName": TABLE_KEY, "AttributeType": "S"}],
                KeySchema=[{"AttributeName": TABLE_KEY, "KeyType": "HASH"}],
                BillingMode="PAY_PER_REQUEST",
                DeletionProtectionEnabled=self.cloud.target is Target.AWS,
                Tags=tag_list(self.settings.all_tags),
                **encryption,
            )
        except ClientError as error:
            # AWS-FACTS 21: a create that was cut off after it was applied is repeated by botocore.
            if not (has_code(error, "ResourceInUseException") and not self._is_going() and self.is_ours()):
                raise

    def _wait_until_active(self, step: Step) -> None:
        # AWS-FACTS 15: DescribeTable may say "not found" right after CreateTable.
        def active() -> bool:
            table = self._describe()
            return table is not None and table["TableStatus"] == "ACTIVE"

        step.patience.until(
            active, waiting_for=f"the table {self.name} to be active", timeout=ACTIVE_TIMEOUT_SECONDS
        )

    def _wait_until_settled(self, step: Step) -> None:
        """Wait for a running change to end; a table that is gone or being deleted is settled too."""

        def settled() -> bool:
            table = self._describe()
            return table is None or table["TableStatus"] not in {"CREATING", "UPDATING"}

        step.patience.until(
            settled, waiting_for=f"the table {self.name} to be settled", timeout=ACTIVE_TIMEOUT_SECONDS
        )

    def _set_protection(self, enabled: bool, step: Step) -> None:
        self.cloud.dynamodb.update_table(TableName=self.name, DeletionProtectionEnabled=enabled)
        self._wait_until_active(step)

    def _recovery_enabled(self) -> bool:
        answer = read_or_none(
            lambda: self.cloud.dynamodb.describe_continuous_backups(TableName=self.name),
            "TableNotFoundException",  # not yet: the table is new (AWS-FACTS 15)
        )
        if answer is None:
            return False
        recovery = answer["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
        return recovery.get("PointInTimeRecoveryStatus") == "ENABLED"

    def _set_recovery(self, enabled: bool, step: Step) -> None:
        step.patience.retry(
            lambda: self.cloud.dynamodb.update_continuous_backups(
                TableName=self.name,
                PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": enabled},
            ),
            # AWS-FACTS 17
            when=lambda error: has_code(error, "ContinuousBackupsUnavailableException"),
            waiting_for=f"the backups of the table {self.name} to be available",
        )


def _key_of(table: TableDescriptionTypeDef) -> str:
    encryption = table.get("SSEDescription", {})
    off = encryption.get("Status") in {"DISABLED", "DISABLING"}
    return "" if off else encryption.get("KMSMasterKeyArn", "")


def _encryption(wanted: TableState) -> SSESpecificationTypeDef:
    if not wanted.encrypted_with:
        return {"Enabled": False}
    return {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": wanted.encrypted_with}
