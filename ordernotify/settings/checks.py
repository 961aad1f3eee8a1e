"""Checks of single values, so that what AWS would refuse is refused before anything is made."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from ordernotify.errors import UsageError

MAX_TAG_KEY, MAX_TAG_VALUE = 128, 256
"""What every service allows."""
RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
"""What PutRetentionPolicy accepts."""
_TAG_PATTERN = re.compile(r"[\w .:/=+@-]+")
"""AWS-FACTS 30: Lambda's pattern is the strictest."""
_SHOWN_LENGTH = 80
_DEFAULT_PORTS = {"http": 80, "https": 443}


def between(what: str, low: int, high: int, unit: str = "", why: str = "") -> Callable[[int], None]:
    """Make the check that a number is in a range, both ends included."""

    def check(value: int) -> None:
        if not low <= value <= high:
            raise UsageError(
                f"the {what} {value}{unit} is out of range", f"Use {low} to {high}{unit}{why and f': {why}'}."
            )

    return check


def one_of(what: str, choices: Sequence[str]) -> Callable[[str], None]:
    def check(value: str) -> None:
        if value not in choices:
            raise UsageError(f"the {what} {value!r} is not supported", f"Use one of {', '.join(choices)}.")

    return check


def matching(pattern: str, fault: str, hint: str) -> Callable[[str], None]:
    """Make the check that all of a text matches; `fault` says what is wrong, as in "is not a stage name"."""
    compiled = re.compile(pattern)

    def check(text: str) -> None:
        if not compiled.fullmatch(text):
            shown = text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}…"
            raise UsageError(f"{shown!r} {fault}", hint)

    return check


def check_retention(days: int) -> None:
    """Raise UsageError unless CloudWatch Logs has this retention."""
    if days not in RETENTION_DAYS:
        raise UsageError(
            f"CloudWatch Logs has no retention of {days} days",
            f"Use one of {', '.join(map(str, RETENTION_DAYS))}.",
        )


check_stage = matching(
    r"[A-Za-z0-9_-]{1,128}",
    "is not a stage name",
    "Use up to 128 letters, digits, hyphens and underscores.",
)
check_role_arn = matching(
    r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+",
    "is not the ARN of a role",
    "It looks like arn:aws:iam::123456789012:role/name.",
)
check_boundary = matching(
    r"arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/[A-Za-z0-9_+=,.@/-]+",
    "is not the ARN of a managed policy",
    "It looks like arn:aws:iam::123456789012:policy/name.",
)
check_kms_key = matching(
    # No alias of AWS's own keys: their policies admit neither alarms nor logs, and cannot be changed.
    r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+|alias/(?!aws/)[A-Za-z0-9/_-]{1,250}",
    "is not a KMS key",
    "Give its ARN, arn:aws:kms:REGION:ACCOUNT:key/ID, or the alias of one in the stack's region: "
    "alias/orders.",
)
check_waf_acl = matching(
    r"arn:aws[a-z-]*:wafv2:[a-z0-9-]+:[0-9]{12}:regional/webacl/[A-Za-z0-9_-]{1,128}/[0-9a-f-]{36}",
    "is not the ARN of a regional web ACL",
    "It looks like arn:aws:wafv2:REGION:ACCOUNT:regional/webacl/NAME/ID; "
    "`aws wafv2 list-web-acls --scope REGIONAL` lists them.",
)
check_role_path = matching(
    # Lambda takes no other characters in a role's ARN; IAM itself takes more.
    r"/([A-Za-z0-9_+=,.@-]+/)*",
    "cannot be the path of a role",
    "Begin and end with a slash; between slashes use letters, digits and _ + = , . @ -; for example: /team/.",
)
check_origin = matching(
    # As browsers send it, see `browser_origin`.
    r"\*|https?://[a-z0-9.-]+(:[0-9]{1,5})?",
    "is not an origin",
    "Give scheme and host without a path: https://shop.example.com.",
)
check_email = matching(
    r"(?=.{1,254}$)[^@\s\x00-\x1f]+@[^@\s\x00-\x1f.]+(\.[^@\s\x00-\x1f.]+)+",
    "is not an email address",
    "Give an address such as you@example.com.",
)
check_phone = matching(
    # https://www.itu.int/rec/T-REC-E.164
    r"\+[1-9][0-9]{6,14}",
    "is not a phone number in E.164 form",
    "Give the country code and the number without spaces; for example: +14155550100.",
)


def browser_origin(text: str) -> str:
    """Bring an origin to the form that browsers send: lower case, no default port, no slash at the end.

    https://url.spec.whatwg.org/#concept-url-origin. What is no origin is returned as it is.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return text
    host = parts.hostname or ""
    extra = parts.username is not None or parts.query or parts.fragment or parts.path not in ("", "/")
    if parts.scheme not in _DEFAULT_PORTS or extra or text.endswith(("?", "#")):
        return text
    return f"{parts.scheme}://{host}" + ("" if port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{port}")


def tag_pair(text: str) -> tuple[str, str]:
    """Split `key=value`; raises UsageError if it is not of this form."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UsageError(f"{text!r} is not a tag", "Give it as key=value; for example team=shop.")
    return key, value


def check_tag(pair: tuple[str, str]) -> None:
    """Raise UsageError unless every service takes the tag, and it is not one that AWS or ordernotify sets."""
    key, value = pair
    reserved = key.lower().startswith(("ordernotify:", "aws:"))
    if reserved or not _TAG_PATTERN.fullmatch(key) or len(key) > MAX_TAG_KEY:
        raise UsageError(
            f"{key!r} cannot be a tag of yours",
            f"Use up to {MAX_TAG_KEY} letters, digits, spaces and _ . : / = + - @; "
            "keys that begin with aws: or ordernotify: are reserved.",
        )
    if not _TAG_PATTERN.fullmatch(value or " ") or len(value) > MAX_TAG_VALUE:
        raise UsageError(
            f"the value of the tag {key} is not valid",
            f"Use up to {MAX_TAG_VALUE} letters, digits, spaces and _ . : / = + - @.",
        )
