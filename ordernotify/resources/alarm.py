"""Production: CloudWatch alarms on what would lose or delay an order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from ordernotify.aws.errors import ignore_codes
from ordernotify.aws.session import Cloud
from ordernotify.aws.tags import tag_list, tags_of
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.api.base import ApiState
from ordernotify.resources.base import UNKNOWN, Live, Needed, Resource, Step, Verb, needed_state
from ordernotify.resources.watches import API_ID, Watch
from ordernotify.settings.model import Settings

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.literals import ComparisonOperatorType, StatisticType

PERIOD_SECONDS = 300


@dataclass(frozen=True, slots=True)
class MetricAlarmState:
    """What an alarm compares and which topics it tells; seconds, and the threshold in the metric's unit."""

    namespace: str
    metric: str
    dimensions: Mapping[str, str]
    statistic: StatisticType
    period: int
    evaluation_periods: int
    threshold: float
    comparison: ComparisonOperatorType
    missing_data: str
    actions_enabled: bool
    actions: Sequence[str]
    ok_actions: Sequence[str]
    description: str = field(default="", compare=False)


class Alarm(Resource[MetricAlarmState]):
    """One alarm."""

    kind = "alarm"
    removed_when_unwanted = True

    def __init__(self, settings: Settings, cloud: Cloud, watch: Watch) -> None:
        super().__init__(settings, cloud)
        self.watch = watch
        self.needs = watch.needs

    @property
    def key(self) -> str:
        return f"alarm {self.watch.what}"

    @property
    def name(self) -> str:
        return self.settings.names.alarm(self.watch.what)

    @property
    def arn(self) -> str:
        return self.cloud.arn("cloudwatch", f"alarm:{self.name}")

    @property
    def wanted(self) -> bool:
        """Only where there is something to watch."""
        return self.watch.wanted

    @property
    def calls(self) -> Mapping[Verb, Calls]:
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

    def described(self, needed: Needed) -> MetricAlarmState:
        return MetricAlarmState(
            namespace=self.watch.namespace,
            metric=self.watch.metric,
            dimensions=self._dimensions(needed),
            statistic=self.watch.statistic,
            period=PERIOD_SECONDS,
            evaluation_periods=1,
            threshold=self.watch.threshold,
            comparison="GreaterThanOrEqualToThreshold",
            missing_data="notBreaching",
            actions_enabled=True,
            actions=self._actions(),
            ok_actions=self._actions() if self.watch.tells_end else [],
        )

    def find(self) -> Live[MetricAlarmState] | None:
        found = self.cloud.cloudwatch.describe_alarms(AlarmNames=[self.name], AlarmTypes=["MetricAlarm"])
        if not found["MetricAlarms"]:
            return None
        # Another program's alarm may lack any of these.
        alarm = cast("dict[str, Any]", found["MetricAlarms"][0])
        tags = self.cloud.cloudwatch.list_tags_for_resource(ResourceARN=self.arn)["Tags"]
        state = MetricAlarmState(
            namespace=alarm.get("Namespace", ""),
            metric=alarm.get("MetricName", ""),
            dimensions={item["Name"]: item["Value"] for item in alarm.get("Dimensions", ())},
            statistic=alarm.get("Statistic", ""),
            period=alarm.get("Period", 0),
            evaluation_periods=alarm.get("EvaluationPeriods", 0),
            threshold=alarm.get("Threshold", 0),
            comparison=alarm.get("ComparisonOperator", ""),
            missing_data=alarm.get("TreatMissingData", ""),
            actions_enabled=alarm.get("ActionsEnabled", False),
            actions=alarm.get("AlarmActions", []),
            ok_actions=alarm.get("OKActions", []),
            description=alarm.get("AlarmDescription", ""),
        )
        return self.live(state, tags_of(tags))

    def create(self, step: Step) -> Live[MetricAlarmState]:
        wanted = self.described(step.needed)
        self.cloud.cloudwatch.put_metric_alarm(
            AlarmName=self.name,
            AlarmDescription=f"ordernotify, stack {self.settings.stack}: {self.watch.what}",
            Namespace=wanted.namespace,
            MetricName=wanted.metric,
            Dimensions=[{"Name": name, "Value": value} for name, value in wanted.dimensions.items()],
            Statistic=wanted.statistic,
            Period=wanted.period,
            EvaluationPeriods=wanted.evaluation_periods,
            Threshold=wanted.threshold,
            ComparisonOperator=wanted.comparison,
            TreatMissingData=wanted.missing_data,
            ActionsEnabled=wanted.actions_enabled,
            AlarmActions=wanted.actions,
            OKActions=wanted.ok_actions,
            Tags=tag_list(self.settings.all_tags),
        )
        return Live(self.arn, wanted)

    def update(self, live: Live[MetricAlarmState], step: Step) -> Live[MetricAlarmState]:
        return self.create(step)

    def put_tags(self, live: Live[MetricAlarmState]) -> None:
        self.cloud.cloudwatch.tag_resource(ResourceARN=self.arn, Tags=tag_list(self.settings.all_tags))

    def delete(self, live: Live[MetricAlarmState], step: Step) -> None:
        with ignore_codes("ResourceNotFound"):
            self.cloud.cloudwatch.delete_alarms(AlarmNames=[self.name])

    def _dimensions(self, needed: Needed) -> dict[str, str]:
        api = needed_state(needed, ApiState)
        api_id = api.id if api else UNKNOWN
        return {name: api_id if value == API_ID else value for name, value in self.watch.dimensions.items()}

    def _actions(self) -> list[str]:
        # The ARN is computed: the alarm need not wait for the topic.
        return [self.cloud.arn("sns", self.settings.names.alarm_topic)] if self.settings.alarm_emails else []
