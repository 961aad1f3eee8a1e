"""Bring a file of `export-orders` back into the table, as it was; nothing is announced again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO

from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import Patience
from ordernotify.errors import AwsError, UsageError
from ordernotify.orders.attributes import Attributes, attribute_of, read_json
from ordernotify.orders.files import Format
from ordernotify.orders.items import put_calls, put_new
from ordernotify.orders.lines import KEPT_TEXT, MAX_LINE_BYTES, Broken, Line, Lines
from ordernotify.orders.parallel import in_parallel
from ordernotify.orders.spreadsheet import OTHER_FIELDS, cell_text, read_cell, split_row
from ordernotify.settings.names import TABLE_KEY, Names

calls = put_calls
"""What bringing orders back calls."""

_AT_ONCE = 16
_REFUSED = "ValidationException"
"""DynamoDB's answer to an item that it cannot hold: too large, or a number out of range."""


class Restoration(StrEnum):
    """What became of one order of the file."""

    STORED = "stored"
    EXISTING = "existing"
    """The table holds an order of this id; it was left as it is."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Restored:
    """One line's result, and the reason if it was refused."""

    line: int
    result: Restoration
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Found:
    line: int
    item: Attributes


def restore_orders(
    cloud: Cloud,
    names: Names,
    file: BinaryIO,
    form: Format,
    *,
    patience: Patience | None = None,
) -> Iterator[Restored]:
    """Store every order of an exported file that the table does not hold, and yield each line's result.

    Ids, times and the notification's state are those of the file. It may be cut off and run again.
    Raises UsageError for a file that is no export, StackNotFoundError, AwsError.
    """
    patience = patience or Patience()

    def store(found: _Found | Broken) -> Restored:
        if isinstance(found, Broken):
            return Restored(found.line, Restoration.REFUSED, found.reason)
        try:
            stored = put_new(cloud, names, found.item, patience)
        except AwsError as error:
            if error.code != _REFUSED:
                raise
            return Restored(found.line, Restoration.REFUSED, error.message)
        except (RecursionError, UnicodeEncodeError) as error:
            return Restored(found.line, Restoration.REFUSED, f"DynamoDB cannot hold the order: {error}")
        return Restored(found.line, Restoration.STORED if stored else Restoration.EXISTING)

    return in_parallel(exported_items(file, form), store, concurrency=_AT_ONCE)


def exported_items(file: BinaryIO, form: Format) -> Iterator[_Found | Broken]:
    """Read the items of an export; a line without one is reported, and reading continues."""
    lines = Lines(file)
    return _from_json_lines(lines) if form is Format.JSONL else _from_csv(lines)


def _from_json_lines(lines: Iterable[Line]) -> Iterator[_Found | Broken]:
    for line in lines:
        if not line.raw.strip():
            continue
        if line.reason:
            yield line.broken()
            continue
        try:
            order = read_json(line.text())
            if not isinstance(order, dict):
                raise ValueError("it is not a JSON object")
            yield _Found(line.number, _checked({name: attribute_of(value) for name, value in order.items()}))
        except (ValueError, RecursionError) as error:
            yield line.broken(f"the line holds no exported order: {error}")


def _from_csv(lines: Iterable[Line]) -> Iterator[_Found | Broken]:
    records = _records(lines)
    header = _header(next(records, None))
    for record in records:
        if isinstance(record, Broken):
            yield record
            continue
        number, text = record
        try:
            yield _Found(number, _checked(_item(header, split_row(text))))
        except (ValueError, RecursionError) as error:
            yield Broken(number, f"the row holds no exported order: {error}", text[:KEPT_TEXT])


def _header(record: tuple[int, str] | Broken | None) -> list[str]:
    if isinstance(record, tuple):
        try:
            names = [cell_text(cell) for cell in split_row(record[1])]
        except ValueError:
            names = []
        if TABLE_KEY in names and len(set(names)) == len(names):
            return names
    raise UsageError(
        "the file is not a CSV file of export-orders",
        f"Its first line must name the columns, {TABLE_KEY} too. "
        "`ordernotify send-order --file FILE` sends new orders.",
    )


def _item(header: list[str], cells: list[str]) -> Attributes:
    if len(cells) != len(header):
        raise ValueError(f"it has {len(cells)} cells, and the header has {len(header)}")
    present: dict[str, str] = {name: cell for name, cell in zip(header, cells, strict=True) if cell}
    if header[-1] == OTHER_FIELDS and OTHER_FIELDS in present:
        others = json.loads(present.pop(OTHER_FIELDS)[1:-1].replace('""', '"'))
        if not isinstance(others, dict) or not all(isinstance(cell, str) for cell in others.values()):
            raise ValueError(f"its {OTHER_FIELDS} are not what an export writes")
        present |= others
    return {name: read_cell(cell) for name, cell in present.items()}


def _checked(item: Attributes) -> Attributes:
    if not item.get(TABLE_KEY, {}).get("S"):
        raise ValueError(f"it has no {TABLE_KEY}, which holds the order's id")
    return item


def _records(lines: Iterable[Line]) -> Iterator[tuple[int, str] | Broken]:
    """Join lines while a quote is open; a line that cannot be read ends its row."""
    first, size, quotes = 0, 0, 0
    parts: list[str] = []
    for line in lines:
        first = first or line.number
        parts.append(line.text())
        size += len(parts[-1])
        quotes += parts[-1].count('"')
        text = "".join(parts) if quotes % 2 == 0 or line.reason or size > MAX_LINE_BYTES else None
        if text is None:
            continue
        if line.reason:
            yield Broken(first, line.reason, line.shown())
        elif quotes % 2:
            yield Broken(first, "a quote is not closed", text[:KEPT_TEXT])
        elif text.strip():
            yield first, text.rstrip("\r\n")
        first, parts, size, quotes = 0, [], 0, 0
    if parts:
        yield Broken(first, "a quote is not closed", "".join(parts)[:KEPT_TEXT])
