"""Terraform in its JSON syntax: https://developer.hashicorp.com/terraform/language/syntax/json."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ordernotify.export.found import FoundResource, FoundStack
from ordernotify.export.terraform import api, parts
from ordernotify.export.terraform.block import Block, Template, value
from ordernotify.export.terraform.parts import LISTS, NAME, listed_in
from ordernotify.settings.model import ApiKind
from ordernotify.settings.names import MANAGED_TAG, ORDERS_PATH

__all__ = ["NAME", "NOT_READ", "WRITERS", "listed_in", "write"]

MAIN, IMPORT, OVERRIDE = "main.tf.json", "import.tf.json", "import_override.tf.json"
PROVIDER_VERSION = "~> 5.100"
REQUIRED_VERSION = ">= 1.5"
"""Import blocks: https://developer.hashicorp.com/terraform/language/import."""
NOT_READ = {
    "aws_lambda_function": ("filename", "source_code_hash", "publish"),
    "aws_sns_topic_subscription": ("confirmation_timeout_in_minutes", "endpoint_auto_confirms"),
    "aws_api_gateway_gateway_response": ("response_templates",),
    "aws_sqs_queue": ("max_message_size",),
}
"""What Terraform does not read of a resource, or has another default for than AWS: left out of the import."""


WRITERS: Mapping[str, Callable[[FoundStack, FoundResource], Iterator[Block]]] = {
    "table": parts.table,
    "topic": parts.topic,
    "alarm topic": parts.topic,
    "dead-letters": parts.dead_letters,
    "inbox": parts.inbox,
    "role": parts.role,
    "log-group": parts.log_group,
    "api-log-group": parts.log_group,
    "execution-logs": api.execution_logs,
    "function": parts.function,
    "api": api.api,
    "web-acl": api.web_acl_association,
    "api-key": api.api_key,
    "usage-plan": api.usage_plan,
    "permission": api.permission,
    "preflight-permission": api.permission,
    "alarm": parts.alarm,
    "dashboard": parts.dashboard,
}
"""How each kind is written."""


def write(stack: FoundStack) -> dict[str, str]:
    """Return the files by name: what is described, what is imported, and what an import must leave alone."""
    blocks = [block for found in stack.to_write() for block in WRITERS[found.kind](stack, found)]
    return {
        MAIN: _document(_main(stack, blocks)),
        IMPORT: _document({"import": list(_imports(blocks))}),
        OVERRIDE: _document(_override(stack, blocks)),
    }


def _main(stack: FoundStack, blocks: Iterable[Block]) -> dict[str, Any]:
    resources: dict[str, dict[str, Any]] = {}
    for block in blocks:
        comment = {"//": block.comment} if block.comment else {}
        arguments = {name: value for name, value in block.arguments.items() if value not in ("", [], {})}
        resources.setdefault(block.type, {})[block.label] = {**comment, **arguments}
    return {
        "//": f"The stack {stack.settings.stack}, exported by ordernotify; see README.md.",
        "terraform": {
            "required_version": REQUIRED_VERSION,
            "required_providers": {"aws": {"source": "hashicorp/aws", "version": PROVIDER_VERSION}},
        },
        "provider": {
            "aws": {
                "region": value("var.region"),
                "allowed_account_ids": [stack.cloud.account],
            }
        },
        "variable": _variables(stack),
        "resource": resources,
        "output": {"invoke_url": {"description": "POST orders to it.", "value": _invoke_url(stack)}},
    }


def _variables(stack: FoundStack) -> dict[str, Any]:
    retention = stack.resources["log-group"].state.retention
    return {
        "region": {"type": "string", "default": stack.cloud.region},
        "log_retention_days": {"type": "number", "default": retention},
        **{
            name: {"type": "set(string)", "default": _addresses(stack, name, pending=True)}
            for name in LISTS.values()
        },
    }


def _addresses(stack: FoundStack, variable: str, *, pending: bool) -> list[str]:
    return [
        one.endpoint
        for topic, subscribers in stack.subscribers.items()
        for one in subscribers
        if listed_in(stack, topic, one) == variable and (pending or not one.pending)
    ]


def _imports(blocks: Iterable[Block]) -> Iterator[dict[str, str]]:
    for block in blocks:
        for instance, import_id in block.imports.items():
            # The addresses of import blocks are expressions, in which JSON's escapes are Terraform's too.
            key = f"[{json.dumps(instance)}]" if instance else ""
            yield {"to": Template(f"{block.address}{key}"), "id": import_id}


def _override(stack: FoundStack, blocks: Iterable[Block]) -> dict[str, Any]:
    """Take back, until the import is done, what would change something.

    https://developer.hashicorp.com/terraform/language/files/override
    """
    resources: dict[str, dict[str, Any]] = {}
    for block in blocks:
        if block.type in NOT_READ:
            lifecycle = {"ignore_changes": list(NOT_READ[block.type])}
            resources.setdefault(block.type, {})[block.label] = {"lifecycle": lifecycle}
        if MANAGED_TAG in block.arguments.get("tags", {}):
            tags = {name: value for name, value in block.arguments["tags"].items() if name != MANAGED_TAG}
            resources[block.type][block.label]["tags"] = tags
    confirmed = {name: {"default": _addresses(stack, name, pending=False)} for name in LISTS.values()}
    return {"variable": confirmed, "resource": resources}


def _invoke_url(stack: FoundStack) -> Template:
    if stack.settings.api is ApiKind.HTTP:
        return Template(f"${{aws_apigatewayv2_stage.orders.invoke_url}}/{ORDERS_PATH}")
    return Template(f"${{aws_api_gateway_stage.orders.invoke_url}}/{ORDERS_PATH}")


def _document(value: Any) -> str:
    return json.dumps(_escaped(value), indent=2, ensure_ascii=False) + "\n"


def _escaped(value: Any) -> Any:
    """Keep Terraform from taking a `${` or `%{` of a plain text for a template."""
    if isinstance(value, Template):
        return value
    if isinstance(value, str):
        return value.replace("${", "$${").replace("%{", "%%{")
    if isinstance(value, Mapping):
        return {_escaped(key): _escaped(item) for key, item in value.items()}
    return [_escaped(item) for item in value] if isinstance(value, list | tuple) else value
