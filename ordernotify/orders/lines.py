"""The lines of a file, numbered, whatever bytes stands in them and however long they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ordernotify.errors import UsageError

MAX_LINE_BYTES = 1024 * 1024
"""A longer line holds no order (64 KiB at most); it is passed over without being kept in memory."""
KEPT_TEXT = 10_000
"""So many characters of a broken line are kept for the list of rejects."""

_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Broken:
    """A place in the file that holds no order: its line, why, and what stands there."""

    line: int
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it stands in the file, its line end included; `reason` says why it cannot be read."""

    number: int
    raw: bytes
    reason: str = ""

    def text(self) -> str:
        """Give the line's text; empty if it cannot be read."""
        return "" if self.reason else self.raw.decode()

    def shown(self) -> str:
        """Give what a person sees of the line, cut to a length that can be kept."""
        return self.raw[:KEPT_TEXT].decode("utf-8", "backslashreplace")

    def broken(self, reason: str = "") -> Broken:
        """Make the report of a line that holds no order."""
        return Broken(self.number, self.reason or reason, self.shown().rstrip("\r\n"))


class Lines:
    """The lines of an open file; iterate once. `position` is the number of bytes read so far."""

    def __init__(self, file: BinaryIO) -> None:
        """Take a file that is open for reading bytes."""
        self.position = 0
        self._file = file

    def __iter__(self) -> Iterator[Line]:
        """Yield each line; raises UsageError for a file in UTF-16."""
        number = 0
        while raw := self._file.readline(MAX_LINE_BYTES):
            number += 1
            self.position += len(raw)
            if number == 1:
                if raw.startswith(_UTF16):
                    raise UsageError(
                        "the file is not UTF-8 but UTF-16", "Save it as UTF-8 and send it again."
                    )
                raw = raw.removeprefix(_BOM)
            yield Line(number, raw, self._fault(raw))

    def _fault(self, raw: bytes) -> str:
        if len(raw) >= MAX_LINE_BYTES and not raw.endswith(b"\n"):
            self._skip_line()
            return f"the line is longer than {MAX_LINE_BYTES} bytes"
        if not raw.isascii():
            try:
                raw.decode()
            except UnicodeDecodeError as error:
                return f"the line is not UTF-8 (byte {error.start + 1})"
        return ""

    def _skip_line(self) -> None:
        while raw := self._file.readline(MAX_LINE_BYTES):
            self.position += len(raw)
            if raw.endswith(b"\n"):
                return
