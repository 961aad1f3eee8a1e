"""What the function may import, and when: a customer who meets a cold worker waits for it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ordernotify.resources.function_code import packed_files

SLOW = {
    *("asyncio", "botocore", "dataclasses", "datetime", "decimal", "email", "http", "inspect", "logging"),
    *("random", "typing", "unicodedata", "urllib", "uuid", "xml"),
}
PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
import ordernotify.handler
print(json.dumps(list(sys.modules)))
"""
CONNECT = """
import sys, time
sys.path.insert(0, sys.argv[1])
from ordernotify.function.connection import TimeLeft, connect, tls_context
try:
    connect("localhost", int(sys.argv[2]), tls_context(), TimeLeft(time.monotonic() + 5, time.monotonic))
except OSError as error:
    print(type(error).__name__, sorted(set(sys.modules) & {"encodings.idna", "unicodedata"}))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip, unpacked as Lambda does."""
    folder = tmp_path_factory.mktemp("task")
    for name, source in packed_files().items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(source)
    return folder


def run(program: str, folder: Path, environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "-S", "-c", program, str(folder), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=30)
    return done.stdout


def test_it_needs_no_environment_and_nothing_slow(folder: Path) -> None:
    assert not SLOW & set(json.loads(run(PROGRAM, folder, {})))


def test_connecting_reads_no_tables_of_unicode(folder: Path) -> None:
    with socket.create_server(("localhost", 0)) as listener:
        threading.Thread(target=lambda: listener.accept()[0].close(), daemon=True).start()
        said = run(CONNECT, folder, {}, str(listener.getsockname()[1]))
    assert said.endswith("Error []\n")


def test_certificates_are_loaded_while_the_worker_starts(folder: Path) -> None:
    program = "import sys; sys.path.insert(0, sys.argv[1]); import ordernotify.handler; "
    program += "from ordernotify.function.connection import tls_context; print(tls_context.cache_info()[3])"
    endpoint = {"AWS_ENDPOINT_URL_DYNAMODB": "https://dynamodb.us-east-1.amazonaws.com"}
    for environment, loaded in ((endpoint | {"TABLE_NAME": "x"}, "1\n"), (endpoint, "0\n")):
        assert run(program, folder, environment) == loaded
