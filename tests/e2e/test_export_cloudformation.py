"""An export to CloudFormation, carried out: the stack made anew from it, and a living one imported."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ordernotify.settings.names import MANAGED_TAG
from tests.e2e.cloud import EmbeddedCloud
from tests.e2e.takeover import NOT_IMPORTED, CloudFormation, HandedOver, only

pytestmark = pytest.mark.long

SUBSCRIBERS = ("--email", "you@example.com", "--phone", "+14155550100", "--alarm-email", "ops@example.com")
LIMITS = ("--rate", "50", "--burst", "100")
CORS = ("--cors-origin", "https://shop.example.com")
ANEW = {
    "rest": ("--auth", "api-key", *LIMITS, *CORS, "--tag", "team=shop", "--memory", "512"),
    "http": ("--api", "http", "--auth", "iam", "--access-logs", "--log-retention", "7"),
}
LOST = {
    # MiniStack's CloudFormation passes over the access log of a REST API's stage.
    "rest": (("--access-logs",), {"api": "update"}),
    # It keeps these of an HTTP API under CloudFormation's names, and its API reads them by other names.
    "http": (("--api", "http", *LIMITS, *CORS), {"api": "update"}),
}
"""Options that the emulator's CloudFormation does not carry over, and what `setup` sees of that."""


@pytest.mark.parametrize("api", ANEW)
def test_a_stack_made_anew_from_an_export_is_as_described(
    embedded_cloud: EmbeddedCloud, tmp_path: Path, api: str
) -> None:
    stack = HandedOver(embedded_cloud, f"anew-{api}")
    described = (*SUBSCRIBERS, *ANEW[api], "--dashboard")
    stack.run("setup", "--yes", *described)
    stack.subscribe_queue()
    subscribers = stack.subscribers()
    stack.export("cloudformation", tmp_path)
    stack.run("teardown", "--yes", "--delete-orders")
    made = CloudFormation(embedded_cloud, stack.name, tmp_path)
    assert made.create() == "CREATE_COMPLETE"
    assert stack.differences(*described) == {}
    assert stack.subscribers() == subscribers
    assert stack.verified()
    refused = stack.run("teardown", "--yes", status=1)
    assert "is managed by cloudformation" in refused.stderr
    made.delete()
    assert stack.stored() == 1  # the table stays, with the order of `verify`


@pytest.mark.parametrize("api", LOST)
def test_nothing_but_what_the_emulator_loses_differs(
    embedded_cloud: EmbeddedCloud, tmp_path: Path, api: str
) -> None:
    stack = HandedOver(embedded_cloud, f"lost-{api}")
    described, differences = LOST[api]
    stack.run("setup", "--yes", *described)
    stack.export("cloudformation", tmp_path)
    stack.run("teardown", "--yes", "--delete-orders")
    made = CloudFormation(embedded_cloud, stack.name, tmp_path)
    assert made.create() == "CREATE_COMPLETE"
    assert stack.differences(*described) == differences
    made.delete()


@pytest.mark.parametrize("api", NOT_IMPORTED)
def test_a_living_stack_is_imported_marked_and_taken_back(
    embedded_cloud: EmbeddedCloud, tmp_path: Path, api: str
) -> None:
    stack = HandedOver(embedded_cloud, f"living-{api}")
    described = (*SUBSCRIBERS, *ANEW[api])
    stack.run("setup", "--yes", *described)
    accepted = stack.send(3)
    stack.export("cloudformation", tmp_path)
    taken = CloudFormation(embedded_cloud, stack.name, tmp_path)
    # Every resource is found by its identifier; then the emulator names the types that it cannot import.
    whole = taken.prepare_import()
    assert set(re.findall(r"AWS::\w+::\w+", whole["StatusReason"])) == NOT_IMPORTED[api]
    taken.drop_import()
    taken.prepare_import(without=NOT_IMPORTED[api])
    accepted += stack.send(3)
    assert taken.execute_import() == "IMPORT_COMPLETE"
    assert stack.differences(*described) == {}
    assert stack.run("setup", "--yes", *described).returncode == 0  # an import alone marks nothing

    template = taken.template("template.yaml")
    imported = only(taken.template("import.yaml"), NOT_IMPORTED[api])
    template["Resources"] = {name: template["Resources"][name] for name in imported}
    del template["Outputs"]
    assert taken.update(template) == "UPDATE_COMPLETE"
    function = embedded_cloud.cloud().lambda_.get_function(FunctionName=stack.names.function)
    assert function["Tags"][MANAGED_TAG] == "cloudformation"
    accepted += stack.send(3)
    assert stack.stored() == accepted == 9
    refused = stack.run("setup", "--yes", *described, status=1)
    assert "is managed by cloudformation" in refused.stderr
    assert stack.differences(*described) == {}

    stack.run("setup", "--yes", "--adopt", *described)
    assert stack.differences(*described) == {}
    assert stack.verified()
    stack.run("teardown", "--yes", "--delete-orders")
