"""Mailboxes that SNS suspends when too many notifications a second come (AWS-FACTS 22)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ordernotify.aws.session import Cloud
from ordernotify.resources.listing import Subscription
from ordernotify.resources.subscriber import read_subscribers
from ordernotify.settings.model import NO_LIMIT, Settings
from ordernotify.settings.names import Target

MESSAGES_A_SECOND = 10
"""The most that one email subscription takes; the limit is hard (AWS-FACTS 22)."""
THROTTLED_RATE = THROTTLED_BURST = 5
"""The API's throttle by default: in any second it admits the burst and what the rate adds, 10 together."""
PROTOCOLS = frozenset({"email", "email-json"})


def find_mailboxes(cloud: Cloud, subscriptions: Iterable[Subscription]) -> frozenset[str]:
    """Return the addresses that get every notification by email; none on the embedded cloud.

    A pending one counts: it may be confirmed at any moment. A filter policy keeps the most away.
    """
    if cloud.target is not Target.AWS:
        return frozenset()
    emails = [one for one in subscriptions if one.protocol in PROTOCOLS]
    return frozenset(one.endpoint for one in read_subscribers(cloud, emails) if not one.filter_policy)


def throttled_by_default(settings: Settings, cloud: Cloud, mailboxes: frozenset[str]) -> bool:
    """Whether the API gets a throttle that nobody asked for, for the mailboxes' sake."""
    return settings.rate is None and cloud.target is Target.AWS and bool(mailboxes)


def notes_on_mailboxes(settings: Settings, cloud: Cloud, mailboxes: frozenset[str]) -> Iterator[str]:
    """Say what the API's throttle, or its absence, means for the mailboxes."""
    if cloud.target is not Target.AWS or not mailboxes:
        return
    whose = ", ".join(sorted(mailboxes))
    if settings.rate is None:
        yield (
            f"The API admits {THROTTLED_RATE} orders a second (burst {THROTTLED_BURST}), because {whose} "
            f"gets each by email and {suspension()}. --rate and --burst change it; --rate {NO_LIMIT} lifts it"
        )
    elif not settings.rate or settings.rate + (settings.burst or 0) > MESSAGES_A_SECOND:
        yield (
            f"Risk: {suspension()}. With --rate {settings.rate or NO_LIMIT}, a stranger who sends "
            f"{MESSAGES_A_SECOND + 1} orders a second silences {whose}. Without --rate, the API admits "
            f"{THROTTLED_RATE} a second; a filter policy or a queue in between helps too"
        )


def suspension() -> str:
    """Say what happens to a mailbox that gets too much."""
    return (
        f"SNS suspends a mailbox that gets more than {MESSAGES_A_SECOND} notifications a second: it falls "
        "back to pending, and is removed after 48 hours"
    )
