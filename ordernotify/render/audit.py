"""The table of the controls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from ordernotify.render import clean, json_document, out

if TYPE_CHECKING:
    from ordernotify.audit.controls import Finding

_STYLES = {"passed": "green", "failed": "red", "accepted": "yellow", "does not apply": "dim"}


def show_findings(findings: Sequence[Finding]) -> None:
    """Print the controls, and how many there are of each verdict."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("Control", "Title", "Verdict", "Seen, and what fixes it"):
        table.add_column(column, overflow="fold")
    for one in findings:
        verdict = str(one.verdict)
        ids = " ".join(one.control.ids)
        table.add_row(ids, one.control.title, Text(verdict, _STYLES[verdict]), remark(one))
    out.print(table)
    counts = Counter(str(one.verdict) for one in findings)
    out.print(", ".join(f"{counts[verdict]} {verdict}" for verdict in _STYLES if counts[verdict]))


def remark(finding: Finding) -> str:
    """Say what was seen, and what fixes it or why it is accepted."""
    mended = str(finding.verdict) == "failed" and finding.control.option
    remedy = f"`setup {finding.control.option}`" if mended else finding.reason
    return ". ".join(text for text in (clean(finding.seen), remedy) if text)


def show_findings_json(findings: Sequence[Finding]) -> None:
    json_document(
        {
            "failed": sum(str(one.verdict) == "failed" for one in findings),
            "controls": [
                {
                    "ids": list(one.control.ids),
                    "title": one.control.title,
                    "verdict": str(one.verdict),
                    "seen": one.seen,
                    "reason": one.reason,
                    "option": one.control.option,
                    "source": one.control.source,
                }
                for one in findings
            ],
        }
    )
