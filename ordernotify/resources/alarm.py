"""Production: CloudWatch alarms on what would lose or delay an order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ordernotify.aws.session import Cloud
from ordernotify.aws.tags import tag_list
from ordernotify.function.log import METRIC_NAMESPACE, METRIC_NOTIFICATIONS_PENDING
from ordernotify.iam.calls import Permissions, allow
from ordernotify.resources.base import UNKNOWN, Attributes, Live, Resource, Step, Verb, tags_of
from ordernotify.settings.model import ApiKind, Settings

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import PutMetricAlarmInputTypeDef

PERIOD_SECONDS = 300
API_ID = "(id of the API)"
"""Stands in a watch for the id that AWS chooses."""
SLOW_SHARE = 0.8
"""The share of the function's timeout above which an order counts as slow."""
_COMPARED = {
    "namespace": "Namespace",
    "metric": "MetricName",
    "statistic": "Statistic",
    "period": "Period",
    "evaluation periods": "EvaluationPeriods",
    "threshold": "Threshold",
    "comparison": "ComparisonOperator",
    "missing data": "TreatMissingData",
    "actions enabled": "ActionsEnabled",
}


@dataclass(frozen=True, slots=True)
class Watch:
    """What an alarm watches; the threshold is in the metric's unit and is reached, not passed."""

    what: str
    namespace: str
    metric: str
    dimensions: Mapping[str, str]
    statistic: str = "Sum"
    threshold: float = 1.0
    needs: tuple[str, ...] = ()
    """Keys of the resources whose ids the dimensions hold."""


def watches(settings: Settings) -> tuple[Watch, ...]:
    """List what the stack's alarms watch."""
    function = {"FunctionName": settings.names.function}
    return (
        Watch("errors", "AWS/Lambda", "Errors", function),
        Watch("throttles", "AWS/Lambda", "Throttles", function),
        Watch(
            "duration", "AWS/Lambda", "Duration", function, "Maximum", settings.timeout * 1000 * SLOW_SHARE
        ),
        _api_watch(settings),
        Watch(
            "notifications-pending",
            METRIC_NAMESPACE,
            METRIC_NOTIFICATIONS_PENDING,
            {"stack": settings.stack},
        ),
    )


def _api_watch(settings: Settings) -> Watch:
    """Watch the API's failures; the two kinds of API name the metric and its dimensions differently."""
    if settings.api is ApiKind.HTTP:
        dimensions = {"ApiId": API_ID, "Stage": settings.stage}
        return Watch("api-5xx", "AWS/ApiGateway", "5xx", dimensions, needs=("api",))
    dimensions = {"ApiName": settings.names.api, "Stage": settings.stage}
    return Watch("api-5xx", "AWS/ApiGateway", "5XXError", dimensions)


class Alarm(Resource):
    """One alarm."""

    kind = "alarm"

    def __init__(self, settings: Settings, cloud: Cloud, watch: Watch) -> None:
        """Describe the alarm on `watch`."""
        super().__init__(settings, cloud)
        self.watch = watch
        self.needs = watch.needs

    @property
    def key(self) -> str:
        """The kind and what is watched: a stack has several alarms."""
        return f"alarm {self.watch.what}"

    @property
    def name(self) -> str:
        """The alarm's name."""
        return self.settings.names.alarm(self.watch.what)

    @property
    def arn(self) -> str:
        """The alarm's ARN."""
        return self.cloud.arn("cloudwatch", f"alarm:{self.name}")

    @property
    def permissions(self) -> Mapping[Verb, Permissions]:
        """DescribeAlarms lists, whatever names it is given; TagResource is also checked for a new alarm."""
        put = (allow("cloudwatch", "PutMetricAlarm", "TagResource", on=self.arn),)
        return {
            Verb.FIND: (
                allow("cloudwatch", "DescribeAlarms", on=self.cloud.arn("cloudwatch", "alarm:*")),
                allow("cloudwatch", "ListTagsForResource", on=self.arn),
            ),
            Verb.CREATE: put,
            Verb.UPDATE: put,
            Verb.DELETE: (allow("cloudwatch", "DeleteAlarms", on=self.arn),),
        }

    def described(self, needed: Mapping[str, Live]) -> Attributes:
        """Return the metric, its threshold, and what happens without data."""
        return {
            "namespace": self.watch.namespace,
            "metric": self.watch.metric,
            "dimensions": self._dimensions(needed),
            "statistic": self.watch.statistic,
            "period": PERIOD_SECONDS,
            "evaluation periods": 1,
            "threshold": self.watch.threshold,
            "comparison": "GreaterThanOrEqualToThreshold",
            "missing data": "notBreaching",
            "actions enabled": True,
            "actions": self._actions(),
            "ok actions": self._actions(),
        }

    def find(self) -> Live | None:
        """Read the alarm by its exact name, and its tags."""
        found = self.cloud.cloudwatch.describe_alarms(AlarmNames=[self.name], AlarmTypes=["MetricAlarm"])
        if not found["MetricAlarms"]:
            return None
        alarm = cast("dict[str, Any]", found["MetricAlarms"][0])
        tags = self.cloud.cloudwatch.list_tags_for_resource(ResourceARN=self.arn)["Tags"]
        attributes: dict[str, Any] = {ours: alarm.get(theirs) for ours, theirs in _COMPARED.items()}
        attributes["dimensions"] = {item["Name"]: item["Value"] for item in alarm.get("Dimensions", ())}
        attributes["actions"] = alarm.get("AlarmActions", [])
        attributes["ok actions"] = alarm.get("OKActions", [])
        return self.live(attributes, tags_of(tags))

    def create(self, step: Step) -> Live:
        """Put the alarm with its tag."""
        return self._put(step)

    def update(self, live: Live, changed: frozenset[str], step: Step) -> Live:
        """Put the alarm over the old one."""
        return self._put(step)

    def put_tags(self, live: Live) -> None:
        """Add the tags."""
        self.cloud.cloudwatch.tag_resource(ResourceARN=self.arn, Tags=tag_list(self.settings.all_tags))

    def delete(self, live: Live, step: Step) -> None:
        """Delete the alarm; CloudWatch answers success when it is gone already."""
        self.cloud.cloudwatch.delete_alarms(AlarmNames=[self.name])

    def _dimensions(self, needed: Mapping[str, Live]) -> dict[str, str]:
        api_id = needed["api"].ids["id"] if "api" in needed else UNKNOWN
        return {name: api_id if value == API_ID else value for name, value in self.watch.dimensions.items()}

    def _actions(self) -> list[str]:
        # The ARN is computed: the alarm need not wait for the topic.
        return [self.cloud.arn("sns", self.settings.names.alarm_topic)] if self.settings.alarm_emails else []

    def _put(self, step: Step) -> Live:
        wanted = self.described(step.needed)
        arguments = {theirs: wanted[ours] for ours, theirs in _COMPARED.items()}
        self.cloud.cloudwatch.put_metric_alarm(
            **cast(
                "PutMetricAlarmInputTypeDef",
                {
                    **arguments,
                    "AlarmName": self.name,
                    "AlarmDescription": f"ordernotify, stack {self.settings.stack}: {self.watch.what}",
                    "Dimensions": [
                        {"Name": key, "Value": value} for key, value in wanted["dimensions"].items()
                    ],
                    "AlarmActions": wanted["actions"],
                    "OKActions": wanted["ok actions"],
                    "Tags": tag_list(self.settings.all_tags),
                },
            )
        )
        return Live(self.arn, wanted)
