"""The commands of the README and of docs/ run as they are written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.cloud import command_environ, free_port

ROOT = Path(__file__).parent.parent.parent


def test_commands_of_the_readme_run_as_written(tmp_path: Path) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 3
    environ = command_environ(tmp_path / "state", free_port())
    environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(blocks)],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("John Doe") >= 3
    assert "PASS" in done.stdout


@pytest.mark.long
def test_the_command_is_installed_from_a_checkout_as_the_readme_says(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    pip = str(tmp_path / "venv" / "bin" / "pip")
    if subprocess.run([pip, "download", "--quiet", "--no-deps", "--dest", tmp_path, "typer"]).returncode:
        pytest.skip("no package index can be reached")
    subprocess.run([pip, "install", "--quiet", f"{ROOT}[local]"], check=True, timeout=300)
    environ = command_environ(tmp_path / "state", free_port())
    command = str(tmp_path / "venv" / "bin" / "ordernotify")
    order = ["send-order", "--customer", "John Doe", "--product", "Wireless Mouse"]
    for line in (["setup", "--email", "you@example.com"], order, ["teardown", "--yes", "--delete-orders"]):
        subprocess.run([command, *line], env=environ, cwd=tmp_path, check=True, timeout=60)
