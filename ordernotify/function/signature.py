"""Signature Version 4, for a POST without a query."""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache

TYPE_CHECKING = False  # `typing` is not imported at run time
if TYPE_CHECKING:
    from collections.abc import Mapping


def authorization(
    headers: Mapping[str, str],
    body: bytes,
    *,
    service: str,
    region: str,
    path: str,
    access_key: str,
    secret_key: str,
) -> str:
    """Sign a POST without a query by Signature Version 4; return the value of the Authorization header.

    Args:
        headers: the headers to sign, lower-case names, with `host` and `x-amz-date` (YYYYMMDDTHHMMSSZ).

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    names = sorted(headers)
    signed = ";".join(names)
    lines = "".join([f"{name}:{headers[name]}\n" for name in names])
    canonical = f"POST\n{path}\n\n{lines}\n{signed}\n{hashlib.sha256(body).hexdigest()}"
    date = headers["x-amz-date"]
    scope = f"{date[:8]}/{region}/{service}/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = _signing_key(secret_key, date[:8], region, service)
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    return f"AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={signed}, Signature={signature}"


@lru_cache(8)  # a new one each day and for each credentials
def _signing_key(secret_key: str, day: str, region: str, service: str) -> bytes:
    key = ("AWS4" + secret_key).encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
