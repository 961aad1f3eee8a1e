"""The lines and CSV rows of a file, numbered, whatever bytes they hold and however long they are."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

from ordernotify.errors import UsageError

MAX_LINE_BYTES = 1024 * 1024
"""A longer line holds no order (64 KiB at most); it is skipped without being kept in memory."""
KEPT_TEXT = 10_000
"""How many characters of a broken line the list of rejects keeps."""

_SEPARATORS = ",;\t"
_BETWEEN = re.compile(r"[ \t\r\n,:]*")
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
        """The line's text; empty if it cannot be read."""
        return "" if self.reason else self.raw.decode()

    def shown(self) -> str:
        """What a person sees of the line, cut to a length that can be kept."""
        return self.raw[:KEPT_TEXT].decode("utf-8", "backslashreplace")

    def broken(self, reason: str = "") -> Broken:
        """Report that the line holds no order."""
        return Broken(self.number, self.reason or reason, self.shown().rstrip("\r\n"))


class Lines:
    """The lines of an open file; iterate once. `position` is the number of bytes read so far."""

    def __init__(self, file: BinaryIO) -> None:
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


def fault_of_json(text: str) -> str:
    """Say why the text is no JSON object; empty if it is one. The rules for orders are the API's."""
    try:
        document = json.loads(text, parse_int=any_number, parse_float=any_number)
    except json.JSONDecodeError as error:
        return f"the line is not JSON: {error.msg} at column {error.colno}"
    except RecursionError:
        return "the line is nested too deeply"
    return "" if isinstance(document, dict) else "the line is not a JSON object"


def members(text: str) -> dict[str, str]:
    """Split a JSON object, which the text must be, into its members' names and their texts as they stand."""
    decoder = json.JSONDecoder(parse_int=any_number, parse_float=any_number)
    found: dict[str, str] = {}
    at = _BETWEEN.match(text, text.index("{") + 1).end()  # type: ignore[union-attr]
    while text[at] != "}":
        name, at = decoder.raw_decode(text, at)
        begin = _BETWEEN.match(text, at).end()  # type: ignore[union-attr]
        _, end = decoder.raw_decode(text, begin)
        found[name] = text[begin:end]
        at = _BETWEEN.match(text, end).end()  # type: ignore[union-attr]
    return found


def any_number(_text: str) -> int:
    """Stand in for a number whose digits go out as they were written; int() refuses very long ones."""
    return 0


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one row and its first line's number."""

    line: int
    cells: list[str]
    text: str


class _Record:
    """The lines that the CSV reader takes for one row; the text is kept up to a limit."""

    def __init__(self) -> None:
        self.first = self.last = 0
        self.text = self.reason = ""

    def add(self, line: Line) -> None:
        self.first = self.first or line.number
        self.last = line.number
        self.text += line.shown()[: KEPT_TEXT - len(self.text)]
        self.reason = self.reason or line.reason

    def broken(self, reason: str) -> Broken:
        lines = f" (lines {self.first} to {self.last} were read as one row)" if self.last > self.first else ""
        return Broken(self.first, reason + lines, self.text.rstrip("\r\n"))


class _Recorder:
    """Hands lines to the CSV reader and remembers which of them belong to the row that is read."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._lines = lines
        self.record = _Record()

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.record.add(line)
            yield line.text() or "\n"


def csv_rows(lines: Iterable[Line]) -> Iterator[Row | Broken]:
    """Read RFC 4180 rows; the separator is the one that the first line has most of: comma, semicolon or tab.

    A quote that is not closed takes the lines after it into its row, up to 128 KiB; the reason says which.
    """
    remaining = iter(lines)
    first = next(remaining, None)
    if first is None:
        return
    recorder = _Recorder(chain([first], remaining))
    separator = max(_SEPARATORS, key=first.text().count)
    reader = csv.reader(recorder, delimiter=separator, strict=True)
    while True:
        record = recorder.record = _Record()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield record.broken(f"the row is not CSV: {error}")
            continue
        if record.reason:
            yield record.broken(record.reason)
        elif cells:
            yield Row(record.first, cells, record.text.rstrip("\r\n"))
