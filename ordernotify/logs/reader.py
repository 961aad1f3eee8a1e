"""One way to read log events that are there already; following new ones is in `follow`."""

from __future__ import annotations

from collections.abc import Iterator

from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import Clock, SystemClock
from ordernotify.iam.calls import Calls, allow
from ordernotify.logs.events import BackOff, GroupMissingError, GroupReader, LogEvent
from ordernotify.settings.names import Names


def function_calls(cloud: Cloud, names: Names) -> Calls:
    """What reading the function's log group calls."""
    group = cloud.arn("logs", f"log-group:{names.log_group}:*")
    return (allow("logs", "FilterLogEvents", on=group),)


def function_events(
    cloud: Cloud, names: Names, since: int, pattern: str = "", clock: Clock | None = None
) -> Iterator[LogEvent]:
    """Yield the function's events since a time (ms since 1970), oldest first, from every page.

    `pattern` is a CloudWatch filter pattern. A log group that does not exist has no events.
    Raises AwsError.
    """
    reader = GroupReader(cloud.logs, "function", names.log_group, BackOff(clock or SystemClock()))
    try:
        for page in reader.pages(since, pattern=pattern):
            yield from page.events
    except GroupMissingError:
        return
