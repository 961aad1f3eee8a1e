"""Orders as CSV that a spreadsheet opens without executing anything, and that loses nothing.

Texts are always quoted; numbers, booleans and nulls never; absent fields are empty and empty texts are `""`.
Lists and maps are quoted JSON. A text that a spreadsheet would take for a formula
(https://owasp.org/www-community/attacks/CSV_Injection), or `import-orders` for a list or map, gets an
apostrophe in front, which `unguard` removes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ordernotify.orders.attributes import (
    Attributes,
    attribute_of,
    base64_text,
    exact_number,
    json_value,
    read_json,
)

FIRST_COLUMNS = (
    "orderId",
    "createdAt",
    "customerName",
    "productName",
    "quantity",
    "notification",
    "messageId",
)
LAST_COLUMNS = ("requestHash", "FileName")
MAX_COLUMNS = 1000
"""Spreadsheets end at 1,024 (older LibreOffice) or 16,384 columns; what is over goes into one, as JSON."""
OTHER_FIELDS = "otherFields"

# Also the full-width forms, which some spreadsheets take for the ASCII ones. Apostrophes that stand before
# such a character count too: otherwise nobody could tell a guard from a text's own apostrophe.
_FORMULA = re.compile("'*[=+\\-@\t\r\n＝＋－＠[{]")
_GUARDED = re.compile("'+[=+\\-@\t\r\n＝＋－＠[{]")
_CELL = re.compile(r'(?:"((?:[^"]|"")*)"|([^,"]*))(?:,|$)')
_BARE = {"true": {"BOOL": True}, "false": {"BOOL": False}, "null": {"NULL": True}}


def guard(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet would execute."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguard(text: str) -> str:
    """Give the text that `guard` was given."""
    return text[1:] if _GUARDED.match(text) else text


def csv_cells(item: Attributes) -> dict[str, str]:
    """Write each attribute of an item as the cell that stands in the file."""
    return {name: _cell(attribute) for name, attribute in item.items()}


def _cell(attribute: Mapping[str, Any]) -> str:
    ((kind, content),) = attribute.items()
    if kind in ("N", "BOOL", "NULL"):
        return json_value(attribute)
    if kind == "S":
        return quoted(content)
    return quoted(base64_text(content)) if kind == "B" else _in_quotes(json_value(attribute))


def quoted(text: str) -> str:
    return _in_quotes(guard(text))


def _in_quotes(text: str) -> str:
    # The quotes keep it one cell whatever the separator is taken to be.
    return '"' + text.replace('"', '""') + '"'


def split_row(text: str) -> list[str]:
    """Split a row of an export into its cells as they stand; raises ValueError for one that is none."""
    cells: list[str] = []
    at = 0
    while True:
        cell = _CELL.match(text, at)
        if not cell:
            raise ValueError(f"cell {len(cells) + 1} is not CSV")
        cells.append(cell[0].removesuffix(","))
        at = cell.end()
        if not cell[0].endswith(","):
            return cells


def cell_text(cell: str) -> str:
    """Return the text that a quoted cell holds, or the bare cell itself."""
    return unguard(cell[1:-1].replace('""', '"')) if cell.startswith('"') else cell


def read_cell(cell: str) -> Mapping[str, Any]:
    """Read what `csv_cells` wrote; sets come back as lists, and binaries as their base64 text.

    Raises ValueError for a cell that no export writes.
    """
    if not cell.startswith('"'):
        return _BARE.get(cell) or {"N": str(exact_number(cell))}
    if cell.startswith(('"[', '"{')):
        return attribute_of(read_json(cell[1:-1].replace('""', '"')))
    return {"S": cell_text(cell)}


class Header:
    """The columns of a file: the union of all orders' fields, in the sequence in which they were seen."""

    def __init__(self) -> None:
        self._seen: dict[str, None] = {}
        self._over = False

    def add(self, fields: Iterable[str]) -> None:
        for field in fields:
            if field in self._seen:
                continue
            if field == OTHER_FIELDS or len(self._seen) >= MAX_COLUMNS:
                self._over = True
            else:
                self._seen[field] = None

    @property
    def columns(self) -> list[str]:
        """The fields that have a column of their own: the usual ones first."""
        usual = {*FIRST_COLUMNS, *LAST_COLUMNS}
        others = [field for field in self._seen if field not in usual]
        return [*FIRST_COLUMNS, *others, *LAST_COLUMNS]

    @property
    def line(self) -> str:
        names = [*self.columns, OTHER_FIELDS] if self._over else self.columns
        return ",".join(map(quoted, names)) + "\n"

    def lines(self, rows: Iterable[Mapping[str, str]]) -> Iterator[str]:
        """Write each order's cells as a line."""
        columns = self.columns
        for cells in rows:
            line = ",".join([cells.get(column, "") for column in columns])
            yield f"{line},{self._others(cells)}\n" if self._over else f"{line}\n"

    def _others(self, cells: Mapping[str, str]) -> str:
        own = {*self.columns}
        others = {field: cell for field, cell in cells.items() if field not in own}
        return _in_quotes(json.dumps(others, ensure_ascii=False)) if others else ""
