"""What an export wrote, and what the person should know of it."""

from __future__ import annotations

from pathlib import Path

from rich.text import Text

from ordernotify.export import Export
from ordernotify.render import clean, json_document, note, out


def as_json(export: Export, folder: Path) -> None:
    json_document({"folder": str(folder), "files": sorted(export.files), "notes": list(export.notes)})


def text(export: Export, folder: Path) -> None:
    """Print the files on stdout, and on stderr what they leave alone and what to read next."""
    for name in sorted(export.files):
        out.print(Text(clean(folder / name)))
    for line in export.notes:
        note(line)
    note(f"Nothing was changed. {folder / 'README.md'} has the commands with which to take the stack over.")
