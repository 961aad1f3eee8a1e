"""Orders as CSV that a spreadsheet opens without executing anything, and that loses nothing.

Texts are always quoted, numbers never; absent fields are empty and empty texts are `""`. Lists, maps,
booleans and nulls are JSON. A text that a spreadsheet would take for a formula gets an apostrophe in front
(https://owasp.org/www-community/attacks/CSV_Injection), which `unguard` takes away again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ordernotify.orders.attributes import Attributes, base64_text, json_value

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
_FORMULA = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")
_GUARDED = re.compile("'+[=+\\-@\t\r\n＝＋－＠]")


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
    if kind == "N":
        return str(content)
    if kind == "S":
        return quoted(content)
    return quoted(base64_text(content) if kind == "B" else json_value(attribute))


def quoted(text: str) -> str:
    """Write a text as a cell, guarded; the quotes keep it one cell whatever the separator is taken to be."""
    return '"' + guard(text).replace('"', '""') + '"'


class Header:
    """The columns of a file: the union of all orders' fields, in the sequence in which they were seen."""

    def __init__(self) -> None:
        """Begin with no order seen."""
        self._seen: dict[str, None] = {}
        self._over = False

    def add(self, fields: Iterable[str]) -> None:
        """Take in the fields of one more order."""
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
        """The file's first line."""
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
        return quoted(json.dumps(others, ensure_ascii=False)) if others else ""
