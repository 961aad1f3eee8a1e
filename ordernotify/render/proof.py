"""The testing procedure as it proceeds, and the local inbox."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import Any

from rich.text import Text

from ordernotify.local.inbox import Delivery
from ordernotify.render import clean, json_lines, one_line, out, say
from ordernotify.render.log_lines import local_day, local_time
from ordernotify.stack.verify import Check


def show_check(check: Check) -> None:
    mark = ("PASS  ", "green") if check.passed else ("FAIL  ", "bold red")
    say(out, f"{check.name}: {one_line(check.detail)} ({check.seconds:.1f} s)", mark)


def verify_document(order_id: str | None, checks: Sequence[Check]) -> dict[str, Any]:
    return {
        "passed": all(check.passed for check in checks),
        "orderId": order_id,
        "checks": [
            {"name": c.name, "passed": c.passed, "detail": c.detail, "seconds": round(c.seconds, 3)}
            for c in checks
        ],
    }


def show_inbox(deliveries: Iterable[Delivery], now: Callable[[], datetime], *, as_json: bool = False) -> None:
    """Print each delivery when it comes: as a message in local time, or as a JSON document in UTC.

    `now` tells which day is today.
    """
    if as_json:
        for delivery in deliveries:
            json_lines([_delivery_document(delivery)])
            out.file.flush()
        return
    empty = True
    for delivery in deliveries:
        empty = False
        when = _local(delivery.received_at, local_day(now()))
        out.print(Text(f"{when}  {delivery.protocol} to {one_line(delivery.to)}", "bold"))
        if delivery.subject:
            out.print(f"Subject: {one_line(delivery.subject)}")
        for line in delivery.text.splitlines():
            out.print(f"  {clean(line)}")
        out.print()
        out.file.flush()
    if empty:
        out.print("The inbox is empty.")


def _delivery_document(delivery: Delivery) -> dict[str, Any]:
    return {
        "to": delivery.to,
        "protocol": delivery.protocol,
        "subject": delivery.subject,
        "text": delivery.text,
        "orderId": delivery.order_id or None,
        "receivedAt": delivery.received_at,
    }


def _local(received_at: str, today: date) -> str:
    try:
        moment = datetime.fromisoformat(received_at)
    except ValueError:
        return one_line(received_at)
    return local_time(moment.timestamp() * 1000, today)
