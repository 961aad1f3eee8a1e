"""What a setup made that was cut off a moment ago: AWS may not know it yet when teardown looks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from ordernotify import provision
from ordernotify.aws.waiting import Patience, SystemClock
from ordernotify.errors import WaitTimeoutError
from ordernotify.executor import Plan
from ordernotify.resources.base import Resource
from ordernotify.resources.listing import NEW_TOPIC_SECONDS
from ordernotify.settings.names import Target


def look_again(resources: Sequence[Resource[Any]], removed: Plan, tell: Callable[[str], None]) -> Plan:
    """Plan the removal of what the first look did not show, after the plan `removed` was carried out.

    Where a part of every stack was not shown, its setup may have been cut off a moment ago: such a part is
    waited for as long as AWS may not know it (AWS-FACTS 24, 34). Else one look is enough: by the time that a
    stack is whole, all of it is known.
    """
    shown = {item.key for item in removed.items}
    unseen = [one for one in resources if one.unknown_when_new and one.key not in shown]
    if not unseen or unseen[0].cloud.target is Target.LOCAL:
        return Plan(())
    missing = {one.key for one in unseen if one.wanted}
    looks = [Plan(())]

    def all_are_known() -> bool:
        looks.append(provision.plan_teardown(unseen, delete_orders=False))
        return missing <= {item.key for item in looks[-1].items}

    patience = Patience(SystemClock(), tell)
    with suppress(WaitTimeoutError):
        patience.until(all_are_known, waiting_for="what was made a moment ago", timeout=NEW_TOPIC_SECONDS)
    return looks[-1]
