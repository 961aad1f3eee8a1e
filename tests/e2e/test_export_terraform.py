"""An export to Terraform, carried out with a terraform that has the aws provider, on a living stack."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from ordernotify.export.terraform import PROVIDER_VERSION
from ordernotify.settings.names import MANAGED_TAG
from tests import terraform_schema
from tests.e2e.cloud import EmbeddedCloud
from tests.e2e.takeover import HandedOver, Terraform, differences
from tests.web_acls import make_web_acl

pytestmark = pytest.mark.long

OPTIONS = {
    "rest": (
        *("--email", "you@example.com", "--phone", "+14155550100", "--alarm-email", "ops@example.com"),
        *("--auth", "api-key", "--rate", "50", "--burst", "100", "--access-logs", "--tag", "team=shop"),
        *("--cors-origin", "https://shop.example.com"),
    ),
    "http": (
        *("--api", "http", "--email", "you@example.com", "--alarm-email", "ops@example.com", "--auth", "iam"),
        *("--rate", "50", "--burst", "100", "--access-logs", "--cors-origin", "https://shop.example.com"),
        "--dashboard",
    ),
    "production": (
        *("--production", "--dashboard", "--concurrency", "20", "--auth", "api-key"),
        *("--email", "you@example.com", "--alarm-email", "ops@example.com"),
    ),
}


class Orders(threading.Thread):
    """Somebody who goes on ordering while the stack changes hands."""

    def __init__(self, stack: HandedOver) -> None:
        super().__init__()
        self._stack = stack
        self._done = threading.Event()
        self.accepted = 0

    def run(self) -> None:
        while not self._done.is_set():
            self.accepted += self._stack.send(2)

    def __enter__(self) -> Orders:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._done.set()
        self.join()


@pytest.fixture(params=OPTIONS)
def exported(
    embedded_cloud: EmbeddedCloud, tmp_path: Path, request: pytest.FixtureRequest
) -> tuple[HandedOver, Terraform, tuple[str, ...]]:
    """A living stack with orders, and terraform in the folder of its export."""
    stack, described = HandedOver(embedded_cloud, f"tf-{request.param}"), OPTIONS[request.param]
    if "--production" in described:
        described += ("--waf-acl", make_web_acl(embedded_cloud.cloud()))
    stack.run("setup", "--yes", *described)
    stack.subscribe_queue()
    stack.send(3)
    stack.export("terraform", tmp_path)
    return stack, Terraform(embedded_cloud, tmp_path), described


def test_terraform_imports_everything_changes_nothing_and_leaves_nothing(
    exported: tuple[HandedOver, Terraform, tuple[str, ...]],
) -> None:
    stack, terraform, described = exported
    plan = terraform.plan()
    assert all("importing" in one["change"] for one in plan)
    assert differences(plan) == {}
    with Orders(stack) as orders:
        assert f"{len(plan)} imported, 0 added" in terraform.apply()
        assert differences(terraform.plan()) == {}  # a second plan: no changes
        assert stack.run("setup", "--yes", *described).returncode == 0  # nothing is marked yet

        for name in ("import.tf.json", "import_override.tf.json"):
            (terraform.folder / name).unlink()
        assert "0 added" in terraform.apply()
        assert differences(terraform.plan()) == {}
    accepted = 3 + orders.accepted + stack.send(3)
    assert orders.accepted > 0
    assert stack.stored() == accepted

    function = stack.cloud.cloud().lambda_.get_function(FunctionName=stack.names.function)
    assert function["Tags"][MANAGED_TAG] == "terraform"
    assert stack.differences(*described) == {}
    assert stack.verified()
    assert "is managed by terraform" in stack.run("teardown", "--yes", status=1).stderr

    terraform.run("destroy", "-input=false", "-auto-approve")
    left = set(stack.differences(*described).values())
    assert left == {"create"}
    assert "there is no stack" in stack.run("status", status=1).stderr


def test_the_schema_that_is_kept_is_the_providers(embedded_cloud: EmbeddedCloud, tmp_path: Path) -> None:
    aws = {"source": "hashicorp/aws", "version": PROVIDER_VERSION}
    (tmp_path / "main.tf.json").write_text(json.dumps({"terraform": {"required_providers": {"aws": aws}}}))
    schemas = json.loads(Terraform(embedded_cloud, tmp_path).run("providers", "schema", "-json").stdout)
    kept = json.loads(terraform_schema.FILE.read_text())
    assert terraform_schema.reduced(schemas, kept) == kept
