"""botocore's errors: what AWS answered, and its translation into ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore import exceptions as botocore_errors
from botocore.exceptions import BotoCoreError, ClientError

from ordernotify.errors import (
    AccessDeniedError,
    AwsError,
    CredentialsError,
)

if TYPE_CHECKING:
    pass

_THROTTLED = {
    "KMSThrottling",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "Throttled",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
_DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "UnauthorizedOperation",
    "NotAuthorized",
}
_BAD_CREDENTIALS = {
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
CREDENTIALS_HINT = (
    "Log in (for example `aws sso login` or `aws configure`), choose a profile with --profile, "
    "or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Without --aws no account is needed."
)
_DENIED_HINT = (
    "`ordernotify policy setup`, `policy operate` and `policy teardown` print the policies that the commands "
    "need. When you have the permission, run the same command again; it continues where it stopped."
)
_DENIED_ACTION = re.compile(
    r"not authorized to perform: (?P<action>[\w-]+:\w+)(?: on resource: (?P<resource>\S+))?"
)


def error_code(error: ClientError) -> str:
    """AWS's code for the error; empty if the answer had none."""
    return error.response.get("Error", {}).get("Code", "")


def error_text(error: ClientError) -> str:
    """AWS's message for the error; empty if the answer had none."""
    return error.response.get("Error", {}).get("Message", "")


def has_code(error: ClientError, *codes: str, text: str = "") -> bool:
    """Whether AWS answered one of `codes` with a message that contains `text` (any case)."""
    return error_code(error) in codes and text.lower() in error_text(error).lower()


def is_throttled(error: ClientError) -> bool:
    """Whether the call may be repeated because AWS asked for slower calls (AWS-FACTS 6 and 21).

    Decided by the code: LimitExceededException is answered with 429 too and must not be repeated.
    """
    return error_code(error) in _THROTTLED


@contextmanager
def ignore_codes(*codes: str, text: str = "") -> Iterator[None]:
    """Let a call pass that failed with one of `codes`: deleting what is absent succeeds."""
    try:
        yield
    except ClientError as error:
        if not has_code(error, *codes, text=text):
            raise


@contextmanager
def map_botocore_errors(action: str, kind: str, name: str = "") -> Iterator[None]:
    """Translate botocore's exceptions into ours, saying what was being done to what.

    Raises AccessDeniedError, CredentialsError or AwsError, with botocore's exception as the cause.
    """
    what = f"could not {action} the {kind}{f' {name}' if name else ''}"
    try:
        yield
    except ClientError as error:
        raise _translate_client_error(what, error) from error
    except BotoCoreError as error:
        raise _translate_botocore_error(what, error) from error


def _translate_client_error(what: str, error: ClientError) -> AwsError:
    code, text = error_code(error), error_text(error)
    if code in _BAD_CREDENTIALS:
        return CredentialsError(f"{what}: AWS refused the credentials ({code})", CREDENTIALS_HINT, code=code)
    if code in _DENIED:
        match = _DENIED_ACTION.search(text)
        action = _iam_action(match["action"], error.operation_name) if match else error.operation_name
        resource = f" on {match['resource']}" if match and match["resource"] else ""
        return AccessDeniedError(
            f"{what}: your user or role may not call {action}{resource}", _DENIED_HINT, code=code
        )
    hint = "AWS is asking for slower calls; wait a minute and run the same command again."
    return AwsError(f"{what}: {text or code} ({code})", hint if is_throttled(error) else "", code=code)


def _iam_action(told: str, operation: str) -> str:
    """Write an action as policies have it: SQS tells it in lower case, and SNS its own name in upper case."""
    service, _, action = told.partition(":")
    return f"{service.lower()}:{operation if action.lower() == operation.lower() else action}"


def _translate_botocore_error(what: str, error: BotoCoreError) -> AwsError:
    code = type(error).__name__
    if isinstance(error, botocore_errors.ProfileNotFound):
        hint = "`aws configure list-profiles` lists the profiles; choose one with --profile."
        return CredentialsError(f"{what}: {error}", hint, code=code)
    if isinstance(
        error,
        botocore_errors.NoCredentialsError
        | botocore_errors.PartialCredentialsError
        | botocore_errors.CredentialRetrievalError
        | botocore_errors.SSOError
        | botocore_errors.TokenRetrievalError,
    ):
        return CredentialsError(f"{what}: {error}", CREDENTIALS_HINT, code=code)
    if isinstance(error, botocore_errors.ConnectionError | botocore_errors.HTTPClientError):
        hint = "Check the network, the region, and AWS_ENDPOINT_URL if it is set; then run the command again."
        return AwsError(f"{what}: {error}", hint, code=code)
    return AwsError(f"{what}: {error}", code=code)
