"""What the function's file may import, and when: a cold worker pays for it with the customer waiting."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

FILE = Path(__file__).parent.parent / "ordernotify" / "handler.py"
SLOW = {
    *("asyncio", "botocore", "dataclasses", "datetime", "decimal", "email", "http", "inspect", "logging"),
    *("random", "ssl", "typing", "unicodedata", "urllib", "uuid", "xml"),
}
PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
before = set(sys.modules)
import handler
print(json.dumps([name for name in sys.modules if name not in before]))
"""


def imported(**environment: str) -> set[str]:
    """Import the file alone in a bare interpreter; give the names of the modules that came with it."""
    command = [sys.executable, "-S", "-c", PROGRAM, str(FILE.parent)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=30)
    return set(json.loads(done.stdout))


def test_it_needs_no_environment_and_nothing_slow() -> None:
    assert not imported() & SLOW


def test_certificates_are_loaded_while_the_worker_starts() -> None:
    endpoint = "https://dynamodb.us-east-1.amazonaws.com"
    assert "ssl" in imported(AWS_ENDPOINT_URL_DYNAMODB=endpoint, TABLE_NAME="FileMetadata")
    assert "ssl" not in imported(AWS_ENDPOINT_URL_DYNAMODB=endpoint)


def test_it_imports_the_standard_library_only() -> None:
    names = set()
    for node in ast.walk(ast.parse(FILE.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None
            assert node.level == 0
            names.add(node.module.partition(".")[0])
    assert names <= sys.stdlib_module_names
