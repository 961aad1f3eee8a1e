"""Pages about the stack: the inbox, the log, the plots and the status."""

from __future__ import annotations

from collections import Counter

from starlette.requests import Request

from ordernotify.audit.controls import audit_stack
from ordernotify.console.chart import charts
from ordernotify.console.figures import ALARM_PARTS, watched
from ordernotify.console.pages import Desk, Values
from ordernotify.console.templating import line_words
from ordernotify.executor import Action
from ordernotify.local.inbox import read_inbox
from ordernotify.logs.filters import chosen
from ordernotify.render.audit import remark
from ordernotify.render.changes import change_lines, tag_lines
from ordernotify.render.setup import left_to_do
from ordernotify.stack.cost import USUAL_ORDERS_PER_DAY, estimate, receivers_of, total
from ordernotify.stack.report import read_overview
from ordernotify.watch.history import SPANS, read_history

MOST_MESSAGES = 60
MOST_LINES = 300
MOST_ORDERS_PER_DAY = 10**9
FRAME_LINE, FRAME_MARGIN = 20, 34
"""Pixels: how high a mail's frame is for each line, and beside its lines."""


def inbox_page(at: Desk, request: Request) -> Values:
    """What the subscribers got, newest first."""
    site = at.site
    deliveries = read_inbox(site.cloud, site.names, site.stack, newest=MOST_MESSAGES)
    to = request.query_params.get("to", "")
    readers = sorted({one.to for one in deliveries})
    newest = [one for one in reversed(deliveries) if not to or one.to == to][:MOST_MESSAGES]
    return {
        "deliveries": newest,
        "readers": readers,
        "to": to,
        "height": lambda text: FRAME_MARGIN + FRAME_LINE * max(len(text.splitlines()), 1),
    }


def logs_page(at: Desk, request: Request) -> Values:
    """The newest log lines that the filters let through, oldest first."""
    asked = {
        name: request.query_params.get(name, "").strip() for name in ("filter", "level", "source", "order")
    }
    events = (one for one in list(at.hub.lines) if asked["source"] in ("", one.source))
    found = chosen(events, asked["order"] or None, asked["filter"] or None, errors=asked["level"] == "errors")
    return {"lines": [line_words(event) for event in list(found)[-MOST_LINES:]], "asked": asked}


def plots_page(at: Desk, request: Request) -> Values:
    """How the stack did over an hour, a day or a week."""
    site, span = at.site, request.query_params.get("span", "1h")
    history = read_history(site.cloud, site.names, site.stack, span if span in SPANS else "1h")
    times = history.times()
    return {
        "span": span if span in SPANS else "1h",
        "spans": list(SPANS),
        "charts": charts(history),
        "start": times[0].isoformat(),
        "middle": times[len(times) // 2].isoformat(),
        "source": "the function's log lines" if site.is_local else "CloudWatch",
    }


def _orders_per_day(text: str) -> int:
    return min(int(text), MOST_ORDERS_PER_DAY) if text.isdecimal() else USUAL_ORDERS_PER_DAY


def status_page(at: Desk, request: Request) -> Values:
    """What exists, how it differs from what is described, how it is doing, and what it costs."""
    site = at.site
    found = read_overview(site.cloud, site.names, site.stack, site.describe)
    settings = found.report.settings
    orders = _orders_per_day(request.query_params.get("orders-per-day", ""))
    costs = estimate(settings, receivers_of(one.protocol for one in found.report.subscriptions), orders)
    findings = audit_stack(site.cloud, settings)
    return {
        "findings": [(one, remark(one)) for one in findings],
        "verdicts": Counter(str(one.verdict) for one in findings),
        "orders_per_day": orders,
        "costs": costs,
        "total": total(costs),
        "report": found.report,
        "health": found.health,
        "differs": found.differs,
        "unchanged": Action.NONE,
        "state_words": {Action.CREATE: "missing", Action.DELETE: "no longer described"},
        "change_lines": change_lines,
        "tag_lines": tag_lines(found.report.items),
        "todo": left_to_do(found.report),
        "alarms": [(alarm, watched(alarm, site.names)) for alarm in found.health.alarms],
        "parts": ALARM_PARTS,
    }
