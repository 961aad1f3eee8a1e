"""A CloudWatch dashboard on which the stack is seen at work."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ordernotify.aws.errors import ignore_codes, read_or_none
from ordernotify.function.log import (
    METRIC_DIMENSION,
    METRIC_NAMESPACE,
    METRIC_NOTIFICATIONS_PENDING,
    METRIC_ORDERS_REPLAYED,
)
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.api.base import ApiState
from ordernotify.resources.base import UNKNOWN, Live, Needed, Resource, Step, Verb, internal, needed_state
from ordernotify.resources.ownership import check_ownership
from ordernotify.resources.watches import API_ID, api_watch, watches
from ordernotify.settings.model import ApiKind, Settings
from ordernotify.settings.names import STACK_TAG

PERIOD_SECONDS = 300
_ABSENT = ("ResourceNotFound", "DashboardNotFoundError")
_PERCENTILES = ("p50", "p95", "p99")
_WIDTH, _HEIGHT, _HEADING_HEIGHT = 12, 6, 2
"""Of a widget, in units of CloudWatch's grid, which is 24 wide."""


@dataclass(frozen=True, slots=True)
class DashboardState:
    """What the dashboard shows, in the form of CloudWatch.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
    """

    body: Mapping[str, Any] = field(metadata=internal("other widgets than described"))


class Dashboard(Resource[DashboardState]):
    """Orders, answers, latencies, notifications, the table's consumption and the alarms.

    A dashboard is seen from every region of the account, so its name has the region. Its owner is told by a
    line in its first widget: tags came to dashboards late, and the emulators know none.
    """

    kind = "dashboard"
    needs: tuple[str, ...] = ("api",)
    removed_when_unwanted = True

    @property
    def name(self) -> str:
        return f"ordernotify-{self.settings.stack}-{self.cloud.region}"

    @property
    def arn(self) -> str:
        return self.cloud.arn("cloudwatch", f"dashboard/{self.name}", region=False)

    @property
    def wanted(self) -> bool:
        return self.settings.dashboard

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        calls = {
            Verb.FIND: "GetDashboard",
            Verb.CREATE: "PutDashboard",
            Verb.UPDATE: "PutDashboard",
            Verb.DELETE: "DeleteDashboards",
        }
        return {verb: (allow("cloudwatch", name, on=self.arn),) for verb, name in calls.items()}

    def described(self, needed: Needed) -> DashboardState:
        api = needed_state(needed, ApiState)
        alarms = [
            self.cloud.arn("cloudwatch", f"alarm:{self.settings.names.alarm(watch.what)}")
            for watch in watches(self.settings)
            if watch.wanted
        ]
        heading = f"# Orders of the stack {self.settings.stack}\nMade by ordernotify. {self._mark}"
        widgets = [
            _placed(0, "text", {"markdown": heading}),
            *(
                _placed(place, "metric", {**graph, "region": self.cloud.region})
                for place, graph in enumerate(_graphs(self.settings, api.id if api else UNKNOWN), 1)
            ),
        ]
        return DashboardState(
            {"widgets": [*widgets, _placed(len(widgets), "alarm", {"title": "Alarms", "alarms": alarms})]}
        )

    def find(self) -> Live[DashboardState] | None:
        answer = read_or_none(lambda: self.cloud.cloudwatch.get_dashboard(DashboardName=self.name), *_ABSENT)
        if answer is None:
            return None
        body = json.loads(answer["DashboardBody"])
        return Live(self.arn, DashboardState(body), self._is_marked(body))

    def create(self, step: Step) -> Live[DashboardState]:
        """Put the dashboard; one of somebody else that came since the plan is not written over."""
        found = self.find()
        if found is not None:
            check_ownership(self, found, adopt=False)
        return self._put(step)

    def update(self, live: Live[DashboardState], step: Step) -> Live[DashboardState]:
        return self._put(step)

    def delete(self, live: Live[DashboardState], step: Step) -> None:
        with ignore_codes(*_ABSENT):
            self.cloud.cloudwatch.delete_dashboards(DashboardNames=[self.name])

    def _put(self, step: Step) -> Live[DashboardState]:
        wanted = self.described(step.needed)
        self.cloud.cloudwatch.put_dashboard(DashboardName=self.name, DashboardBody=json.dumps(wanted.body))
        return Live(self.arn, wanted)

    @property
    def _mark(self) -> str:
        return f"{STACK_TAG}={self.settings.stack}"

    def _is_marked(self, body: Mapping[str, Any]) -> bool:
        texts = (widget.get("properties", {}).get("markdown", "") for widget in body.get("widgets", ()))
        return any(self._mark in text.split() for text in texts)


def _placed(place: int, kind: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Place a widget in rows of two below the heading, which is as wide as a row."""
    if place == 0:
        where = {"x": 0, "y": 0, "width": 2 * _WIDTH, "height": _HEADING_HEIGHT}
    else:
        row, column = divmod(place - 1, 2)
        y = _HEADING_HEIGHT + row * _HEIGHT
        where = {"x": column * _WIDTH, "y": y, "width": _WIDTH, "height": _HEIGHT}
    return {"type": kind, **where, "properties": properties}


def _graphs(settings: Settings, api_id: str) -> Iterator[dict[str, Any]]:
    """Describe the graphs; an order is stored by one PutItem, and imports are counted too."""
    failed, names = api_watch(settings), settings.names
    api = {name: api_id if value == API_ID else value for name, value in failed.dimensions.items()}
    rejected = "4xx" if settings.api is ApiKind.HTTP else "4XXError"
    own = {METRIC_DIMENSION: settings.stack}
    function, table = {"FunctionName": names.function}, {"TableName": names.table}
    stored, topic = {**table, "Operation": "PutItem"}, {"TopicName": names.topic}
    yield _graph(
        "Orders",
        _line("AWS/DynamoDB", "SuccessfulRequestLatency", stored, "SampleCount", "stored"),
        _line(METRIC_NAMESPACE, METRIC_ORDERS_REPLAYED, own, "Sum", "replayed"),
    )
    yield _graph(
        "Answers",
        _line("AWS/ApiGateway", "Count", api, "Sum", "all"),
        _line("AWS/ApiGateway", rejected, api, "Sum", "4xx"),
        _line("AWS/ApiGateway", failed.metric, api, "Sum", "5xx"),
    )
    yield _graph("Latency of the API", *_percentiles("AWS/ApiGateway", "Latency", api))
    yield _graph("Duration of the function", *_percentiles("AWS/Lambda", "Duration", function))
    yield _graph(
        "Function",
        *(_line("AWS/Lambda", name, function, "Sum") for name in ("Invocations", "Errors", "Throttles")),
    )
    yield _graph(
        "Notifications",
        _line(METRIC_NAMESPACE, METRIC_NOTIFICATIONS_PENDING, own, "Sum", "pending"),
        _line("AWS/SNS", "NumberOfNotificationsFailed", topic, "Sum", "failed"),
    )
    yield _graph(
        "Consumption of the table",
        _line("AWS/DynamoDB", "ConsumedWriteCapacityUnits", table, "Sum", "write units"),
        _line("AWS/DynamoDB", "ConsumedReadCapacityUnits", table, "Sum", "read units"),
    )


def _graph(title: str, *lines: list[Any]) -> dict[str, Any]:
    return {"title": title, "view": "timeSeries", "period": PERIOD_SECONDS, "metrics": list(lines)}


def _percentiles(namespace: str, metric: str, dimensions: Mapping[str, str]) -> Iterator[list[Any]]:
    yield from (_line(namespace, metric, dimensions, name, name) for name in _PERCENTILES)


def _line(
    namespace: str, metric: str, dimensions: Mapping[str, str], statistic: str, label: str = ""
) -> list[Any]:
    flat = [part for pair in dimensions.items() for part in pair]
    return [namespace, metric, *flat, {"stat": statistic, "label": label or metric}]
