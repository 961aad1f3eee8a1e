from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ordernotify.cli import app
from ordernotify.cli import local as commands
from ordernotify.local import cloud as local
from ordernotify.local.process import Host
from tests.e2e.cloud import command_environ, free_port
from tests.local_support import another_program

assert commands.local  # registered


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    environ = command_environ(tmp_path, free_port())
    yield environ
    local.stop(host=Host(environ=environ))


def run(environ: dict[str, str], *args: str) -> Result:
    changed = {name: environ.get(name) for name in {*os.environ, *environ}}
    return CliRunner().invoke(
        app, ["local", *args], env={**changed, "NO_COLOR": "1"}, prog_name="ordernotify"
    )


def test_start_status_and_stop_tell_the_same_in_json(environ: dict[str, str], tmp_path: Path) -> None:
    port = int(environ["ORDERNOTIFY_LOCAL_PORT"])
    stopped = {
        "running": False,
        "endpoint": f"http://127.0.0.1:{port}",
        "pid": None,
        "stateDir": str(tmp_path / "ordernotify" / f"local-{port}"),
        "version": None,
    }
    results = [
        run(environ, *args.split())
        for args in ("status --json", "start --json", "status --json", "stop --json")
    ]
    assert [result.exit_code for result in results] == [0, 0, 0, 0]
    before, started, during, after = (json.loads(result.stdout) for result in results)
    assert before == after == stopped
    assert (
        started
        == during
        == {**stopped, "running": True, "pid": started["pid"], "version": started["version"]}
    )
    assert isinstance(started["pid"], int)
    assert isinstance(started["version"], str)


def test_the_text_says_where_it_runs_and_where_its_state_is(environ: dict[str, str], tmp_path: Path) -> None:
    endpoint = f"http://127.0.0.1:{environ['ORDERNOTIFY_LOCAL_PORT']}"
    state = f"State: {tmp_path / 'ordernotify'}/local-{environ['ORDERNOTIFY_LOCAL_PORT']}\n"
    result = run(environ, "status")
    assert result.stdout == f"The embedded cloud is not running (its address would be {endpoint})\n{state}"
    result = run(environ, "start")
    cloud = local.status(host=Host(environ=environ))
    running = (
        f"The embedded cloud is running at {endpoint} (process {cloud.pid}, MiniStack {cloud.version})\n"
    )
    assert result.stdout == running + state


def test_quiet_keeps_results_and_warnings_and_color_is_as_told(environ: dict[str, str]) -> None:
    with another_program(int(environ["ORDERNOTIFY_LOCAL_PORT"])):
        looked = run(environ, "status", "--quiet", "--color", "always")
    assert looked.stdout.startswith("The embedded cloud is \x1b[33mnot running\x1b[0m (its address")
    assert looked.stderr.startswith("Warning: port ")
    started = run(environ, "start", "-q", "--color", "never")
    assert (started.exit_code, started.stderr) == (0, "")
    assert started.stdout.startswith("The embedded cloud is running at ")


@pytest.mark.parametrize("command", ["start", "stop", "status"])
def test_a_port_that_is_none_is_wrong_usage(environ: dict[str, str], command: str) -> None:
    result = run({**environ, "ORDERNOTIFY_LOCAL_PORT": "http"}, command, "--json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "Error: ORDERNOTIFY_LOCAL_PORT is 'http', which is not a port\n"
        "Hint: Set it to a number from 1 to 65535.\n"
    )


def test_a_taken_port_is_an_error_for_start_and_a_warning_for_status(environ: dict[str, str]) -> None:
    port = int(environ["ORDERNOTIFY_LOCAL_PORT"])
    with another_program(port):
        started, looked = run(environ, "start"), run(environ, "status", "--json")
    taken = f"port {port} is in use by another program, or by an emulator that was started in another way"
    assert (started.exit_code, started.stdout) == (1, "")
    assert started.stderr == (
        f"Error: {taken}\n"
        f"Hint: End that program (`lsof -i :{port}` shows it), "
        "or set ORDERNOTIFY_LOCAL_PORT to a free port.\n"
    )
    assert (looked.exit_code, looked.stderr) == (0, f"Warning: {taken}\n")
    assert json.loads(looked.stdout)["running"] is False


def test_asking_for_the_status_imports_no_boto3(environ: dict[str, str]) -> None:
    code = (
        "import sys; from ordernotify.cli import app, local\n"
        "app(['local', 'status', '--json'], standalone_mode=False)\n"
        "sys.exit('boto3' in sys.modules or 'botocore' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, check=False).returncode
        == 0
    )
