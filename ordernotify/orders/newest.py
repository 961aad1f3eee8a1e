"""The newest orders of a table that has no index by time: all of it is read for them, within a bound."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import Clock, SystemClock
from ordernotify.orders.attributes import Order, plain_order
from ordernotify.orders.items import scan_counted
from ordernotify.orders.query import OrderQuery, condition_of, name_filter, sorted_orders
from ordernotify.settings.names import TABLE_KEY, Names

MOST_ORDERS = 100_000
"""Reading ends after this many orders, which are some 40 MB."""
MOST_SECONDS = 10.0
_NEWEST_FIRST = "-createdAt"

Tick = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest of the orders that were looked at, and how many those were."""

    orders: Sequence[Order]
    """Newest first."""
    matching: int
    """How many orders meet the query, shown or not."""
    looked_at: int
    seconds: float
    complete: bool
    """Whether the whole table was read; if not, there may be newer ones."""

    @property
    def partly(self) -> int:
        """How many orders were looked at if not all were, otherwise 0."""
        return 0 if self.complete else self.looked_at


def read_newest(
    cloud: Cloud,
    names: Names,
    query: OrderQuery,
    *,
    clock: Clock | None = None,
    progress: Tick = lambda _looked_at: None,
) -> Newest:
    """Find the newest `query.limit` orders that meet the query, whatever its `sort`.

    Ends after MOST_ORDERS or MOST_SECONDS. `progress` is called with the number of orders looked at so far.
    Besides a page of the table it holds no more orders than it returns.
    Raises StackNotFoundError, AwsError.
    """
    clock = clock or SystemClock()
    started, looked_at, matching, complete = clock.now(), 0, 0, True
    matches = name_filter(query)
    newest: list[Order] = []
    for page, scanned in scan_counted(cloud, names, condition_of(query)):
        found = list(filter(matches, map(plain_order, page)))
        newest = sorted_orders(chain(newest, found), _NEWEST_FIRST, query.limit)
        matching += len(found)
        looked_at += scanned
        progress(looked_at)
        if looked_at >= MOST_ORDERS or clock.now() - started >= MOST_SECONDS:
            complete = False
            break
    return Newest(newest, matching, looked_at, clock.now() - started, complete)


class NewestOrders:
    """The newest orders of one table, read once and kept up to date by what is seen; thread-safe."""

    def __init__(self, cloud: Cloud, names: Names, limit: int) -> None:
        """Take the table; nothing is read yet."""
        self._cloud, self._names = cloud, names
        self._query = OrderQuery(limit=limit)
        self._lock = threading.Lock()
        self._known: list[Order] = []
        self._pending: int | None = -1
        self.partly = 0
        """See Newest, of the last reading."""

    def add(self, seen: Iterable[Order]) -> list[Order]:
        """Add orders that the log reported; return all, newest first."""
        with self._lock:
            return self._merge(seen)

    def get(self, seen: Iterable[Order], pending: int | None, *, again: bool) -> list[Order]:
        """Return them newest first, with those that the log reported.

        The table is read again when asked, and when the number of pending notifications changed: then
        orders changed that the log does not report. Raises StackNotFoundError, AwsError.
        """
        with self._lock:
            if again or pending != self._pending:
                newest = read_newest(self._cloud, self._names, self._query)
                self._known, self.partly = list(newest.orders), newest.partly
                self._pending = pending
            return self._merge(seen)

    def _merge(self, seen: Iterable[Order]) -> list[Order]:
        merged = {str(order.get(TABLE_KEY)): order for order in chain(seen, self._known)}
        self._known = sorted_orders(merged.values(), _NEWEST_FIRST, self._query.limit)
        return list(self._known)
