"""The files that orders come from and go to: formats, opening, and the list of rejects."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ordernotify.errors import OrderNotifyError, UsageError
from ordernotify.orders.lines import fault_of_json

if TYPE_CHECKING:
    from ordernotify.orders.bulk import Rejected

STDIO = "-"
"""In place of a file's name: stdin or stdout."""


class Format(StrEnum):
    """How a file holds orders: one JSON object per line, or rows under a header."""

    JSONL = "jsonl"
    CSV = "csv"


_SUFFIXES = {".jsonl": Format.JSONL, ".ndjson": Format.JSONL, ".json": Format.JSONL, ".csv": Format.CSV}


def format_of(file: str, given: str = "") -> Format:
    """Return the given format, or the one of the file's suffix; JSON lines for stdin and stdout.

    Raises UsageError if neither is known, and for a directory.
    """
    if Path(file).is_dir():
        raise UsageError(f"{file} is a directory", "Give the name of a file.")
    if given:
        if given not in tuple(Format):
            raise UsageError(f"{given!r} is not a format", "Give --format jsonl or --format csv.")
        return Format(given)
    if file == STDIO:
        return Format.JSONL
    suffix = Path(file).suffix.lower()
    if suffix not in _SUFFIXES:
        raise UsageError(
            f"the name {file} does not show its format", "End it with .jsonl or .csv, or give --format."
        )
    return _SUFFIXES[suffix]


@contextmanager
def open_orders(file: str) -> Iterator[tuple[BinaryIO, int]]:
    """Open a file of orders, or stdin for `-`, with its size in bytes (0 if unknown).

    Raises UsageError if the file does not exist, OrderNotifyError if it cannot be read.
    """
    try:
        # Not sys.stdin: the interpreter would wait for its lock at the end if a thread were still reading.
        opened = open(0, "rb", closefd=False) if file == STDIO else Path(file).open("rb")  # noqa: SIM115
        status = os.fstat(opened.fileno())
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {file}", "Give a file of orders that exists.") from error
    except OSError as error:
        raise OrderNotifyError(
            f"could not read {file}: {error.strerror or error}",
            "Give a file of orders that you may read.",
        ) from error
    if not stat.S_ISREG(status.st_mode):
        # Never closed: after Ctrl-C a thread may still wait for its next line, and closing would wait for it.
        yield opened, 0
        return
    with opened:
        yield opened, status.st_size


class Rejects:
    """The list of orders that were not taken: JSON lines, readable by the owner only."""

    def __init__(self, file: str) -> None:
        """Make or empty the file; raises OrderNotifyError when that is not possible."""
        self._file = file
        with self._writing():
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            self._out: TextIOWrapper = os.fdopen(
                handle, "w", encoding="utf-8", errors="backslashreplace", buffering=1
            )
            if stat.S_ISREG(os.fstat(handle).st_mode):
                os.fchmod(handle, 0o600)

    def add(self, rejected: Rejected) -> None:
        """Write one line: `line`, `status` (null: nobody answered), `reason`, `order` or `text`; at once."""
        what = {"line": rejected.line or None, "status": rejected.status or None, "reason": rejected.reason}
        head = json.dumps(what, ensure_ascii=False)[:-1]
        with self._writing():
            self._out.write(f"{head}, {self._order(rejected.text)}}}\n")

    def close(self) -> None:
        with self._writing():
            self._out.close()

    @staticmethod
    def _order(text: str) -> str:
        # An order stands there as it was read, so that it can be mended and sent again with every digit.
        if fault_of_json(text):
            return f'"text": {json.dumps(text, ensure_ascii=False)}'
        return f'"order": {text}'

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OrderNotifyError(
                f"could not write {self._file}: {error.strerror or error}",
                "Choose a place with room that you may write to; orders sent again are not made twice.",
            ) from error


def check_rejects(file: str, rejects: str) -> None:
    """Raise UsageError if the rejects would be written over the orders."""
    if file != STDIO and Path(rejects).exists() and Path(file).exists() and Path(rejects).samefile(file):
        raise UsageError("--rejects is the file that is to be sent", "Give another name for the rejects.")
