"""What the controls say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ordernotify.render import json_document, one_line, out, say

if TYPE_CHECKING:
    from ordernotify.audit.controls import Finding

_STYLES = {"passed": "green", "failed": "red", "accepted": "yellow", "does not apply": "dim"}


def show_findings(findings: Sequence[Finding]) -> None:
    """Print a line for each control, and how many there are of each verdict."""
    width = max(map(len, _STYLES)) + 2
    for one in findings:
        verdict = str(one.verdict)
        told = f"{one.control.title} ({' '.join(one.control.ids)}): {remark(one)}"
        say(out, told, (f"{verdict:<{width}}", _STYLES[verdict]))
    counts = Counter(str(one.verdict) for one in findings)
    say(out, ", ".join(f"{verdict} {counts[verdict]}" for verdict in _STYLES if counts[verdict]))


def remark(finding: Finding) -> str:
    """Say what was seen, and what fixes it or why it is accepted."""
    mended = str(finding.verdict) == "failed" and finding.control.option
    remedy = f"`ordernotify setup {finding.control.option}`" if mended else finding.reason
    return ". ".join(text for text in (one_line(finding.seen), remedy) if text)


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
