"""What the function may import, and when: a customer who meets a cold worker waits for it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ordernotify.resources.function_code import packed_files

SLOW = {
    *("asyncio", "botocore", "dataclasses", "decimal", "inspect", "logging", "random", "typing"),
    *("unicodedata", "uuid", "xml"),
}
PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
before = set(sys.modules)
import http.client
library = set(sys.modules)
import ordernotify.handler
print(json.dumps([name for name in sys.modules if name not in before]))
print(json.dumps([name for name in sys.modules if name not in library]))
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


def run(program: str, folder: Path, environment: dict[str, str]) -> str:
    command = [sys.executable, "-S", "-c", program, str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=30)
    return done.stdout


def imported(folder: Path) -> tuple[set[str], set[str]]:
    """Import the handler in a bare interpreter; give all that came, and what is not http.client's."""
    first, second = map(json.loads, run(PROGRAM, folder, {}).splitlines())
    return set(first), set(second)


def test_it_needs_no_environment_and_nothing_slow(folder: Path) -> None:
    every, own = imported(folder)
    assert not own & SLOW
    assert not every & {"asyncio", "dataclasses", "decimal", "inspect", "logging", "typing", "unicodedata"}


def test_certificates_are_loaded_while_the_worker_starts(folder: Path) -> None:
    program = "import sys; sys.path.insert(0, sys.argv[1]); import ordernotify.handler; "
    program += "from ordernotify.function import connection; print(connection._tls is not None)"
    endpoint = {"AWS_ENDPOINT_URL_DYNAMODB": "https://dynamodb.us-east-1.amazonaws.com"}
    for environment, loaded in ((endpoint | {"TABLE_NAME": "x"}, "True\n"), (endpoint, "False\n")):
        assert run(program, folder, environment) == loaded
