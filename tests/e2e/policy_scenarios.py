"""What brings a stack into every state that setup mends: drift, lost tags, and a function to be replaced."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

from ordernotify.aws.session import Cloud
from ordernotify.resources.function_state import ROLE_ID_TAG
from ordernotify.resources.watches import watches
from ordernotify.settings.model import ApiKind, Settings
from ordernotify.settings.names import STACK_TAG, Names

ANY_POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sns:Publish", "Resource": "*"}]}
)


class Disturbance:
    """Changes to one stack behind the back of the tool, by the account's root."""

    def __init__(self, cloud: Cloud, stack: str, kind: ApiKind) -> None:
        self.cloud = cloud
        self.stack = stack
        self.kind = kind
        self.names = Names().for_stack(stack)

    def drift(self) -> None:
        """Change every attribute that an update puts right."""
        self._change_table()
        self._change_messages()
        self._change_role()
        self._change_function()
        self._change_logs_and_alarm()
        if self.kind is ApiKind.REST:
            self._change_rest_api()
            self._change_keys()
        else:
            self._change_http_api()

    def lose_tags(self) -> None:
        """Take the stack's tag off everything, as if somebody else had made it."""
        c, names, arn = self.cloud, self.names, self.cloud.arn
        c.dynamodb.untag_resource(ResourceArn=arn("dynamodb", f"table/{names.table}"), TagKeys=[STACK_TAG])
        for topic in self._topics():
            c.sns.untag_resource(ResourceArn=topic, TagKeys=[STACK_TAG])
        c.iam.untag_role(RoleName=names.role, TagKeys=[STACK_TAG])
        c.lambda_.untag_resource(Resource=self._function_arn, TagKeys=[STACK_TAG])
        for group in self._groups():
            c.logs.untag_resource(resourceArn=arn("logs", f"log-group:{group}"), tagKeys=[STACK_TAG])
        for alarm in (watch.what for watch in watches(Settings()) if watch.wanted):
            c.cloudwatch.untag_resource(
                ResourceARN=arn("cloudwatch", f"alarm:{names.alarm(alarm)}"), TagKeys=[STACK_TAG]
            )
        for path in self._api_paths():
            resource = f"arn:aws:apigateway:{c.region}::{path}"
            if self.kind is ApiKind.REST:
                c.apigateway.untag_resource(resourceArn=resource, tagKeys=[STACK_TAG])
            else:
                c.apigatewayv2.untag_resource(ResourceArn=resource, TagKeys=[STACK_TAG])

    def leave_behind(self) -> None:
        """Make what a stack of the other kind, and a run of `verify`, leave behind when they are cut off."""
        c, names, tags = self.cloud, self.names, {STACK_TAG: self.stack}
        c.sqs.create_queue(QueueName=f"{names.verify_queue_prefix}0123abcd", tags=tags)
        if self.kind is ApiKind.REST:
            c.apigatewayv2.create_api(Name=names.api, ProtocolType="HTTP", Tags=tags)
            return
        api = c.apigateway.create_rest_api(name=names.api, tags=tags)["id"]
        c.apigateway.create_deployment(restApiId=api, stageName="prod")
        key = c.apigateway.create_api_key(name=names.api_key, tags=tags)["id"]
        plan = c.apigateway.create_usage_plan(
            name=names.usage_plan, tags=tags, apiStages=[{"apiId": api, "stage": "prod"}]
        )["id"]
        c.apigateway.create_usage_plan_key(usagePlanId=plan, keyId=key, keyType="API_KEY")

    def attach_policy(self) -> None:
        """Attach a policy of AWS's own to the role, as a person may do by hand."""
        arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
        self.cloud.iam.attach_role_policy(RoleName=self.names.role, PolicyArn=arn)

    def replace_role(self) -> None:
        """Let the function's role look like one that was deleted and made again."""
        self.cloud.lambda_.tag_resource(Resource=self._function_arn, Tags={ROLE_ID_TAG: "another"})

    @property
    def _function_arn(self) -> str:
        return self.cloud.arn("lambda", f"function:{self.names.function}")

    def _topics(self) -> list[str]:
        wanted = {self.cloud.arn("sns", name) for name in (self.names.topic, self.names.alarm_topic)}
        pages = self.cloud.sns.get_paginator("list_topics").paginate()
        return [
            topic["TopicArn"] for page in pages for topic in page["Topics"] if topic["TopicArn"] in wanted
        ]

    def _groups(self) -> list[str]:
        pages = self.cloud.logs.get_paginator("describe_log_groups").paginate()
        ours = {self.names.log_group, self.names.api_log_group}
        names = [group["logGroupName"] for page in pages for group in page["logGroups"]]
        return [name for name in names if name in ours]

    def _api_paths(self) -> list[str]:
        if self.kind is ApiKind.HTTP:
            return [f"/apis/{self._http_id}"]
        keys = [f"/apikeys/{key['id']}" for key in self._keys()]
        plans = [f"/usageplans/{plan['id']}" for plan in self._plans()]
        return [f"/restapis/{self._rest_id}", *keys, *plans]

    @property
    def _rest_id(self) -> str:
        apis = self.cloud.apigateway.get_rest_apis(limit=500)["items"]
        return next(api["id"] for api in apis if api["name"] == self.names.api)

    @property
    def _http_id(self) -> str:
        apis = self.cloud.apigatewayv2.get_apis(MaxResults="500")["Items"]
        return next(api["ApiId"] for api in apis if api["Name"] == self.names.api)

    def _keys(self) -> list[Any]:
        keys = self.cloud.apigateway.get_api_keys(limit=500)["items"]
        return [key for key in keys if key["name"] == self.names.api_key]

    def _plans(self) -> list[Any]:
        plans = self.cloud.apigateway.get_usage_plans(limit=500)["items"]
        return [plan for plan in plans if plan["name"] == self.names.usage_plan]

    def _change_table(self) -> None:
        table, c = self.names.table, self.cloud.dynamodb
        c.update_table(TableName=table, DeletionProtectionEnabled=False)
        c.update_continuous_backups(
            TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
        )

    def _change_messages(self) -> None:
        for topic in self._topics():
            self.cloud.sns.set_topic_attributes(
                TopicArn=topic, AttributeName="Policy", AttributeValue=ANY_POLICY
            )

    def _change_role(self) -> None:
        c, role = self.cloud.iam, self.names.role
        trust = json.loads(ANY_POLICY)
        trust["Statement"][0] = {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
        c.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(trust))
        c.put_role_policy(RoleName=role, PolicyName="ordernotify", PolicyDocument=ANY_POLICY)

    def _change_function(self) -> None:
        c, name = self.cloud.lambda_, self.names.function
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("handler.py", "")
        c.update_function_code(FunctionName=name, ZipFile=code.getvalue())
        c.update_function_configuration(FunctionName=name, MemorySize=512)
        c.tag_resource(Resource=self._function_arn, Tags={"ordernotify:setting:memory": "512"})
        c.remove_permission(FunctionName=name, StatementId="ordernotify-api")
        c.add_permission(
            FunctionName=name,
            StatementId="ordernotify-api",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn="arn:aws:execute-api:us-east-1:000000000000:other",
        )

    def _change_logs_and_alarm(self) -> None:
        for group in self._groups():
            self.cloud.logs.put_retention_policy(logGroupName=group, retentionInDays=1)
        alarm = self.cloud.cloudwatch.describe_alarms(AlarmNames=[self.names.alarm("errors")])[
            "MetricAlarms"
        ][0]
        self.cloud.cloudwatch.put_metric_alarm(
            AlarmName=alarm["AlarmName"],
            Namespace=alarm["Namespace"],
            MetricName=alarm["MetricName"],
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=7,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
        )

    def _change_rest_api(self) -> None:
        c, api = self.cloud.apigateway, self._rest_id
        resources = c.get_resources(restApiId=api)["items"]
        orders = next(found["id"] for found in resources if found["path"] == "/orders")
        c.delete_method(restApiId=api, resourceId=orders, httpMethod="POST")
        deployment = c.create_deployment(restApiId=api)["id"]
        c.create_stage(restApiId=api, stageName="other", deploymentId=deployment)
        for kind in ("DEFAULT_4XX", "DEFAULT_5XX"):
            c.put_gateway_response(
                restApiId=api,
                responseType=kind,
                responseParameters={"gatewayresponse.header.Vary": "'Cookie'"},
            )
        throttle = "/*/*/throttling/rateLimit"
        c.update_stage(
            restApiId=api,
            stageName="prod",
            patchOperations=[{"op": "replace", "path": throttle, "value": "3"}],
        )
        c.create_rest_api(name=self.names.api, tags={STACK_TAG: self.stack})

    def _change_keys(self) -> None:
        c, tags = self.cloud.apigateway, {STACK_TAG: self.stack}
        for key in self._keys():
            disabled: Any = [{"op": "replace", "path": "/enabled", "value": "false"}]
            c.update_api_key(apiKey=key["id"], patchOperations=disabled)
            copy = c.create_api_key(name=self.names.api_key, tags=tags)["id"]
            plan = self._plans()[0]["id"]
            c.delete_usage_plan_key(usagePlanId=plan, keyId=key["id"])
            c.create_usage_plan_key(usagePlanId=plan, keyId=copy, keyType="API_KEY")
            slow: Any = [{"op": "replace", "path": "/throttle/rateLimit", "value": "3"}]
            c.update_usage_plan(usagePlanId=plan, patchOperations=slow)
            c.create_usage_plan(name=self.names.usage_plan, tags=tags)

    def _change_http_api(self) -> None:
        c, api = self.cloud.apigatewayv2, self._http_id
        route = c.get_routes(ApiId=api)["Items"][0]
        c.update_route(ApiId=api, RouteId=route["RouteId"], AuthorizationType="NONE", Target="integrations/x")
        c.create_integration(
            ApiId=api,
            IntegrationType="AWS_PROXY",
            IntegrationUri=self._function_arn,
            PayloadFormatVersion="1.0",
        )
        c.create_stage(ApiId=api, StageName="other")
        c.update_stage(ApiId=api, StageName="prod", AutoDeploy=False)
        c.update_api(ApiId=api, CorsConfiguration={"AllowOrigins": ["https://other.example"]})
        c.create_api(Name=self.names.api, ProtocolType="HTTP", Tags={STACK_TAG: self.stack})
