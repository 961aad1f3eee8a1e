"""What a stack is to look like: every setting is one field, checked before anything is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ordernotify.settings.checks import (
    MAX_TAG_VALUE,
    between,
    browser_origin,
    check_boundary,
    check_email,
    check_kms_key,
    check_origin,
    check_phone,
    check_retention,
    check_role_arn,
    check_role_path,
    check_stage,
    check_tag,
    check_waf_acl,
    one_of,
    tag_pair,
)
from ordernotify.settings.names import DEFAULT_STACK, PLACE_ROWS, STACK_TAG, Names, check_stack_name
from ordernotify.settings.row import Setting, SettingsError, rows_of, setting

SETTING_TAG_PREFIX = "ordernotify:setting:"
RUNTIMES = ("python3.11", "python3.12", "python3.13", "python3.14")
ARCHITECTURES = ("x86_64", "arm64")
NO_LIMIT = "none"
"""The rate that lifts every throttle, also the one that protects mailboxes."""
MAX_TAGS = 50
"""What every service allows on one resource."""
_SUBSCRIBERS = "Subscribers"
_API = "API"
_FUNCTION = "Function"
_PRODUCTION = "Production"


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

    A field made by `setting` is a setting: its option, variable, key, record, help and line in
    docs/settings.md come from here. Times are in seconds, sizes in MB, retention in days; `rate` is in
    requests per second: 0 is no limit, and None what protects mailboxes.
    """

    stack: str = DEFAULT_STACK
    names: Names = field(default_factory=Names)
    emails: tuple[str, ...] = setting(
        (),
        "Subscribe this address; repeatable. `setup` adds subscribers and never removes any.",
        panel=_SUBSCRIBERS,
        option="email",
        check=check_email,
    )
    phones: tuple[str, ...] = setting(
        (),
        "Subscribe this number in E.164 form; repeatable.",
        panel=_SUBSCRIBERS,
        option="phone",
        check=check_phone,
    )
    alarm_emails: tuple[str, ...] = setting(
        (),
        "Tell this address of alarms; repeatable. One that is no longer given is unsubscribed.",
        panel=_SUBSCRIBERS,
        option="alarm-email",
        check=check_email,
    )
    api: ApiKind = setting(
        ApiKind.REST,
        "The kind of API: rest or http; changing it gives a new URL.",
        panel=_API,
        recorded=True,
    )
    auth: Auth = setting(
        Auth.NONE,
        "What a client must present: none (a public API), api-key (REST only) or iam.",
        panel=_API,
        recorded=True,
    )
    stage: str = setting("prod", "The API's stage.", panel=_API, check=check_stage, recorded=True)
    cors_origins: tuple[str, ...] = setting(
        (),
        "Let pages of this origin post orders; repeatable; * for all.",
        panel=_API,
        option="cors-origin",
        read=browser_origin,
        check=check_origin,
        recorded=True,
    )
    access_logs: bool = setting(
        False, "Keep the API's access logs.", panel=_API, negative=True, recorded=True
    )
    rate: int | None = setting(
        None,
        f"Requests per second that the API admits, or {NO_LIMIT}; beyond, it answers 429. "
        "By default 5 where an email subscriber on AWS gets every order: SNS suspends a mailbox that "
        "gets more than 10 a second.",
        panel=_API,
        word=NO_LIMIT,
        check=between("rate", 1, 10_000),
        recorded=True,
    )
    burst: int | None = setting(
        None,
        "Requests at once that the API admits; goes with the rate.",
        panel=_API,
        check=between("burst", 1, 10_000),
        recorded=True,
    )
    role_arn: str | None = setting(
        None,
        "Run the function as this existing role, which is checked and never changed.",
        panel=_FUNCTION,
        check=check_role_arn,
        recorded=True,
    )
    permissions_boundary: str | None = setting(
        None,
        "Give every role that setup makes this boundary: the ARN of a managed policy.",
        panel=_FUNCTION,
        option="permissions-boundary",
        check=check_boundary,
        recorded=True,
    )
    role_path: str = setting(
        "/",
        "The path of every role that setup makes; changing it recreates the function's role.",
        panel=_FUNCTION,
        option="role-path",
        check=check_role_path,
        recorded=True,
    )
    runtime: str = setting(
        "python3.12",
        f"One of {', '.join(RUNTIMES)}.",
        panel=_FUNCTION,
        check=one_of("runtime", RUNTIMES),
        recorded=True,
    )
    architecture: str = setting(
        "x86_64",
        f"{' or '.join(ARCHITECTURES)}.",
        panel=_FUNCTION,
        check=one_of("architecture", ARCHITECTURES),
        recorded=True,
    )
    memory: int = setting(
        256, "Memory in MB.", panel=_FUNCTION, check=between("memory", 128, 10_240, " MB"), recorded=True
    )
    timeout: int = setting(
        15,
        "Timeout in seconds.",
        panel=_FUNCTION,
        check=between("timeout", 3, 29, " s", "API Gateway waits no longer"),
        recorded=True,
    )
    log_retention: int = setting(
        30, "Days to keep the logs.", panel=_FUNCTION, check=check_retention, recorded=True
    )
    log_bodies: bool = setting(
        True, "Log the orders themselves.", panel=_FUNCTION, negative=True, recorded=True
    )
    production: bool = setting(
        False,
        "Describe a stack for real customers: traces, all logs for a year, dead letters, a throttle. Asks "
        "for --auth and --alarm-email; every option overrides it.",
        panel=_PRODUCTION,
    )
    tracing: bool = setting(
        False,
        "Trace requests with X-Ray: in the function, and in the stage of a REST API.",
        panel=_PRODUCTION,
        negative=True,
        recorded=True,
    )
    execution_logs: bool = setting(
        False,
        "Keep the execution logs of a REST API's stage, without bodies.",
        panel=_PRODUCTION,
        negative=True,
        recorded=True,
    )
    concurrency: int | None = setting(
        None,
        "Reserve this many of the account's concurrent executions for the function, which is also its limit.",
        panel=_PRODUCTION,
        check=between("concurrency", 1, 100_000),
        recorded=True,
    )
    dead_letters: bool = setting(
        False,
        "Keep what a subscriber did not take; `ordernotify redrive --undelivered` sends it again.",
        panel=_PRODUCTION,
        negative=True,
        recorded=True,
    )
    dashboard: bool = setting(
        False,
        "Make a CloudWatch dashboard of the stack; `status` prints its address.",
        panel=_PRODUCTION,
        negative=True,
        recorded=True,
    )
    kms_key: str | None = setting(
        None,
        "Encrypt table, topics, logs, dead letters and the function's environment with this key: its ARN, or "
        "alias/NAME.",
        panel=_PRODUCTION,
        check=check_kms_key,
        recorded=True,
    )
    waf_acl: str | None = setting(
        None,
        "Associate this regional web ACL of AWS WAF, by its ARN, with a REST API's stage.",
        panel=_PRODUCTION,
        check=check_waf_acl,
        recorded=True,
    )
    tags: Mapping[str, str] = setting(
        dict,
        "Tag everything with key=value; repeatable. One that is no longer given stays; the plan names it.",
        panel="Names",
        option="tag",
        read=tag_pair,
        check=check_tag,
    )

    def __post_init__(self) -> None:
        """Refuse what AWS would refuse later, before anything is changed."""
        check_stack_name(self.stack)
        for row in SETTING_ROWS:
            row.check_field(getattr(self, row.field))
        _check_api(self)
        _check_roles(self)
        _check_tags(self)

    @property
    def all_tags(self) -> dict[str, str]:
        """The tags that everything of this stack carries: the person's and the stack's."""
        return {**self.tags, STACK_TAG: self.stack}

    @property
    def recorded(self) -> dict[str, str]:
        """What was described other than the default, as tags of the function.

        `status` reads them, so that it compares with what `setup` was told and not with the defaults.
        """
        usual = Names().for_stack(self.stack)
        names = {
            name_tag(row): row.to_tag(name)
            for row in NAME_ROWS
            if (name := getattr(self.names, row.field)) != getattr(usual, row.field)
        }
        return names | {
            recorded_tag(row): row.to_tag(value)
            for row in SETTING_ROWS
            if row.recorded and (value := getattr(self, row.field)) != row.default
        }


NAME_ROWS = rows_of(Names)
SETTING_ROWS = rows_of(Settings)
ROWS = (*PLACE_ROWS, *NAME_ROWS, *SETTING_ROWS)
"""Every setting, in the order of the help."""
OWN_TAGS = 4
"""At most so many tags does one resource get beside the person's and the records: the stack's and its own."""


def recorded_tag(row: Setting) -> str:
    """Return the key of the tag that keeps this setting in the account."""
    return f"{SETTING_TAG_PREFIX}{row.field}"


def name_tag(row: Setting) -> str:
    """Return the key of the tag that keeps this name in the account."""
    return f"{SETTING_TAG_PREFIX}{row.field}_name"


def settings_default(name: str) -> Any:
    """Return the default of the setting in the field `name`."""
    return next(row.default for row in SETTING_ROWS if row.field == name)


def _check_api(settings: Settings) -> None:
    if settings.api is ApiKind.HTTP and settings.auth is Auth.API_KEY:
        raise SettingsError(
            "an HTTP API has no API keys: API Gateway offers them for REST APIs only",
            "Use the API rest with the authorization api-key, or http with iam.",
            "api",
            "auth",
        )
    if settings.api is ApiKind.HTTP and settings.execution_logs:
        raise SettingsError(
            "an HTTP API has no execution logs: API Gateway offers them for REST APIs only",
            "Use the API rest, or --access-logs.",
            "api",
            "execution-logs",
        )
    if settings.api is ApiKind.HTTP and settings.waf_acl:
        raise SettingsError(
            "an HTTP API has no web ACL: AWS WAF protects the stages of REST APIs only",
            "Use the API rest, or leave --waf-acl out.",
            "api",
            "waf-acl",
        )
    if settings.rate == 0 and settings.burst is not None:
        raise SettingsError(
            f"the rate {NO_LIMIT} has no burst",
            "Leave out --burst, or give a number as rate.",
            "rate",
            "burst",
        )
    if settings.rate != 0 and (settings.rate is None) != (settings.burst is None):
        raise SettingsError(
            "rate and burst go together", "Give both; for example --rate 50 --burst 100.", "rate", "burst"
        )


def _check_roles(settings: Settings) -> None:
    makes_one = settings.role_arn is None or (settings.access_logs and settings.api is ApiKind.REST)
    if not makes_one and (
        settings.permissions_boundary or settings.role_path != settings_default("role_path")
    ):
        raise SettingsError(
            "setup makes no role that could have a boundary or a path: the function runs as a given one",
            "Leave out the role's ARN, or the boundary and the path.",
            "role-arn",
            "permissions-boundary",
            "role-path",
        )


def _check_tags(settings: Settings) -> None:
    recorded = settings.recorded
    own = OWN_TAGS + len(recorded)
    most = MAX_TAGS - own
    if len(settings.tags) > most:
        raise SettingsError(
            f"{len(settings.tags)} tags are too many: AWS takes {MAX_TAGS} on one resource, "
            f"and ordernotify needs {own} of them",
            f"Give at most {most}.",
            "tag",
        )
    for row in SETTING_ROWS:
        value = recorded.get(recorded_tag(row), "")
        if len(value) > MAX_TAG_VALUE:
            raise SettingsError(
                f"{row.option} is too long: it is kept in a tag of at most {MAX_TAG_VALUE} characters",
                "Give fewer or shorter values.",
                row.option,
            )
