"""Send orders, find them, export them, and send the notifications that are still pending."""

from ordernotify.orders.bulk import BulkRun, Rejected, Summary, reason_of
from ordernotify.orders.export import export_orders
from ordernotify.orders.formats import STDIO, Format, format_of
from ordernotify.orders.post import Answer, Draft, Fault, OrderClient
from ordernotify.orders.query import OrderQuery, get_orders, list_orders
from ordernotify.orders.redrive import (
    OLDER_THAN,
    Outcome,
    Redriven,
    find_pending,
    redrive,
    redrive_calls,
)
from ordernotify.orders.send import (
    Rejects,
    check_key,
    check_rejects,
    open_orders,
    order_body,
    random_key,
    repeated,
)
from ordernotify.orders.source import Source

__all__ = [
    "OLDER_THAN",
    "STDIO",
    "Answer",
    "BulkRun",
    "Draft",
    "Fault",
    "Format",
    "OrderClient",
    "OrderQuery",
    "Outcome",
    "Redriven",
    "Rejected",
    "Rejects",
    "Source",
    "Summary",
    "check_key",
    "check_rejects",
    "export_orders",
    "find_pending",
    "format_of",
    "get_orders",
    "list_orders",
    "open_orders",
    "order_body",
    "random_key",
    "reason_of",
    "redrive",
    "redrive_calls",
    "repeated",
]
