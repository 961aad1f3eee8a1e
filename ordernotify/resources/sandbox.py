"""Why text messages vanish without an error: sandbox, spend limit, US numbers (AWS-FACTS 14, 32)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from botocore.exceptions import BotoCoreError, ClientError

from ordernotify.aws.session import Cloud
from ordernotify.iam.calls import Calls, allow
from ordernotify.settings.names import Target

SANDBOX_URL = "https://docs.aws.amazon.com/sns/latest/dg/sns-sms-sandbox.html"
SPEND_URL = "https://docs.aws.amazon.com/sns/latest/dg/channels-sms-awssupport-spend-threshold.html"
ORIGINATION_URL = "https://docs.aws.amazon.com/sns/latest/dg/channels-sms-originating-identities.html"
NEW_ACCOUNTS_SPEND_LIMIT = "1"
"""In US dollars a month, where none was set."""
SMS_CALLS: Calls = (
    allow(
        "sns",
        *("GetSMSSandboxAccountStatus", "ListSMSSandboxPhoneNumbers", "GetSMSAttributes"),
        on="*",
        optional=True,
    ),
)
"""What the checks call; IAM knows no resource for it."""
_UNANSWERED = (ClientError, BotoCoreError, NotImplementedError)
"""NotImplementedError: moto, inside this process."""


def sms_notices(cloud: Cloud, phones: Sequence[str]) -> Iterator[str]:
    """Say why some of these phones may get nothing, and what to do; nothing on the embedded cloud."""
    if not phones or cloud.target is Target.LOCAL:
        return
    sandbox = sandbox_notice(cloud, phones)
    if sandbox:
        yield sandbox
    with suppress(*_UNANSWERED):
        yield spend_notice(cloud, monthly_spend_limit(cloud))
    if any(phone.startswith("+1") for phone in phones):
        yield (
            "Numbers in the US get text messages only from an origination number of your own, such as a "
            f"toll-free number; without one they get nothing, without an error: {ORIGINATION_URL}"
        )


def monthly_spend_limit(cloud: Cloud) -> str:
    """Read how much may be spent a month, in US dollars; raises ClientError."""
    attributes = cloud.sns.get_sms_attributes(attributes=["MonthlySpendLimit"]).get("attributes", {})
    return attributes.get("MonthlySpendLimit", NEW_ACCOUNTS_SPEND_LIMIT)


def spend_notice(cloud: Cloud, limit: str) -> str:
    """Say what the limit means, and where it is raised."""
    return (
        f"This account may spend {limit} USD a month on text messages in {cloud.region}; beyond that, "
        f"SNS sends none, without an error. To raise it: {SPEND_URL}"
    )


def sandbox_notice(cloud: Cloud, phones: Sequence[str]) -> str | None:
    """Say which of the phones get nothing because the account is in the SMS sandbox, and what to do.

    None if every phone gets its messages, or if AWS does not say (no permission, or an emulator): this check
    never fails a command.
    """
    if not phones or cloud.target is Target.LOCAL:
        return None
    try:
        if not cloud.sns.get_sms_sandbox_account_status()["IsInSandbox"]:
            return None
    except _UNANSWERED:
        return None
    verified = _verified(cloud)
    unverified = [phone for phone in phones if verified is None or phone not in verified]
    if not unverified:
        return None
    doubt = " (AWS does not say which numbers are verified)" if verified is None else ""
    which = f"--region {cloud.region} --phone-number {unverified[0]}"
    return (
        f"This account is in the SMS sandbox of {cloud.region}: only verified numbers get text messages, the "
        f"others nothing, without an error. Not verified{doubt}: {', '.join(unverified)}. "
        f"To verify one: aws sns create-sms-sandbox-phone-number {which}, "
        f"then aws sns verify-sms-sandbox-phone-number {which} --one-time-password <the code it got>. "
        f"To leave the sandbox: {SANDBOX_URL}"
    )


def _verified(cloud: Cloud) -> set[str] | None:
    try:
        pages = cloud.sns.get_paginator("list_sms_sandbox_phone_numbers").paginate()
        return {
            phone.get("PhoneNumber", "")
            for page in pages
            for phone in page["PhoneNumbers"]
            if phone.get("Status") == "Verified"
        }
    except _UNANSWERED:
        return None
