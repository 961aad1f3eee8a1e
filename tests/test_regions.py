"""One stack in two regions: what is global belongs to one of them, and neither touches the other."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.resources.role_names import POLICY_NAME, role_name_in_region
from ordernotify.settings.model import Settings
from ordernotify.settings.names import REGION_TAG, Names
from ordernotify.stack.discovery import with_own_role
from tests.provision_support import (
    Account,
    Call,
    Send,
    set_up,
    tear_down,
)

PLAIN = "processFileUpload-role"
EAST, WEST = "us-east-1", "eu-west-1"


@pytest.fixture
def regions(account: Account) -> dict[str, Cloud]:
    """The account in memory as it is seen from two regions."""
    return {EAST: account.cloud(), WEST: Cloud(boto3.Session(region_name=WEST))}


def settings_in(cloud: Cloud, stack: str = "default", **more: Any) -> Settings:
    return Settings(stack, with_own_role(cloud, Names().for_stack(stack), stack), **more)


def roles(account: Account) -> dict[str, str]:
    """Map each role to the region whose table its policy names."""
    iam = account.client("iam")
    return {
        role["RoleName"]: json.dumps(
            iam.get_role_policy(RoleName=role["RoleName"], PolicyName=POLICY_NAME)["PolicyDocument"]
        )
        .split("dynamodb:")[2]
        .split(":")[0]
        for role in iam.list_roles()["Roles"]
    }


def test_each_region_has_a_role_of_its_own_in_any_sequence(
    account: Account, regions: dict[str, Cloud]
) -> None:
    def setup(region: str, **more: Any) -> None:
        set_up(settings_in(regions[region], **more), regions[region])

    def teardown(region: str) -> None:
        tear_down(settings_in(regions[region]), regions[region])

    setup(WEST)
    setup(EAST)
    both = {PLAIN: WEST, f"{PLAIN}-{EAST}": EAST}
    assert roles(account) == both
    setup(WEST, memory=512)
    setup(EAST, memory=512)
    assert roles(account) == both
    teardown(WEST)
    assert roles(account) == {f"{PLAIN}-{EAST}": EAST}
    setup(EAST)
    assert roles(account) == {f"{PLAIN}-{EAST}": EAST}, "a region keeps its role when the plain name is free"
    setup(WEST)
    assert roles(account) == both
    teardown(EAST)
    assert roles(account) == {PLAIN: WEST}
    set_up(settings_in(regions[WEST]), regions[WEST])
    resources = provision.declare(settings_in(regions[WEST]), regions[WEST])
    assert provision.plan(resources).changes == ()
    teardown(WEST)
    assert roles(account) == {}


def test_a_setup_that_was_cut_off_right_after_making_the_role_finds_it_again(
    account: Account, regions: dict[str, Cloud]
) -> None:
    set_up(settings_in(regions[WEST]), regions[WEST])
    tags = [{"Key": "ordernotify:stack", "Value": "default"}, {"Key": REGION_TAG, "Value": EAST}]
    account.client("iam").create_role(RoleName=f"{PLAIN}-{EAST}", AssumeRolePolicyDocument="{}", Tags=tags)
    tear_down(settings_in(regions[WEST]), regions[WEST])
    assert role_name_in_region(regions[EAST], "default", PLAIN) == f"{PLAIN}-{EAST}"
    tear_down(settings_in(regions[EAST]), regions[EAST])
    assert roles(account) == {}


def test_a_role_of_another_stack_is_never_taken_for_this_ones(
    account: Account, regions: dict[str, Cloud]
) -> None:
    tags = [{"Key": "ordernotify:stack", "Value": "other"}, {"Key": REGION_TAG, "Value": WEST}]
    account.client("iam").create_role(RoleName=PLAIN, AssumeRolePolicyDocument="{}", Tags=tags)
    with pytest.raises(Exception, match="belongs to the stack other"):
        set_up(settings_in(regions[EAST]), regions[EAST])


def test_two_regions_that_are_set_up_at_the_same_moment_do_not_share_a_role(
    account: Account, regions: dict[str, Cloud]
) -> None:
    settings = settings_in(regions[EAST])  # before the other region's setup has made its role

    def other_region_first(call: Call, send: Send) -> Any:
        if call.operation == "CreateRole":
            account.interfere = lambda _call, go: go()
            set_up(settings_in(regions[WEST]), regions[WEST])
        return send()

    account.interfere = other_region_first
    with pytest.raises(Exception, match="a role processFileUpload-role appeared"):
        set_up(settings, regions[EAST])
    assert roles(account) == {PLAIN: WEST}
    set_up(settings_in(regions[EAST]), regions[EAST])
    assert roles(account) == {PLAIN: WEST, f"{PLAIN}-{EAST}": EAST}


def test_a_long_name_is_cut_so_that_the_region_fits(regions: dict[str, Cloud], account: Account) -> None:
    name = "r" * 64
    names = Names(role=name)
    set_up(Settings("default", names), regions[WEST])
    found = role_name_in_region(regions[EAST], "default", name)
    assert found == "r" * 54 + f"-{EAST}"
    assert len(found) == 64
