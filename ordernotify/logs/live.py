"""StartLiveTail, completed by the look-back query, so that nothing is missed.

A live tail is fast and lossy: above 500 events a second it samples, it never sends what came before it
began, and it ends after 3 hours. So it only brings events forward; the query remains what decides.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from botocore.exceptions import ClientError
from urllib3.exceptions import HTTPError

from ordernotify.aws.errors import error_code, map_botocore_errors
from ordernotify.aws.waiting import Clock
from ordernotify.errors import AwsError
from ordernotify.logs.events import BackOff, LogEvent, content_digest, is_transient_or_offline
from ordernotify.logs.follow import DEEP_LOOK_BACK_SECONDS, POLL_SECONDS, Follower

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_logs.type_defs import LiveTailSessionUpdateTypeDef

MAX_RECONCILE_SECONDS = 10.0
"""The longest pause between two queries while the live tail is complete."""
TICK_SECONDS = 0.2
_AWS_HOSTS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")
_ENDED = {"SessionTimeoutException", "SessionStreamingException", "ResourceNotFoundException"}
_BUCKET_MS = 10_000
_LIVE, _QUERY = 0, 1


@dataclass(frozen=True, slots=True)
class LiveBatch:
    """What the live tail brought since the last look."""

    events: tuple[LogEvent, ...] = ()
    complete: bool = True
    """False if some may be missing: sampled, not connected, or a source is not part of the session."""


class Tail(Protocol):
    """What follow_live listens to; LiveTail, or a test's own."""

    def drain(self) -> LiveBatch:
        """Take what arrived, without waiting."""
        ...

    def close(self) -> None:
        """End the session."""
        ...


class _Counted:
    """Tells which events are new where they come in two ways, and only one of them carries ids.

    Equal lines of one stream and millisecond are counted: as many are shown as the way that had more of them.
    """

    def __init__(self) -> None:
        self._counts: dict[int, dict[str, list[int]]] = {}

    def new_ones(self, events: Iterable[LogEvent], way: int) -> list[LogEvent]:
        new = [event for event in events if self._add(event, way)]
        return sorted(new, key=lambda event: event.order)

    def _add(self, event: LogEvent, way: int) -> bool:
        bucket = self._counts.setdefault(event.timestamp // _BUCKET_MS, {})
        digest = event.source + content_digest(event.stream, event.timestamp, event.message)
        counts = bucket.setdefault(digest, [0, 0])
        counts[way] += 1
        return counts[way] > counts[1 - way]

    def forget_before(self, timestamp: int) -> None:
        for bucket in [bucket for bucket in self._counts if (bucket + 1) * _BUCKET_MS <= timestamp]:
            del self._counts[bucket]


def follow_live(follower: Follower, tail: Tail, clock: Clock) -> Iterator[LogEvent]:
    """Yield each event once: from the live tail at once, and from the query what the live tail left out."""
    counted = _Counted()
    due = clock.now()
    complete = True
    try:
        while True:
            batch = tail.drain()
            complete &= batch.complete
            yield from counted.new_ones(batch.events, _LIVE)
            if clock.now() >= due:
                began = clock.now()
                for found in follower.poll_by_page():
                    batch = tail.drain()
                    complete &= batch.complete
                    yield from counted.new_ones(batch.events, _LIVE)
                    yield from counted.new_ones(found, _QUERY)
                due = clock.now() + _pause(clock.now() - began, complete)
                complete = True
                # Twice the look-back: the query forgets an event before its count is forgotten.
                counted.forget_before(follower.complete_to - int(2000 * DEEP_LOOK_BACK_SECONDS))
            elif not complete:
                due = min(due, clock.now() + POLL_SECONDS)
            clock.sleep(TICK_SECONDS)
    finally:
        tail.close()


def _pause(poll_took: float, complete: bool) -> float:
    """How long to rest from the query: four times as long as it took, while the live tail is complete."""
    return max(POLL_SECONDS, min(4 * poll_took, MAX_RECONCILE_SECONDS)) if complete else POLL_SECONDS


class LiveTail:
    """A live tail session in a thread of its own; reopened whenever it ends."""

    def __init__(
        self,
        client: CloudWatchLogsClient,
        groups: Mapping[str, str],
        clock: Clock,
        tell: Callable[[str], None] = lambda _message: None,
    ) -> None:
        """Take the groups by source. No call is made before start()."""
        self._client = client
        self._groups = groups
        self._tell = tell
        self._back_off = BackOff(clock, is_transient_or_offline, give_up_after=None)
        self._arrived: SimpleQueue[LogEvent] = SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._sampled = False
        self._listening: frozenset[str] = frozenset()
        host = urlsplit(client.meta.endpoint_url).hostname or ""
        if not host.endswith(_AWS_HOSTS):
            # AWS serves live tails from the host stream-logs…; another endpoint has no such host.
            client.meta.config.inject_host_prefix = False

    def start(self) -> LiveTail:
        """Begin to listen."""
        threading.Thread(target=self._listen, name="live-tail", daemon=True).start()
        return self

    def drain(self) -> LiveBatch:
        """Take what arrived, without waiting."""
        with self._lock:
            complete = self._listening == set(self._groups) and not self._sampled
            self._sampled = False
        events = []
        while True:
            try:
                events.append(self._arrived.get_nowait())
            except Empty:
                return LiveBatch(tuple(events), complete)

    def close(self) -> None:
        """End the session; the thread ends with the next update."""
        self._closed = True

    def _listen(self) -> None:
        while not self._closed:
            try:
                self._session()
            except (HTTPError, OSError):
                pass  # cut off in the middle of the stream
            except AwsError as error:
                if not _may_reopen(error.__cause__):
                    self._tell(f"{error.message}; asking every second instead")
                    return
            finally:
                with self._lock:
                    self._listening = frozenset()
            if not self._closed:
                self._back_off.wait()

    def _session(self) -> None:
        with map_botocore_errors("start", "live tail"):
            arns = self._arns()
            if not arns:
                return
            answer = self._client.start_live_tail(logGroupIdentifiers=list(arns))
            with closing(answer["responseStream"]) as stream:
                for part in stream:
                    if self._closed:
                        return
                    if "sessionStart" in part:
                        with self._lock:
                            self._listening = frozenset(arns.values())
                    if "sessionUpdate" in part:
                        self._back_off.reset()
                        self._take(part["sessionUpdate"], arns)

    def _arns(self) -> dict[str, str]:
        """The sources by the ARN of their group, for the groups that exist; without the `:*` at the end."""
        found = {}
        for source, group in self._groups.items():
            pages = self._client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=group)
            for described in (each for page in pages for each in page["logGroups"]):
                if described.get("logGroupName") == group:
                    found[described.get("arn", "").removesuffix(":*")] = source
        return found

    def _take(self, update: LiveTailSessionUpdateTypeDef, arns: Mapping[str, str]) -> None:
        for event in _events(update, arns):
            self._arrived.put(event)
        if update.get("sessionMetadata", {}).get("sampled"):
            with self._lock:
                self._sampled = True


def _may_reopen(cause: BaseException | None) -> bool:
    if isinstance(cause, ClientError) and error_code(cause) in _ENDED:
        return True
    return isinstance(cause, Exception) and is_transient_or_offline(cause)


def _events(update: LiveTailSessionUpdateTypeDef, arns: Mapping[str, str]) -> Iterable[LogEvent]:
    for result in update.get("sessionResults", []):
        timestamp = result.get("timestamp", 0)
        stream = result.get("logStreamName", "")
        message = result.get("message", "").rstrip("\r\n")
        yield LogEvent(
            source=_source(result.get("logGroupIdentifier", ""), arns),
            stream=stream,
            timestamp=timestamp,
            ingestion=result.get("ingestionTime", timestamp),
            message=message,
            event_id=f"{timestamp}-{content_digest(stream, timestamp, message)}",
        )


def _source(identifier: str, arns: Mapping[str, str]) -> str:
    # AWS answers with `account:group` or the ARN.
    group = identifier.rsplit(":", 1)[-1]
    named: Sequence[str] = [source for arn, source in arns.items() if arn.rsplit(":", 1)[-1] == group]
    return named[0] if named else next(iter(arns.values()))
