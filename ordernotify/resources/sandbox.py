"""The SMS sandbox: a new account's text messages vanish without an error (AWS-FACTS 14)."""

from __future__ import annotations

from collections.abc import Sequence

from botocore.exceptions import BotoCoreError, ClientError

from ordernotify.aws.session import Cloud
from ordernotify.iam.calls import Calls, allow
from ordernotify.settings.names import Target

SANDBOX_URL = "https://docs.aws.amazon.com/sns/latest/dg/sns-sms-sandbox.html"
# NotImplementedError: moto, inside this process.
SANDBOX_CALLS: Calls = (
    allow("sns", "GetSMSSandboxAccountStatus", "ListSMSSandboxPhoneNumbers", on="*", optional=True),
)
"""What the check calls; IAM knows no resource for it."""
_UNANSWERED = (ClientError, BotoCoreError, NotImplementedError)


def sandbox_notice(cloud: Cloud, phones: Sequence[str]) -> str | None:
    """Say which of the phones get nothing because the account is in the SMS sandbox, and what to do.

    None if every phone gets its messages, or if AWS does not say (the caller may not ask, or it is an
    emulator): the check helps, and never fails a command.
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
