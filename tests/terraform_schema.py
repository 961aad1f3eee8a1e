"""The part of the aws provider's schema that an export uses, kept so that it is checked without Terraform.

`tests/terraform_aws_schema.json` is `reduced` from `terraform providers schema -json`; a long test compares
them where there is a terraform.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("terraform_aws_schema.json")
PROVIDER = "registry.terraform.io/hashicorp/aws"
META = {"//", "depends_on", "for_each", "lifecycle"}
"""What every resource block takes: https://developer.hashicorp.com/terraform/language/meta-arguments."""


def reduced(schemas: Mapping[str, Any], types: Iterable[str]) -> dict[str, Any]:
    """Keep of the provider's schema which arguments and blocks these types have, and what must be given."""
    known = schemas["provider_schemas"][PROVIDER]["resource_schemas"]
    return {type_: _block(known[type_]["block"]) for type_ in sorted(types)}


def _block(block: Mapping[str, Any]) -> dict[str, Any]:
    attributes = block.get("attributes", {})
    given = {name for name, one in attributes.items() if one.get("required") or one.get("optional")}
    return {
        "arguments": sorted(given),
        "required": sorted(name for name in given if attributes[name].get("required")),
        "blocks": {name: _block(one["block"]) for name, one in block.get("block_types", {}).items()},
    }


def faults(document: Mapping[str, Any]) -> list[str]:
    """List what of the resources in a `main.tf.json` the provider would refuse."""
    schema = json.loads(FILE.read_text())
    return [
        fault
        for type_, labelled in document["resource"].items()
        for label, arguments in labelled.items()
        for fault in _faults_in(f"{type_}.{label}", arguments, schema[type_])
    ]


def _faults_in(where: str, arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    known = {*schema["arguments"], *schema["blocks"], *META}
    yield from (f"{where} has no {name}" for name in arguments.keys() - known)
    yield from (f"{where} lacks {name}" for name in schema["required"] if name not in arguments)
    for name in schema["blocks"].keys() & arguments.keys():
        for inner in arguments[name]:
            yield from _faults_in(f"{where}.{name}", inner, schema["blocks"][name])
