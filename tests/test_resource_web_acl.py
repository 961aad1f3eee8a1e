from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from ordernotify import provision
from ordernotify.audit.controls import Verdict, audit_stack
from ordernotify.aws.session import Cloud
from ordernotify.errors import AwsError, OrderNotifyError, UsageError
from ordernotify.executor import Action, ApplyError
from ordernotify.export import cloudformation, terraform
from ordernotify.settings.checks import check_waf_acl
from ordernotify.settings.model import ApiKind, Settings
from tests.export_support import found_in, template_of, terraform_of
from tests.provision_support import (
    ACCOUNT_ID,
    Account,
    Call,
    ManualClock,
    assert_deleted_twice,
    assert_made_again,
    assert_settled,
    bring_about,
    changes_planned,
    only,
    planned_actions,
    refuse,
    set_up,
    tear_down,
)
from tests.terraform_schema import faults
from tests.web_acls import ANY_WEB_ACL, associate, dissociate, make_web_acl, web_acl_of

KEY = "web-acl"


@pytest.fixture
def acl(account: Account) -> str:
    return make_web_acl(account)


@pytest.fixture
def other(account: Account) -> str:
    return make_web_acl(account, "other")


def declared(cloud: Cloud, settings: Settings) -> tuple[Any, ...]:
    return provision.declare(settings, cloud)


def changing_waf(account: Account) -> list[Call]:
    return [call for call in account.changing_calls if call.service == "wafv2"]


@pytest.mark.parametrize("api", list(ApiKind))
def test_no_web_acl_is_associated_or_asked_for_unless_it_is_described(
    account: Account, cloud: Cloud, api: ApiKind
) -> None:
    set_up(Settings(api=api), cloud)
    set_up(Settings(api=api), cloud)
    tear_down(Settings(api=api), cloud)
    assert {call.service for call in account.calls} & {"wafv2"} == set()


def test_the_web_acl_is_associated_and_then_left_alone(account: Account, cloud: Cloud, acl: str) -> None:
    set_up(Settings(waf_acl=acl), cloud)
    assert web_acl_of(account) == acl
    assert_settled(account, declared(cloud, Settings(waf_acl=acl)))


def test_another_web_acl_takes_its_place(account: Account, cloud: Cloud, acl: str, other: str) -> None:
    set_up(Settings(waf_acl=acl), cloud)
    changed = declared(cloud, Settings(waf_acl=other))
    assert changes_planned(changed, KEY) == {"web ACL": (acl, other)}
    account.forget_calls()
    bring_about(changed)
    assert [(call.operation, call.params["WebACLArn"]) for call in changing_waf(account)] == [
        ("AssociateWebACL", other)
    ]


def test_a_web_acl_that_was_put_by_hand_is_told_as_a_difference(
    account: Account, cloud: Cloud, acl: str, other: str
) -> None:
    set_up(Settings(waf_acl=acl), cloud)
    associate(account, other)
    assert changes_planned(declared(cloud, Settings(waf_acl=acl)), KEY) == {"web ACL": (other, acl)}


def test_an_association_that_disappeared_is_made_again(account: Account, cloud: Cloud, acl: str) -> None:
    set_up(Settings(waf_acl=acl), cloud)
    dissociate(account)
    assert_made_again(account, declared(cloud, Settings(waf_acl=acl)), KEY)


def test_an_association_can_be_ended_twice(account: Account, cloud: Cloud, acl: str) -> None:
    set_up(Settings(waf_acl=acl), cloud)
    assert_deleted_twice(only(declared(cloud, Settings(waf_acl=acl)), KEY))


def test_what_is_no_longer_described_is_ended_before_the_record_of_it_goes(
    account: Account, cloud: Cloud, acl: str
) -> None:
    set_up(Settings(waf_acl=acl), cloud)
    planned = provision.plan(declared(cloud, Settings()))
    assert planned_actions(planned) == {KEY: Action.DELETE, "function": Action.UPDATE}
    assert planned.stays == ()
    account.forget_calls()
    set_up(Settings(), cloud)
    assert web_acl_of(account) == ""
    order = [call.operation for call in account.changing_calls]
    assert order.index("DisassociateWebACL") < order.index("UntagResource")


def test_a_setup_that_fails_there_ends_it_when_it_is_run_again(
    account: Account, cloud: Cloud, acl: str
) -> None:
    set_up(Settings(waf_acl=acl), cloud)
    account.interfere = refuse("DisassociateWebACL", "WAFInternalErrorException", times=99)
    with pytest.raises(ApplyError):
        set_up(Settings(), cloud)
    account.interfere = refuse("None", "None", times=0)
    set_up(Settings(), cloud)
    assert web_acl_of(account) == ""


def test_a_web_acl_of_somebody_else_is_told_and_stays(
    account: Account, cloud: Cloud, acl: str, other: str
) -> None:
    set_up(Settings(), cloud)
    associate(account, acl)
    planned = provision.plan(declared(cloud, Settings()))
    assert planned.changes == ()
    assert planned.stays == (
        f"The web ACL {acl} is not described and stays with the stage prod: setup did not associate it.",
    )
    set_up(Settings(waf_acl=other), cloud)
    associate(account, acl)  # the record names another one
    set_up(Settings(), cloud)
    assert web_acl_of(account) == acl


def test_a_missing_web_acl_is_refused_before_anything_is_changed(account: Account, cloud: Cloud) -> None:
    with pytest.raises(OrderNotifyError, match="there is no web ACL arn:aws:wafv2") as refused:
        set_up(Settings(waf_acl=ANY_WEB_ACL), cloud)
    assert "list-web-acls" in refused.value.hint
    assert account.changing_calls == []


def test_a_web_acl_of_another_account_is_missing(account: Account, cloud: Cloud, acl: str) -> None:
    with pytest.raises(OrderNotifyError, match="there is no web ACL"):
        set_up(Settings(waf_acl=acl.replace(ACCOUNT_ID, "210987654321")), cloud)


def test_a_web_acl_of_another_region_is_refused_with_both(account: Account, cloud: Cloud, acl: str) -> None:
    with pytest.raises(UsageError, match="of the region eu-west-1, and the stack of us-east-1"):
        set_up(Settings(waf_acl=acl.replace("us-east-1", "eu-west-1")), cloud)
    assert account.changing_calls == []


@pytest.mark.parametrize("code", ["WAFUnavailableEntityException", "WAFNonexistentItemException"])
def test_a_stage_that_waf_does_not_know_yet_is_waited_for(
    account: Account, cloud: Cloud, acl: str, code: str
) -> None:
    account.interfere = refuse("AssociateWebACL", code, times=3)
    clock = ManualClock()
    set_up(Settings(waf_acl=acl), cloud, clock)
    assert web_acl_of(account) == acl
    assert clock.time >= 3 * 5


def test_another_error_of_waf_is_not_asked_for_again(account: Account, cloud: Cloud, acl: str) -> None:
    account.interfere = refuse("AssociateWebACL", "WAFLimitsExceededException", times=99)
    with pytest.raises(ApplyError, match="WAFLimitsExceeded"):
        set_up(Settings(waf_acl=acl), cloud)
    assert len([call for call in account.calls if call.operation == "AssociateWebACL"]) == 1


def test_teardown_ends_the_association_first_and_keeps_the_web_acl(
    account: Account, cloud: Cloud, acl: str
) -> None:
    set_up(Settings(waf_acl=acl), cloud)
    account.forget_calls()
    tear_down(Settings(), cloud)  # which is not told the option
    order = [call.operation for call in account.changing_calls]
    assert order.index("DisassociateWebACL") < order.index("DeleteRestApi")
    assert [one["ARN"] for one in account.client("wafv2").list_web_acls(Scope="REGIONAL")["WebACLs"]] == [acl]
    account.forget_calls()
    tear_down(Settings(waf_acl=acl), cloud)
    assert account.changing_calls == []


def test_a_teardown_that_fails_there_keeps_the_api_and_the_record(
    account: Account, cloud: Cloud, acl: str
) -> None:
    set_up(Settings(waf_acl=acl), cloud)
    account.forget_calls()
    account.interfere = refuse("DisassociateWebACL", "WAFInternalErrorException", times=99)
    with pytest.raises(ApplyError):
        tear_down(Settings(), cloud)
    assert {"DeleteRestApi", "DeleteFunction"} & {call.operation for call in account.changing_calls} == set()


def test_teardown_leaves_the_association_of_somebody_else_to_the_stage(
    account: Account, cloud: Cloud, acl: str
) -> None:
    set_up(Settings(), cloud)
    associate(account, acl)
    tear_down(Settings(), cloud)
    assert changing_waf(account) == []


def test_an_association_that_changed_since_the_plan_is_left(
    account: Account, cloud: Cloud, acl: str, other: str
) -> None:
    set_up(Settings(waf_acl=acl), cloud)
    resources = declared(cloud, Settings())
    planned = provision.plan(resources)
    associate(account, other)
    list(provision.apply(resources, planned, ManualClock()))
    assert web_acl_of(account) == other


def test_a_web_acl_that_may_not_be_read_is_an_error_before_anything_is_changed(
    account: Account, cloud: Cloud, acl: str
) -> None:
    account.interfere = refuse("GetWebACL", "AccessDeniedException", times=99)
    with pytest.raises(AwsError, match="could not read the given web acl"):
        set_up(Settings(waf_acl=acl), cloud)
    assert account.changing_calls == []


@pytest.mark.parametrize(
    "wrong",
    [
        "shop",
        ANY_WEB_ACL.replace("regional", "global"),
        ANY_WEB_ACL.replace("wafv2", "waf-regional"),
        ANY_WEB_ACL.replace("/webacl/", "/rulegroup/"),
        ANY_WEB_ACL.rpartition("/")[0],
        f"{ANY_WEB_ACL}\n",
    ],
)
def test_what_is_no_arn_of_a_regional_web_acl_is_refused(wrong: str) -> None:
    with pytest.raises(UsageError, match="not the ARN of a regional web ACL"):
        check_waf_acl(wrong)


def test_an_http_api_with_a_web_acl_is_refused() -> None:
    with pytest.raises(UsageError, match="an HTTP API has no web ACL"):
        Settings(api=ApiKind.HTTP, waf_acl=ANY_WEB_ACL)


def web_acl_row(cloud: Cloud, settings: Settings) -> tuple[Verdict, str]:
    found = {one.control.ids[0]: one for one in audit_stack(cloud, settings)}
    return found["APIGateway.4"].verdict, found["APIGateway.4"].seen


@pytest.mark.parametrize(
    ("settings", "verdict"),
    [
        ({}, Verdict.FAILED),
        ({"api": ApiKind.HTTP}, Verdict.DOES_NOT_APPLY),
    ],
)
def test_the_audit_without_a_web_acl(cloud: Cloud, settings: Mapping[str, Any], verdict: Verdict) -> None:
    set_up(Settings(**settings), cloud)
    assert web_acl_row(cloud, Settings(**settings))[0] is verdict


def test_the_audit_names_the_web_acl_whoever_associated_it(account: Account, cloud: Cloud, acl: str) -> None:
    set_up(Settings(), cloud)
    associate(account, acl)
    assert web_acl_row(cloud, Settings()) == (Verdict.PASSED, acl)
    set_up(Settings(waf_acl=acl), cloud)
    assert web_acl_row(cloud, Settings(waf_acl=acl)) == (Verdict.PASSED, acl)


def test_both_exports_write_and_import_the_association(account: Account, acl: str) -> None:
    stack = found_in(account, Settings(waf_acl=acl))
    stage = f"arn:aws:apigateway:us-east-1::/restapis/{stack.resources['api'].state.id}/stages/prod"
    written = template_of(stack)["Resources"]["WebAclAssociation"]
    assert written["Type"] == "AWS::WAFv2::WebACLAssociation"
    assert written["Properties"]["WebACLArn"] == acl
    assert written["Properties"]["ResourceArn"]["Fn::Sub"].endswith("/restapis/${Api}/stages/${Stage}")
    to_import = json.loads(cloudformation.write(stack)["resources-to-import.json"])
    ids = {one["LogicalResourceId"]: one["ResourceIdentifier"] for one in to_import}
    assert ids["WebAclAssociation"] == {"ResourceArn": stage, "WebACLArn": acl}
    document = terraform_of(stack)
    assert document["resource"]["aws_wafv2_web_acl_association"]["orders"] == {
        "web_acl_arn": acl,
        "resource_arn": "${aws_api_gateway_stage.orders.arn}",
    }
    assert faults(document) == []
    imports = {one["to"]: one["id"] for one in terraform_of(stack, terraform.IMPORT)["import"]}
    assert imports["aws_wafv2_web_acl_association.orders"] == f"{acl},{stage}"
