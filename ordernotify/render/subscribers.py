"""What was done for a subscriber, and the table of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from rich.text import Text

from ordernotify.render import clean, err, error, json_lines, out
from ordernotify.resources.subscriber import PENDING_LIFETIME, Subscriber, policy_json
from ordernotify.subscribers import Action, Listed, Outcome

_DONE = {
    Action.SUBSCRIBED: "subscribed",
    Action.UPDATED: "updated",
    Action.ASKED_AGAIN: "was subscribed already; the request to confirm was sent again",
    Action.UNCHANGED: "is subscribed already; nothing to change",
    Action.UNSUBSCRIBED: "unsubscribed",
    Action.PERMISSION_REMOVED: "was not subscribed; the permission left behind was removed",
    Action.STILL_PENDING: "not removed: still pending",
}


def show_outcome(outcome: Outcome) -> None:
    """Print what became of one endpoint on stdout; errors and what the person should know on stderr."""
    if outcome.error is not None:
        error(outcome.error.message, outcome.error.hint)
        return
    state = f", {outcome.subscriber.state}" if outcome.subscriber else ""
    style = "red" if outcome.failed else "green"
    done = f"{outcome.endpoint.protocol} {clean(outcome.endpoint.address)}: "
    out.print(Text.assemble(done, (_DONE[outcome.action], style), state))
    show_notes(outcome.notes)


def show_notes(notes: Iterable[str]) -> None:
    """Print what the person should know, on stderr."""
    for text in notes:
        err.print(Text.assemble(("Note: ", "bold yellow"), clean(text)))


def outcome_document(outcome: Outcome) -> dict[str, Any]:
    """Build the JSON line of one endpoint."""
    document: dict[str, Any] = {
        "protocol": outcome.endpoint.protocol,
        "endpoint": outcome.endpoint.address,
        "action": str(outcome.action),
    }
    if outcome.subscriber is not None:
        document |= _document(outcome.subscriber)
    if outcome.notes:
        document["notes"] = list(outcome.notes)
    if outcome.error is not None:
        document["error"] = outcome.error.message
    return document


def _document(one: Subscriber) -> dict[str, Any]:
    return {
        "protocol": one.protocol,
        "endpoint": one.endpoint,
        "state": one.state,
        "filterPolicy": dict(one.filter_policy) or None,
        "filterScope": str(one.scope) if one.filter_policy else None,
        "raw": one.raw,
        "arn": one.arn,
    }


def show_list_json(listed: Iterable[Listed]) -> None:
    """Print one JSON line per subscriber; `requestedAt` is null where it is not known or does not matter."""
    json_lines(
        _document(one.subscriber)
        | {"requestedAt": one.requested_at.isoformat() if one.requested_at else None}
        for one in listed
    )


def show_list(listed: Iterable[Listed], now: datetime) -> None:
    """Print the table on stdout, and what pending means on stderr."""
    rows = list(listed)
    if not rows:
        out.print("Nobody is subscribed. `ordernotify subscribe ENDPOINT` adds somebody.")
        return
    # Not a table of rich's: that breaks an ARN into pieces that nobody can copy.
    width = max(len(clean(row.subscriber.endpoint)) for row in rows)
    states = [_state(row, now) for row in rows]
    state_width = max(map(len, states))
    for row, state in zip(rows, states, strict=True):
        one = row.subscriber
        colour = "yellow" if one.pending else "green"
        line = Text.assemble(
            f"{one.protocol:<6}  {clean(one.endpoint):<{width}}  ",
            (f"{state:<{state_width}}", colour),
            f"  {clean(_filter(one))}",
        )
        line.rstrip()
        out.print(line)
    if any(row.subscriber.pending for row in rows):
        hours = f"{PENDING_LIFETIME.total_seconds() / 3600:.0f} hours"
        show_notes(
            [
                "a pending subscriber gets nothing until it confirms (an email: by the link in AWS's "
                f"message), and is dropped after {hours}. SNS does not tell since when one is pending; "
                "a time given here is that of the last request by ordernotify"
            ]
        )


def _state(row: Listed, now: datetime) -> str:
    if not row.subscriber.pending:
        return "confirmed"
    return f"pending, asked {_age(now - row.requested_at)} ago" if row.requested_at else "pending"


def _age(passed: timedelta) -> str:
    minutes = max(int(passed.total_seconds() // 60), 0)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def _filter(one: Subscriber) -> str:
    parts = []
    if one.filter_policy:
        parts.append(f"{one.scope}: {policy_json(one.filter_policy)}")
    if one.raw:
        parts.append("(raw)")
    if not one.readable and not one.pending:
        parts.append("(not known: made by another account)")
    return " ".join(parts)
