"""A little of everything that a stack consists of, made and read through boto3 alone."""

from __future__ import annotations

import http.client
import io
import json
import urllib.request
import zipfile
from contextlib import suppress
from typing import Any

from ordernotify.aws.session import Cloud

LAMBDA_TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)
HANDLER = """
import json, os, time

def handler(event, context):
    print("called")
    time.sleep(json.loads(event["body"]).get("sleep", 0))
    return {"statusCode": 200, "body": json.dumps({"pid": os.getpid(), "environ": dict(os.environ)})}
"""


class LittleStack:
    """The resources, made when the object is."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.table()
        self.topic = self.topic_with_queue()
        self.function = self.function_with_logs()
        self.api = self.rest_api()
        cloud.cloudwatch.put_metric_alarm(
            AlarmName="errors",
            Namespace="AWS/Lambda",
            MetricName="Errors",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
            Tags=[{"Key": "k", "Value": "v"}],
        )

    def table(self) -> None:
        self.cloud.dynamodb.create_table(
            TableName="orders",
            KeySchema=[{"AttributeName": "FileName", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "FileName", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            Tags=[{"Key": "k", "Value": "v"}],
        )
        self.cloud.dynamodb.put_item(
            TableName="orders",
            Item={"FileName": {"S": "ø-1"}, "price": {"N": "1.5"}, "raw": {"B": b"\x00\xff"}},
        )

    def topic_with_queue(self) -> str:
        topic = self.cloud.sns.create_topic(Name="topic", Tags=[{"Key": "k", "Value": "v"}])["TopicArn"]
        queue = self.cloud.sqs.create_queue(QueueName="queue")["QueueUrl"]
        self.cloud.sqs.send_message(QueueUrl=queue, MessageBody="kept")
        self.cloud.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=self.cloud.arn("sqs", "queue"))
        self.cloud.sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="you@example.com")
        return topic

    def function_with_logs(self) -> str:
        cloud = self.cloud
        role = cloud.iam.create_role(RoleName="role", AssumeRolePolicyDocument=LAMBDA_TRUST)["Role"]["Arn"]
        allowed = {"Effect": "Allow", "Action": ["logs:*"], "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        cloud.iam.put_role_policy(RoleName="role", PolicyName="logs", PolicyDocument=policy)
        cloud.logs.create_log_group(logGroupName="/aws/lambda/function")
        cloud.logs.put_retention_policy(logGroupName="/aws/lambda/function", retentionInDays=30)
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("index.py", HANDLER)
        arn = cloud.lambda_.create_function(
            FunctionName="function",
            Runtime="python3.12",
            Role=role,
            Handler="index.handler",
            Code={"ZipFile": code.getvalue()},
            Timeout=60,
            Tags={"k": "v"},
        )["FunctionArn"]
        cloud.lambda_.get_waiter("function_active_v2").wait(FunctionName="function")
        cloud.lambda_.add_permission(
            FunctionName="function",
            StatementId="api",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
        )
        return arn

    def rest_api(self) -> str:
        client = self.cloud.apigateway
        api = client.create_rest_api(name="api", tags={"k": "v"})["id"]
        root = client.get_resources(restApiId=api)["items"][0]["id"]
        orders = client.create_resource(restApiId=api, parentId=root, pathPart="orders")["id"]
        client.put_method(restApiId=api, resourceId=orders, httpMethod="POST", authorizationType="NONE")
        path = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{self.function}/invocations"
        client.put_integration(
            restApiId=api,
            resourceId=orders,
            httpMethod="POST",
            type="AWS_PROXY",
            integrationHttpMethod="POST",
            uri=path,
        )
        client.create_deployment(restApiId=api, stageName="prod")
        return api

    def post(self, **order: Any) -> dict[str, Any]:
        """Call the function through the API; what it answers."""
        url = f"{self.cloud.endpoint}/_aws/execute-api/{self.api}/prod/orders"
        request = urllib.request.Request(url, data=json.dumps(order).encode())
        with urllib.request.urlopen(request, timeout=30) as response:
            answer: dict[str, Any] = json.load(response)
            return answer

    def call_that_is_cut_off(self) -> None:
        """Call the function, which takes a minute; the cloud is stopped meanwhile."""
        with suppress(OSError, http.client.HTTPException):
            self.post(sleep=60)

    def everything(self) -> dict[str, Any]:
        """What the services tell of it."""
        c, arn = self.cloud, self.cloud.arn
        queue = c.sqs.get_queue_url(QueueName="queue")["QueueUrl"]
        told = {
            "table": c.dynamodb.describe_table(TableName="orders")["Table"],
            "table tags": c.dynamodb.list_tags_of_resource(ResourceArn=arn("dynamodb", "table/orders"))[
                "Tags"
            ],
            "items": c.dynamodb.scan(TableName="orders")["Items"],
            "topic": c.sns.get_topic_attributes(TopicArn=self.topic)["Attributes"],
            "topic tags": c.sns.list_tags_for_resource(ResourceArn=self.topic)["Tags"],
            "subscriptions": c.sns.list_subscriptions_by_topic(TopicArn=self.topic)["Subscriptions"],
            "queue": c.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"],
            "role": c.iam.get_role(RoleName="role")["Role"],
            "policy": c.iam.get_role_policy(RoleName="role", PolicyName="logs")["PolicyDocument"],
            "function": c.lambda_.get_function(FunctionName="function")["Configuration"],
            "function tags": c.lambda_.list_tags(Resource=self.function)["Tags"],
            "permission": c.lambda_.get_policy(FunctionName="function")["Policy"],
            "log groups": c.logs.describe_log_groups()["logGroups"],
            "log events": c.logs.filter_log_events(logGroupName="/aws/lambda/function")["events"],
            "alarms": c.cloudwatch.describe_alarms()["MetricAlarms"],
            "alarm tags": c.cloudwatch.list_tags_for_resource(ResourceARN=arn("cloudwatch", "alarm:errors"))[
                "Tags"
            ],
            "apis": c.apigateway.get_rest_apis()["items"],
            "resources": c.apigateway.get_resources(restApiId=self.api, embed=["methods"])["items"],
            "deployments": c.apigateway.get_deployments(restApiId=self.api)["items"],
            "stages": c.apigateway.get_stages(restApiId=self.api)["item"],
        }
        assert all(told.values())
        return told
