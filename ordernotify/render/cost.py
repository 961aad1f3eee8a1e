"""The estimate of what a stack costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from ordernotify.render import out, say, show_table
from ordernotify.stack import prices
from ordernotify.stack.cost import CostLine, total


def show_cost(lines: Sequence[CostLine], orders_per_day: int) -> None:
    """Print a line for each item and the total, in USD a month."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("Item", no_wrap=True)
    table.add_column("USD", justify="right", no_wrap=True)
    table.add_column("Assumed")
    for line in lines:
        table.add_row(line.name, f"{line.usd:.4f}", line.assumption)
    show_table(table)
    out.print()
    say(out, f"{total(lines):.2f} USD a month at {orders_per_day:,} orders a day, before taxes.")
    dates = sorted({line.price.as_of for line in lines if line.price.as_of[0].isdigit()})
    say(
        out,
        f"Prices of {prices.REGION} as published from {dates[0]} to {dates[-1]}, without free allowances, "
        "data transfer and requests that are no orders. --json names the source of each.",
    )


def cost_document(lines: Sequence[CostLine], orders_per_day: int) -> dict[str, Any]:
    return {
        "currency": "USD",
        "region": prices.REGION,
        "ordersPerDay": orders_per_day,
        "total": round(total(lines), 6),
        "lines": [
            {
                "name": line.name,
                "usd": round(line.usd, 6),
                "quantity": round(line.quantity, 6),
                "unit": line.price.unit,
                "unitPrice": round(line.price.usd, 12),
                "assumption": line.assumption,
                "source": line.price.source,
                "asOf": line.price.as_of,
            }
            for line in lines
        ],
    }
