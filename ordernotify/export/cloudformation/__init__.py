"""CloudFormation: a template in YAML, and what an import change set needs."""

from __future__ import annotations

import base64
import functools
import json
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

from ordernotify.export.cloudformation import api, parts
from ordernotify.export.cloudformation.declared import Declared, sub
from ordernotify.export.cloudformation.parts import NAME, SUBSCRIPTION, TABLE, named_subscribers
from ordernotify.export.found import FoundResource, FoundStack
from ordernotify.settings.checks import RETENTION_DAYS
from ordernotify.settings.names import MANAGED_TAG, ORDERS_PATH

__all__ = ["NAME", "WRITERS", "code_key", "not_importable", "write"]

TEMPLATE, IMPORT_TEMPLATE, TO_IMPORT = "template.yaml", "import.yaml", "resources-to-import.json"


WRITERS: Mapping[str, Callable[[FoundStack, FoundResource], Iterator[Declared]]] = {
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
    """Return the files by name: the template, the one of the import, and the resources to import."""
    everything = _declared(stack)
    imported = [_unmarked(one) for one in everything if one.identifier is not None]
    to_import = [
        {
            "ResourceType": one.type,
            "LogicalResourceId": one.logical_id,
            "ResourceIdentifier": one.identifier,
        }
        for one in imported
    ]
    return {
        TEMPLATE: _template(stack, everything, _outputs(stack), retained=frozenset({TABLE})),
        IMPORT_TEMPLATE: _template(stack, imported, {}, retained=frozenset(one.type for one in imported)),
        TO_IMPORT: json.dumps(to_import, indent=2) + "\n",
    }


def code_key(stack: FoundStack) -> str:
    """Return where the code lies in the bucket: another code has another key."""
    digest = base64.b64decode(stack.resources["function"].state.code).hex()
    return f"ordernotify/{digest[:16]}.zip"


def not_importable(stack: FoundStack) -> list[str]:
    """Name what the template makes in addition to what it imports, without the subscribers."""
    return [one.logical_id for one in _declared(stack) if one.identifier is None and one.type != SUBSCRIPTION]


def _declared(stack: FoundStack) -> list[Declared]:
    return [one for found in stack.to_write() for one in WRITERS[found.kind](stack, found)]


def _unmarked(one: Declared) -> Declared:
    """Take the mark away: an import must describe what is there, and the update after it adds the mark."""
    if one.type != "AWS::Lambda::Function":
        return one
    kept = [tag for tag in one.properties["Tags"] if tag["Key"] != MANAGED_TAG]
    return replace(one, properties={**one.properties, "Tags": kept})


def _outputs(stack: FoundStack) -> dict[str, Any]:
    host = "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}"
    url = sub(f"{host}/{stack.settings.stage}/{ORDERS_PATH}")
    return {"InvokeUrl": {"Description": "POST orders to it.", "Value": url}}


def _parameters(stack: FoundStack) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "CodeBucket": {"Type": "String", "Description": "The S3 bucket that holds function.zip"},
        "CodeKey": {"Type": "String", "Default": code_key(stack)},
        "LogRetentionDays": {
            "Type": "Number",
            "Default": stack.resources["log-group"].state.retention,
            "AllowedValues": list(RETENTION_DAYS),
        },
    }
    for topic in stack.subscribers:
        for name, one in named_subscribers(stack, topic):
            parameters[name] = {"Type": "String", "Default": one.endpoint}
    return parameters


def _template(
    stack: FoundStack, declared: Sequence[Declared], outputs: Mapping[str, Any], *, retained: Set[str]
) -> str:
    """Write a template in which every comment stands above its resource.

    Resources of the types `retained` stay when they are taken out of it, or the stack is deleted.
    """
    present = {one.logical_id for one in declared}
    resources = {one.logical_id: _resource(one, retained, present) for one in declared}
    used = set(_references(resources))
    parameters = {name: one for name, one in _parameters(stack).items() if name in used}
    head = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"The stack {stack.settings.stack}, exported by ordernotify; see README.md",
        "Parameters": parameters,
    }
    lines = [_yaml(head), "Resources:\n"]
    for one in declared:
        if one.comment:
            lines.append(f"  # {one.comment}\n")
        lines.append(textwrap.indent(_yaml({one.logical_id: resources[one.logical_id]}), "  "))
    return "".join([*lines, _yaml({"Outputs": outputs}) if outputs else ""])


def _resource(one: Declared, retained: Set[str], present: Set[str]) -> dict[str, Any]:
    # An import asks for a deletion policy of each resource.
    policy = "Retain" if one.type in retained else "Delete"
    depends_on = [logical_id for logical_id in one.depends_on if logical_id in present]
    return {
        "Type": one.type,
        "DeletionPolicy": policy,
        "UpdateReplacePolicy": policy,
        **({"DependsOn": depends_on} if depends_on else {}),
        "Properties": {name: value for name, value in one.properties.items() if value not in ("", [], {})},
    }


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key == "Ref":
                yield item
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def _yaml(value: Mapping[str, Any]) -> str:
    import yaml  # here only: no other command needs it

    return str(yaml.dump(dict(value), Dumper=_dumper(), sort_keys=False, width=110, allow_unicode=True))


@functools.cache
def _dumper() -> Any:
    """Write every value where it stands: the anchors that YAML has for repetitions are hard to read."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    return Dumper
