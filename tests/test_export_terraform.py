"""Terraform's files of an export, checked by the provider's schema and without a terraform."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ordernotify.export import terraform
from ordernotify.settings.model import Settings
from tests import terraform_schema
from tests.export_support import every_combination, found_in, terraform_of
from tests.provision_support import Account

REFERENCE = re.compile(r"\b(aws_\w+\.\w+)\b")


@pytest.mark.parametrize(
    "settings", list(every_combination())[::7], ids=lambda one: str(list(one.recorded.values()))
)
def test_the_provider_knows_every_argument_and_misses_none(account: Account, settings: Settings) -> None:
    stack = found_in(account, settings)
    main, override = terraform_of(stack), terraform_of(stack, terraform.OVERRIDE)
    assert terraform_schema.faults(main) == []
    known = {f"{type_}.{label}" for type_, labelled in main["resource"].items() for label in labelled}
    text = terraform.write(stack)[terraform.MAIN]
    assert set(REFERENCE.findall(text)) <= known
    for one in terraform_of(stack, terraform.IMPORT)["import"]:
        assert one["to"].partition("[")[0] in known
        assert one["id"]
    for type_, labelled in override["resource"].items():
        schema = json.loads(terraform_schema.FILE.read_text())[type_]
        for label, arguments in labelled.items():
            assert f"{type_}.{label}" in known
            assert set(arguments["lifecycle"]["ignore_changes"]) <= set(schema["arguments"])


def test_a_fault_would_be_found() -> None:
    assert terraform_schema.faults({"resource": {"aws_sqs_queue": {"inbox": {"nmae": "q"}}}}) == [
        "aws_sqs_queue.inbox has no nmae"
    ]
    missing = {"resource": {"aws_dynamodb_table": {"t": {"name": "t", "attribute": [{"name": "a"}]}}}}
    assert terraform_schema.faults(missing) == ["aws_dynamodb_table.t.attribute lacks type"]


def test_everything_is_imported_once(account: Account, tmp_path: Path) -> None:
    stack = found_in(account, list(every_combination())[-1])
    addresses = [one["to"].partition("[")[0] for one in terraform_of(stack, terraform.IMPORT)["import"]]
    main = terraform_of(stack)["resource"]
    assert sorted(addresses) == sorted(
        f"{type_}.{label}" for type_, labelled in main.items() for label in labelled
    )
