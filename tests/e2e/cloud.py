"""A private embedded cloud for tests, and the installed command run against it."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ordernotify.local import cloud as local
from ordernotify.local.process import ADDRESS, Host

if TYPE_CHECKING:
    from ordernotify.aws.session import Cloud

COMMAND_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class EmbeddedCloud:
    """An embedded cloud of the test's own, and the environment in which commands find it."""

    endpoint: str
    environ: Mapping[str, str]

    @property
    def host(self) -> Host:
        """For calls to `ordernotify.local` about this cloud."""
        return Host(environ=self.environ)

    def cloud(self) -> Cloud:
        """A session as the commands have it."""
        from ordernotify.aws.session import local_cloud

        return local_cloud(self.endpoint)


def free_port() -> int:
    """A port that is free now, outside the range that the system gives to outgoing connections."""
    while True:
        port = random.randint(20_000, 30_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((ADDRESS, port))
            except OSError:
                continue
            return port


def command_environ(folder: Path, port: int) -> dict[str, str]:
    """The environment of a person with no AWS account; an embedded cloud at `port`, its state in `folder`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "ORDERNOTIFY_")) and name not in ("FORCE_COLOR", "NO_COLOR")
    }
    return {**kept, "XDG_STATE_HOME": str(folder), local.PORT_VARIABLE: str(port)}


@contextmanager
def running_cloud(folder: Path) -> Iterator[EmbeddedCloud]:
    """Start an embedded cloud at a free port with its state in `folder`; stop it at the end."""
    environ = command_environ(folder, free_port())
    host = Host(environ=environ)
    try:
        yield EmbeddedCloud(local.ensure_running(host=host).endpoint, environ)
    finally:
        local.stop(host=host)


def run_command(
    *args: str,
    environ: Mapping[str, str],
    folder: Path | None = None,
    stdin: str = "",
    timeout: float = COMMAND_SECONDS,
) -> subprocess.CompletedProcess[str]:
    """Run the installed `ordernotify` to its end, as a person's shell would, in `folder` (default: here)."""
    return subprocess.run(
        [sys.executable, "-m", "ordernotify", *args],
        env=environ,
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
    )
