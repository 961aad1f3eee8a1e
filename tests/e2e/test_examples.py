"""Every example of every help text works when it is pasted into a shell, as it stands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.cloud import command_environ, free_port
from tests.test_help import COMMANDS

pytestmark = pytest.mark.long

ORDER = "0b8f7a52-3c1d-4e5f-8a9b-1c2d3e4f5a6b"
FILES = {
    "orders.csv": "customerName,productName\nAnn,Mouse\n",
    "orders.jsonl": f'{{"FileName": "{ORDER}", "orderId": "{ORDER}", "customerName": "Jane Doe", '
    '"productName": "Mouse", "createdAt": "2026-01-01T00:00:00.000Z", "notification": "sent"}\n',
}
PLACES = {"setup": 0, "send-order": 1, "import-orders": 2, "teardown": 4, "local stop": 5}
"""Those that make what the others need come first, those that remove it last."""
ENDS = {"ordernotify init": 2, "ordernotify confirm": 2}
"""How those end that need a terminal (tests/test_init.py) or a real link."""
FOLLOWING = ("ordernotify logs -f", "ordernotify console")
"""They go on until Ctrl-C."""
SECONDS = 120


def examples() -> list[tuple[int, str]]:
    found = []
    for path, command in COMMANDS:
        lines = command.help.split("\n\n")[-1].split("\n", 1)[1]
        one_line_each = lines.replace("\\\n", "").splitlines()
        found += [(PLACES.get(" ".join(path), 3), one) for one in one_line_each]
    return sorted(found, key=lambda one: one[0])


def test_every_example_works_when_pasted(tmp_path: Path) -> None:
    environ = command_environ(tmp_path / "state", free_port())
    environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}"
    environ["BROWSER"] = "true"  # a program that does nothing, in place of the person's browser
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)

    def paste(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", line],
            env=environ,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    failed = {}
    for place, line in examples():
        command = f"timeout --preserve-status --signal=INT 20 {line}" if line.startswith(FOLLOWING) else line
        done = paste(command)
        expected = next((status for words, status in ENDS.items() if line.startswith(words)), 0)
        if done.returncode != expected:
            failed[line] = done.stdout + done.stderr
        if place == 0:
            here = dict(
                one.split("=", 1)
                for one in paste("eval $(ordernotify env); env").stdout.splitlines()
                if "=" in one
            )
            environ.update({name: value for name, value in here.items() if name.startswith("AWS_")})
            assert paste("aws iam create-user --user-name deployer").returncode == 0
    assert failed == {}
