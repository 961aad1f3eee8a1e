"""Terminals that cannot show every character."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

PROGRAM = """
from ordernotify.cli import write_any_character
from ordernotify.render import json_document, note, out
write_any_character()
out.print("Zoë € 🦊")
note("Grüße …")
json_document({"name": "Zoë € 🦊"})
"""


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", "Zoë € 🦊"),
        ("iso-8859-1", "Zoë \\u20ac \\ud83e\\udd8a"),
        ("ascii", "Zo\\u00eb \\u20ac \\ud83e\\udd8a"),
    ],
)
def test_what_a_terminal_cannot_show_is_escaped_and_the_command_goes_on(encoding: str, shown: str) -> None:
    environ = {**os.environ, "PYTHONIOENCODING": f"{encoding}:strict", "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environ, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode(encoding)
    first, _, document = done.stdout.decode(encoding).partition("\n")
    assert first == shown
    assert json.loads(document) == {"name": "Zoë € 🦊"}
