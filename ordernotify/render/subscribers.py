"""What was done for a subscriber, and the table of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.text import Text

from ordernotify.render import err, error, json_lines, one_line, out, say
from ordernotify.resources.subscriber import Subscriber, policy_json
from ordernotify.subscribers import notes
from ordernotify.subscribers.change import SubscriberAction, SubscriberOutcome

_DONE = {
    SubscriberAction.SUBSCRIBED: "subscribed",
    SubscriberAction.UPDATED: "updated",
    SubscriberAction.ASKED_AGAIN: "was subscribed already; the request to confirm was sent again",
    SubscriberAction.CONFIRMED: "confirmed; following an unsubscribe link does not end it",
    SubscriberAction.CONFIRMED_BEFORE: "was confirmed to stay already; nothing to change",
    SubscriberAction.UNCHANGED: "is subscribed already; nothing to change",
    SubscriberAction.UNSUBSCRIBED: "unsubscribed",
    SubscriberAction.PERMISSION_REMOVED: "was not subscribed; the permission left behind was removed",
    SubscriberAction.STILL_PENDING: "not removed: still pending",
}


def show_outcome(outcome: SubscriberOutcome) -> None:
    """Print what became of one endpoint on stdout; errors and what the person should know on stderr."""
    if outcome.error is not None:
        error(outcome.error.message, outcome.error.hint)
        return
    told = outcome.action in {SubscriberAction.CONFIRMED, SubscriberAction.CONFIRMED_BEFORE}
    state = f" ({outcome.subscriber.state})" if outcome.subscriber and not told else ""
    style = "red" if outcome.failed else "green"
    done = f"{outcome.endpoint.protocol} {one_line(outcome.endpoint.address)}: "
    out.print(Text.assemble(done, (_DONE[outcome.action], style), state))
    show_notes(outcome.notes)


def show_notes(texts: Iterable[str]) -> None:
    """Print what the person should know, on stderr."""
    for text in texts:
        say(err, one_line(text), ("Note: ", "bold yellow"))


def outcome_document(outcome: SubscriberOutcome) -> dict[str, Any]:
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
        "confirmationWasAuthenticated": one.authenticated,
        "arn": one.arn,
    }


def show_list_json(listed: Iterable[Subscriber]) -> None:
    json_lines(map(_document, listed))


def show_list(listed: Iterable[Subscriber]) -> None:
    """Print the table on stdout, and what pending means on stderr."""
    rows = list(listed)
    if not rows:
        say(out, "Nobody is subscribed. `ordernotify subscribe ENDPOINT` adds a subscriber.")
        return
    # Not a table of rich's: that breaks an ARN into pieces that nobody can copy.
    for one in rows:
        line = Text.assemble(
            f"{one.protocol:<6}  ",
            (f"{one.state:<9}", "yellow" if one.pending else "green"),
            f"  {one_line(one.endpoint)}  {one_line(_filter(one))}",
        )
        line.rstrip()
        out.print(line)
    show_notes(notes.about_pending(rows))


def _filter(one: Subscriber) -> str:
    parts = []
    if one.filter_policy:
        parts.append(f"{one.scope}: {policy_json(one.filter_policy)}")
    if one.raw:
        parts.append("(raw)")
    if not one.readable and not one.pending:
        parts.append("(not known: made by another account)")
    return " ".join(parts)
