"""The API, and what admits requests to it and to the function."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from ordernotify.export.cloudformation.declared import Declared, attribute, ref, sub, tag_items
from ordernotify.export.found import FoundResource, FoundStack
from ordernotify.resources.api.base import ACCOUNT_THROTTLE, METHOD
from ordernotify.resources.api.http_api import PAYLOAD_VERSION
from ordernotify.resources.api.http_stage import Cors
from ordernotify.resources.api.rest_api import PREFLIGHT
from ordernotify.resources.api.rest_stage import NO_EXECUTION_LOGS, RestApiState
from ordernotify.resources.log_group import EXECUTION_LOGS_PREFIX, log_group_name
from ordernotify.settings.model import ApiKind
from ordernotify.settings.names import ORDERS_PATH

EXECUTION_LOGS = "ExecutionLogs"
"""The logical id of the group that API Gateway logs to."""
_INTEGRATION = "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions"


def api(stack: FoundStack, api: FoundResource) -> Iterator[Declared]:
    return (_http_api if stack.settings.api is ApiKind.HTTP else _rest_api)(stack, api)


def _rest_api(stack: FoundStack, api: FoundResource) -> Iterator[Declared]:
    state, here = api.state, {"RestApiId": api.state.id}
    properties = {
        "Name": api.name,
        "Description": state.description,
        "EndpointConfiguration": {"Types": list(state.endpoint_types)},
        "Tags": tag_items(api.tags),
    }
    yield Declared("Api", "AWS::ApiGateway::RestApi", properties, here)
    path = {
        "RestApiId": ref("Api"),
        "ParentId": attribute("Api", "RootResourceId"),
        "PathPart": ORDERS_PATH,
    }
    in_api = {**here, "ResourceId": stack.ids.resource}
    yield Declared("OrdersPath", "AWS::ApiGateway::Resource", path, in_api)
    yield _method("PostMethod", METHOD, state.authorization, state.api_key_required, in_api)
    if state.preflight:
        yield _method("PreflightMethod", PREFLIGHT, "NONE", False, in_api)
    for kind, parameters in state.gateway_responses.items():
        yield Declared(
            _response_id(kind),
            "AWS::ApiGateway::GatewayResponse",
            {"RestApiId": ref("Api"), "ResponseType": kind, "ResponseParameters": dict(parameters)},
            comment="Has no id by which it could be imported: put over the same response.",
        )
    yield from _rest_stage(stack, api)


def _response_id(kind: str) -> str:
    return f"{kind.title().replace('_', '')}Response"


def _method(
    logical_id: str, method: str, authorization: str, key: bool, in_api: Mapping[str, str]
) -> Declared:
    properties = {
        "RestApiId": ref("Api"),
        "ResourceId": ref("OrdersPath"),
        "HttpMethod": method,
        "AuthorizationType": authorization,
        "ApiKeyRequired": key,
        "Integration": {
            "Type": "AWS_PROXY",
            "IntegrationHttpMethod": "POST",
            "Uri": sub(_INTEGRATION + "/${Function.Arn}/invocations"),
        },
    }
    return Declared(logical_id, "AWS::ApiGateway::Method", properties, {**in_api, "HttpMethod": method})


def _rest_stage(stack: FoundStack, api: FoundResource) -> Iterator[Declared]:
    state, here = api.state, {"RestApiId": api.state.id}
    methods = ["PostMethod", *(["PreflightMethod"] if state.preflight else [])]
    responses = [_response_id(kind) for kind in state.gateway_responses]
    yield Declared(
        "Deployment",
        "AWS::ApiGateway::Deployment",
        {"RestApiId": ref("Api"), "Description": state.deployed},
        {"DeploymentId": stack.ids.deployment, **here},
        depends_on=[*methods, *responses],
        comment="API Gateway serves what was deployed last: with a change of a method or a gateway response, "
        "give the deployment another logical id.",
    )
    properties: dict[str, Any] = {
        "RestApiId": ref("Api"),
        "StageName": stack.settings.stage,
        "DeploymentId": ref("Deployment"),
    }
    if settings := _method_settings(state):
        properties["MethodSettings"] = [{"HttpMethod": "*", "ResourcePath": "/*", **settings}]
    if state.tracing:
        properties["TracingEnabled"] = True
    if state.access_log:
        properties["AccessLogSetting"] = _access_log(state.access_log.format)
    identifier = {**here, "StageName": stack.settings.stage}
    # Else API Gateway makes the group, without a retention.
    logs = [EXECUTION_LOGS] if "execution-logs" in stack.resources else []
    yield Declared("Stage", "AWS::ApiGateway::Stage", properties, identifier, depends_on=logs)


def _method_settings(state: RestApiState) -> dict[str, Any]:
    """Write what holds for all methods; with a log level, the account's limits are written too."""
    logged = state.execution_logs != NO_EXECUTION_LOGS
    limits = state.throttle or (ACCOUNT_THROTTLE if logged else None)
    settings: dict[str, Any] = {}
    if limits:
        settings |= {"ThrottlingRateLimit": limits.rate, "ThrottlingBurstLimit": limits.burst}
    if logged:
        settings |= {"LoggingLevel": state.execution_logs, "DataTraceEnabled": False}
    return settings


def execution_logs(stack: FoundStack, group: FoundResource) -> Iterator[Declared]:
    """Write the log group that API Gateway names after the API's id."""
    properties = {
        "LogGroupName": sub(f"{EXECUTION_LOGS_PREFIX}${{Api}}/{stack.settings.stage}"),
        "RetentionInDays": ref("LogRetentionDays"),
        "KmsKeyId": group.state.encrypted_with,
        "Tags": tag_items(group.tags),
    }
    yield Declared(
        EXECUTION_LOGS, "AWS::Logs::LogGroup", properties, {"LogGroupName": log_group_name(group.arn)}
    )


def web_acl_association(_stack: FoundStack, association: FoundResource) -> Iterator[Declared]:
    """Write the association; the web ACL is the person's."""
    acl, stage = association.state.acl, association.state.stage
    written = "arn:${AWS::Partition}:apigateway:${AWS::Region}::/restapis/${Api}/stages/${Stage}"
    properties = {"WebACLArn": acl, "ResourceArn": sub(written)}
    identifier = {"ResourceArn": stage, "WebACLArn": acl}
    yield Declared("WebAclAssociation", "AWS::WAFv2::WebACLAssociation", properties, identifier)


def _access_log(line: str) -> dict[str, Any]:
    # Not the attribute Arn: it ends in `:*`.
    group = sub("arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:${ApiLogs}")
    return {"DestinationArn": group, "Format": line}


def _http_api(stack: FoundStack, api: FoundResource) -> Iterator[Declared]:
    state, here, ids = api.state, {"ApiId": api.state.id}, stack.ids
    properties = {
        "Name": api.name,
        "Description": state.description,
        "ProtocolType": "HTTP",
        "CorsConfiguration": _cors(state.cors),
        "Tags": dict(api.tags),
    }
    yield Declared("Api", "AWS::ApiGatewayV2::Api", properties, here)
    integration = {
        "ApiId": ref("Api"),
        "IntegrationType": "AWS_PROXY",
        "IntegrationMethod": "POST",
        "IntegrationUri": sub(_INTEGRATION + "/${Function.Arn}/invocations"),
        "PayloadFormatVersion": PAYLOAD_VERSION,
    }
    identifier = {**here, "IntegrationId": ids.integration}
    yield Declared("Integration", "AWS::ApiGatewayV2::Integration", integration, identifier)
    route = {
        "ApiId": ref("Api"),
        "RouteKey": state.route,
        "AuthorizationType": state.authorization,
        "Target": sub("integrations/${Integration}"),
    }
    yield Declared("Route", "AWS::ApiGatewayV2::Route", route, {**here, "RouteId": ids.route})
    stage: dict[str, Any] = {
        "ApiId": ref("Api"),
        "StageName": stack.settings.stage,
        "AutoDeploy": True,
    }
    if state.throttle:
        stage["DefaultRouteSettings"] = {
            "ThrottlingRateLimit": state.throttle.rate,
            "ThrottlingBurstLimit": state.throttle.burst,
        }
    if state.access_log:
        stage["AccessLogSettings"] = _access_log(state.access_log.format)
    identifier = {**here, "StageName": stack.settings.stage}
    yield Declared("Stage", "AWS::ApiGatewayV2::Stage", stage, identifier, depends_on=["Route"])


def _cors(cors: Cors | None) -> dict[str, Any]:
    # The names are those of the state, as CloudFormation writes them: `allow_origins` is `AllowOrigins`.
    return {name.title().replace("_", ""): value for name, value in asdict(cors).items()} if cors else {}


def api_key(_stack: FoundStack, key: FoundResource) -> Iterator[Declared]:
    """Write the key without its value."""
    properties = {
        "Name": key.name,
        "Description": key.state.description,
        "Enabled": key.state.enabled,
        "Tags": tag_items(key.tags),
    }
    comment = "Without its value, which is a secret: a new key has another one."
    yield Declared("ApiKey", "AWS::ApiGateway::ApiKey", properties, {"APIKeyId": key.state.id}, (), comment)


def usage_plan(stack: FoundStack, plan: FoundResource) -> Iterator[Declared]:
    throttle = plan.state.throttle
    properties = {
        "UsagePlanName": plan.name,
        "Description": plan.state.description,
        "ApiStages": [{"ApiId": ref("Api"), "Stage": ref("Stage")}],
        "Throttle": {"RateLimit": throttle.rate, "BurstLimit": throttle.burst} if throttle else {},
        "Tags": tag_items(plan.tags),
    }
    yield Declared("UsagePlan", "AWS::ApiGateway::UsagePlan", properties, {"Id": plan.state.id})
    key = {"KeyId": ref("ApiKey"), "KeyType": "API_KEY", "UsagePlanId": ref("UsagePlan")}
    identifier = {"Id": f"{stack.resources['api-key'].state.id}:{plan.state.id}"}
    yield Declared("UsagePlanKey", "AWS::ApiGateway::UsagePlanKey", key, identifier)


def permission(stack: FoundStack, permission: FoundResource) -> Iterator[Declared]:
    """Write the permission to invoke the function; CloudFormation chooses the id of the statement."""
    method = METHOD if permission.key == "permission" else PREFLIGHT
    source = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}"
    properties = {
        "FunctionName": ref("Function"),
        "Action": permission.state.action,
        "Principal": permission.state.principal,
        "SourceArn": sub(f"{source}/{stack.settings.stage}/{method}/{ORDERS_PATH}"),
    }
    identifier = {"FunctionName": stack.settings.names.function, "Id": permission.state.statement}
    logical_id = "ApiPermission" if permission.key == "permission" else "PreflightPermission"
    yield Declared(logical_id, "AWS::Lambda::Permission", properties, identifier)
