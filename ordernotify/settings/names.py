"""Where a stack lives, and every name that is derived from the stack's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ordernotify.errors import UsageError
from ordernotify.settings.checks import matching
from ordernotify.settings.row import SettingsError, rows_of, setting

STACK_TAG = "ordernotify:stack"
SHARED_TAG = "ordernotify:shared"
"""What all stacks of an account share carries this tag in place of a stack's."""
REGION_TAG = "ordernotify:region"
"""On what is global: the region of the stack that it belongs to."""
MANAGED_TAG = "ordernotify:managed-by"
"""On the function of a stack that another tool has taken over: that tool's name."""
DEFAULT_STACK = "default"
LOCAL_REGION = "us-east-1"
ORDERS_PATH = "orders"
TABLE_KEY = "FileName"
"""The table's key, named by the guide; it holds the order id."""
FULL_ID = 36
SHORT_ID = 8
"""As many characters of an order's id as the subject of a mail shows; fewer are never completed."""
API_LOG_ROLE = "ordernotify-apigateway-logs"
"""The role with which API Gateway writes access logs of REST APIs: one for the account."""
MAX_QUEUE_NAME = 80
VERIFY_QUEUE_END = "1772366400-0123abcd"
"""How names of verify's temporary queues end: when one was made, in seconds, and eight random digits."""
MAILBOX_DIGITS = 12
"""How many hexadecimal digits tell the mailboxes of local subscribers apart."""
API_KEY_END = "-key"
USAGE_PLAN_END = "-plan"
ALARM_TOPIC_END = "-alarms"
_COMMON = "Common options"
_STACK_PATTERN = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_STACK_MAX_LENGTH = 20


class Target(StrEnum):
    """Where a stack lives: the embedded cloud on this machine, or an AWS account."""

    LOCAL = "local"
    AWS = "aws"


def _name(what: str, default: str, pattern: str, rule: str) -> Any:
    """Make the setting for a resource's name; `rule` says in words what `pattern` holds."""
    return setting(
        default,
        f"The {what}'s name.",
        panel="Names",
        option=f"{what.lower()}-name",
        check=matching(pattern, f"cannot be the name of the {what}", f"Use {rule}."),
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
        """Refuse what AWS would refuse later."""
        for row in rows_of(Names):
            try:
                row.check_field(getattr(self, row.field))
            except UsageError as error:
                raise SettingsError(error.message, error.hint, row.option) from None
        queue = max(
            f"{self.verify_queue_prefix}{VERIFY_QUEUE_END}",
            f"{self.mailbox_prefix}{'0' * MAILBOX_DIGITS}",
            key=len,
        )
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
        return f"{self.api}{API_KEY_END}"

    @property
    def usage_plan(self) -> str:
        """The name of the usage plan that admits the API key."""
        return f"{self.api}{USAGE_PLAN_END}"

    @property
    def alarm_topic(self) -> str:
        return f"{self.function}{ALARM_TOPIC_END}"

    @property
    def mailbox_prefix(self) -> str:
        """How the names of the subscribers' queues begin (local target only)."""
        return f"{self.topic}-inbox-"

    @property
    def dead_letter_queue(self) -> str:
        """The queue that keeps the notifications which a subscriber did not take."""
        return f"{self.topic}-undelivered"

    @property
    def verify_queue_prefix(self) -> str:
        """How the names of verify's temporary queues begin."""
        return f"{self.topic}-verify-"

    def is_mailbox(self, queue: str) -> bool:
        """Whether a queue has the form of a mailbox's name."""
        return bool(re.fullmatch(f"{re.escape(self.mailbox_prefix)}[0-9a-f]{{{MAILBOX_DIGITS}}}", queue))

    def is_verify_queue(self, queue: str) -> bool:
        """Whether a queue has the form of the name of one of verify's temporary queues."""
        return self._verify_queue(queue) is not None

    def verify_queue_made(self, queue: str) -> int | None:
        """When one of verify's queues was made, in seconds since 1970; None if its name does not tell."""
        found = self._verify_queue(queue)
        return int(found[1]) if found and found[1] else None

    def _verify_queue(self, queue: str) -> re.Match[str] | None:
        return re.fullmatch(rf"{re.escape(self.verify_queue_prefix)}(?:([0-9]+)-)?[0-9a-f]{{8}}", queue)

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


@dataclass(frozen=True, slots=True)
class Place:
    """Which stack a command works on, and where the stack lives."""

    stack: str = setting(DEFAULT_STACK, "The stack's name.", panel=_COMMON, check=check_stack_name)
    aws: bool = setting(False, "Use the AWS account, not this machine.", panel=_COMMON)
    region: str | None = setting(None, "The AWS region.", panel=_COMMON)
    profile: str | None = setting(None, "The AWS profile.", panel=_COMMON)


PLACE_ROWS = rows_of(Place)
