"""The tables of settings in the README, made from the rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ordernotify.settings.model import NAME_ROWS, PLACE_ROWS, SETTING_ROWS
from ordernotify.settings.row import Setting

TABLES = {"common": (*PLACE_ROWS, *NAME_ROWS), "stack": SETTING_ROWS}
"""The tables by the word in the markers around them."""


def with_settings_tables(text: str) -> str:
    """Replace each table between `<!-- settings: … -->` and `<!-- end -->` in a Markdown text."""
    for name, rows in TABLES.items():
        begin, end = f"<!-- settings: {name} -->\n", "<!-- end -->"
        before, rest = text.split(begin)
        _, after = rest.split(end, 1)
        text = f"{before}{begin}{_table(rows)}{end}{after}"
    return text


def _table(rows: Iterable[Setting]) -> str:
    lines = ["| Option | Variable | Default | |", "|---|---|---|---|"]
    for row in rows:
        flag = f"`--{row.option}`" + (f" / `--no-{row.option}`" if row.negative else "")
        lines.append(f"| {flag} | `{row.variable}` | {_shown(row.default)} | {row.help} |")
    return "".join(f"{line}\n" for line in lines)


def _shown(default: Any) -> str:
    if isinstance(default, bool):
        return "on" if default else "off"
    return f"`{default}`" if default else ""
