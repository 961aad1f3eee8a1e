"""What the alarms of a stack watch; plain data, so that the estimate of the cost can count them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ordernotify.function.log import METRIC_NAMESPACE, METRIC_NOTIFICATIONS_PENDING
from ordernotify.settings.model import ApiKind, Settings

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.literals import StatisticType

API_ID = "(id of the API)"
"""Stands in a watch for the id that AWS chooses."""
SLOW_SHARE = 0.8
"""The share of the function's timeout above which an order counts as slow."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What an alarm watches; the threshold is in the metric's unit and is reached, not passed."""

    what: str
    namespace: str
    metric: str
    dimensions: Mapping[str, str]
    statistic: StatisticType = "Sum"
    threshold: float = 1.0
    tells_end: bool = True
    """Whether the alarm says OK. That no more notifications fail does not send the one that did."""
    needs: tuple[str, ...] = ()
    """Keys of the resources whose ids the dimensions hold."""
    wanted: bool = True


def watches(settings: Settings) -> tuple[Watch, ...]:
    """List what the stack's alarms watch."""
    function = {"FunctionName": settings.names.function}
    return (
        Watch("errors", "AWS/Lambda", "Errors", function),
        Watch("throttles", "AWS/Lambda", "Throttles", function),
        Watch(
            "duration", "AWS/Lambda", "Duration", function, "Maximum", settings.timeout * 1000 * SLOW_SHARE
        ),
        api_watch(settings),
        Watch(
            "notifications-pending",
            METRIC_NAMESPACE,
            METRIC_NOTIFICATIONS_PENDING,
            {"stack": settings.stack},
            tells_end=False,
        ),
        Watch(
            "undelivered",
            "AWS/SQS",
            "ApproximateNumberOfMessagesVisible",
            {"QueueName": settings.names.dead_letter_queue},
            "Maximum",
            wanted=settings.dead_letters,
        ),
    )


def api_watch(settings: Settings) -> Watch:
    """Watch the API's failures; the two kinds of API name the metric and its dimensions differently."""
    if settings.api is ApiKind.HTTP:
        dimensions = {"ApiId": API_ID, "Stage": settings.stage}
        return Watch("api-5xx", "AWS/ApiGateway", "5xx", dimensions, needs=("api",))
    dimensions = {"ApiName": settings.names.api, "Stage": settings.stage}
    return Watch("api-5xx", "AWS/ApiGateway", "5XXError", dimensions)
