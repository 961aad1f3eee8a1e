"""What the controls ask about a live stack: the states that `find` reads, and a few more facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ordernotify.aws.errors import map_botocore_errors
from ordernotify.aws.session import Cloud
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.api.rest_stage import RestApiState
from ordernotify.resources.base import AnyLive, Resource
from ordernotify.resources.dead_letters import DeadLetterQueueState
from ordernotify.resources.log_group import LogGroupState
from ordernotify.resources.topic import TopicState
from ordernotify.settings.names import Names, Target

Wanted = TypeVar("Wanted")


@dataclass(frozen=True, slots=True)
class Facts:
    """The live resources by key, and what else AWS reports about each, in its own words."""

    live: Mapping[str, AnyLive]
    names: Mapping[str, str]
    more: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    embedded: bool = False
    """Whether it lives on the embedded cloud."""

    def states(self, kind: type[Wanted]) -> dict[str, Wanted]:
        """Map the name of each live resource with this kind of state to its state."""
        return {
            self.names[key]: live.state for key, live in self.live.items() if isinstance(live.state, kind)
        }

    def the(self, kind: type[Wanted]) -> Wanted | None:
        """Return the state of the one live resource of the kind; None if there is none."""
        return next(iter(self.states(kind).values()), None)

    def told(self, kind: type[Any]) -> dict[str, Mapping[str, Any]]:
        """Map the name of each live resource with this kind of state to AWS's further facts."""
        return {
            self.names[key]: self.more.get(key, {})
            for key, live in self.live.items()
            if isinstance(live.state, kind)
        }

    def untagged(self, *keys: str) -> list[str]:
        """Name those of these live resources that carry no tag."""
        return [self.names[key] for key in keys if key in self.live and not self.live[key].tags]


def calls(cloud: Cloud, names: Names) -> Calls:
    """What auditing calls beside what `status` reads."""
    topics = [cloud.arn("sns", name) for name in (names.topic, names.alarm_topic)]
    return (
        allow("dynamodb", "DescribeTable", on=cloud.arn("dynamodb", f"table/{names.table}")),
        allow("lambda", "GetFunctionConfiguration", on=cloud.arn("lambda", f"function:{names.function}")),
        allow("sns", "GetTopicAttributes", on=topics),
        allow("logs", "DescribeLogGroups", on="*"),
        allow("apigateway", "GetStages"),
    )


def gather(cloud: Cloud, resources: Iterable[Resource[Any]], found: Mapping[str, AnyLive | None]) -> Facts:
    """Read what the states do not hold: keys, network, dead letters, caches; raises AwsError.

    What is another program's is none of the stack's.
    """
    live = {key: one for key, one in found.items() if one is not None and one.owned}
    names = {resource.key: resource.name for resource in resources}
    more: dict[str, Mapping[str, Any]] = {}
    for key, one in live.items():
        with map_botocore_errors("read", key, names[key]):
            more[key] = _more(cloud, key, one, names[key])
    return Facts(live, names, more, cloud.target is Target.LOCAL)


def _more(cloud: Cloud, key: str, live: AnyLive, name: str) -> Mapping[str, Any]:
    if key == "table":
        return dict(cloud.dynamodb.describe_table(TableName=name)["Table"])
    if key == "function":
        return dict(cloud.lambda_.get_function_configuration(FunctionName=name))
    if isinstance(live.state, TopicState):
        return cloud.sns.get_topic_attributes(TopicArn=live.arn)["Attributes"]
    if isinstance(live.state, DeadLetterQueueState):
        url = live.state.url
        answer = cloud.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["KmsMasterKeyId"])
        return {str(key): value for key, value in answer.get("Attributes", {}).items()}
    if isinstance(live.state, LogGroupState):
        group = live.arn.partition(":log-group:")[2]
        pages = cloud.logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=group)
        listed = (one for page in pages for one in page["logGroups"])
        return next((dict(one) for one in listed if one["logGroupName"] == group), {})
    if isinstance(live.state, RestApiState):
        stages = cloud.apigateway.get_stages(restApiId=live.state.id)["item"]
        return next((dict(one) for one in stages if one["stageName"] in live.state.stages), {})
    return {}
