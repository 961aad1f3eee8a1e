"""CSV rows with the line that each begins at, and its text; a broken row does not end the reading."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from ordernotify.orders.lines import KEPT_TEXT, Broken, Line

_SEPARATORS = ",;\t"


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
