"""What the doctor found: a line for each check, with its remedy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from ordernotify.doctor.case import CheckState, Diagnosis
from ordernotify.render import note, one_line, out, say
from ordernotify.render.hints import pasteable

_MARKS = {
    CheckState.OK: ("OK    ", "green"),
    CheckState.WARNING: ("WARN  ", "yellow"),
    CheckState.BROKEN: ("FAIL  ", "bold red"),
    CheckState.UNCHECKED: ("?     ", "dim"),
}
_WORDS = {
    CheckState.BROKEN: ("broken", "broken"),
    CheckState.WARNING: ("warning", "warnings"),
    CheckState.UNCHECKED: ("not checked", "not checked"),
}


def show_diagnosis(name: str, found: Diagnosis) -> None:
    """Print one check when it is decided."""
    told = f"{name}: {found.detail}"
    if found.remedy:
        told += f"{'' if found.detail.endswith('.') else '.'} {found.remedy}"
    say(out, one_line(told), _MARKS[found.state])


def show_sum(found: Mapping[str, Diagnosis]) -> None:
    """Say on stderr how many are not well."""
    counts = Counter(one.state for one in found.values())
    told = [f"{counts[state]} {words[counts[state] > 1]}" for state, words in _WORDS.items() if counts[state]]
    note(", ".join(told) or "All is well.")


def is_broken(found: Mapping[str, Diagnosis]) -> bool:
    """Whether something is broken; what could not be checked is not."""
    return any(one.state is CheckState.BROKEN for one in found.values())


def diagnoses_document(found: Mapping[str, Diagnosis]) -> dict[str, Any]:
    """Build the JSON result."""
    return {
        "passed": not is_broken(found),
        "checks": [
            {"name": name, "state": one.state, "detail": one.detail, "remedy": pasteable(one.remedy)}
            for name, one in found.items()
        ],
    }
