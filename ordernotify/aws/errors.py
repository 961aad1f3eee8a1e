"""botocore's errors: what AWS answered, and its translation into ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from botocore import exceptions as botocore_errors
from botocore.exceptions import BotoCoreError, ClientError

from ordernotify.errors import AccessDeniedError, AwsError, CredentialsError

Result = TypeVar("Result")
_THROTTLED = {
    "KMSThrottling",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
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
_OTHER_CAUSES = {
    "region": "The same answer comes from a region that is not enabled for the account: "
    "`aws account list-regions` lists them; --region chooses another one. ",
    "clock": "The same answer comes when this machine's clock is wrong by more than 5 minutes: set it. ",
}
_BAD_CREDENTIALS = {
    "AuthFailure": ("region", "clock"),
    "ExpiredToken": (),
    "ExpiredTokenException": (),
    "IncompleteSignature": (),
    "InvalidClientTokenId": ("region",),
    "InvalidSignatureException": ("clock",),
    "InvalidToken": ("region",),
    "OptInRequired": ("region",),
    "RequestExpired": ("clock",),
    "RequestTimeTooSkewed": ("clock",),
    "SignatureDoesNotMatch": ("clock",),
    "UnrecognizedClientException": ("region",),
}
"""Each code, with its causes other than wrong credentials (AWS-FACTS 33).

https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
"""
CREDENTIALS_HINT = (
    "Log in (for example `aws sso login` or `aws configure`), choose a profile with --profile, "
    "or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Without --aws no account is needed."
)
_DENIED_HINT = (
    "`ordernotify policy setup`, `ordernotify policy operate` and `ordernotify policy teardown` print the "
    "policies that the commands need. When you have the permission, run the same command again; it continues "
    "where it stopped."
)
_FORBIDDEN_HINT = (
    "No policy of your user or role can allow this: ask those who administer the account or organization. "
    "When it is allowed, run the same command again; it continues where it stopped."
)
_ROLE_HINT = " An organization may want a boundary or a path of roles: --permissions-boundary, --role-path."
_DENIED_ACTION = re.compile(
    r"not authorized to perform: (?P<action>[\w-]+:\w+)(?: on resource: (?P<resource>\S+))?(?P<reason>.*)",
    re.S,
)
_FORBIDDEN = re.compile(r"explicit deny|(?:service|resource) control polic|permissions boundary", re.I)
"""Reasons that no policy of the user can overcome.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
"""


def error_code(error: ClientError) -> str:
    """AWS's code for the error; empty if the answer had none."""
    return error.response.get("Error", {}).get("Code", "")


def error_text(error: ClientError) -> str:
    """AWS's message for the error; empty if the answer had none."""
    return error.response.get("Error", {}).get("Message") or ""


def has_code(error: ClientError, *codes: str, text: str = "") -> bool:
    """Whether AWS answered one of `codes` with a message that contains `text` (any case)."""
    return error_code(error) in codes and text.lower() in error_text(error).lower()


def is_throttled(error: ClientError | AwsError) -> bool:
    """Whether AWS asked for slower calls, so that the call may be repeated (AWS-FACTS 6 and 21).

    The code decides: LimitExceededException comes with status 429 too and must not be repeated.
    """
    code = error.code if isinstance(error, AwsError) else error_code(error)
    return code in _THROTTLED


def is_changed_at_once(error: ClientError) -> bool:
    """Whether IAM refused a change because another one is running (AWS-FACTS 34)."""
    return has_code(error, "ConcurrentModification", "ConcurrentModificationException")


@contextmanager
def ignore_codes(*codes: str, text: str = "") -> Iterator[None]:
    """Ignore an error with one of `codes`: deleting what is absent succeeds."""
    try:
        yield
    except ClientError as error:
        if not has_code(error, *codes, text=text):
            raise


def read_or_none(call: Callable[[], Result], *absent: str) -> Result | None:
    """Return what the call reads; None if AWS answers with one of the codes `absent`."""
    try:
        return call()
    except ClientError as error:
        if has_code(error, *absent):
            return None
        raise


@contextmanager
def map_botocore_errors(action: str, kind: str, name: str = "") -> Iterator[None]:
    """Translate botocore's exceptions into this package's, with what could not be done to what.

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
        reason = f": {text}" if text else ""
        others = "".join(_OTHER_CAUSES[cause] for cause in _BAD_CREDENTIALS[code])
        return CredentialsError(
            f"{what}: AWS refused the credentials ({code}){reason}", others + CREDENTIALS_HINT, code=code
        )
    if code in _DENIED:
        return _access_denied(what, error)
    hint = "AWS is asking for slower calls; wait a minute and run the same command again."
    return AwsError(f"{what}: {text or code} ({code})", hint if is_throttled(error) else "", code=code)


def _access_denied(what: str, error: ClientError) -> AccessDeniedError:
    """Name the action and the resource as policies do, and keep AWS's reason."""
    text = error_text(error)
    match = _DENIED_ACTION.search(text)
    if match is None:
        said = f": {text}" if text else ""
        denied = f"{error.operation_name}{said}"
    else:
        action = _iam_action(match["action"], error.operation_name)
        resource = f" on {match['resource']}" if match["resource"] else ""
        denied = f"{action}{resource}{match['reason']}"
    hint = _FORBIDDEN_HINT if _FORBIDDEN.search(text) else _DENIED_HINT
    if error.operation_name in {"CreateRole", "PutRolePolicy", "AttachRolePolicy"}:
        hint += _ROLE_HINT
    return AccessDeniedError(f"{what}: your user or role may not call {denied}", hint, code=error_code(error))


def _iam_action(told: str, operation: str) -> str:
    """Write an action as policies do: SQS reports it in lower case, SNS with its own name in upper case."""
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
