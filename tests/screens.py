"""What a command shows, as text, in a terminal or piped; compared with the files in tests/snapshots.

`SNAPSHOTS=write pytest tests/test_snapshots.py` writes the files anew; read them before they are kept.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from ordernotify import render

SNAPSHOTS = Path(__file__).parent / "snapshots"
WIDTHS = (60, 80, 140)
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-7]|9[0-7]|38;[\d;]+)m")
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def shown(show: Callable[[], object], width: int, **environ: str) -> str:
    """Return what `show` prints, stdout and stderr as they come; it is piped unless FORCE_COLOR is given."""
    screen = io.StringIO()
    kept = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "NO_COLOR")}
    with (
        patch.dict(os.environ, {**kept, "COLUMNS": str(width), "LINES": "24", **environ}, clear=True),
        redirect_stdout(screen),
        redirect_stderr(screen),
    ):
        render.configure(quiet=False, color="auto")
        show()
    render.configure(quiet=False, color="auto")
    return screen.getvalue()


def plain(text: str) -> str:
    """Take the escapes and the blanks at the ends of lines away."""
    return "".join(line.rstrip() + "\n" for line in _ESCAPE.sub("", text).splitlines())


def assert_as_kept(name: str, text: str) -> None:
    """Compare a text with the file of this name, or write the file where SNAPSHOTS says so."""
    file = SNAPSHOTS / f"{name}.txt"
    if os.environ.get("SNAPSHOTS") == "write":
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8"), f"{file} is another; SNAPSHOTS=write writes it anew"
