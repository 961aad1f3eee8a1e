"""One log group's events: every page, in AWS's order, with ids that are the same in every reading."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Protocol

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from ordernotify.aws.errors import error_code, is_throttled, map_botocore_errors
from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import Clock, SystemClock
from ordernotify.iam.calls import Calls, allow
from ordernotify.logs.events import LogEvent
from ordernotify.settings.names import Names

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_logs.type_defs import (
        FilterLogEventsRequestTypeDef,
        FilterLogEventsResponseTypeDef,
    )

FULL_PAGE = 10_000
"""The most events that FilterLogEvents returns at once."""
FIRST_BACK_OFF_SECONDS = 1.0
MAX_BACK_OFF_SECONDS = 15.0
GIVE_UP_SECONDS = 60.0
"""How long reading without following waits when throttled, beyond botocore's own retries."""


class GroupMissingError(Exception):
    """The log group does not exist (yet)."""


@dataclass(frozen=True, slots=True)
class LogPage:
    """One answer of FilterLogEvents. May be empty although more pages follow."""

    events: tuple[LogEvent, ...] = ()
    waiting: bool = False
    """No answer: AWS asked for slower calls, and the reader is about to wait. Show what you have."""
    server_time: int | None = None
    """Milliseconds since 1970 by AWS's clock, which stamps the events; this machine's may be wrong."""


def is_transient(error: Exception) -> bool:
    """Whether the same call may succeed later: throttled, or a failure inside AWS."""
    if not isinstance(error, ClientError):
        return False
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return is_throttled(error) or status >= 500


def is_transient_or_offline(error: Exception) -> bool:
    """Like is_transient, and also for a lost connection: a follower survives it."""
    return is_transient(error) or isinstance(error, ConnectionError | HTTPClientError)


@dataclass(slots=True)
class BackOff:
    """Waits 1, 2, 4… seconds, never more than MAX_BACK_OFF_SECONDS; a success starts again at 1."""

    clock: Clock
    transient: Callable[[Exception], bool] = is_transient
    give_up_after: float | None = GIVE_UP_SECONDS
    """Seconds of waiting in a row; None never gives up."""
    tell: Callable[[str], None] = lambda _message: None
    _failures: int = 0
    _waited: float = 0.0

    def may_repeat(self, error: Exception) -> bool:
        """Whether to wait and make the call again."""
        return self.transient(error) and (self.give_up_after is None or self._waited < self.give_up_after)

    def wait(self, cause: Exception | None = None) -> None:
        """Sleep before the next try; tell why when it takes more than one."""
        if self._failures == 1 and cause:
            self.tell(f"{cause}; trying again")
        pause = min(FIRST_BACK_OFF_SECONDS * 2 ** min(self._failures, 16), MAX_BACK_OFF_SECONDS)
        self._failures += 1
        self._waited += pause
        self.clock.sleep(pause)

    def reset(self) -> None:
        self._failures = 0
        self._waited = 0.0


class PageSource(Protocol):
    """What reads one source; GroupReader, or a test's own."""

    @property
    def source(self) -> str:
        """`function` or `api`."""
        ...

    def pages(self, start: int, end: int | None = None, pattern: str = "") -> Iterator[LogPage]:
        """Yield the pages between two times in milliseconds since 1970, both inclusive."""
        ...


@dataclass(frozen=True, slots=True)
class GroupReader:
    """Reads one log group."""

    client: CloudWatchLogsClient
    source: str
    group: str
    back_off: BackOff

    def pages(self, start: int, end: int | None = None, pattern: str = "") -> Iterator[LogPage]:
        """Yield every page of the events between two times, and a `waiting` page before each back-off.

        Times in milliseconds since 1970, both inclusive; `pattern` is a CloudWatch filter pattern.
        Raises GroupMissingError, or AwsError for what waiting does not cure.
        """
        request: FilterLogEventsRequestTypeDef = {"logGroupName": self.group, "startTime": start}
        if end is not None:
            request["endTime"] = end
        if pattern:
            request["filterPattern"] = pattern
        ids = _Ids()
        more = True
        while more:
            answer = self._ask(request)
            if isinstance(answer, Exception):
                yield LogPage(waiting=True)
                self.back_off.wait(answer)
                continue
            self.back_off.reset()
            yield LogPage(tuple(self._events(answer, ids)), server_time=_server_time(answer))
            more = _turn_page(request, answer, ids)

    def _ask(self, request: FilterLogEventsRequestTypeDef) -> FilterLogEventsResponseTypeDef | Exception:
        with map_botocore_errors("read", "log group", self.group):
            try:
                return self.client.filter_log_events(**request)
            except (ClientError, ConnectionError, HTTPClientError) as error:
                if isinstance(error, ClientError) and error_code(error) == "ResourceNotFoundException":
                    raise GroupMissingError(self.group) from error
                if not self.back_off.may_repeat(error):
                    raise
                return error

    def _events(self, answer: FilterLogEventsResponseTypeDef, ids: _Ids) -> Iterable[LogEvent]:
        events = answer["events"]
        if events:
            ids.forget_before(events[0].get("timestamp", 0))
        for event in events:
            stream, timestamp = event.get("logStreamName", ""), event.get("timestamp", 0)
            message = event.get("message", "").rstrip("\r\n")
            yield LogEvent(
                source=self.source,
                stream=stream,
                timestamp=timestamp,
                ingestion=event.get("ingestionTime", timestamp),
                message=message,
                event_id=event.get("eventId") or ids.make(stream, timestamp, message),
            )


@dataclass(slots=True)
class _Ids:
    """Makes ids for events that come without one (AWS-FACTS, MiniStack): stable across readings.

    Equal lines of the same millisecond and stream are told apart by their position among each other.
    """

    _equals: Counter[tuple[int, str]] = field(default_factory=Counter)

    def forget_before(self, timestamp: int) -> None:
        """Drop the counts of earlier lines: MiniStack, which needs these ids, has its pages in order."""
        self._keep(lambda at: at >= timestamp)

    def make(self, stream: str, timestamp: int, message: str) -> str:
        content = f"{stream}\0{timestamp}\0{message}".encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(content, digest_size=12).hexdigest()
        position = self._equals[timestamp, digest]
        self._equals[timestamp, digest] += 1
        return f"{timestamp}-{digest}-{position}"

    def read_again_from(self, timestamp: int) -> None:
        """Forget the counts of this time and later: these lines are about to be read again."""
        self._keep(lambda at: at < timestamp)

    def _keep(self, wanted: Callable[[int], bool]) -> None:
        self._equals = Counter({key: count for key, count in self._equals.items() if wanted(key[0])})


def _turn_page(
    request: FilterLogEventsRequestTypeDef, answer: FilterLogEventsResponseTypeDef, ids: _Ids
) -> bool:
    """Make `request` ask for the page after `answer`; False if that was the last."""
    token = answer.get("nextToken")
    if token:
        request["nextToken"] = token
        return True
    events = answer["events"]
    if len(events) < FULL_PAGE:
        return False
    # MiniStack returns no token after a full page. Reading on from the last timestamp repeats that
    # millisecond's events, which their ids reveal; reading on after it would lose some.
    first, last = events[0].get("timestamp", 0), events[-1].get("timestamp", 0)
    request.pop("nextToken", None)
    request["startTime"] = last if last > first else last + 1
    ids.read_again_from(request["startTime"])
    return "endTime" not in request or request["startTime"] <= request["endTime"]


def _server_time(answer: FilterLogEventsResponseTypeDef) -> int | None:
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        return int(parsedate_to_datetime(date).timestamp() * 1000)
    except (ValueError, TypeError):
        return None


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
