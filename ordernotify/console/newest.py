"""The newest orders without reading the table each time: read once, then kept up to date by what is seen."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from ordernotify.console.site import Site
from ordernotify.orders.attributes import Order
from ordernotify.orders.query import OrderQuery, list_orders
from ordernotify.settings.names import TABLE_KEY

NEWEST = OrderQuery(sort="-createdAt", limit=100)


class NewestOrders:
    """The newest orders of one table; thread-safe."""

    def __init__(self, site: Site) -> None:
        """Take the stack; nothing is read yet."""
        self._site = site
        self._lock = threading.Lock()
        self._read: list[Order] = []
        self._pending: int | None = -1

    def get(self, seen: Iterable[Order], pending: int | None, *, again: bool) -> list[Order]:
        """Return them newest first; `seen` are orders that the log told of.

        The table is read anew when asked `again`, and when the number of pending notifications changed: then
        orders changed that the log does not tell of.
        """
        with self._lock:
            if again or pending != self._pending:
                self._read = list(list_orders(self._site.cloud, self._site.names, NEWEST))
                self._pending = pending
            merged = {str(order.get(TABLE_KEY)): order for order in (*seen, *self._read)}
            newest = sorted(merged.values(), key=lambda order: str(order.get("createdAt", "")), reverse=True)
            self._read = newest[: NEWEST.limit]
            return list(self._read)
