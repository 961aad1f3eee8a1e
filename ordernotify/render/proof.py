"""The testing procedure as it proceeds, and the local inbox."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.text import Text

from ordernotify.local.inbox import Delivery
from ordernotify.render import clean, json_lines, out
from ordernotify.stack.verify import Check


def show_check(check: Check) -> None:
    """Print one check when it is decided."""
    mark = ("PASS", "green") if check.passed else ("FAIL", "bold red")
    out.print(Text.assemble(mark, f"  {check.name}: {clean(check.detail)} ({check.seconds:.1f} s)"))


def verify_document(order_id: str | None, checks: Sequence[Check]) -> dict[str, Any]:
    """Build the JSON result of `verify`."""
    return {
        "passed": all(check.passed for check in checks),
        "orderId": order_id,
        "checks": [
            {"name": c.name, "passed": c.passed, "detail": c.detail, "seconds": round(c.seconds, 3)}
            for c in checks
        ],
    }


def show_inbox_json(deliveries: Iterable[Delivery]) -> None:
    """Print the deliveries, one JSON document per line."""
    json_lines(
        {
            "to": d.to,
            "protocol": d.protocol,
            "subject": d.subject,
            "text": d.text,
            "orderId": d.order_id,
            "receivedAt": d.received_at,
        }
        for d in deliveries
    )


def show_inbox(deliveries: Iterable[Delivery]) -> None:
    """Print the deliveries as messages."""
    empty = True
    for delivery in deliveries:
        empty = False
        out.print(Text(f"{delivery.received_at}  {delivery.protocol} to {clean(delivery.to)}", "bold"))
        if delivery.subject:
            out.print(f"Subject: {clean(delivery.subject)}")
        for line in delivery.text.splitlines():
            out.print(f"  {clean(line)}")
        out.print()
    if empty:
        out.print("The inbox is empty.")
