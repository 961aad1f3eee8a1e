"""What a stack is to look like: frozen settings, checked before anything is made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from ordernotify.errors import UsageError
from ordernotify.settings.names import DEFAULT_STACK, STACK_TAG, Names, check_stack_name

SETTING_TAG_PREFIX = "ordernotify:setting:"
RUNTIMES = ("python3.11", "python3.12", "python3.13", "python3.14")
ARCHITECTURES = ("x86_64", "arm64")
MEMORY_MB = (128, 10_240)
TIMEOUT_SECONDS = (3, 29)
MAX_RATE = 10_000
MAX_TAG_VALUE = 256
"""What every service allows."""
RETENTION_DAYS = (
    1,
    3,
    5,
    7,
    14,
    30,
    60,
    90,
    120,
    150,
    180,
    365,
    400,
    545,
    731,
    1096,
    1827,
    2192,
    2557,
    2922,
    3288,
    3653,
)
"""What PutRetentionPolicy accepts."""
_EMAIL_PATTERN = re.compile(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f.]+(\.[^@\s\x00-\x1f.]+)+")
_E164_PATTERN = re.compile(r"\+[1-9][0-9]{6,14}")
_ORIGIN_PATTERN = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?")
_ROLE_ARN_PATTERN = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+")
_TAG_PATTERN = re.compile(r"[\w .:/=+@-]+")
_STAGE_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,128}")


class ApiKind(StrEnum):
    """The kind of API in front of the function."""

    REST = "rest"
    HTTP = "http"


class Auth(StrEnum):
    """What the API asks of a client."""

    NONE = "none"
    API_KEY = "api-key"
    IAM = "iam"


@dataclass(frozen=True, slots=True)
class Settings:
    """One stack as described: what `setup` makes and `status` compares with.

    Times are in seconds, sizes in MB, retention in days; `rate` is in requests per second.
    """

    stack: str = DEFAULT_STACK
    names: Names = field(default_factory=Names)
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    alarm_emails: tuple[str, ...] = ()
    api: ApiKind = ApiKind.REST
    auth: Auth = Auth.NONE
    stage: str = "prod"
    cors_origins: tuple[str, ...] = ()
    access_logs: bool = False
    rate: int | None = None
    burst: int | None = None
    role_arn: str | None = None
    runtime: str = "python3.12"
    architecture: str = "x86_64"
    memory: int = 256
    timeout: int = 15
    log_retention: int = 30
    log_bodies: bool = True
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what AWS would refuse later, before anything is changed."""
        check_stack_name(self.stack)
        for address in (*self.emails, *self.alarm_emails):
            check_email(address)
        for number in self.phones:
            check_phone(number)
        for origin in self.cors_origins:
            check_origin(origin)
        _check_stage(self)
        _check_function(self)
        _check_api(self)
        _check_tags(self.tags)
        _check_recorded(self)

    @property
    def all_tags(self) -> dict[str, str]:
        """The tags that everything of this stack carries: the person's and the stack's."""
        return {**self.tags, STACK_TAG: self.stack}

    @property
    def recorded(self) -> dict[str, str]:
        """What was described other than the default, as tags of the API.

        `status` reads them, so that it compares with what `setup` was told and not with the defaults.
        """
        values = {name: getattr(self, name) for name in RECORDED}
        return {
            f"{SETTING_TAG_PREFIX}{name}": setting_tag_value(value)
            for name, value in values.items()
            if value != settings_default(name)
        }


RECORDED = (
    "api",
    "auth",
    "stage",
    "cors_origins",
    "access_logs",
    "rate",
    "burst",
    "role_arn",
    "runtime",
    "architecture",
    "memory",
    "timeout",
    "log_retention",
    "log_bodies",
    "alarm_emails",
)
"""The settings that are kept in the account as tags."""


def setting_tag_value(value: Any) -> str:
    """Write a setting with the characters that every service allows in tags (no `*`, no comma)."""
    if isinstance(value, tuple):
        return " ".join(value).replace("*", "any")
    return str(value)


def setting_from_tag(name: str, text: str) -> Any:
    """Read what `setting_tag_value` wrote for the setting `name`."""
    kind = settings_default(name)
    if isinstance(kind, tuple):
        return tuple("*" if part == "any" else part for part in text.split())
    if isinstance(kind, bool):
        return text == "True"
    if isinstance(kind, int) or name in {"rate", "burst"}:
        return int(text)
    return type(kind)(text) if isinstance(kind, StrEnum) else text


def _check_stage(settings: Settings) -> None:
    if not _STAGE_PATTERN.fullmatch(settings.stage):
        raise UsageError(
            f"{settings.stage!r} is not a stage name", "Use letters, digits, hyphens and underscores."
        )


def _check_function(settings: Settings) -> None:
    if settings.runtime not in RUNTIMES:
        raise UsageError(
            f"the runtime {settings.runtime!r} is not supported", f"Use one of {', '.join(RUNTIMES)}."
        )
    if settings.architecture not in ARCHITECTURES:
        raise UsageError(
            f"the architecture {settings.architecture!r} does not exist", f"Use {' or '.join(ARCHITECTURES)}."
        )
    if not MEMORY_MB[0] <= settings.memory <= MEMORY_MB[1]:
        raise UsageError(
            f"the memory {settings.memory} MB is out of range", "Use {} to {} MB.".format(*MEMORY_MB)
        )
    if not TIMEOUT_SECONDS[0] <= settings.timeout <= TIMEOUT_SECONDS[1]:
        raise UsageError(
            f"the timeout {settings.timeout} s is out of range",
            "Use {} to {} s: API Gateway waits no longer.".format(*TIMEOUT_SECONDS),
        )
    if settings.log_retention not in RETENTION_DAYS:
        raise UsageError(
            f"CloudWatch Logs has no retention of {settings.log_retention} days",
            f"Use one of {', '.join(map(str, RETENTION_DAYS))}.",
        )
    if settings.role_arn and not _ROLE_ARN_PATTERN.fullmatch(settings.role_arn):
        raise UsageError(
            f"{settings.role_arn!r} is not the ARN of a role",
            "It looks like arn:aws:iam::123456789012:role/name.",
        )


def _check_api(settings: Settings) -> None:
    if settings.api is ApiKind.HTTP and settings.auth is Auth.API_KEY:
        raise UsageError(
            "an HTTP API has no API keys: API Gateway offers them for REST APIs only",
            "Use --api rest with --auth api-key, or --api http with --auth iam.",
        )
    if (settings.rate is None) != (settings.burst is None):
        raise UsageError("--rate and --burst go together", "Give both; for example --rate 50 --burst 100.")
    for name, value in (("rate", settings.rate), ("burst", settings.burst)):
        if value is not None and not 1 <= value <= MAX_RATE:
            raise UsageError(f"the {name} {value} is out of range", f"Use 1 to {MAX_RATE}.")


def _check_recorded(settings: Settings) -> None:
    for tag, value in settings.recorded.items():
        if len(value) > MAX_TAG_VALUE:
            option = tag.removeprefix(SETTING_TAG_PREFIX).removesuffix("s").replace("_", "-")
            raise UsageError(
                f"what --{option} says is too long: it is kept in a tag of {MAX_TAG_VALUE} characters",
                "Give fewer or shorter values.",
            )


def check_origin(origin: str) -> None:
    """Raise UsageError unless `origin` is `*` or an origin as browsers send it (https://fetch.spec.whatwg.org)."""
    if origin != "*" and not _ORIGIN_PATTERN.fullmatch(origin):
        raise UsageError(
            f"{origin!r} is not an origin", "Give scheme and host without a path: https://shop.example.com."
        )


def _check_tags(tags: Mapping[str, str]) -> None:
    for key, value in tags.items():
        if key.startswith(("ordernotify:", "aws:")) or not _TAG_PATTERN.fullmatch(key) or len(key) > 128:
            raise UsageError(
                f"{key!r} cannot be a tag of yours", "Use letters, digits, spaces and _ . : / = + - @."
            )
        if not _TAG_PATTERN.fullmatch(value or " ") or len(value) > 256:
            raise UsageError(
                f"the value of the tag {key} is not valid", "Use up to 256 letters, digits, _ . : / = + - @."
            )


_FIELDS = {
    "email": "emails",
    "phone": "phones",
    "alarm-email": "alarm_emails",
    "cors-origin": "cors_origins",
    "tag": "tags",
}
"""The fields of Settings that are not called like their option."""


def describe(
    stack: str, names: Names, told: Mapping[str, Any], recorded: Mapping[str, Any] | None = None
) -> Settings:
    """Build the settings from options by their names; `recorded` has fields that the options win over.

    Options that are no setting (such as `region`) are passed over. Raises UsageError for an impossible value.
    """
    values: dict[str, Any] = dict(recorded or {})
    known = {entry.name for entry in fields(Settings)} - {"stack", "names"}
    for option, value in told.items():
        name = _FIELDS.get(option, option.replace("-", "_"))
        if name in known and value is not None:
            values[name] = _setting(option, name, value)
    return Settings(stack=stack, names=names, **values)


def _setting(option: str, name: str, value: Any) -> Any:
    if name == "tags":
        return dict(_tag(text) for text in value)
    if isinstance(value, list | tuple):
        return tuple(dict.fromkeys(value))
    kind = type(settings_default(name))
    if issubclass(kind, StrEnum):
        try:
            return kind(value)
        except ValueError:
            raise UsageError(f"{option} cannot be {value!r}", f"Use one of {', '.join(kind)}.") from None
    return value


def _tag(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UsageError(f"{text!r} is not a tag", "Give it as key=value; for example team=shop.")
    return key, value


def settings_default(option: str) -> Any:
    """Return the default of a setting, for the option of the same name."""
    default = next(entry for entry in fields(Settings) if entry.name == option)
    return default.default_factory() if callable(default.default_factory) else default.default


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
