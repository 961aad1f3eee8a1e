"""`logs` and `trace`: what the function and the API wrote, and what happened to one order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from ordernotify.cli import app
from ordernotify.cli.options import JsonOption, option
from ordernotify.cli.run import Run, command
from ordernotify.errors import EXIT_FAILED, UsageError

if TYPE_CHECKING:
    from ordernotify.aws.session import Cloud
    from ordernotify.logs.events import LogEvent
    from ordernotify.logs.ranges import LogReader
    from ordernotify.settings.names import Names

FOLLOW_SINCE = "10m"
RANGE_SINCE = "1h"


class LogSource(StrEnum):
    """Where a log line comes from."""

    FUNCTION = "function"
    API = "api"


FollowOption = Annotated[bool, option("--follow", "-f", help="Show new lines until Ctrl-C.")]
_SINCE_HELP = "From when on: 10m, 2h30m, 1d (ago), or an ISO 8601 time; without a zone it is local."
_SINCE_DEFAULT = f"{RANGE_SINCE}; following: {FOLLOW_SINCE}"
LogSinceOption = Annotated[
    str | None, option("--since", metavar="TIME", help=_SINCE_HELP, show_default=_SINCE_DEFAULT)
]
UntilOption = Annotated[
    str | None, option("--until", metavar="TIME", help="Until when, as --since.", show_default="now")
]
FilterOption = Annotated[
    str | None, option("--filter", metavar="TEXT", help="Only lines with this text, in any case.")
]
_ERRORS_HELP = "Only errors: their level, status 5xx, tracebacks."
ErrorsOption = Annotated[bool, option("--errors", help=_ERRORS_HELP)]
_ORDER_HELP = "Only the lines of every request that touched this order: its id, or the first 8 characters."
OrderOption = Annotated[str | None, option("--order", metavar="ID", help=_ORDER_HELP)]
_SOURCE_HELP = "Only this source: function or api."
SourceOption = Annotated[
    LogSource | None, option("--source", metavar="SOURCE", help=_SOURCE_HELP, show_default="both")
]
_PLATFORM_HELP = "Also Lambda's own lines: START, END, REPORT and the like."
PlatformOption = Annotated[bool, option("--platform", help=_PLATFORM_HELP)]
LogLimitOption = Annotated[
    int | None,
    option("--limit", "-n", min=1, metavar="N", help="Only the newest N lines.", show_default="all"),
]
RawOption = Annotated[bool, option("--raw", help="Print the lines exactly as they were logged.")]
_TRACE_SINCE_HELP = "Read the logs from when on: 10m, 1d (ago), or an ISO 8601 time."
_TRACE_SINCE_DEFAULT = "a minute before the order"
TraceSinceOption = Annotated[
    str | None, option("--since", metavar="TIME", help=_TRACE_SINCE_HELP, show_default=_TRACE_SINCE_DEFAULT)
]


@command(app, "logs")
def logs(
    run: Run,
    follow: FollowOption = False,
    since: LogSinceOption = None,
    until: UntilOption = None,
    filter_text: FilterOption = None,
    errors: ErrorsOption = False,
    order: OrderOption = None,
    source: SourceOption = None,
    platform: PlatformOption = False,
    limit: LogLimitOption = None,
    raw: RawOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show the function's and the API's log lines; -f goes on with new ones and misses none.

    A request and its response have a line each, with what a person looks for; --verbose and --json show
    every field. Lambda's own lines are shown with --platform, and if they report an error.

    Lines reach CloudWatch late and out of order. Following looks back at every poll, so that late lines are
    shown too; they come in the order of their arrival. Without -f the lines are in the order of their times.
    --filter, --errors and --order look at the text itself and mean the same on every cloud; only --order
    without -f lets CloudWatch search. Ctrl-C ends following with the exit status 0.

    Example: ordernotify logs -f --errors

    Example: ordernotify logs --since 2d --order 0b8f7a52
    """
    _refuse_both({"--until": until, "--follow": follow})
    _refuse_both({"--limit": limit, "--follow": follow})
    _refuse_both({"--raw": raw, "--json": as_json})
    if order is not None:
        _refuse_empty(order)
    first = since or (FOLLOW_SINCE if follow else RANGE_SINCE)
    from ordernotify import render, times
    from ordernotify.logs.filters import chosen
    from ordernotify.logs.opening import open_follower, open_reader
    from ordernotify.render.logs import LinePrinter

    times.parse_range(first, until, times.now())
    printer = LinePrinter(as_json=as_json, raw=raw, following=follow, now=times.now, every_field=run.verbose)
    cloud, names = run.open()
    order = _full_id(cloud, names, order) if order else None
    start, end = _by_awss_clock(cloud, first, until)
    if follow:
        events = open_follower(cloud, names, start, render.note, source).follow()
    else:
        events = _range(open_reader(cloud, names, run.stack, source), start, end, order)
    shown = 0
    found = chosen(events, order if follow else None, filter_text, errors=errors, platform=platform)
    try:
        for event in deque(found, limit) if limit else found:
            printer.show(event)
            shown += 1
    except KeyboardInterrupt:
        if not follow:
            raise
    if not follow and not shown:
        own = "" if platform else ", --platform shows Lambda's own lines too"
        render.note(f"No such line since {since or RANGE_SINCE}; --since 7d looks further back{own}.")


def _refuse_both(options: Mapping[str, object]) -> None:
    if all(options.values()):
        raise UsageError(f"{' and '.join(options)} exclude each other", "Leave one of them out.")


def _refuse_empty(order_id: str) -> None:
    if not order_id.strip():
        raise UsageError("the order id is empty", "Give the id that the answer to the order had.")


def _full_id(cloud: Cloud, names: Names, order_id: str) -> str:
    from ordernotify.orders.query import full_id

    return full_id(cloud, names, order_id.strip())


def _by_awss_clock(cloud: Cloud, since: str, until: str | None) -> tuple[int, int | None]:
    """Read the times in milliseconds since 1970."""
    from ordernotify.times import milliseconds, parse_range

    start, end = parse_range(since, until, cloud.now())
    return milliseconds(start) if start else 0, milliseconds(end) if end else None


def _range(reader: LogReader, start: int, end: int | None, order: str | None) -> Iterator[LogEvent]:
    from ordernotify.logs.filters import find_order_events

    if order is None:
        return reader.read(start, end)
    return iter(find_order_events(reader.read, order, start, end))


@command(app, "trace")
def trace(
    run: Run,
    order_id: Annotated[str, typer.Argument(metavar="ID", help="The order's id, or its first 8 characters.")],
    since: TraceSinceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell one order's story: received, validated, stored, published, answered; and what is missing.

    The times come from the function's log lines, and from the table where there are none. The exit status
    is 1 if neither the table nor the logs know the order.

    Example: ordernotify trace 0b8f7a52
    """
    _refuse_empty(order_id)
    from ordernotify import times

    times.parse_range(since, None, times.now())
    from ordernotify.logs.opening import read_story
    from ordernotify.render import json_document
    from ordernotify.render.logs import show_trace, trace_json

    cloud, names = run.open()
    start = _by_awss_clock(cloud, since, None)[0] if since else None
    story = read_story(cloud, names, run.stack, _full_id(cloud, names, order_id), start)
    if as_json:
        json_document(trace_json(story))
    else:
        show_trace(story, times.now())
    if not story.known:
        raise typer.Exit(EXIT_FAILED)
