"""The options that describe a stack, spelled once; `setup` takes them as flags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from ordernotify.settings.model import (
    ARCHITECTURES,
    RUNTIMES,
    ApiKind,
    Auth,
    settings_default,
)

_SUBSCRIBERS = "Subscribers"
_API = "API"
_FUNCTION = "Function"


def _option(name: str, kind: Any, help_text: str, panel: str, *, flag: str = "", default: Any = None) -> Any:
    return Annotated[
        kind,
        typer.Option(
            flag or f"--{name}",
            envvar=f"ORDERNOTIFY_{name.upper().replace('-', '_')}",
            help=help_text,
            rich_help_panel=panel,
            show_default=default is not None,
            show_envvar=False,
        ),
    ]


def _default(field: str) -> Any:
    return settings_default(field)


def _with_default(name: str, kind: Any, help_text: str, panel: str, *, flag: str = "") -> tuple[Any, Any]:
    default = _default(name.replace("-", "_"))
    return _option(name, kind, help_text, panel, flag=flag, default=default), default


def _without_default(name: str, kind: Any, help_text: str, panel: str) -> tuple[Any, Any]:
    return _option(name, kind | None, help_text, panel), None


SETTING_OPTIONS: Mapping[str, tuple[Any, Any]] = {
    "email": _without_default("email", list[str], "Subscribe this address; repeatable.", _SUBSCRIBERS),
    "phone": _without_default(
        "phone", list[str], "Subscribe this number in E.164 form; repeatable.", _SUBSCRIBERS
    ),
    "alarm_email": _without_default(
        "alarm-email", list[str], "Tell this address of alarms; repeatable.", _SUBSCRIBERS
    ),
    "api": _with_default("api", ApiKind, "The kind of API.", _API),
    "auth": _with_default("auth", Auth, "What a client must present; none means a public API.", _API),
    "stage": _with_default("stage", str, "The API's stage.", _API),
    "cors_origin": _without_default(
        "cors-origin", list[str], "Let pages of this origin post orders; repeatable; * for all.", _API
    ),
    "rate": _without_default("rate", int, "Requests per second that the API admits.", _API),
    "burst": _without_default("burst", int, "Requests at once that the API admits.", _API),
    "access_logs": _with_default(
        "access-logs", bool, "Keep the API's access logs.", _API, flag="--access-logs/--no-access-logs"
    ),
    "role_arn": _without_default(
        "role-arn", str, "Run the function as this existing role, which is never changed.", _FUNCTION
    ),
    "runtime": _with_default("runtime", str, f"One of {', '.join(RUNTIMES)}.", _FUNCTION),
    "architecture": _with_default("architecture", str, f"{' or '.join(ARCHITECTURES)}.", _FUNCTION),
    "memory": _with_default("memory", int, "Memory in MB.", _FUNCTION),
    "timeout": _with_default("timeout", int, "Timeout in seconds.", _FUNCTION),
    "log_retention": _with_default("log-retention", int, "Days to keep the logs.", _FUNCTION),
    "log_bodies": _with_default(
        "log-bodies", bool, "Log the orders themselves.", _FUNCTION, flag="--log-bodies/--no-log-bodies"
    ),
    "tag": _without_default("tag", list[str], "Tag everything with key=value; repeatable.", "Names"),
}
"""The options by parameter name, each with its default."""
