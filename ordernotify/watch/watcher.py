"""Looks at a stack again and again: often at its log lines, less often at alarms, counts and subscribers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import Clock, SystemClock
from ordernotify.errors import OrderNotifyError, StackNotFoundError
from ordernotify.logs.events import LogEvent
from ordernotify.logs.follow import Follower
from ordernotify.logs.opening import open_follower
from ordernotify.orders.attributes import Order
from ordernotify.orders.items import OrderCount, count_orders
from ordernotify.orders.newest import NewestOrders
from ordernotify.orders.query import get_orders
from ordernotify.resources.subscriber import Subscriber
from ordernotify.settings.names import Names, Target
from ordernotify.stack.health import AlarmState, read_alarms
from ordernotify.subscribers.topic import list_subscribers
from ordernotify.times import milliseconds
from ordernotify.watch.served import MOST_SERVED, WINDOW_SECONDS, Activity, Rates, Served, served

NEWEST_ORDERS = 50
"""How many of the newest orders are remembered."""
NEWEST_LINES = 2000
"""How many log lines one look brings at most, the newest: ten minutes of a busy stack have many more."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between two looks at the log lines, the alarms, the counts and the subscribers.

    After a look that failed, `trouble` seconds pass before everything is read again.
    """

    lines: float
    alarms: float
    counts: float
    subscribers: float
    trouble: float


LOCAL_PACE = Pace(lines=0.3, alarms=5, counts=2, subscribers=10, trouble=0.3)
AWS_PACE = Pace(lines=2, alarms=60, counts=300, subscribers=300, trouble=15)
"""A count reads up to 20 MB of the table, which AWS bills; CloudWatch's lines are seconds late anyway."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A stack at one moment; what is not known yet is None or empty."""

    trouble: str = ""
    """Why nothing newer is known; empty while all goes well."""
    present: bool | None = None
    """Whether the stack exists."""
    counted: OrderCount | None = None
    rates: Rates = field(default_factory=Rates)
    alarms: tuple[AlarmState, ...] = ()
    subscribers: tuple[Subscriber, ...] = ()
    newest: tuple[Order, ...] = ()
    """Newest first; in a table that is too large to be counted, those of which the log lines tell."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look brought: the state now, and what is new."""

    snapshot: Snapshot
    lines: Sequence[LogEvent] = ()
    answers: Sequence[Served] = ()
    orders: Sequence[Order] = ()
    """The orders that were stored, oldest first."""


class Watcher:
    """Watches one stack; each look is one call, which blocks while it reads."""

    def __init__(
        self,
        cloud: Cloud,
        names: Names,
        stack: str,
        *,
        unreachable: Callable[[], str] = lambda: "",
        clock: Clock | None = None,
    ) -> None:
        """`unreachable` says why the place cannot be reached; empty if it can."""
        self._cloud, self._names, self._stack = cloud, names, stack
        self._unreachable = unreachable
        self._clock = clock or SystemClock()
        self._due: dict[str, float] = {}
        self._activity = Activity()
        # What was read and not given out yet: a look that fails after reading lines keeps them for the next.
        self._lines: deque[LogEvent] = deque(maxlen=NEWEST_LINES)
        self._answers: deque[Served] = deque(maxlen=MOST_SERVED)
        self._newest = NewestOrders(cloud, names, NEWEST_ORDERS)
        self._follower: Follower | None = None
        self._next_count = 0.0
        self.pace = LOCAL_PACE if cloud.target is Target.LOCAL else AWS_PACE
        self.snapshot = Snapshot()

    @property
    def pause(self) -> float:
        """How many seconds to wait before the next look."""
        return self.pace.trouble if self.snapshot.trouble else self.pace.lines

    def look(self) -> Look:
        """Read what is due; an error is the snapshot's trouble, and the next look tries again."""
        try:
            trouble = self._unreachable()
            return self._failed(trouble) if trouble else self._read()
        except StackNotFoundError as error:
            return self._failed(error.message, present=False)
        except OrderNotifyError as error:
            return self._failed(error.message)

    def _failed(self, trouble: str, present: bool | None = None) -> Look:
        self._due.clear()
        if present is False:
            self.snapshot = Snapshot(trouble=trouble, present=False)
            self._newest = NewestOrders(self._cloud, self._names, NEWEST_ORDERS)
        else:
            self.snapshot = replace(self.snapshot, trouble=trouble)
        return Look(self.snapshot)

    def _read(self) -> Look:
        names, cloud = self._names, self._cloud
        if self._is_due("subscribers", self.pace.subscribers):
            found = tuple(list_subscribers(cloud, names, self._stack))
            self.snapshot = replace(self.snapshot, subscribers=found)
        self._read_lines()
        orders = self._orders()
        if self._is_due("alarms", self.pace.alarms):
            self.snapshot = replace(self.snapshot, alarms=read_alarms(cloud, names))
        newest = self._table(orders)
        lines, answers = list(self._lines), list(self._answers)
        self._lines.clear()
        self._answers.clear()
        self._activity.add(answers)
        self.snapshot = replace(
            self.snapshot,
            trouble="",
            present=True,
            rates=self._activity.rates(milliseconds(self._cloud.now())),
            newest=tuple(newest),
        )
        return Look(self.snapshot, lines, answers, orders)

    def _read_lines(self) -> None:
        if self._follower is None:
            since = milliseconds(self._cloud.now()) - WINDOW_SECONDS * 1000
            self._follower = open_follower(
                self._cloud, self._names, since, lambda _message: None, clock=self._clock, patient=False
            )
        for event in self._follower.poll():
            self._lines.append(event)
            if answer := served(event):
                self._answers.append(answer)

    def _orders(self) -> list[Order]:
        """Read the orders that were stored, the newest if there are many at once."""
        ids = [one.order_id for one in self._answers if one.kind == "stored" and one.order_id]
        newest = ids[-NEWEST_ORDERS:]
        return [order for order in get_orders(self._cloud, self._names, newest) if order] if newest else []

    def _table(self, new: Sequence[Order]) -> list[Order]:
        """Count the orders where that is due, and return the newest."""
        now, local = self._clock.now(), self._cloud.target is Target.LOCAL
        newest = self._newest.add(new)
        # A large table is not read without a pause.
        if now < self._next_count or not (self._is_due("counts", self.pace.counts) or (new and local)):
            return newest
        counted = count_orders(self._cloud, self._names)
        if counted is None:
            raise StackNotFoundError(f"there is no table {self._names.table} here")
        if counted.complete:
            newest = self._newest.get((), counted.pending, again=False)
        self.snapshot = replace(self.snapshot, counted=counted)
        self._next_count = self._clock.now() + 10 * (self._clock.now() - now)
        return newest

    def _is_due(self, what: str, seconds: float) -> bool:
        now = self._clock.now()
        if now < self._due.get(what, now):
            return False
        self._due[what] = now + seconds
        return True
