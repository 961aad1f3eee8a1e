"""`console` and `top` through the installed command: how they end, and a cloud that is gone meanwhile."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path

import pytest

from ordernotify.local import cloud as local
from tests.e2e.cloud import EmbeddedCloud, run_command, running_cloud
from tests.e2e.console import open_console
from tests.terminal import at_a_terminal

pytestmark = pytest.mark.e2e

END_SECONDS = 3.0
"""What "at once" is on a machine that does other things too; a stream would hold it up for 15 s."""
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[()][A-Z0-9]|\x1b[=>]")


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
            for path in ("/orders", "/inbox", "/plots", "/status", "/send"):
                status, text = page.get(path)
                assert status == 503, path
                assert "ordernotify local start" in text
                assert "data-recover" in text
            for path in ("/", "/logs"):
                status, text = page.get(path)
                assert status == 200, path
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
            with at_a_terminal("top", environ=cloud.environ, folder=tmp_path, columns=columns) as terminal:
                terminal.expect("A customer")
                terminal.expect("sent")
                terminal.press_ctrl_c()
                assert terminal.end() == 0
            assert "Traceback" not in terminal.shown
            # The last look may have been cut off.
            looks = terminal.shown.partition("\x1b[?1049l")[0].replace("^C", "").split("\x1b[H")
            lines = [line.rstrip() for line in _CONTROL.sub("", max(looks, key=len)).splitlines()]
            assert max(map(len, lines)) <= columns
            rows = ("Stack default", "Orders in the last minute", "Latency of the function", "Subscribers")
            assert all(any(line.startswith(row) for line in lines) for row in rows)
            (heading,) = [line for line in lines if line.startswith("Order ")]
            assert heading.split() == ["Order", "Created", "Customer", "Product", "Qty", "Notice"]
            assert lines[lines.index(heading) + 1].endswith(" sent")
