"""`console` and `top` through the installed command: how they end, and a cloud that is gone meanwhile."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from ordernotify.local import cloud as local
from tests.e2e.cloud import EmbeddedCloud, run_command, running_cloud
from tests.e2e.console import open_console

pytestmark = pytest.mark.e2e

END_SECONDS = 3.0
"""What "at once" is on a machine that does other things too; a stream would hold it up for 15 s."""


def test_ctrl_c_ends_it_at_once_with_open_streams_and_the_port_is_its_own(
    embedded_cloud: EmbeddedCloud,
) -> None:
    with open_console(embedded_cloud.environ) as page:
        streams = [page.stream() for _ in range(4)]
        second = run_command("console", "--no-open", "--port", str(page.port), environ=embedded_cloud.environ)
        assert second.returncode == 1
        assert f"port {page.port} cannot be used: Address already in use" in second.stderr
        assert "--port" in second.stderr
        assert page.get("/")[0] == 200
        began = time.monotonic()
        page.process.send_signal(signal.SIGINT)
        _, told = page.process.communicate(timeout=30)
        assert time.monotonic() - began < END_SECONDS
        assert page.process.returncode == 0
        assert "Traceback" not in told
        assert "Error" not in told
        for stream in streams:
            stream.wait_for_end()


@pytest.mark.long
def test_a_cloud_that_is_gone_meanwhile_is_told_and_found_again(tmp_path: Path) -> None:
    with running_cloud(tmp_path) as cloud:
        assert run_command("setup", "--yes", environ=cloud.environ).returncode == 0
        with open_console(cloud.environ) as page:
            stream = page.stream()
            stream.until("present", True)
            local.stop(host=cloud.host)
            stream.until("trouble", "is gone")
            for path in ("/orders", "/inbox", "/plots", "/status", "/send", "/logs"):
                status, text = page.get(path)
                assert status == 503, path
                assert "ordernotify local start" in text
                assert "data-recover" in text
            status, text = page.get("/")
            assert status == 200
            assert "is gone" in text
            local.ensure_running(host=cloud.host)
            stream.until("trouble", "")
            for path in ("/", "/orders", "/inbox", "/plots", "/status", "/send", "/logs"):
                assert page.get(path)[0] == 200, path


@pytest.mark.long
def test_top_fits_into_the_terminal_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    with running_cloud(tmp_path) as cloud:
        assert run_command("setup", "--yes", environ=cloud.environ).returncode == 0
        order = ("--customer", "A customer with a long name " * 5, "--product", "Ein großes Ding " * 9)
        assert run_command("send-order", *order, environ=cloud.environ).returncode == 0
        for columns in (80, 140):
            screen, status = in_terminal(cloud, columns, "top", until="A customer")
            assert status == 0
            assert "Traceback" not in screen
            lines = [line.rstrip() for line in re.split(r"\r?\n", screen)]
            assert max(map(len, lines)) <= columns
            rows = ("Stack default", "Orders in the last minute", "Latency of the function", "Subscribers")
            assert all(row in screen for row in rows)
            (heading,) = [line for line in lines if line.startswith("Order ")]
            assert heading.split() == ["Order", "Created", "Customer", "Product", "Qty", "Notice"]
            assert lines[lines.index(heading) + 1].endswith(" sent")


_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[()][A-Z0-9]|\x1b[=>]")


def in_terminal(cloud: EmbeddedCloud, columns: int, *args: str, until: str) -> tuple[str, int]:
    """Run a command in a terminal until it shows a text, then press Ctrl-C; a screen and the exit status."""
    keyboard, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environ = {**cloud.environ, "TERM": "xterm-256color"}
    environ.pop("COLUMNS", None)
    with subprocess.Popen(
        [sys.executable, "-m", "ordernotify", *args],
        env=environ,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    ) as process:
        os.close(terminal)
        shown, end = "", time.monotonic() + 60
        while until not in shown:
            assert time.monotonic() < end, shown
            shown += os.read(keyboard, 65_536).decode()
        time.sleep(1)
        os.write(keyboard, b"\x03")
        while True:
            try:
                more = os.read(keyboard, 65_536)
            except OSError:  # Linux says that the other side is closed
                break
            if not more:
                break
            shown += more.decode()
        status = process.wait(30)
    os.close(keyboard)
    screens = [screen for screen in shown.split("\x1b[H") if "Stack " in screen]
    # The last one may have been cut off.
    return _CONTROL.sub("", max(screens, key=len).partition("\x1b[?1049l")[0]), status
