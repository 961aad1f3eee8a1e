"""Calls that API Gateway refuses while it is busy or its quota is used up."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from botocore.exceptions import ClientError

from ordernotify.aws.errors import has_code, is_throttled
from ordernotify.resources.base import Step

NOT_FOUND = "NotFoundException"
QUOTA_TIMEOUT_SECONDS = 150.0
"""DeleteRestApi is allowed once in 30 s (AWS-FACTS 6); several stacks may be waiting for it."""
QUOTA_STEP_SECONDS = 3.0
Given = ParamSpec("Given")
Result = TypeVar("Result")


def is_api_busy(error: ClientError) -> bool:
    """Whether the call may be repeated: throttled, or another change under way (AWS-FACTS 6 and 7)."""
    return is_throttled(error) or has_code(error, "ConflictException", text="concurrent modification")


def call_when_free(
    step: Step, call: Callable[Given, Result], *args: Given.args, **arguments: Given.kwargs
) -> Result:
    """Make a call with these arguments, repeated while API Gateway is busy or its quota is used up."""
    return step.patience.retry(
        lambda: call(*args, **arguments),
        when=is_api_busy,
        waiting_for="API Gateway's quota",
        timeout=QUOTA_TIMEOUT_SECONDS,
        step=QUOTA_STEP_SECONDS,
    )
