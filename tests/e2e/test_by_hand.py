"""The whole circle of somebody who followed the guide by hand: adopt, verify, export, import."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from ordernotify.settings.model import ApiKind
from tests.e2e.by_hand import ByHand
from tests.e2e.cloud import EmbeddedCloud
from tests.e2e.takeover import NOT_IMPORTED, CloudFormation, HandedOver, Terraform, differences

ADOPTED: Mapping[str, set[str]] = {
    # MiniStack's GetRestApi and GetApi tell the tags that an API was made with, never those put on it later.
    "aws_api_gateway_rest_api": {"tags", "tags_all"},
    "aws_apigatewayv2_api": {"tags", "tags_all"},
    # It answers empty access log settings for a stage that CreateDeployment made; AWS answers none.
    "aws_api_gateway_stage": {"access_log_settings"},
}
"""What the emulator reads back empty of resources that were made by hand, beside `takeover.READ_EMPTY`."""

pytestmark = pytest.mark.long


@pytest.fixture(params=list(ApiKind))
def adopted(embedded_cloud: EmbeddedCloud, request: pytest.FixtureRequest) -> tuple[HandedOver, list[str]]:
    """A stack made by hand, then adopted and verified, and how it is described."""
    kind: ApiKind = request.param
    stack = HandedOver(embedded_cloud, f"hand-{kind}")
    made = ByHand(embedded_cloud.endpoint, stack.names)
    if kind is ApiKind.REST:
        made.step_5_and_6_rest_api()
    else:
        made.step_5_and_6_http_api()
    described = ["--api", kind, "--email", "you@example.com"]
    refused = stack.run("setup", "--yes", *described, status=1)
    assert "--adopt" in refused.stderr
    stack.run("setup", "--yes", "--adopt", *described)
    assert stack.verified()
    assert stack.differences(*described) == {}
    return stack, described


def test_what_was_made_by_hand_is_adopted_exported_and_imported_by_cloudformation(
    adopted: tuple[HandedOver, list[str]], tmp_path: Path
) -> None:
    stack, described = adopted
    stack.export("cloudformation", tmp_path)
    taken = CloudFormation(stack.cloud, stack.name, tmp_path)
    taken.prepare_import(without=set().union(*NOT_IMPORTED.values()))
    assert taken.execute_import() == "IMPORT_COMPLETE"
    assert stack.differences(*described) == {}
    assert stack.verified()
    assert stack.stored() == 2  # of the two runs of `verify`
    stack.run("teardown", "--yes", "--delete-orders")


def test_what_was_made_by_hand_is_adopted_exported_and_imported_by_terraform(
    adopted: tuple[HandedOver, list[str]], tmp_path: Path
) -> None:
    stack, described = adopted
    stack.export("terraform", tmp_path)
    try:
        terraform = Terraform(stack.cloud, tmp_path)
        plan = terraform.plan()
        assert differences(plan, ADOPTED) == {}
        assert f"{len(plan)} imported, 0 added" in terraform.apply()
        assert differences(terraform.plan(), ADOPTED) == {}
        assert stack.differences(*described) == {}
        assert stack.verified()
    finally:
        stack.run("teardown", "--yes", "--delete-orders")
