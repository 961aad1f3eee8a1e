"""Filter policies of SNS subscriptions: read before anything is changed. What one lets through, SNS decides.

The language: https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from ordernotify.errors import UsageError

MAX_BYTES = 256 * 1024
"""https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html"""
EXAMPLE = """'{"eventType": ["order.received"]}'"""

FilterPolicy = Mapping[str, Any]


class Scope(StrEnum):
    """What a filter policy looks at."""

    ATTRIBUTES = "attributes"
    BODY = "body"

    @property
    def aws_name(self) -> str:
        return "MessageBody" if self is Scope.BODY else "MessageAttributes"


def parse_filter_policy(text: str) -> FilterPolicy:
    """Read a filter policy; `{}` is the empty one, which lets everything through.

    Raises UsageError if it is not a JSON object, or too large for SNS. Its rules are left to SNS, which
    refuses those that it does not know.
    """
    try:
        policy = json.loads(text, parse_constant=_no_constant)
        json.dumps(policy, ensure_ascii=False).encode()  # half a character, such as "\ud800"
    except ValueError as error:
        raise _refusal(f"it is not JSON: {error}") from error
    except RecursionError:
        raise _refusal("it is nested too deeply") from None
    if not isinstance(policy, dict):
        raise _refusal("it is not a JSON object")
    if len(text.encode()) > MAX_BYTES:
        raise _refusal(f"it is larger than {MAX_BYTES // 1024} KB")
    return policy


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no value")


def _refusal(reason: str) -> UsageError:
    return UsageError(
        f"the filter policy cannot be used: {reason}", f"For example {EXAMPLE}; '{{}}' removes the policy."
    )
