"""The API, and what admits requests to it and to the function."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from ordernotify.export.found import FoundResource, FoundStack
from ordernotify.export.terraform.block import Block, Template, importable, value
from ordernotify.resources.api.base import ACCOUNT_THROTTLE, METHOD, AccessLog
from ordernotify.resources.api.http_api import PAYLOAD_VERSION
from ordernotify.resources.api.http_stage import Cors
from ordernotify.resources.api.rest_api import PREFLIGHT
from ordernotify.resources.api.rest_stage import NO_EXECUTION_LOGS, RestApiState
from ordernotify.resources.log_group import EXECUTION_LOGS_PREFIX, log_group_name
from ordernotify.settings.model import ApiKind
from ordernotify.settings.names import ORDERS_PATH

EXECUTION_LOGS = "execution"
"""The label of the group that API Gateway logs to."""
DEFAULT_BODY = '{"message":$context.error.messageString}'
"""What API Gateway itself puts into a gateway response.

https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
"""


def api(stack: FoundStack, api: FoundResource) -> Iterator[Block]:
    return (_http_api if stack.settings.api is ApiKind.HTTP else _rest_api)(stack, api)


def _rest_api(stack: FoundStack, api: FoundResource) -> Iterator[Block]:
    state, ids, rest = api.state, stack.ids, value("aws_api_gateway_rest_api.orders.id")
    yield importable(
        "aws_api_gateway_rest_api",
        "orders",
        state.id,
        name=api.name,
        description=state.description,
        endpoint_configuration=[{"types": list(state.endpoint_types)}],
        tags=api.tags,
    )
    yield importable(
        "aws_api_gateway_resource",
        "orders",
        f"{state.id}/{ids.resource}",
        rest_api_id=rest,
        parent_id=value("aws_api_gateway_rest_api.orders.root_resource_id"),
        path_part=ORDERS_PATH,
    )
    yield from _method(stack, METHOD, state.authorization, state.api_key_required)
    if state.preflight:
        yield from _method(stack, PREFLIGHT, "NONE", False)
    for kind, parameters in state.gateway_responses.items():
        yield importable(
            "aws_api_gateway_gateway_response",
            kind.lower(),
            f"{state.id}/{kind}",
            rest_api_id=rest,
            response_type=kind,
            response_parameters=dict(parameters),
            response_templates={"application/json": DEFAULT_BODY},
        )
    yield from _rest_stage(stack, api)


def _method(stack: FoundStack, method: str, authorization: str, key: bool) -> Iterator[Block]:
    import_id = f"{stack.resources['api'].state.id}/{stack.ids.resource}/{method}"
    where = {
        "rest_api_id": value("aws_api_gateway_rest_api.orders.id"),
        "resource_id": value("aws_api_gateway_resource.orders.id"),
    }
    label = method.lower()
    yield importable(
        "aws_api_gateway_method",
        label,
        import_id,
        **where,
        http_method=method,
        authorization=authorization,
        api_key_required=key,
    )
    yield importable(
        "aws_api_gateway_integration",
        label,
        import_id,
        **where,
        http_method=value(f"aws_api_gateway_method.{label}.http_method"),
        type="AWS_PROXY",
        integration_http_method="POST",
        uri=value("aws_lambda_function.function.invoke_arn"),
    )


def _rest_stage(stack: FoundStack, api: FoundResource) -> Iterator[Block]:
    state, name, rest = api.state, stack.settings.stage, value("aws_api_gateway_rest_api.orders.id")
    methods = [METHOD.lower(), *([PREFLIGHT.lower()] if state.preflight else [])]
    responses = [f"aws_api_gateway_gateway_response.{kind.lower()}" for kind in state.gateway_responses]
    yield importable(
        "aws_api_gateway_deployment",
        "orders",
        f"{state.id}/{stack.ids.deployment}",
        "API Gateway serves what was deployed last: with a change of a method, integration or gateway "
        "response, change the description too.",
        rest_api_id=rest,
        description=state.deployed,
        depends_on=[*(f"aws_api_gateway_integration.{method}" for method in methods), *responses],
        lifecycle={"create_before_destroy": True},
    )
    traced: dict[str, Any] = {"xray_tracing_enabled": True} if state.tracing else {}
    yield importable(
        "aws_api_gateway_stage",
        "orders",
        f"{state.id}/{name}",
        rest_api_id=rest,
        stage_name=name,
        deployment_id=value("aws_api_gateway_deployment.orders.id"),
        **traced,
        **_access_log(state.access_log),
    )
    yield from _method_settings(stack, state)


def _method_settings(stack: FoundStack, state: RestApiState) -> Iterator[Block]:
    """Write what holds for all methods; with a log level, the account's limits are written too."""
    logged = state.execution_logs != NO_EXECUTION_LOGS
    limits = state.throttle or (ACCOUNT_THROTTLE if logged else None)
    if limits is None:
        return
    settings: dict[str, Any] = {
        "throttling_rate_limit": limits.rate,
        "throttling_burst_limit": limits.burst,
    }
    if logged:
        settings |= {"logging_level": state.execution_logs, "data_trace_enabled": False}
    yield importable(
        "aws_api_gateway_method_settings",
        "orders",
        f"{state.id}/{stack.settings.stage}/*/*",
        rest_api_id=value("aws_api_gateway_rest_api.orders.id"),
        stage_name=value("aws_api_gateway_stage.orders.stage_name"),
        method_path="*/*",
        settings=[settings],
        # Else API Gateway makes the group, without a retention.
        depends_on=[f"aws_cloudwatch_log_group.{EXECUTION_LOGS}"] if logged else [],
    )


def execution_logs(stack: FoundStack, group: FoundResource) -> Iterator[Block]:
    """Write the log group that API Gateway names after the API's id."""
    api_id = "${aws_api_gateway_rest_api.orders.id}"
    yield importable(
        "aws_cloudwatch_log_group",
        EXECUTION_LOGS,
        log_group_name(group.arn),
        name=Template(f"{EXECUTION_LOGS_PREFIX}{api_id}/{stack.settings.stage}"),
        retention_in_days=value("var.log_retention_days"),
        kms_key_id=group.state.encrypted_with,
        tags=group.tags,
    )


def web_acl_association(_stack: FoundStack, association: FoundResource) -> Iterator[Block]:
    """Write the association; the web ACL is the person's."""
    state = association.state
    yield importable(
        "aws_wafv2_web_acl_association",
        "orders",
        f"{state.acl},{state.stage}",
        web_acl_arn=state.acl,
        resource_arn=value("aws_api_gateway_stage.orders.arn"),
    )


def _access_log(log: AccessLog | None) -> dict[str, Any]:
    if log is None:
        return {}
    return {
        "access_log_settings": [
            {"destination_arn": value("aws_cloudwatch_log_group.api.arn"), "format": log.format}
        ]
    }


def _http_api(stack: FoundStack, api: FoundResource) -> Iterator[Block]:
    state, ids, http = api.state, stack.ids, value("aws_apigatewayv2_api.orders.id")
    yield importable(
        "aws_apigatewayv2_api",
        "orders",
        state.id,
        name=api.name,
        description=state.description,
        protocol_type="HTTP",
        **_cors(state.cors),
        tags=api.tags,
    )
    yield importable(
        "aws_apigatewayv2_integration",
        "orders",
        f"{state.id}/{ids.integration}",
        api_id=http,
        integration_type="AWS_PROXY",
        integration_method="POST",
        integration_uri=value("aws_lambda_function.function.invoke_arn"),
        payload_format_version=PAYLOAD_VERSION,
    )
    yield importable(
        "aws_apigatewayv2_route",
        "orders",
        f"{state.id}/{ids.route}",
        api_id=http,
        route_key=state.route,
        authorization_type=state.authorization,
        target=Template("integrations/${aws_apigatewayv2_integration.orders.id}"),
    )
    throttle = state.throttle
    limits: dict[str, Any] = {}
    if throttle:
        rates = {"throttling_rate_limit": throttle.rate, "throttling_burst_limit": throttle.burst}
        limits = {"default_route_settings": [rates]}
    yield importable(
        "aws_apigatewayv2_stage",
        "orders",
        f"{state.id}/{stack.settings.stage}",
        api_id=http,
        name=stack.settings.stage,
        auto_deploy=True,
        **limits,
        **_access_log(state.access_log),
    )


def _cors(cors: Cors | None) -> dict[str, Any]:
    return {"cors_configuration": [asdict(cors)]} if cors else {}


def api_key(_stack: FoundStack, key: FoundResource) -> Iterator[Block]:
    """Write the key without its value."""
    yield importable(
        "aws_api_gateway_api_key",
        "orders",
        key.state.id,
        "Its value is a secret: it is in no file here, but Terraform's state holds it once it is imported.",
        name=key.name,
        description=key.state.description,
        enabled=key.state.enabled,
        tags=key.tags,
    )


def usage_plan(stack: FoundStack, plan: FoundResource) -> Iterator[Block]:
    throttle = plan.state.throttle
    limits = [{"rate_limit": throttle.rate, "burst_limit": throttle.burst}] if throttle else []
    stage = {
        "api_id": value("aws_api_gateway_rest_api.orders.id"),
        "stage": value("aws_api_gateway_stage.orders.stage_name"),
    }
    yield importable(
        "aws_api_gateway_usage_plan",
        "orders",
        plan.state.id,
        name=plan.name,
        description=plan.state.description,
        api_stages=[stage],
        throttle_settings=limits,
        tags=plan.tags,
    )
    yield importable(
        "aws_api_gateway_usage_plan_key",
        "orders",
        f"{plan.state.id}/{stack.resources['api-key'].state.id}",
        key_id=value("aws_api_gateway_api_key.orders.id"),
        key_type="API_KEY",
        usage_plan_id=value("aws_api_gateway_usage_plan.orders.id"),
    )


def permission(stack: FoundStack, permission: FoundResource) -> Iterator[Block]:
    rest = stack.settings.api is ApiKind.REST
    api = "aws_api_gateway_rest_api" if rest else "aws_apigatewayv2_api"
    method = METHOD if permission.key == "permission" else PREFLIGHT
    path = f"/{stack.settings.stage}/{method}/{ORDERS_PATH}"
    yield importable(
        "aws_lambda_permission",
        method.lower(),
        f"{stack.settings.names.function}/{permission.state.statement}",
        statement_id=permission.state.statement,
        action=permission.state.action,
        function_name=value("aws_lambda_function.function.function_name"),
        principal=permission.state.principal,
        source_arn=Template(f"${{{api}.orders.execution_arn}}{path}"),
    )
