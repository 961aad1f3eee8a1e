"""The templates of an export: what cfn-lint says, and what CloudFormation's registry says of an import.

cfn-lint is imported where it is used: every worker collects this file, and it takes a second.
"""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest

from ordernotify.export import cloudformation
from ordernotify.settings.model import Settings
from tests.export_support import FULL_HTTP, FULL_REST, every_combination, found_in, template_of
from tests.provision_support import Account, full_settings

REGION = "us-east-1"
BODY_BYTES = 51_200
"""The largest template that a command may hold: CloudFormation's quotas."""
FULL = {"rest": full_settings(**FULL_REST), "http": full_settings(**FULL_HTTP)}


@functools.cache
def linter() -> Any:
    """Read cfn-lint's rules once: that takes as long as a template does."""
    from cfnlint.config import ConfigMixIn
    from cfnlint.runner import Runner

    return Runner(ConfigMixIn(regions=[REGION]))


def linted(template: str) -> list[str]:
    from cfnlint.decode.decode import decode_str

    document, faults = decode_str(template)
    return [str(fault) for fault in (*faults, *linter().validate_template(document))]


def test_cfn_lint_would_find_a_fault_in_every_template_that_it_reads(account: Account) -> None:
    right = cloudformation.write(found_in(account, Settings()))["template.yaml"]
    wrong = right.replace("PAY_PER_REQUEST", "PAY_NEVER")
    assert linted(right) == []
    for _ in range(2):
        assert "'PAY_NEVER' is not one of" in "\n".join(linted(wrong))


@pytest.mark.parametrize("api", FULL)
def test_cfn_lint_finds_nothing(account: Account, api: str) -> None:
    assert linted(cloudformation.write(found_in(account, FULL[api]))["template.yaml"]) == []


@pytest.mark.long
@pytest.mark.parametrize("settings", list(every_combination()), ids=lambda one: str(one.recorded.values()))
def test_cfn_lint_finds_nothing_on_any_combination(account: Account, settings: Settings) -> None:
    files = cloudformation.write(found_in(account, settings))
    assert {name: linted(files[name]) for name in ("template.yaml", "import.yaml")} == {
        "template.yaml": [],
        "import.yaml": [],
    }


@pytest.fixture(params=FULL)
def files(account: Account, request: pytest.FixtureRequest) -> dict[str, str]:
    return cloudformation.write(found_in(account, FULL[request.param]))


def test_everything_that_has_a_reader_is_imported_by_its_primary_identifier(files: dict[str, str]) -> None:
    import yaml
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    whole = yaml.safe_load(files["template.yaml"])["Resources"]
    imported = {one["LogicalResourceId"]: one for one in json.loads(files["resources-to-import.json"])}
    for name, resource in whole.items():
        schema: Any = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, resource["Type"]).schema
        # The id of a gateway response is documented nowhere.
        can = "read" in schema["handlers"] and resource["Type"] != "AWS::ApiGateway::GatewayResponse"
        assert (name in imported) == can, name
        if can:
            identifier = {path.rpartition("/")[2] for path in schema["primaryIdentifier"]}
            assert imported[name]["ResourceIdentifier"].keys() == identifier
            assert imported[name]["ResourceType"] == resource["Type"]
            assert all(imported[name]["ResourceIdentifier"].values())


def test_an_import_describes_what_the_template_does_and_retains_everything(account: Account) -> None:
    stack = found_in(account, FULL["rest"])
    whole, imported = template_of(stack), template_of(stack, "import.yaml")
    assert "Outputs" not in imported  # CloudFormation refuses an import with a new one
    for name, one in imported["Resources"].items():
        if name != "Function":
            assert one["Properties"] == whole["Resources"][name]["Properties"]
        assert one["DeletionPolicy"] == "Retain"
    kept = {name for name, one in whole["Resources"].items() if one["DeletionPolicy"] == "Retain"}
    assert kept == {"Orders"}


def test_what_is_deployed_exists_before_it_is_deployed(account: Account) -> None:
    stack = found_in(account, FULL["rest"])
    deployed = {"PostMethod", "PreflightMethod", "Default4XxResponse", "Default5XxResponse"}
    assert set(template_of(stack)["Resources"]["Deployment"]["DependsOn"]) == deployed
    imported = template_of(stack, "import.yaml")["Resources"]
    assert set(imported["Deployment"]["DependsOn"]) == deployed & imported.keys()


def test_the_templates_fit_into_a_command(files: dict[str, str]) -> None:
    assert all(len(content.encode()) < BODY_BYTES for content in files.values())


def test_a_comment_stands_above_what_is_not_imported(files: dict[str, str]) -> None:
    lines = files["template.yaml"].splitlines()
    policy = lines.index("  TopicPolicy:")
    assert lines[policy - 1].startswith("  # An attribute of the topic, which cannot be imported")
