"""Opening a stack's logs: to read what is there, to follow what comes, to tell the story of one order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta

from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import Clock, SystemClock
from ordernotify.logs.events import log_groups
from ordernotify.logs.filters import find_order_events
from ordernotify.logs.follow import Follower
from ordernotify.logs.ranges import LogReader
from ordernotify.logs.reader import BackOff, GroupReader, is_transient_or_offline
from ordernotify.logs.trace import Trace, trace_order
from ordernotify.settings.names import Names
from ordernotify.times import milliseconds

STORY_AGE = timedelta(days=30)
"""For an order that is not in the table: the time for which logs are kept by default."""


def open_reader(cloud: Cloud, names: Names, stack: str, source: str | None = None) -> LogReader:
    return LogReader(list(_readers(cloud, names, source, lambda: BackOff(SystemClock()))), stack)


def open_follower(
    cloud: Cloud,
    names: Names,
    since: int,
    tell: Callable[[str], None],
    source: str | None = None,
    clock: Clock | None = None,
    *,
    patient: bool = True,
) -> Follower:
    """Make the follower of one source, or of both, from `since` (ms since 1970).

    A patient one survives lost connections, and `tell` hears what it waits for; another raises AwsError.
    """
    clock = clock or SystemClock()
    waits = None if patient else 0.0
    readers = _readers(cloud, names, source, lambda: BackOff(clock, is_transient_or_offline, waits, tell))
    return Follower(list(readers), since, clock, lambda: cloud.now().timestamp(), tell)


def _readers(
    cloud: Cloud, names: Names, source: str | None, back_off: Callable[[], BackOff]
) -> Iterable[GroupReader]:
    client = cloud.logs
    for name, group in log_groups(names).items():
        if source in (None, name):
            yield GroupReader(client, name, group, back_off())


def read_story(cloud: Cloud, names: Names, stack: str, order_id: str, since: int | None = None) -> Trace:
    """Tell one order's story from the table and the logs, as `trace_order` does.

    Raises StackNotFoundError if there is no table, AwsError.
    """
    reader = open_reader(cloud, names, stack)
    return trace_order(
        cloud,
        names,
        order_id,
        lambda order, first: find_order_events(reader.read, order, first, None),
        since,
        milliseconds(cloud.now() - STORY_AGE),
    )
