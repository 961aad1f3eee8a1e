"""Checks of the AWS account: who calls, the region, the clock, rights and quotas."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import boto3
from botocore.exceptions import ClientError

from ordernotify.aws.session import ahead_of_here
from ordernotify.doctor.case import Case, CheckState, CheckUp, Diagnosis
from ordernotify.doctor.rights import SIMULATION_CALLS, lacking, principal
from ordernotify.errors import OrderNotifyError
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.api.listing import list_apis
from ordernotify.resources.concurrency import Concurrency
from ordernotify.resources.watches import watches
from ordernotify.settings.model import ApiKind
from ordernotify.settings.names import STACK_TAG, Target

CLOCK_WARNING = timedelta(minutes=1)
CLOCK_LIMIT = timedelta(minutes=5)
"""AWS refuses signatures that are further off (AWS-FACTS 38)."""
APIS_QUOTA = 600
"""Regional REST APIs in a region, and HTTP APIs; it cannot be raised.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
"""
ALARMS_QUOTA = 5_000
"""By default; https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html."""
NEAR = 0.95
SHOWN_ACTIONS = 4
LEAST_CONCURRENCY = 10
"""What a new account has (AWS-FACTS 19): of more orders at the same moment the rest is refused."""
QUOTAS_URL = "https://console.aws.amazon.com/servicequotas"
ACCOUNT_CALLS: Calls = (
    allow("lambda", "GetAccountSettings", on="*"),
    allow("account", "GetRegionOptStatus", on="*", optional=True),
    *SIMULATION_CALLS,
)
"""What these checks call beside what `status` reads."""
_ENABLED = ("ENABLED", "ENABLED_BY_DEFAULT")


def check_identity(case: Case) -> Diagnosis:
    """Whether there are credentials that AWS takes, and whose they are."""
    try:
        cloud = case.cloud()
    except OrderNotifyError as error:
        return Diagnosis.of(CheckState.BROKEN, error)
    source = cloud.credentials.method if cloud.credentials else "none"
    return Diagnosis.ok(f"{cloud.caller}, from {source}")


def check_region(case: Case) -> Diagnosis:
    """Whether the region exists and is enabled; asked of one that always is (AWS-FACTS 33)."""
    cloud = case.place()
    known = boto3.Session().get_available_regions("sns", partition_name=cloud.partition)
    if cloud.region not in known:
        return Diagnosis(
            CheckState.WARNING,
            f"boto3 knows no region {cloud.region}",
            "Correct --region, AWS_REGION or the profile; for a new region: `pip install --upgrade boto3`.",
        )
    status = cloud.client("account").get_region_opt_status(RegionName=cloud.region)["RegionOptStatus"]
    if status not in _ENABLED:
        return Diagnosis(
            CheckState.BROKEN,
            f"{cloud.region} is {status.lower()} for this account",
            f"`aws account enable-region --region-name {cloud.region}` enables it; --region chooses another.",
        )
    return Diagnosis.ok(f"{cloud.region} is enabled")


def check_clock(case: Case) -> Diagnosis:
    """How far this machine's clock is off; AWS tells the time in a refusal too."""
    try:
        ahead = case.cloud().ahead
    except OrderNotifyError as error:
        if not isinstance(error.__cause__, ClientError):
            raise
        ahead = ahead_of_here(error.__cause__.response)
    off = f"{abs(ahead.total_seconds()):.0f} s {'behind' if ahead > timedelta() else 'ahead of'} AWS's"
    if abs(ahead) < CLOCK_WARNING:
        return Diagnosis.ok("as AWS's" if not ahead else off)
    state = CheckState.BROKEN if abs(ahead) >= CLOCK_LIMIT else CheckState.WARNING
    return Diagnosis(
        state,
        f"this machine's clock is {off}; AWS refuses requests that are {CLOCK_LIMIT.seconds // 60} min off",
        "Set it, and let the machine keep it: timedatectl set-ntp true (Linux), or "
        "sudo sntp -sS time.apple.com (macOS).",
    )


def check_rights(case: Case) -> Diagnosis:
    """Whether the caller may do what the commands do, as IAM simulates it."""
    cloud = case.cloud()
    needed = case.needed(cloud, case.settings())
    commands = ", ".join(f"`ordernotify policy {kind}`" for kind in needed)
    try:
        lacks = {kind: actions for kind, actions in lacking(cloud, needed).items() if actions}
    except OrderNotifyError as error:
        return Diagnosis(CheckState.UNCHECKED, error.message, f"{commands} print what is needed.")
    except ClientError as error:
        return Diagnosis(
            CheckState.UNCHECKED,
            f"AWS does not simulate them ({error.response['Error']['Code']}): that takes "
            "iam:SimulatePrincipalPolicy",
            f"{commands} print what is needed.",
        )
    if not lacks:
        return Diagnosis.ok("root has all" if principal(cloud) is None else f"all for {', '.join(needed)}")
    told = "; ".join(f"for {kind}: {_some(actions)}" for kind, actions in lacks.items())
    return Diagnosis(
        # Who only looks after a stack need not be able to make one.
        CheckState.BROKEN if "operate" in lacks else CheckState.WARNING,
        f"by IAM's simulation, {cloud.caller} lacks {told}",
        f"Ask for what {', '.join(f'`ordernotify policy {kind}`' for kind in lacks)} prints.",
    )


def _some(actions: Sequence[str]) -> str:
    more = len(actions) - SHOWN_ACTIONS
    return ", ".join(actions[:SHOWN_ACTIONS]) + (f" and {more} more" if more > 0 else "")


def check_apis(case: Case) -> Diagnosis:
    """Whether another API fits into the region."""
    cloud = case.cloud()
    kind = case.settings().api
    listed = list_apis(cloud, kind)
    counted = [one for one in listed if kind is ApiKind.HTTP or "REGIONAL" in one.endpoint_types]
    detail = f"{len(counted)} of {APIS_QUOTA} {'HTTP' if kind is ApiKind.HTTP else 'regional REST'} APIs"
    exists = any(one.tags.get(STACK_TAG) == case.stack for one in listed)
    other = f"Remove APIs that nobody needs, or use --api {next(one for one in ApiKind if one is not kind)}."
    if len(counted) >= APIS_QUOTA and not exists:
        return Diagnosis(CheckState.BROKEN, f"{detail}: setup could make none", other)
    if len(counted) >= APIS_QUOTA * NEAR:
        return Diagnosis(CheckState.WARNING, detail, other)
    return Diagnosis.ok(detail)


def check_concurrency(case: Case) -> Diagnosis:
    """How many orders can be handled at the same moment: the account's functions share it (AWS-FACTS 19)."""
    cloud = case.cloud()
    settings = case.settings()
    free = cloud.lambda_.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
    remedy = f"Ask for more concurrent executions of Lambda: {QUOTAS_URL}."
    if settings.concurrency:
        reserved = Concurrency(settings, cloud).find()
        more = settings.concurrency - (reserved.state.reserved if reserved else 0)
        if more > 0 and free - more < LEAST_CONCURRENCY:
            return Diagnosis(
                CheckState.BROKEN,
                f"--concurrency {settings.concurrency} would leave {free - more} executions to all other "
                f"functions; AWS leaves them at least {LEAST_CONCURRENCY}",
                f"Give a smaller one. {remedy}",
            )
        return Diagnosis.ok(f"{settings.concurrency} executions at the same time are this function's own")
    detail = f"{free} executions at the same time, shared by all functions without a number of their own"
    if free > LEAST_CONCURRENCY:
        return Diagnosis.ok(detail)
    state = CheckState.WARNING if free else CheckState.BROKEN
    return Diagnosis(state, f"{detail}: more orders at once are refused", remedy)


def check_alarms(case: Case) -> Diagnosis:
    """Whether the stack's alarms fit into the region."""
    cloud = case.cloud()
    settings = case.settings()
    pages = cloud.cloudwatch.get_paginator("describe_alarms").paginate(AlarmTypes=["MetricAlarm"])
    names = {alarm["AlarmName"] for page in pages for alarm in page["MetricAlarms"]}
    own = {settings.names.alarm(watch.what) for watch in watches(settings)}
    detail = f"{len(names)} of {ALARMS_QUOTA} alarms, if the quota was not raised"
    if len(names | own) <= ALARMS_QUOTA * NEAR:
        return Diagnosis.ok(detail)
    return Diagnosis(
        CheckState.WARNING,
        detail,
        f"Remove alarms that nobody needs, or ask for more of CloudWatch: {QUOTAS_URL}.",
    )


CHECK_UPS = (
    CheckUp("credentials", check_identity, Target.AWS),
    CheckUp("region", check_region, Target.AWS),
    CheckUp("clock", check_clock, Target.AWS),
    CheckUp("rights", check_rights, Target.AWS),
    CheckUp("APIs", check_apis, Target.AWS),
    CheckUp("concurrency", check_concurrency, Target.AWS),
    CheckUp("alarms", check_alarms, Target.AWS),
)
