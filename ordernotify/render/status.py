"""What exists of a stack, how it differs from what is described, and how it is doing."""

from __future__ import annotations

from datetime import datetime

from rich.text import Text

from ordernotify.executor import Action
from ordernotify.render import clean, note, one_line, out, say, short_id
from ordernotify.render.changes import change_lines, tag_lines
from ordernotify.render.orders import counted
from ordernotify.render.plans import SIGNS, item_title
from ordernotify.stack.health import ErrorLine, Health, LastErrors
from ordernotify.stack.report import Report
from ordernotify.subscribers.notes import about_pending


def show_status(report: Report, health: Health, api_key: str | None = None) -> None:
    """Print what exists, how it differs from what is described, and how it is doing; the key where given."""
    states = {alarm.name: alarm.state for alarm in health.alarms}
    for item in report.items:
        sign, style = ("✓", "green") if item.action is Action.NONE else SIGNS[item.action]
        state = {
            Action.NONE: "",
            Action.KEEP: item.reason,
            Action.CREATE: "missing",
            Action.DELETE: "no longer described",
        }
        words = [item_title(item), state.get(item.action, "differs"), _alarm_word(states.get(item.name, ""))]
        out.print(Text.assemble((sign, style), " ", "  ".join(filter(None, words))))
        for line in change_lines(item.changes):
            out.print(Text(f"    {line}", style))
    for line in tag_lines(report.items):
        out.print(Text(f"~ {line}", "yellow"))
    out.print(Text.assemble(("Invoke URL: ", "bold"), report.url or "(none)"))
    if report.dashboard:
        out.print(Text.assemble(("Dashboard: ", "bold"), report.dashboard))
    if api_key:
        out.print(Text.assemble(("API key: ", "bold"), api_key))
    for s in report.subscriptions:
        out.print(f"Subscriber: {s.protocol} {clean(s.endpoint)} ({s.state})")
    if not report.subscriptions:
        out.print("Subscriber: (none)")
    for line in about_pending(report.subscriptions):
        note(line)
    _show_orders(health)
    _show_errors(health.errors)
    differing = [item for item in report.items if item.action.changes]
    if differing:
        one = len(differing) == 1
        fixes = f"`ordernotify setup` fixes {'it' if one else 'them'}."
        say(out, f"{counted(len(differing), 'difference')}; {fixes}")


def _error_text(error: ErrorLine) -> str:
    """Write `01:07:23 c67590bd publish failed: Topic does not exist`, the time in the local zone."""
    try:
        when = datetime.fromisoformat(error.timestamp).astimezone().strftime("%H:%M:%S")
    except ValueError:
        when = error.timestamp
    return " ".join(filter(None, (when, short_id(error.order_id), one_line(error.message))))


def _alarm_word(state: str) -> str:
    return {"": "", "OK": "(ok)", "ALARM": "(IN ALARM)"}.get(state, "(no data yet)")


def _show_orders(health: Health) -> None:
    held = health.orders
    if held is None:
        return
    least = "" if held.complete else "at least "
    out.print(f"Orders: {least}{held.orders}, notifications pending: {least}{held.pending}")
    if held.pending:
        say(out, "  `ordernotify redrive` sends what stays pending.")


def _show_errors(errors: LastErrors) -> None:
    for error in errors.lines:
        out.print(Text(_error_text(error), "red"))
    if not errors.complete:
        found = f"{len(errors.lines) or 'none'} so far"
        say(out, f"Errors: {found}; `ordernotify logs --errors --since 24h` reads all logs.")
