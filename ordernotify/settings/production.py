"""What `--production` describes beyond the defaults, and what each part costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

YEAR_DAYS = 365


@dataclass(frozen=True, slots=True)
class Addition:
    """A setting that production has another default of; `cost` in USD, as in us-east-1."""

    field: str
    value: Any
    what: str
    cost: str


ADDITIONS = (
    Addition("tracing", True, "traces (--tracing)", "5 per million traces beyond 100,000 a month"),
    Addition("execution_logs", True, "execution logs (--execution-logs)", "0.50 per GB"),
    Addition("access_logs", True, "access logs (--access-logs)", "0.50 per GB"),
    Addition("log_retention", YEAR_DAYS, "logs kept for a year (--log-retention)", "0.03 per GB and month"),
    Addition(
        "dead_letters",
        True,
        "dead letters and their alarm (--dead-letters)",
        "0.10 a month, and 0.40 per million requests beyond a million a month",
    ),
)
"""Prices: https://aws.amazon.com/xray/pricing/, /cloudwatch/pricing/, /sqs/pricing/."""
_THROTTLES = {
    True: (
        Addition("rate", 5, "at most 5 requests a second, which a mailbox can take (--rate)", "nothing"),
        Addition("burst", 5, "at most 5 requests at once (--burst)", "nothing"),
    ),
    False: (
        Addition("rate", 50, "at most 50 requests a second (--rate)", "nothing"),
        Addition("burst", 100, "at most 100 requests at once (--burst)", "nothing"),
    ),
}
"""By whether there are email subscribers: SNS suspends a mailbox beyond 10 a second (AWS-FACTS 22)."""
_PAIR = {"rate", "burst"}


def additions(told: Mapping[str, Any], *, rest: bool) -> tuple[Addition, ...]:
    """Choose what production adds to the fields that were told: each of them overrides it.

    Rate and burst go together, and only a REST API has execution logs.
    """
    offered = (*ADDITIONS, *_THROTTLES[bool(told.get("emails"))])
    taken = set(told) | (_PAIR if _PAIR & told.keys() else set()) | (set() if rest else {"execution_logs"})
    return tuple(one for one in offered if one.field not in taken)


def in_effect(settings: object) -> list[Addition]:
    """Choose those that these settings have."""
    offered = (*ADDITIONS, *_THROTTLES[bool(getattr(settings, "emails", ()))])
    return [one for one in offered if getattr(settings, one.field) == one.value]
