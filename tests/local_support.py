"""What the tests of the embedded cloud need beside it: other programs, a fast clock, processes cut off."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from ordernotify.local import cloud as local
from ordernotify.local import process as local_process
from ordernotify.local.cloud import LocalCloud
from ordernotify.local.process import Host
from ordernotify.local.record import Record, began, write_record


class FakeClock:
    """A clock on which waiting costs (almost) nothing."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        time.sleep(0.0005)


class Quiet(BaseHTTPRequestHandler):
    """Has no answer to anything."""

    def log_message(self, format: str, *args: object) -> None:
        pass


def with_fake_clock(host: Host) -> Host:
    """The same place, where time flies."""
    clock = FakeClock()
    return replace(host, now=clock.now, sleep=clock.sleep)


@contextmanager
def another_program(port: int) -> Iterator[None]:
    """Something else that listens at `port` and answers in its own way."""
    with HTTPServer(("127.0.0.1", port), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def silent_program(port: int) -> socket.socket:
    """Something else that listens at `port` and never answers."""
    return socket.create_server(("127.0.0.1", port))


@contextmanager
def a_sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with the embedded cloud."""
    with subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"]) as process:
        try:
            yield process
        finally:
            process.kill()


def place(host: Host) -> LocalCloud:
    """What is to be told of the embedded cloud of `host` when nothing runs."""
    port = int(host.environ[local.PORT_VARIABLE])
    folder = Path(host.environ["XDG_STATE_HOME"]) / "ordernotify" / f"local-{port}"
    return LocalCloud(False, f"http://127.0.0.1:{port}", port, folder)


def start_and_forget(host: Host) -> subprocess.Popen[bytes]:
    """Start the process and write its record, as a command does that is then killed before it answers."""
    cloud = place(host)
    local_process.make_private(cloud.state_dir)
    environ = local_process.environment(cloud.port, cloud.state_dir, "token", host.environ)
    child = local_process.spawn(environ, cloud.state_dir, host)
    write_record(cloud.state_dir, Record.of(child, "token", host.command[0]))
    return child


def is_gone(pid: int) -> bool:
    """Wait for the end of a process."""
    deadline = time.monotonic() + 5
    while began(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
