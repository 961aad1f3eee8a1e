"""What an API with `--auth` asks of a client: a signature, or the stack's API key."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from ordernotify.aws.errors import map_botocore_errors
from ordernotify.aws.session import Cloud
from ordernotify.errors import CredentialsError, OrderNotifyError, StackNotFoundError, UsageError
from ordernotify.iam.calls import Calls, allow
from ordernotify.orders.post import Sign
from ordernotify.resources.api.base import METHOD
from ordernotify.resources.api.key import find_api_keys, lists_api_keys
from ordernotify.settings.model import Auth, Settings
from ordernotify.settings.names import ORDERS_PATH, STACK_TAG, Names

KEY_VARIABLE = "ORDERNOTIFY_API_KEY"
KEY_HEADER = "x-api-key"
_KEY_PATTERN = re.compile(r"[\x21-\x7e]{20,128}")
"""Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-key-file-format.html"""

_READS_KEY = (*lists_api_keys(), allow("apigateway", "GetApiKey"))


def calls(cloud: Cloud, settings: Settings) -> Calls:
    """What sending an order takes: reading the API key, or invoking the API, whose id AWS chooses."""
    if settings.auth is Auth.API_KEY:
        return _READS_KEY
    if settings.auth is Auth.IAM:
        route = cloud.arn("execute-api", f"*/{settings.stage}/{METHOD}/{ORDERS_PATH}")
        return (allow("execute-api", "Invoke", on=route),)
    return ()


def authorizer(
    cloud: Cloud,
    names: Names,
    stack: str,
    auth: Auth,
    *,
    key: str | None = None,
) -> Sign | None:
    """Return what makes requests acceptable to the API; None where it takes everybody's.

    For an API key: `key`, else the stack's own key, read from the account. For IAM: the session's
    credentials, for the service `execute-api`. Raises StackNotFoundError if the stack has no key, and
    CredentialsError without credentials.
    """
    if auth is Auth.API_KEY:
        return with_api_key(key or read_api_key(cloud, names, stack))
    if auth is Auth.IAM:
        return signed_by_session(cloud)
    return None


def given_key(key: str | None, key_file: Path | None) -> str | None:
    """Return the key that the person handed over, checked; None if there is none."""
    if key_file is not None:
        return _checked(_read_key_file(key_file), f"the content of {key_file}")
    return _checked(key.strip(), f"the value of {KEY_VARIABLE}") if key else None


def with_api_key(key: str) -> Sign:
    def sign(_method: str, _url: str, headers: Mapping[str, str], _body: bytes) -> Mapping[str, str]:
        return {**headers, KEY_HEADER: key}

    return sign


def signed_by_session(cloud: Cloud) -> Sign:
    """Sign each request with the session's credentials, as they are at that moment (Signature Version 4)."""
    if cloud.credentials is None:
        raise CredentialsError(
            "the API takes signed requests only, and there are no AWS credentials",
            "Log in (for example `aws sso login` or `aws configure`), or choose a profile with --profile.",
            code="NoCredentials",
        )

    def sign(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        with map_botocore_errors("sign", "request"):
            credentials = cloud.credentials
            assert credentials is not None, "they were there when the signing began"
            request = AWSRequest(method, url, headers=dict(headers), data=body)
            SigV4Auth(credentials.get_frozen_credentials(), "execute-api", cloud.region).add_auth(request)
        return dict(request.headers.items())

    return sign


def read_api_key(cloud: Cloud, names: Names, stack: str) -> str:
    """Read the value of the stack's API key; raises StackNotFoundError if it has none."""
    with map_botocore_errors("read", "API key", names.api_key):
        for found in find_api_keys(cloud, names):
            if found.tags.get(STACK_TAG) == stack:
                value: str = cloud.apigateway.get_api_key(apiKey=found.id, includeValue=True)["value"]
                return value
    raise StackNotFoundError(
        f"the stack {stack} has no API key",
        "`ordernotify setup --auth api-key` makes one.",
    )


def _checked(key: str, where: str) -> str:
    # The key itself is never shown.
    if not _KEY_PATTERN.fullmatch(key):
        raise UsageError(
            f"{where} is not an API key", "A key has 20 to 128 visible ASCII characters and no spaces."
        )
    return key


def _read_key_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_ISREG(mode) and mode & 0o077:
                raise UsageError(
                    f"others may read the key in {path}: its mode is {stat.S_IMODE(mode):04o}",
                    f"Run: chmod 600 {path}",
                )
            return file.read(1024).decode("ascii", errors="replace").strip()
    except OSError as error:
        raise OrderNotifyError(
            f"cannot read the API key from {path}: {error.strerror}", "Check the path and its mode."
        ) from error
