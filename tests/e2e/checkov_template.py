"""A stack's live states, read by boto3 alone, as a CloudFormation template for Checkov."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

Client = Any
Resources = dict[str, dict[str, Any]]


def template(client: Any) -> dict[str, Any]:
    """Write what is in the account; `client` opens a service of it."""
    resources: Resources = {}
    for read in (_tables, _functions, _roles, _topics, _queues, _log_groups, _rest_apis, _http_apis):
        for name, kind, properties in read(client):
            resources["".join(filter(str.isalnum, f"{kind}{name}"))] = {
                "Type": kind,
                "Properties": properties,
            }
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}


Found = Iterator[tuple[str, str, dict[str, Any]]]


def _tables(client: Any) -> Found:
    dynamodb = client("dynamodb")
    for name in dynamodb.list_tables()["TableNames"]:
        table = dynamodb.describe_table(TableName=name)["Table"]
        backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
        recovery = backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
        properties = {
            "TableName": name,
            "KeySchema": table["KeySchema"],
            "AttributeDefinitions": table["AttributeDefinitions"],
            "BillingMode": table["BillingModeSummary"]["BillingMode"],
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": recovery},
        }
        key = table.get("SSEDescription", {}).get("KMSMasterKeyArn")
        if key:
            properties["SSESpecification"] = {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}
        yield name, "AWS::DynamoDB::Table", properties


def _functions(client: Any) -> Found:
    lambda_ = client("lambda")
    for listed in lambda_.list_functions()["Functions"]:
        found = lambda_.get_function(FunctionName=listed["FunctionName"])
        configuration = found["Configuration"]
        properties = {
            "FunctionName": configuration["FunctionName"],
            "Runtime": configuration["Runtime"],
            "Handler": configuration["Handler"],
            "Role": configuration["Role"],
            "Code": {"S3Bucket": "code", "S3Key": "code.zip"},
            "Environment": {"Variables": configuration["Environment"]["Variables"]},
            "TracingConfig": {"Mode": configuration["TracingConfig"]["Mode"]},
        }
        reserved = found.get("Concurrency", {}).get("ReservedConcurrentExecutions")
        if reserved is not None:
            properties["ReservedConcurrentExecutions"] = reserved
        yield configuration["FunctionName"], "AWS::Lambda::Function", properties
        policy = json.loads(lambda_.get_policy(FunctionName=listed["FunctionName"])["Policy"])
        for statement in policy["Statement"]:
            permission = {
                "FunctionName": configuration["FunctionName"],
                "Action": statement["Action"],
                "Principal": statement["Principal"]["Service"],
                "SourceArn": statement["Condition"]["ArnLike"]["AWS:SourceArn"],
            }
            yield statement["Sid"], "AWS::Lambda::Permission", permission


def _roles(client: Any) -> Found:
    iam = client("iam")
    for role in iam.list_roles()["Roles"]:
        name = role["RoleName"]
        policies = [
            {
                "PolicyName": policy,
                "PolicyDocument": iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"],
            }
            for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
        ]
        trust = role["AssumeRolePolicyDocument"]
        yield name, "AWS::IAM::Role", {"AssumeRolePolicyDocument": trust, "Policies": policies}


def _topics(client: Any) -> Found:
    sns = client("sns")
    for topic in sns.list_topics()["Topics"]:
        name = topic["TopicArn"].rpartition(":")[2]
        attributes = sns.get_topic_attributes(TopicArn=topic["TopicArn"])["Attributes"]
        key = attributes.get("KmsMasterKeyId")
        yield name, "AWS::SNS::Topic", {"TopicName": name, **({"KmsMasterKeyId": key} if key else {})}


def _queues(client: Any) -> Found:
    sqs = client("sqs")
    for url in sqs.list_queues().get("QueueUrls", ()):
        name = url.rpartition("/")[2]
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        encrypted = attributes.get("SqsManagedSseEnabled") == "true"
        yield name, "AWS::SQS::Queue", {"QueueName": name, "SqsManagedSseEnabled": encrypted}


def _log_groups(client: Any) -> Found:
    for group in client("logs").describe_log_groups()["logGroups"]:
        properties = {
            "LogGroupName": group["logGroupName"],
            **({"RetentionInDays": group["retentionInDays"]} if "retentionInDays" in group else {}),
            **({"KmsKeyId": group["kmsKeyId"]} if "kmsKeyId" in group else {}),
        }
        yield group["logGroupName"], "AWS::Logs::LogGroup", properties


def _rest_apis(client: Any) -> Found:
    gateway = client("apigateway")
    for api in gateway.get_rest_apis()["items"]:
        for resource in gateway.get_resources(restApiId=api["id"], embed=["methods"])["items"]:
            for method, details in resource.get("resourceMethods", {}).items():
                properties = {
                    "RestApiId": api["id"],
                    "ResourceId": resource["id"],
                    "HttpMethod": method,
                    "AuthorizationType": details["authorizationType"],
                    "ApiKeyRequired": details["apiKeyRequired"],
                }
                yield f"{api['name']}{method}", "AWS::ApiGateway::Method", properties
        for stage in gateway.get_stages(restApiId=api["id"])["item"]:
            properties = {
                "RestApiId": api["id"],
                "StageName": stage["stageName"],
                "TracingEnabled": stage.get("tracingEnabled", False),
                "CacheClusterEnabled": stage.get("cacheClusterEnabled", False),
            }
            log = stage.get("accessLogSettings")
            if log:
                properties["AccessLogSetting"] = {"DestinationArn": log["destinationArn"]}
            yield f"{api['name']}{stage['stageName']}", "AWS::ApiGateway::Stage", properties


def _http_apis(client: Any) -> Found:
    gateway = client("apigatewayv2")
    for api in gateway.get_apis()["Items"]:
        for stage in gateway.get_stages(ApiId=api["ApiId"])["Items"]:
            properties: dict[str, Any] = {"ApiId": api["ApiId"], "StageName": stage["StageName"]}
            log = stage.get("AccessLogSettings")
            if log:
                properties["AccessLogSettings"] = {"DestinationArn": log["DestinationArn"]}
            yield f"{api['Name']}{stage['StageName']}", "AWS::ApiGatewayV2::Stage", properties
