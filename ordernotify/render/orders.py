"""Orders: sent, shown, exported and redriven."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from ordernotify.render import (
    alert,
    clean,
    error,
    json_document,
    json_text,
    note,
    one_line,
    out,
    say,
    show_table,
)
from ordernotify.render.listing import COLUMNS, show_orders

if TYPE_CHECKING:
    from ordernotify.orders.bulk import Rejected, Summary
    from ordernotify.orders.items import OrderCount
    from ordernotify.orders.post import Answer
    from ordernotify.orders.redrive import Redriven
    from ordernotify.orders.restore import Restored

_REFUSED = (401, 403, 404)
_MEANINGS = {201: "stored and notified", 202: "stored; the notification will follow", 200: "there already"}


def show_answer(answer: Answer, key: str) -> None:
    """Print the API's answer to an order, or why there is none; `key` is its idempotency key."""
    if answer.accepted:
        out.print(f"{clean(answer.message)}{' (it was there already)' if answer.replayed else ''}")
        out.print(f"orderId: {clean(answer.order_id)}")
        return
    # Of a lost answer nobody knows whether the order was stored before it.
    known = answer.rejected or answer.status in (*_REFUSED, 429, 503)
    what = "the order was not taken" if known else "it is not known whether the order was stored"
    tries = f" (tried {answer.attempts} times)" if answer.attempts > 1 else ""
    answered = f"the API answered {answer.status}: " if answer.status else ""
    error(f"{what}{tries}: {answered}{answer.message}", _advice(answer, key))
    for fault in answer.faults:
        say(alert, f"  {fault.field or 'the order'}: {fault.message}")


def _advice(answer: Answer, key: str) -> str:
    if answer.rejected:
        return "Correct the order and send it again." if answer.faults else ""
    if "execute-api:Invoke" in answer.message:
        return "`ordernotify policy operate` prints the policy that sending needs."
    if answer.status in _REFUSED:
        return (
            "Check the API key, or the caller's permission to invoke the API. "
            "`ordernotify status` shows the API; `ordernotify setup` fixes it."
        )
    return send_again(key)


def send_again(key: str) -> str:
    """Say how an order of unknown fate is sent again without making two."""
    return f"Send the order again with --idempotency-key {key}: it is not made twice."


def show_answer_json(answer: Answer, key: str) -> None:
    document: dict[str, Any] = {
        "orderId": answer.order_id or None,
        "status": answer.status or None,
        "message": answer.message,
        "replayed": answer.replayed,
        "attempts": answer.attempts,
        "idempotencyKey": key,
    }
    if answer.faults:
        document["errors"] = [{"field": fault.field, "message": fault.message} for fault in answer.faults]
    json_document(document)


def show_each(orders: Sequence[Mapping[str, Any]]) -> None:
    for number, order in enumerate(orders):
        if number:
            out.print()
        show_order(order)


def show_unknown(order_ids: Sequence[str], table: str) -> None:
    """Say which orders do not exist."""
    what = f"is no order {order_ids[0]}" if len(order_ids) == 1 else f"are no orders {', '.join(order_ids)}"
    error(f"there {what} in the table {table}", "`ordernotify list-orders` shows what there is.")


def show_order(order: Mapping[str, Any]) -> None:
    """Print one order, a field per line; what follows a line break is indented, and passes for no field."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    usual = [column for column in (*COLUMNS, "messageId") if column in order]
    for field in chain(usual, sorted(order.keys() - {*usual})):
        value = order[field]
        text = clean(value if isinstance(value, str) else json_text(value))
        grid.add_row(Text(" ".join(clean(field).split())), Text(text))
    show_table(grid)


def show_restored(counts: Mapping[str, int], file: str, *, json: bool) -> None:
    """Print what an import did: `stored`, `existing` (left as they are) and `refused`."""
    stored, existing, refused = (counts.get(name, 0) for name in ("stored", "existing", "refused"))
    if json:
        json_document({"file": file, "stored": stored, "existing": existing, "refused": refused})
    else:
        out.print(f"{counted(stored, 'order')} brought back, {existing} already there, {refused} refused")


def show_refused(restored: Restored) -> None:
    """Print a line of the file that was not brought back, and why."""
    say(alert, f"line {restored.line}: {restored.reason}")


def show_exported(count: int, file: str) -> None:
    note(f"{counted(count, 'order')} written to {'stdout' if file == '-' else file}.")


def show_summary(summary: Summary) -> None:
    rate = f", {summary.per_second:.0f} per second" if summary.seconds else ""
    out.print(f"{counted(summary.sent, 'order')} sent in {summary.seconds:.1f} s{rate}")
    for status, number in sorted(summary.answers.items()):
        out.print(
            f"  {number:>9}  answered {status}{f': {_MEANINGS[status]}' if status in _MEANINGS else ''}"
        )
    for number, what in (
        (summary.malformed, "not sent: the line holds no order"),
        (summary.failed, "failed: no answer, or a refusal that was no fault of the order"),
        (summary.retries, "tried again"),
    ):
        if number:
            out.print(f"  {number:>9}  {what}")
    times = ", ".join(f"p{name} {1000 * value:.1f} ms" for name, value in _percentiles(summary))
    out.print(f"Accepted {summary.accepted}, rejected {summary.rejected}, failed {summary.failed}.")
    if summary.answers:
        out.print(f"Latency: {times}")


def _percentiles(summary: Summary) -> tuple[tuple[int, float], ...]:
    return (50, summary.p50), (95, summary.p95), (99, summary.p99)


def show_rejects(rejects: Sequence[Rejected]) -> None:
    """Print some orders that were not taken, each with its line and why."""
    for rejected in rejects:
        line = f"line {rejected.line}: " if rejected.line else ""
        say(alert, f"  {line}{one_line(rejected.reason)}", style="red")


def show_summary_notes(summary: Summary, *, from_file: bool, rejects: str) -> None:
    """Say what a person should do about a run that was not complete, or that met orders of an earlier one."""
    again = "Send the same file again: what is stored already is not made twice." if from_file else ""
    if summary.stopped:
        error(f"the run was stopped: {summary.stopped}", again)
    elif summary.interrupted:
        error("interrupted", again)
    elif summary.failed:
        error(f"{counted(summary.failed, 'order')} failed", again)
    if summary.replayed and from_file:
        one = summary.replayed == 1
        new = "it is a new order" if one else "they are new orders"
        note(
            f"{counted(summary.replayed, 'order')} {'was' if one else 'were'} there already, by an earlier "
            f"run with the same lines. If {new}, send the file with an --import-id of its own."
        )
    if summary.rejected and rejects:
        note(f"The orders that were not taken are in {rejects}.")
    elif summary.rejected and from_file:
        note("--rejects FILE keeps the orders that were not taken, with their lines and reasons.")


def show_summary_json(summary: Summary) -> None:
    """Print the summary as one JSON document; times in seconds, latencies in milliseconds."""
    document: dict[str, Any] = {
        "sent": summary.sent,
        "accepted": summary.accepted,
        "rejected": summary.rejected,
        "failed": summary.failed,
        "malformed": summary.malformed,
        "replayed": summary.replayed,
        "retries": summary.retries,
        "answers": {str(status): number for status, number in sorted(summary.answers.items())},
        "seconds": round(summary.seconds, 3),
        "perSecond": round(summary.per_second, 1),
        "latencyMs": {f"p{name}": round(1000 * value, 2) for name, value in _percentiles(summary)},
        "interrupted": summary.interrupted,
    }
    if summary.stopped:
        document["stopped"] = summary.stopped
    json_document(document)


def show_pending(orders: Iterable[Mapping[str, Any]], *, json: bool) -> None:
    if json:
        ids = [order.get("orderId") for order in orders]
        json_document({"pending": len(ids), "sent": 0, "failed": 0, "orderIds": ids})
        return
    count = show_orders(orders)
    note(f"{counted(count, 'notification')} pending; nothing was sent.")


def show_failure(failure: Redriven) -> None:
    """Print an order whose notification could not be sent, and why."""
    say(alert, f"{failure.order_id}: {failure.reason}")


def show_undelivered(order_ids: Sequence[str], *, json: bool) -> None:
    """Print the orders whose notification a subscriber did not take."""
    if json:
        json_document({"undelivered": len(order_ids), "sent": 0, "failed": 0, "orderIds": list(order_ids)})
        return
    for order_id in order_ids:
        out.print(clean(order_id))
    note(f"{counted(len(order_ids), 'notification')} undelivered; nothing was sent.")


def show_redriven(counts: Mapping[str, int], what: str = "pending", *, json: bool) -> None:
    """Print what a redrive did: `sent`, `gone` (by another one meanwhile, or deleted) and `failed`."""
    sent, gone, failed = (counts.get(name, 0) for name in ("sent", "gone", "failed"))
    pending = sent + gone + failed
    if json:
        json_document({what: pending, "sent": sent, "failed": failed, "sentByAnother": gone})
    else:
        by_another = "by another one meanwhile" if what == "pending" else "of deleted orders"
        others = f", {gone} {by_another}" if gone else ""
        out.print(f"{counted(pending, 'notification')} {what}: {sent} sent{others}, {failed} failed")


def orders_held(count: OrderCount) -> str:
    """Say how many orders a table holds, and how many of them were not announced."""
    least = "" if count.complete else "at least "
    return f"{least}{counted(count.orders, 'order')}, {count.pending} of them not announced yet"


def counted(number: int, noun: str) -> str:
    """Write a number and its noun: `1 order`, `2 orders`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
