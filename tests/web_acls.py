"""Web ACLs of AWS WAF in the account in memory, and in an embedded cloud."""

from __future__ import annotations

from ordernotify.aws.session import Cloud
from tests.moto_account import ACCOUNT_ID, REGION, Account

ANY_WEB_ACL = f"arn:aws:wafv2:{REGION}:{ACCOUNT_ID}:regional/webacl/shop/0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f"
"""One that has the form; it need not exist."""


def make_web_acl(account: Account | Cloud, name: str = "shop") -> str:
    """Make a web ACL that lets everything through; return its ARN."""
    created = account.client("wafv2").create_web_acl(
        Name=name,
        Scope="REGIONAL",
        DefaultAction={"Allow": {}},
        VisibilityConfig={
            "SampledRequestsEnabled": False,
            "CloudWatchMetricsEnabled": False,
            "MetricName": name,
        },
    )
    return str(created["Summary"]["ARN"])


def the_web_acl(account: Account) -> str:
    """Return the ARN of the account's only web ACL, made if there is none."""
    listed = account.client("wafv2").list_web_acls(Scope="REGIONAL")["WebACLs"]
    return str(listed[0]["ARN"]) if listed else make_web_acl(account)


def web_acl_of(account: Account) -> str:
    """Return the ARN of the web ACL that the stage of the one REST API has; empty: none."""
    found = account.client("wafv2").get_web_acl_for_resource(ResourceArn=_stage(account)).get("WebACL")
    return str((found or {}).get("ARN", ""))


def associate(account: Account, acl: str) -> None:
    """Give the stage of the one REST API this web ACL in place of any other, as somebody else would."""
    dissociate(account)
    account.client("wafv2").associate_web_acl(WebACLArn=acl, ResourceArn=_stage(account))


def dissociate(account: Account) -> None:
    """Take the web ACL from the stage of the one REST API, as somebody else would."""
    account.client("wafv2").disassociate_web_acl(ResourceArn=_stage(account))


def _stage(account: Account) -> str:
    (api,) = account.client("apigateway").get_rest_apis()["items"]
    return f"arn:aws:apigateway:{REGION}::/restapis/{api['id']}/stages/prod"
