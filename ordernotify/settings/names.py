"""Where a stack lives, and every name that is derived from the stack's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ordernotify.errors import UsageError
from ordernotify.settings.row import SettingsError, rows_of, setting

STACK_TAG = "ordernotify:stack"
SHARED_TAG = "ordernotify:shared"
"""What all stacks of an account share carries this tag in place of a stack's."""
DEFAULT_STACK = "default"
LOCAL_ACCOUNT = "000000000000"
LOCAL_REGION = "us-east-1"
ORDERS_PATH = "orders"
TABLE_KEY = "FileName"
"""The table's key, named by the guide; it holds the order id."""
API_LOG_ROLE = "ordernotify-apigateway-logs"
"""The role with which API Gateway writes access logs of REST APIs: one for the account."""
MAX_QUEUE_NAME = 80
VERIFY_QUEUE_DIGITS = 8
"""How many hexadecimal digits tell verify's temporary queues apart."""
_SHOWN_LENGTH = 80
_STACK_PATTERN = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_STACK_MAX_LENGTH = 20


class Target(StrEnum):
    """Where a stack lives: the embedded cloud on this machine, or an AWS account."""

    LOCAL = "local"
    AWS = "aws"


def _name(what: str, default: str, pattern: str, rule: str) -> Any:
    """Make the setting for a resource's name; `rule` says in words what `pattern` holds."""
    compiled = re.compile(pattern)

    def check(name: str) -> None:
        if not compiled.fullmatch(name):
            shown = name if len(name) <= _SHOWN_LENGTH else f"{name[:_SHOWN_LENGTH]}…"
            raise UsageError(f"{shown!r} cannot be the name of the {what}", f"Use {rule}.")

    return setting(
        default,
        f"The {what}'s name.",
        panel="Names",
        option=f"{what.lower()}-name",
        check=check,
        hidden=True,
    )


@dataclass(frozen=True, slots=True)
class Names:
    """The names of a stack's resources. The guide's names are the defaults.

    Raises SettingsError for names that AWS refuses, of these resources or of those named after them.
    """

    table: str = _name(
        "table",
        "FileMetadata",
        r"[A-Za-z0-9_.-]{3,255}",
        "3 to 255 letters, digits, hyphens, underscores and dots",
    )
    topic: str = _name(
        "topic",
        "file-upload-notification",
        r"[A-Za-z0-9_-]{1,256}",
        "up to 256 letters, digits, hyphens and underscores; FIFO topics (.fifo) take no email",
    )
    function: str = _name(
        "function",
        "processFileUpload",
        r"[A-Za-z0-9_-]{1,64}",
        "up to 64 letters, digits, hyphens and underscores",
    )
    role: str = _name(
        "role",
        "processFileUpload-role",
        r"[A-Za-z0-9_+=,.@-]{1,64}",
        "up to 64 letters, digits and _ + = , . @ -",
    )
    api: str = _name(
        "API",
        "order-api",
        r"[A-Za-z0-9_.-]{1,128}",
        "up to 128 letters, digits, hyphens, underscores and dots",
    )

    def __post_init__(self) -> None:
        """Refuse what AWS would refuse later, before anything is made."""
        for row in rows_of(Names):
            try:
                row.check_field(getattr(self, row.field))
            except UsageError as error:
                raise SettingsError(error.message, error.hint, row.option) from None
        queue = f"{self.verify_queue_prefix}{'0' * VERIFY_QUEUE_DIGITS}"
        if len(queue) > MAX_QUEUE_NAME:
            most = MAX_QUEUE_NAME - len(queue) + len(self.topic)
            raise SettingsError(
                f"the topic's name has {len(self.topic)} characters, and the queues named after it would "
                f"have more than the {MAX_QUEUE_NAME} that SQS takes",
                f"Use at most {most} characters, with the stack's name.",
                "topic-name",
            )
        if self.topic == self.alarm_topic:
            raise SettingsError(
                f"{self.topic} would be two topics: of the orders, and of the function's alarms",
                "Choose another name for the topic or the function.",
                "topic-name",
                "function-name",
            )
        if self.role.lower() == API_LOG_ROLE.lower():
            raise SettingsError(
                f"{self.role} is the role with which API Gateway writes the logs of all stacks",
                "Choose another name.",
                "role-name",
            )

    def for_stack(self, stack: str) -> Names:
        """Give every name the suffix of the stack; the stack `default` has none."""
        if stack == DEFAULT_STACK:
            return self
        return Names(
            *(f"{name}-{stack}" for name in (self.table, self.topic, self.function, self.role, self.api))
        )

    @property
    def log_group(self) -> str:
        """The function's log group; Lambda's own choice of name."""
        return f"/aws/lambda/{self.function}"

    @property
    def api_log_group(self) -> str:
        """The access log's group; AWS lets API Gateway write to groups under this prefix (AWS-FACTS 10)."""
        return f"/aws/vendedlogs/apigateway/{self.api}"

    @property
    def api_key(self) -> str:
        """The API key's name."""
        return f"{self.api}-key"

    @property
    def usage_plan(self) -> str:
        """The name of the usage plan that admits the API key."""
        return f"{self.api}-plan"

    @property
    def alarm_topic(self) -> str:
        """The topic that tells of alarms."""
        return f"{self.function}-alarms"

    @property
    def inbox_queue(self) -> str:
        """The queue that receives a copy of every notification (local target only)."""
        return f"{self.topic}-inbox"

    @property
    def dead_letter_queue(self) -> str:
        """The queue that keeps the notifications which a subscriber did not take."""
        return f"{self.topic}-undelivered"

    @property
    def verify_queue_prefix(self) -> str:
        """How the names of verify's temporary queues begin."""
        return f"{self.topic}-verify-"

    def alarm(self, what: str) -> str:
        """The name of the alarm that watches `what` (`errors`, `throttles`, …)."""
        return f"{self.function}-{what}"


def check_stack_name(stack: str) -> None:
    """Raise UsageError unless `stack` can be the suffix of every resource name."""
    if not _STACK_PATTERN.fullmatch(stack) or len(stack) > _STACK_MAX_LENGTH:
        raise UsageError(
            f"the stack name {stack!r} is not valid",
            f"Use up to {_STACK_MAX_LENGTH} lower-case letters, digits and single hyphens, "
            "and begin with a letter; for example: dev.",
        )
