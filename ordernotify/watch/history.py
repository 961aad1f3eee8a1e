"""How a stack did over an hour, a day or a week, in equal steps: what the plots show.

On AWS, CloudWatch's metrics tell it. The embedded cloud makes no metrics of the function's log lines, so the
lines themselves are counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ordernotify.aws.errors import map_botocore_errors
from ordernotify.aws.session import Cloud
from ordernotify.errors import UsageError
from ordernotify.function.log import (
    METRIC_DIMENSION,
    METRIC_NAMESPACE,
    METRIC_NOTIFICATIONS_PENDING,
    METRIC_ORDERS_REPLAYED,
)
from ordernotify.iam.calls import Calls, allow
from ordernotify.logs.reader import function_events
from ordernotify.orders.bulk import percentile
from ordernotify.orders.items import PENDING
from ordernotify.settings.model import ApiKind
from ordernotify.settings.names import Names, Target
from ordernotify.stack.discovery import find_endpoint
from ordernotify.watch.served import KINDS, Served, served

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef

SPANS: Mapping[str, tuple[int, int]] = {"1h": (3600, 60), "24h": (86_400, 900), "7d": (604_800, 7200)}
"""The spans, each with its length and its step in seconds."""
PERCENTILES = ("p50", "p95", "p99")
HISTORY_CALLS: Calls = (allow("cloudwatch", "GetMetricData", on="*"),)
"""What reading the history calls, beside finding the API and reading the log; it has no resource."""
RESPONSES = '{ $.event = "response" }'


@dataclass(frozen=True, slots=True)
class History:
    """Values of equal steps, oldest first; `start` in seconds since 1970, `step` in seconds.

    `kinds` counts the answers by KINDS, `latency` has PERCENTILES in ms (None for a step without orders), and
    `pending` counts the notifications that were left pending.
    """

    start: int
    step: int
    kinds: Mapping[str, Sequence[float]]
    latency: Mapping[str, Sequence[float | None]]
    pending: Sequence[float]

    @property
    def per_minute(self) -> list[float]:
        """The stored orders per minute in each step."""
        return [count * 60 / self.step for count in self.kinds["stored"]]

    def times(self) -> list[datetime]:
        """When each step begins, in UTC."""
        steps = range(len(self.pending))
        return [datetime.fromtimestamp(self.start + self.step * number, UTC) for number in steps]


def read_history(cloud: Cloud, names: Names, stack: str, span: str) -> History:
    """Read what happened in one of SPANS until now.

    Raises UsageError for another span, StackNotFoundError, AwsError.
    """
    if span not in SPANS:
        raise UsageError(f"{span!r} is not a span of the plots", f"Use one of {', '.join(SPANS)}.")
    length, step = SPANS[span]
    end = (int(cloud.now().timestamp()) // step + 1) * step
    start, steps = end - length, length // step
    if cloud.target is Target.LOCAL:
        lines = map(served, function_events(cloud, names, start * 1000, RESPONSES))
        return of_answers((one for one in lines if one), start, step, steps)
    return _of_metrics(cloud, names, stack, start, step, steps)


def of_answers(answers: Iterable[Served], start: int, step: int, steps: int) -> History:
    """Sum up answers in steps; those outside of the time are left out."""
    kinds = {kind: [0.0] * steps for kind in KINDS}
    pending = [0.0] * steps
    times: list[list[float]] = [[] for _ in range(steps)]
    for one in answers:
        place = (one.at // 1000 - start) // step
        if 0 <= place < steps:
            kinds[one.kind][place] += 1
            times[place].append(one.milliseconds)
            pending[place] += one.notification == PENDING
    for each in times:
        each.sort()
    latency = {
        name: [percentile(each, float(name[1:])) if each else None for each in times] for name in PERCENTILES
    }
    return History(start, step, kinds, latency, pending)


def _of_metrics(cloud: Cloud, names: Names, stack: str, start: int, step: int, steps: int) -> History:
    """Read AWS's own metrics, which are free, and the function's two.

    An order is stored by one PutItem; imports are counted too. A given role without UpdateItem marks an order
    as sent by a second PutItem, so that its orders count twice.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
    """
    endpoint = find_endpoint(cloud, names, stack)
    own = {METRIC_DIMENSION: stack}
    stored = {"TableName": names.table, "Operation": "PutItem"}
    function = {"FunctionName": names.function}
    if endpoint.kind is ApiKind.HTTP:
        rejected, failed, api = "4xx", "5xx", {"ApiId": endpoint.api_id, "Stage": endpoint.stage}
    else:
        rejected, failed, api = "4XXError", "5XXError", {"ApiName": names.api, "Stage": endpoint.stage}
    wanted: dict[str, tuple[tuple[str, str, Mapping[str, str]], str]] = {
        "stored": (("AWS/DynamoDB", "SuccessfulRequestLatency", stored), "SampleCount"),
        "replayed": ((METRIC_NAMESPACE, METRIC_ORDERS_REPLAYED, own), "Sum"),
        "rejected": (("AWS/ApiGateway", rejected, api), "Sum"),
        "failed": (("AWS/ApiGateway", failed, api), "Sum"),
        "pending": ((METRIC_NAMESPACE, METRIC_NOTIFICATIONS_PENDING, own), "Sum"),
        **{name: (("AWS/Lambda", "Duration", function), name) for name in PERCENTILES},
    }
    queries = [_query(name, metric, statistic, step) for name, (metric, statistic) in wanted.items()]
    found: dict[str, list[float | None]] = {name: [None] * steps for name in wanted}
    with map_botocore_errors("read", "metrics of", stack):
        pages = cloud.cloudwatch.get_paginator("get_metric_data").paginate(
            MetricDataQueries=queries,
            StartTime=datetime.fromtimestamp(start, UTC),
            EndTime=datetime.fromtimestamp(start + step * steps, UTC),
        )
        for page in pages:
            for result in page["MetricDataResults"]:
                for moment, value in zip(result["Timestamps"], result["Values"], strict=True):
                    place = (int(moment.timestamp()) - start) // step
                    if 0 <= place < steps:
                        found[result["Id"]][place] = value
    counts = {name: [value or 0.0 for value in values] for name, values in found.items()}
    return History(
        start,
        step,
        {kind: counts[kind] for kind in KINDS},
        {name: found[name] for name in PERCENTILES},
        counts["pending"],
    )


def _query(
    name: str, metric: tuple[str, str, Mapping[str, str]], statistic: str, step: int
) -> MetricDataQueryTypeDef:
    namespace, metric_name, dimensions = metric
    return {
        "Id": name,
        "MetricStat": {
            "Metric": {
                "Namespace": namespace,
                "MetricName": metric_name,
                "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
            },
            "Period": step,
            "Stat": statistic,
        },
    }
