"""The forms that orders have in files."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from ordernotify.errors import UsageError

STDIO = "-"
"""In place of a file's name: stdin or stdout."""


class Format(StrEnum):
    """How orders stand in a file: one JSON object per line, or rows under a header."""

    JSONL = "jsonl"
    CSV = "csv"


_SUFFIXES = {".jsonl": Format.JSONL, ".ndjson": Format.JSONL, ".json": Format.JSONL, ".csv": Format.CSV}


def format_of(file: str, given: str = "") -> Format:
    """Choose the format that is given, or else the one of the file's suffix; JSON lines for stdin and stdout.

    Raises UsageError when neither tells.
    """
    if given:
        if given not in tuple(Format):
            raise UsageError(f"{given!r} is not a format", "Give --format jsonl or --format csv.")
        return Format(given)
    if file == STDIO:
        return Format.JSONL
    suffix = Path(file).suffix.lower()
    if suffix not in _SUFFIXES:
        raise UsageError(
            f"the name {file} does not tell its format", "End it with .jsonl or .csv, or give --format."
        )
    return _SUFFIXES[suffix]
