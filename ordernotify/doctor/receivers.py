"""Checks of those who get the notifications: text messages, and who has not confirmed."""

from __future__ import annotations

import shlex
from contextlib import suppress

from ordernotify.doctor.case import Case, CheckState, CheckUp, Diagnosis
from ordernotify.errors import StackNotFoundError
from ordernotify.resources import sandbox
from ordernotify.resources.listing import is_internal
from ordernotify.resources.subscriber import Subscriber, read_subscribers
from ordernotify.resources.suspension import PROTOCOLS
from ordernotify.settings.names import Target
from ordernotify.subscribers.confirm import renewal
from ordernotify.subscribers.topic import open_topic


def _subscribers(case: Case) -> list[Subscriber]:
    """Read who gets the notifications, and who hears of alarms, which is nobody without an alarm address."""
    cloud = case.cloud()
    names = case.find_names(cloud)
    listed = [*open_topic(cloud, names, case.stack).subscriptions]
    with suppress(StackNotFoundError):
        listed += open_topic(cloud, names, case.stack, names.alarm_topic).subscriptions
    return list(
        read_subscribers(cloud, (one for one in listed if not is_internal(cloud, names, one.endpoint)))
    )


def check_text_messages(case: Case) -> Diagnosis:
    """Whether SNS sends the text messages (AWS-FACTS 14, 32)."""
    cloud = case.cloud()
    phones = set(case.settings().phones)
    with suppress(StackNotFoundError):
        phones |= {one.endpoint for one in case.once(_subscribers) if one.protocol == "sms"}
    if not phones:
        return Diagnosis.ok("nobody gets text messages")
    inside = cloud.sns.get_sms_sandbox_account_status()["IsInSandbox"]
    unverified = sandbox.sandbox_notice(cloud, sorted(phones)) if inside else None
    if unverified:
        return Diagnosis(CheckState.BROKEN, unverified)
    limit = sandbox.monthly_spend_limit(cloud)
    notice = sandbox.spend_notice(cloud, limit)
    if float(limit) <= float(sandbox.NEW_ACCOUNTS_SPEND_LIMIT):
        return Diagnosis(CheckState.WARNING, notice)
    return Diagnosis.ok(notice)


def check_subscribers(case: Case) -> Diagnosis:
    """Whether somebody gets the notifications, and everybody has confirmed (AWS-FACTS 13, 22)."""
    everybody = case.once(_subscribers)
    pending = [one.endpoint for one in everybody if one.pending]
    if pending:
        return Diagnosis(
            CheckState.WARNING,
            f"not confirmed, and so without notifications: {', '.join(pending)}",
            "`ordernotify confirm LINK` with the link of AWS's email; "
            f"`ordernotify subscribe {shlex.join(pending)}` asks again.",
        )
    if not everybody:
        return Diagnosis(
            CheckState.WARNING, "nobody gets the notifications", "`ordernotify subscribe you@example.com`."
        )
    mailboxes = [one for one in everybody if one.protocol in PROTOCOLS and one.readable]
    opened = [one.endpoint for one in mailboxes if not one.authenticated]
    if opened:
        return Diagnosis(
            CheckState.WARNING,
            f"confirmed by opening the link: a mail scanner may unsubscribe {', '.join(opened)}",
            f"To make it last: {renewal(opened[0])}.",
        )
    return Diagnosis.ok(f"{len(everybody)}, all confirmed")


CHECK_UPS = (
    CheckUp("text messages", check_text_messages, Target.AWS),
    CheckUp("subscribers", check_subscribers),
)
