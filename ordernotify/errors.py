"""The errors that a person sees, each with what happened, why, and what to do now; and the exit statuses."""

from __future__ import annotations

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_DIFFERENCES = 3
"""`status --exit-code` found differences, or `setup --dry-run --exit-code` found changes."""
EXIT_INTERRUPTED = 130


class OrderNotifyError(Exception):
    """Something that stops a command.

    `message` says what happened and why, in one line; `hint` says what to do now.
    """

    exit_status = EXIT_FAILED

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def unexpected(error: Exception) -> str:
    """Say in a line what no code foresaw."""
    return f"unexpected {type(error).__name__}: {error}"


class UsageError(OrderNotifyError):
    """The request is not valid; nothing was changed."""

    exit_status = EXIT_USAGE


class StackNotFoundError(OrderNotifyError):
    """The stack, or the part of it that the command needs, does not exist."""

    def __init__(
        self,
        message: str,
        hint: str = "`ordernotify setup` makes it; --stack, --aws and --region choose another one.",
    ) -> None:
        super().__init__(message, hint)


class NotOursError(OrderNotifyError):
    """A resource with the stack's name exists and does not carry the stack's tag."""


class LocalCloudError(OrderNotifyError):
    """The embedded cloud could not be started, reached or stopped."""


class WaitTimeoutError(OrderNotifyError):
    """AWS did not reach the awaited state within the time allowed."""


class CancelledError(OrderNotifyError):
    """The person pressed Ctrl-C while the step was waiting."""

    exit_status = EXIT_INTERRUPTED


class AwsError(OrderNotifyError):
    """An AWS call failed; `code` is AWS's own error code, or the botocore exception's name."""

    def __init__(self, message: str, hint: str = "", *, code: str = "") -> None:
        super().__init__(message, hint)
        self.code = code


class AccessDeniedError(AwsError):
    """The caller's policies do not allow the call."""


class CredentialsError(AwsError):
    """There are no credentials, or they are not valid (any more)."""
