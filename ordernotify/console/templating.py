"""HTML from templates: every text is escaped, and what a reader cannot see becomes visible."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from ordernotify.console.figures import milliseconds
from ordernotify.console.guard import MAIL_STYLE
from ordernotify.render import clean, json_text
from ordernotify.render.log_lines import iso_time


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
