"""A stack that another tool has taken over: nothing here changes it, until it is taken back."""

from __future__ import annotations

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.settings.model import Settings
from ordernotify.settings.names import MANAGED_TAG, STACK_TAG
from tests.cli_support import Typed, typed
from tests.provision_support import Account, planned_actions, set_up

__all__ = ["typed"]


def mark(cloud: Cloud, settings: Settings) -> None:
    cloud.lambda_.tag_resource(
        Resource=cloud.arn("lambda", f"function:{settings.names.function}"), Tags={MANAGED_TAG: "terraform"}
    )


def test_setup_and_teardown_refuse_a_stack_that_another_tool_manages(
    account: Account, cloud: Cloud, typed: Typed
) -> None:
    set_up(Settings(), cloud)
    mark(cloud, Settings())
    account.forget_calls()
    for words in (("setup", "--memory", "512", "--yes"), ("setup",), ("teardown", "--yes")):
        refused = typed(*words)
        assert refused.exit_code == 1, refused.output
        assert "the stack default is managed by terraform" in refused.stderr
        assert "ordernotify setup --adopt" in refused.stderr
    assert account.changing_calls == []
    seen = typed("setup", "--dry-run", "--exit-code")
    assert seen.exit_code == 0, seen.output


def test_adoption_takes_a_stack_back(cloud: Cloud, typed: Typed) -> None:
    set_up(Settings(), cloud)
    mark(cloud, Settings())
    planned = provision.plan(provision.declare(Settings(), cloud), adopt=True)
    assert planned_actions(planned).keys() == {"function"}
    taken = typed("setup", "--adopt", "--yes")
    assert taken.exit_code == 0, taken.output
    tags = cloud.lambda_.get_function(FunctionName="processFileUpload")["Tags"]
    assert MANAGED_TAG not in tags
    assert tags[STACK_TAG] == "default"
    assert typed("teardown", "--yes").exit_code == 0
