"""HTML from templates: every text is escaped, and what a reader cannot see becomes visible."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from ordernotify.console.figures import milliseconds
from ordernotify.console.guard import MAIL_STYLE
from ordernotify.logs.events import LogEvent
from ordernotify.logs.filters import is_error
from ordernotify.render import clean, json_text
from ordernotify.render.log_lines import event_line, iso_time

_COLUMNS = 1000
"""A page wraps its lines by itself: customer and product, of 200 characters at most, are whole on it."""


def _visible(value: Any) -> Any:
    """Make control characters and direction marks visible, as in the terminal."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else clean(value)


def moment(value: Any) -> Markup:
    """Write a time (ISO 8601, or ms since 1970) in UTC; the page's script shows it in the reader's zone."""
    if value in (None, ""):
        return Markup("–")
    try:
        text = iso_time(value) if isinstance(value, int | float) else _iso(str(value))
    except (ValueError, OverflowError):
        return escape(clean(value))
    shown = text[:19].replace("T", " ") + " UTC"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(text, shown, shown)


def commands(value: str) -> Markup:
    """Show what stands between backticks as code."""
    parts = clean(value).split("`")
    made = (Markup("<code>{}</code>" if at % 2 else "{}").format(part) for at, part in enumerate(parts))
    return Markup("").join(made)


def _iso(text: str) -> str:
    at = datetime.fromisoformat(text)
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def line_words(event: LogEvent) -> dict[str, Any]:
    """One log line as the page shows it: the words that `logs` prints, its level, and its order."""
    fields = event.fields or {}
    # The first word is the time, which the page writes by itself.
    words = event_line(event, date.min, short=True, columns=_COLUMNS)[1:]
    return {
        "id": event.event_id,
        "at": event.timestamp,
        "source": event.source,
        "level": "error" if is_error(event) else str(fields.get("level", "")).lower(),
        "order_id": str(fields.get("orderId") or ""),
        "words": "".join(text for text, _ in words),
    }


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("ordernotify.console"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["mail_style"] = Markup(MAIL_STYLE)
    made.filters |= {"moment": moment, "commands": commands, "json": json_text, "ms": milliseconds}
    return made


_PAGES = _environment()


def render_page(template: str, values: Mapping[str, Any]) -> str:
    return _PAGES.get_template(template).render(values)
