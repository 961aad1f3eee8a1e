"""What is in an account, read through boto3 alone: plain data in which two equal stacks are equal.

Ids and times that AWS chooses are taken out; where an id stands within another value, a word replaces it.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ordernotify.aws.session import Cloud

Client = Callable[[str], Any]
Found = dict[str, Any]

_VOLATILE = {
    "ResponseMetadata",
    "RevisionId",
    "RoleId",
    "TableId",
    "SubscriptionArn",
    "QueueUrl",
    "apiId",
    "deploymentId",
    "id",
    "resourceId",
    "parentId",
    "cacheNamespace",
    "creationTime",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "LastModified",
    "StateUpdatedTimestamp",
    "CodeSize",
    "Location",
    "ApiId",
    "DeploymentId",
    "IntegrationId",
    "RouteId",
    "Target",
    "rootResourceId",
    "value",
    "storedBytes",
    "lastUpdatedDate",
    "createdDate",
}
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def snapshot(client: Client) -> dict[str, Any]:
    """Read everything that a stack is made of, by service and name."""
    found = {service: dict(read(client(service))) for service, read in READERS.items()}
    ids = _api_ids(client)
    cleaned: dict[str, Any] = _clean({service: things for service, things in found.items() if things}, ids)
    return cleaned


def snapshot_of(cloud: Cloud) -> dict[str, Any]:
    """Read everything in the region of a session that the commands have."""
    clients = {"lambda": "lambda_"}
    return snapshot(lambda service: getattr(cloud, clients.get(service, service)))


def is_empty(taken: Mapping[str, Any]) -> bool:
    """Whether nothing at all was found."""
    return not any(taken.values())


def _clean(value: Any, ids: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        kept = {
            _text(str(key), ids): _clean(item, ids) for key, item in value.items() if key not in _VOLATILE
        }
        return {key: item for key, item in sorted(kept.items()) if not isinstance(item, datetime.datetime)}
    if isinstance(value, list | tuple):
        items = (_clean(item, ids) for item in value if not _is_note(item))
        return sorted(items, key=lambda item: json.dumps(item, default=str))
    return _text(value, ids) if isinstance(value, str) else value


def _is_note(item: Any) -> bool:
    """Whether this is the tag that notes when a subscriber was asked to confirm; it holds a time."""
    return isinstance(item, Mapping) and str(item.get("Key", "")).startswith("ordernotify:requested:")


def _text(value: str, ids: Mapping[str, str]) -> str:
    for chosen, word in ids.items():
        value = value.replace(chosen, word)
    return _UUID.sub("UUID", value)


def _api_ids(client: Client) -> dict[str, str]:
    rest = {api["id"]: f"<{api['name']}>" for api in client("apigateway").get_rest_apis()["items"]}
    http = {api["ApiId"]: f"<{api['Name']}>" for api in client("apigatewayv2").get_apis()["Items"]}
    roles = {role["RoleId"]: f"<{role['RoleName']}>" for role in client("iam").list_roles()["Roles"]}
    return rest | http | roles


def _all(client: Any, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
    for page in client.get_paginator(operation).paginate(**arguments):
        yield from page[key]


def _tables(dynamodb: Any) -> Iterator[tuple[str, Found]]:
    for name in _all(dynamodb, "list_tables", "TableNames"):
        table = dynamodb.describe_table(TableName=name)["Table"]
        backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
        tags = dynamodb.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]
        yield name, {**table, "backups": backups, "tags": tags}


def _topics(sns: Any) -> Iterator[tuple[str, Found]]:
    for topic in _all(sns, "list_topics", "Topics"):
        arn = topic["TopicArn"]
        attributes = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
        tags = sns.list_tags_for_resource(ResourceArn=arn)["Tags"]
        subscriptions = [
            {**listed, "attributes": _subscription(sns, listed["SubscriptionArn"])}
            for listed in _all(sns, "list_subscriptions_by_topic", "Subscriptions", TopicArn=arn)
        ]
        yield (
            arn,
            {
                "policy": json.loads(attributes["Policy"]),
                "tags": tags,
                "subscriptions": subscriptions,
            },
        )
    orphans = list(_all(sns, "list_subscriptions", "Subscriptions"))
    if orphans:
        yield "all subscriptions", {"list": orphans}


def _subscription(sns: Any, arn: str) -> Found:
    found: Found = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    return {**found, "RedrivePolicy": json.loads(found.get("RedrivePolicy") or "{}")}


def _queues(sqs: Any) -> Iterator[tuple[str, Found]]:
    for url in sqs.list_queues().get("QueueUrls", ()):
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        policy = json.loads(attributes.get("Policy", "{}"))
        tags = sqs.list_queue_tags(QueueUrl=url).get("Tags")
        yield url.rpartition("/")[2], {**attributes, "Policy": policy, "tags": tags}


def _roles(iam: Any) -> Iterator[tuple[str, Found]]:
    for role in _all(iam, "list_roles", "Roles"):
        name = role["RoleName"]
        inline = {
            policy: iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            for policy in _all(iam, "list_role_policies", "PolicyNames", RoleName=name)
        }
        attached = list(_all(iam, "list_attached_role_policies", "AttachedPolicies", RoleName=name))
        tags = iam.list_role_tags(RoleName=name)["Tags"]
        yield name, {**role, "inline": inline, "attached": attached, "tags": tags}


def _log_groups(logs: Any) -> Iterator[tuple[str, Found]]:
    for group in _all(logs, "describe_log_groups", "logGroups"):
        arn = group["arn"].removesuffix(":*")
        policy_tags = logs.list_tags_for_resource(resourceArn=arn)["tags"]
        yield group["logGroupName"], {**group, "tags": policy_tags}


def _functions(lambda_: Any) -> Iterator[tuple[str, Found]]:
    for listed in _all(lambda_, "list_functions", "Functions"):
        name = listed["FunctionName"]
        function = lambda_.get_function(FunctionName=name)
        try:
            policy = json.loads(lambda_.get_policy(FunctionName=name)["Policy"])["Statement"]
        except lambda_.exceptions.ResourceNotFoundException:
            policy = []
        configuration = function["Configuration"]
        yield name, {**configuration, "policy": policy, "tags": function.get("Tags")}


def _rest_apis(apigateway: Any) -> Iterator[tuple[str, Found]]:
    for number, api in enumerate(_all(apigateway, "get_rest_apis", "items")):
        api_id = api["id"]
        resources = list(_all(apigateway, "get_resources", "items", restApiId=api_id, embed=["methods"]))
        deployed = {
            item["id"]: item.get("description")
            for item in _all(apigateway, "get_deployments", "items", restApiId=api_id)
        }
        stages = [
            {**stage, "deployed": deployed.get(stage["deploymentId"])}
            for stage in apigateway.get_stages(restApiId=api_id)["item"]
        ]
        yield f"{api['name']} {number}", {**api, "resources": resources, "stages": stages}
    for kind, operation in (("usage plan", "get_usage_plans"), ("api key", "get_api_keys")):
        for thing in _all(apigateway, operation, "items"):
            yield f"{kind} {thing['name']}", thing


def _http_apis(apigatewayv2: Any) -> Iterator[tuple[str, Found]]:
    for number, api in enumerate(_all(apigatewayv2, "get_apis", "Items")):
        parts = {
            operation: list(_all(apigatewayv2, operation, "Items", ApiId=api["ApiId"]))
            for operation in ("get_routes", "get_integrations", "get_stages")
        }
        yield f"{api['Name']} {number}", {**api, **parts}


def _watching(cloudwatch: Any) -> Iterator[tuple[str, Found]]:
    for alarm in _all(cloudwatch, "describe_alarms", "MetricAlarms"):
        tags = cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
        yield alarm["AlarmName"], {**alarm, "tags": tags}
    for listed in cloudwatch.list_dashboards()["DashboardEntries"]:
        name = listed["DashboardName"]
        yield f"dashboard {name}", json.loads(cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"])


READERS: Mapping[str, Callable[[Any], Iterator[tuple[str, Found]]]] = {
    "dynamodb": _tables,
    "sns": _topics,
    "sqs": _queues,
    "iam": _roles,
    "logs": _log_groups,
    "lambda": _functions,
    "apigateway": _rest_apis,
    "apigatewayv2": _http_apis,
    "cloudwatch": _watching,
}
