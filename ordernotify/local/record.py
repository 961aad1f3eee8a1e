"""Which process is the embedded cloud: the record in its folder, and whether that very process still runs."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

children: dict[int, subprocess.Popen[bytes]] = {}
"""What this very process started, and has to reap: until then, what ended stays a zombie."""


@atexit.register
def _let_go() -> None:
    for child in children.values():
        child.returncode = 0  # it is to outlive this process, so that is no leak to warn of


@dataclass(frozen=True, slots=True)
class Record:
    """The process that was started last: its id, when it began, the token that it shows, and its program."""

    pid: int
    began: str
    token: str
    program: str = ""

    @classmethod
    def of(cls, child: subprocess.Popen[bytes], token: str, program: str) -> Record:
        return cls(child.pid, began(child.pid), token, program)

    def is_alive(self) -> bool:
        """Tell whether that very process still runs; a reused id is not it."""
        child = children.get(self.pid)
        if child is not None and child.poll() is not None:
            del children[self.pid]
        return bool(self.began) and began(self.pid) == self.began

    def has_program(self) -> bool:
        """Tell whether its Python is still there: without it, it runs on but can call no function."""
        return Path(self.program).exists()


def began(pid: int) -> str:
    """When the process began, in the system's own terms; empty if there is none, or only a zombie."""
    return _began_in_proc(pid) if Path("/proc/self/stat").exists() else _began_in_ps(pid)


def _began_in_proc(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    # proc(5): the name, in parentheses, may hold anything; the state follows, and the 20th field from there
    # is the start time.
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else fields[19]


def _began_in_ps(pid: int) -> str:
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    # ps would write the time in the person's language and time zone, and these may change.
    fixed = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
    shown = subprocess.run(command, env=fixed, capture_output=True, text=True, check=False).stdout.split()
    return "" if not shown or shown[0].startswith("Z") else " ".join(shown[1:])


def read_record(folder: Path) -> Record | None:
    """The process that was started last; None if there is none, or the record is not readable."""
    try:
        return Record(**json.loads(_record_path(folder).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def record_age(folder: Path) -> float:
    """Return how many seconds ago the record was written; 0 if there is none."""
    try:
        return max(time.time() - _record_path(folder).stat().st_mtime, 0.0)
    except OSError:
        return 0.0


def write_record(folder: Path, record: Record) -> None:
    """Keep the record, whole or not at all."""
    part = folder / "process.part"
    part.write_text(json.dumps(asdict(record)), encoding="utf-8")
    part.replace(_record_path(folder))


def remove_record(folder: Path) -> None:
    _record_path(folder).unlink(missing_ok=True)


def _record_path(folder: Path) -> Path:
    return folder / "process.json"
