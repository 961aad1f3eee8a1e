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
_EMAIL_PATTERN = re.compile(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f.]+(\.[^@\s\x00-\x1f.]+)+")
_E164_PATTERN = re.compile(r"\+[1-9][0-9]{6,14}")
_ORIGIN_PATTERN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")
_ROLE_ARN_PATTERN = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+", re.ASCII)
_BOUNDARY_PATTERN = re.compile(r"arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/[\w+=,.@/-]+", re.ASCII)
_KMS_KEY_PATTERN = re.compile(
    r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+|alias/(?!aws/)[A-Za-z0-9/_-]{1,250}"
)
"""No alias of AWS's own keys: their policies admit neither alarms nor logs, and cannot be changed."""
_WAF_ACL_PATTERN = re.compile(
    r"arn:aws[a-z-]*:wafv2:[a-z0-9-]+:[0-9]{12}:regional/webacl/[A-Za-z0-9_-]{1,128}/[0-9a-f-]{36}"
)
_PATH_PATTERN = re.compile(r"/([\w+=,.@-]+/)*", re.ASCII)
"""Lambda takes no other characters in a role's ARN; IAM itself takes more."""
_TAG_PATTERN = re.compile(r"[\w .:/=+@-]+")
"""AWS-FACTS 30: Lambda's pattern is the strictest."""
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


def check_retention(days: int) -> None:
    """Raise UsageError unless CloudWatch Logs has this retention."""
    if days not in RETENTION_DAYS:
        raise UsageError(
            f"CloudWatch Logs has no retention of {days} days",
            f"Use one of {', '.join(map(str, RETENTION_DAYS))}.",
        )


def check_stage(stage: str) -> None:
    """Raise UsageError unless API Gateway takes this name of a stage."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", stage):
        raise UsageError(
            f"{stage!r} is not a stage name", "Use up to 128 letters, digits, hyphens and underscores."
        )


def check_role_arn(arn: str) -> None:
    """Raise UsageError unless this is the ARN of a role."""
    if not _ROLE_ARN_PATTERN.fullmatch(arn):
        raise UsageError(
            f"{arn!r} is not the ARN of a role", "It looks like arn:aws:iam::123456789012:role/name."
        )


def check_boundary(arn: str) -> None:
    """Raise UsageError unless this is the ARN of a managed policy, the person's or AWS's."""
    if not _BOUNDARY_PATTERN.fullmatch(arn):
        raise UsageError(
            f"{arn!r} is not the ARN of a managed policy",
            "It looks like arn:aws:iam::123456789012:policy/name.",
        )


def check_kms_key(key: str) -> None:
    """Raise UsageError unless this is the ARN of a KMS key, or the name of an alias of one."""
    if not _KMS_KEY_PATTERN.fullmatch(key):
        raise UsageError(
            f"{key!r} is not a KMS key",
            "Give its ARN, arn:aws:kms:REGION:ACCOUNT:key/ID, or the alias of one in the stack's region: "
            "alias/orders.",
        )


def check_waf_acl(arn: str) -> None:
    """Raise UsageError unless this is the ARN of a regional web ACL of AWS WAF (WAFv2)."""
    if not _WAF_ACL_PATTERN.fullmatch(arn):
        raise UsageError(
            f"{arn!r} is not the ARN of a regional web ACL",
            "It looks like arn:aws:wafv2:REGION:ACCOUNT:regional/webacl/NAME/ID; "
            "`aws wafv2 list-web-acls --scope REGIONAL` lists them.",
        )


def check_role_path(path: str) -> None:
    """Raise UsageError unless a role may have this path."""
    if not _PATH_PATTERN.fullmatch(path):
        raise UsageError(
            f"{path!r} cannot be the path of a role",
            "Begin and end with a slash; between slashes use letters, digits and _ + = , . @ -; "
            "for example: /team/.",
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


def check_origin(origin: str) -> None:
    """Raise UsageError unless `origin` is `*` or an origin as browsers send it."""
    if origin != "*" and not _ORIGIN_PATTERN.fullmatch(origin):
        raise UsageError(
            f"{origin!r} is not an origin", "Give scheme and host without a path: https://shop.example.com."
        )


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


def check_email(address: str) -> None:
    """Raise UsageError unless `address` has the form of an email address."""
    if not _EMAIL_PATTERN.fullmatch(address) or len(address) > 254:
        raise UsageError(f"{address!r} is not an email address", "Give an address such as you@example.com.")


def check_phone(number: str) -> None:
    """Raise UsageError unless `number` is in E.164 form (https://www.itu.int/rec/T-REC-E.164)."""
    if not _E164_PATTERN.fullmatch(number):
        raise UsageError(
            f"{number!r} is not a phone number in E.164 form",
            "Give the country code and the number without spaces; for example: +14155550100.",
        )
