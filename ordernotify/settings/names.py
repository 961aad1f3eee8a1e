"""Where a stack lives, and every name that is derived from the stack's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from ordernotify.errors import UsageError

STACK_TAG = "ordernotify:stack"
DEFAULT_STACK = "default"
LOCAL_ACCOUNT = "000000000000"
LOCAL_REGION = "us-east-1"
ORDERS_PATH = "orders"
TABLE_KEY = "FileName"
"""The table's key, named by the guide; it holds the order id."""
_STACK_PATTERN = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_STACK_MAX_LENGTH = 20


class Target(StrEnum):
    """Where a stack lives: the embedded cloud on this machine, or an AWS account."""

    LOCAL = "local"
    AWS = "aws"


@dataclass(frozen=True, slots=True)
class Names:
    """The names of a stack's resources. The guide's names are the defaults."""

    table: str = "FileMetadata"
    topic: str = "file-upload-notification"
    function: str = "processFileUpload"
    role: str = "processFileUpload-role"
    api: str = "order-api"

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
