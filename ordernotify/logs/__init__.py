"""Read and follow the log events of a stack without losing any (AWS-FACTS "CloudWatch Logs")."""

from ordernotify.logs.events import (
    SOURCES,
    BackOff,
    GroupReader,
    LogEvent,
    calls,
    is_transient_or_offline,
    log_groups,
)
from ordernotify.logs.filters import ErrorLines, OrderLines, TextLines, find_order_events
from ordernotify.logs.follow import Follower, LogReader
from ordernotify.logs.live import LiveTail, follow_live

__all__ = [
    "SOURCES",
    "BackOff",
    "ErrorLines",
    "Follower",
    "GroupReader",
    "LiveTail",
    "LogEvent",
    "LogReader",
    "OrderLines",
    "TextLines",
    "calls",
    "find_order_events",
    "follow_live",
    "is_transient_or_offline",
    "log_groups",
]
