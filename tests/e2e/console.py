"""The page as a person has it: served by the installed command, and asked over HTTP."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import urllib3

from tests.e2e.cloud import free_port

WAIT_SECONDS = 30.0


@dataclass
class ServedPage:
    """A running `ordernotify console`."""

    process: subprocess.Popen[str]
    address: str
    port: int
    _http: urllib3.PoolManager = field(default_factory=urllib3.PoolManager)

    @property
    def _headers(self) -> dict[str, str]:
        return {"Cookie": f"ordernotify-{self.port}={self.address.partition('token=')[2]}"}

    def get(self, path: str) -> tuple[int, str]:
        """Ask for a page with the cookie that the address gives; its status and text."""
        url = f"http://127.0.0.1:{self.port}{path}"
        answer = self._http.request("GET", url, headers=self._headers, timeout=WAIT_SECONDS)
        return answer.status, answer.data.decode()

    def stream(self) -> Stream:
        """Open the stream of events, as an open page does."""
        url = f"http://127.0.0.1:{self.port}/events"
        answer = self._http.request("GET", url, headers=self._headers, preload_content=False)
        assert answer.status == 200
        return Stream(answer)


class Stream:
    """An open stream: its states as they come."""

    def __init__(self, answer: urllib3.BaseHTTPResponse) -> None:
        self._answer = answer
        self._states: queue.Queue[Mapping[str, Any] | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            for chunk in self._answer.stream():
                for line in chunk.decode().splitlines():
                    if line.startswith("data: "):
                        self._states.put(json.loads(line.removeprefix("data: "))["state"])
        except urllib3.exceptions.HTTPError:
            pass
        finally:
            self._states.put(None)

    def until(self, name: str, value: str | bool) -> None:
        """Wait for a state in which this is so; a text need only be part of the state's."""
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            state = self._states.get(timeout=WAIT_SECONDS)
            assert state is not None, "the stream ended"
            found = state.get(name)
            if found == value or (value and isinstance(value, str) and value in str(found)):
                return
        raise AssertionError(f"{name} never became {value!r}")

    def wait_for_end(self) -> None:
        """Wait until the server has ended the stream."""
        while self._states.get(timeout=WAIT_SECONDS) is not None:
            pass


@contextmanager
def open_console(environ: Mapping[str, str], *args: str, port: int = 0) -> Iterator[ServedPage]:
    """Serve the page of a stack until the end, at this port or a free one."""
    port = port or free_port()
    command = [sys.executable, "-m", "ordernotify", "console", "--no-open", "--port", str(port), *args]
    with subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            address = process.stdout.readline().strip()
            assert address, process.communicate(timeout=WAIT_SECONDS)[1]
            yield ServedPage(process, address, port)
        finally:
            process.terminate()
            process.communicate(timeout=WAIT_SECONDS)
