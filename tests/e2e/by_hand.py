"""The implementation guide followed by hand: its steps as plain boto3 calls, without this package."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import boto3

from ordernotify.settings.names import Names

ACCOUNT, REGION = "000000000000", "us-east-1"
CODE = """
import json, os, boto3

def handler(event, context):
    order = json.loads(event["body"])
    order["FileName"] = context.aws_request_id
    boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"]).put_item(Item=order)
    boto3.client("sns").publish(TopicArn=os.environ["TOPIC_ARN"], Message=json.dumps(order))
    return {"statusCode": 200, "body": json.dumps({"orderId": order["FileName"], "message": "success"})}
"""
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}


class ByHand:
    """What somebody made who followed the guide; its steps are done when the object is made."""

    def __init__(self, endpoint: str, names: Names) -> None:
        session = boto3.Session("test", "test", region_name=REGION)
        self._client: Any = lambda service: session.client(service, endpoint_url=endpoint)
        self._names = names
        self._step_1_table()
        self._topic = self._step_2_and_3_topic()
        self._step_4_function()

    def _step_1_table(self) -> None:
        self._client("dynamodb").create_table(
            TableName=self._names.table,
            AttributeDefinitions=[{"AttributeName": "FileName", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "FileName", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )

    def _step_2_and_3_topic(self) -> str:
        sns = self._client("sns")
        topic: str = sns.create_topic(Name=self._names.topic)["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="you@example.com")
        return topic

    def _step_4_function(self) -> None:
        role = self._client("iam").create_role(
            RoleName=self._names.role, AssumeRolePolicyDocument=json.dumps(TRUST)
        )["Role"]["Arn"]
        allowed = {
            "Effect": "Allow",
            "Action": ["dynamodb:PutItem", "sns:Publish", "logs:*"],
            "Resource": "*",
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        self._client("iam").put_role_policy(
            RoleName=self._names.role, PolicyName="guide", PolicyDocument=policy
        )
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("lambda_function.py", CODE)
        self._client("lambda").create_function(
            FunctionName=self._names.function,
            Runtime="python3.12",
            Role=role,
            Handler="lambda_function.handler",
            Code={"ZipFile": code.getvalue()},
            Environment={"Variables": {"TABLE_NAME": self._names.table, "TOPIC_ARN": self._topic}},
        )

    @property
    def _integration(self) -> str:
        function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self._names.function}"
        path = f"2015-03-31/functions/{function}/invocations"
        return f"arn:aws:apigateway:{REGION}:lambda:path/{path}"

    def step_5_and_6_rest_api(self) -> None:
        client = self._client("apigateway")
        api = client.create_rest_api(name=self._names.api)["id"]
        root = client.get_resources(restApiId=api)["items"][0]["id"]
        orders = client.create_resource(restApiId=api, parentId=root, pathPart="orders")["id"]
        where = {"restApiId": api, "resourceId": orders, "httpMethod": "POST"}
        client.put_method(**where, authorizationType="NONE")
        client.put_integration(**where, type="AWS_PROXY", integrationHttpMethod="POST", uri=self._integration)
        client.create_deployment(restApiId=api, stageName="prod")
        self._allow(api)

    def step_5_and_6_http_api(self) -> None:
        client = self._client("apigatewayv2")
        api = client.create_api(Name=self._names.api, ProtocolType="HTTP")["ApiId"]
        integration = client.create_integration(
            ApiId=api,
            IntegrationType="AWS_PROXY",
            IntegrationMethod="POST",
            IntegrationUri=self._integration,
            PayloadFormatVersion="2.0",
        )["IntegrationId"]
        client.create_route(ApiId=api, RouteKey="POST /orders", Target=f"integrations/{integration}")
        client.create_stage(ApiId=api, StageName="prod", AutoDeploy=True)
        self._allow(api)

    def _allow(self, api: str) -> None:
        self._client("lambda").add_permission(
            FunctionName=self._names.function,
            StatementId="by-hand",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api}/*/POST/orders",
        )
