"""The orders that are sent: one from options, the same one many times, or those of a file.

The key of an order in a file is derived from its line number and its JSON text alone. So a file that was
cut off is simply sent again; lines may be added at its end or mended in place, and the others keep their
keys; equal lines are orders of their own. A line that is inserted or removed in the middle moves the lines
after it: those become new orders. The file's name plays no part. Two different files may hold the same
order at the same line: the second is then taken for a repeat and answered with 200, which the summary
counts; an import of its own name (`--import-id`) tells them apart.

A list of rejects is a file of orders too: each order keeps the line that it first stood in, so that one whose
fate is unknown keeps its key, and one that was mended gets another.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from ordernotify.errors import UsageError
from ordernotify.orders.files import Format
from ordernotify.orders.lines import Broken, Line, Lines, Row, any_number, csv_rows, fault_of_json, members
from ordernotify.orders.post import Draft

Record = Draft | Broken

_KEY = re.compile(r"[!-+.-~-]{1,255}")
_REQUIRED = ("customerName", "productName")
_OWN_FIELDS = (*_REQUIRED, "quantity")
_WHOLE = re.compile(r"\s*[+-]?[0-9]+\s*", re.ASCII)
_REJECT = re.compile(r'\{\s*"line"\s*:\s*([0-9]{1,18}|null)\s*,\s*"status"\s*:')
"""How each line of a list of rejects begins."""
_HEADER_HINT = "The first line must name the columns; for example: customerName,productName,quantity"


def order_body(
    customer: str, product: str, quantity: int | None = None, fields: Mapping[str, str] | None = None
) -> bytes:
    """Write an order as the JSON text that is sent.

    The value of a further field is taken as JSON where it is JSON (a number keeps its digits as they are
    written; `"007"` in quotes is text), and as text otherwise. Raises UsageError for a field that has an
    option of its own.
    """
    parts = [("customerName", json.dumps(customer)), ("productName", json.dumps(product))]
    if quantity is not None:
        parts.append(("quantity", str(quantity)))
    for name, value in (fields or {}).items():
        if name in _OWN_FIELDS:
            raise UsageError(
                f"{name} was given as a field", "Use --customer, --product and --quantity for these."
            )
        parts.append((name, _json_or_text(value)))
    return ("{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in parts) + "}").encode()


def _json_or_text(value: str) -> str:
    try:
        json.loads(value, parse_int=any_number, parse_float=any_number, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return json.dumps(value)
    return value.strip()


def _no_number(text: str) -> int:
    raise ValueError(text)  # NaN and Infinity, which JSON does not have


def random_key() -> str:
    """Make an idempotency key that no other order has."""
    return uuid.uuid4().hex


def check_key(key: str) -> None:
    """Raise UsageError for an idempotency key that the API would refuse or that is no header's value."""
    if not _KEY.fullmatch(key):
        raise UsageError(
            f"{key!r} cannot be an idempotency key",
            "Give 1 to 255 letters, digits and signs, without spaces and commas.",
        )


def repeated(body: bytes, count: int) -> Iterator[Draft]:
    """Yield the same order `count` times, each with its own key."""
    run = random_key()
    return (Draft(body, f"{run}-{number}") for number in range(1, count + 1))


def order_key(line: int, body: bytes, import_id: str = "") -> str:
    """Derive an order's idempotency key: 64 hexadecimal digits."""
    # No two inputs give one text: the import's name is hashed, and a number has no line end.
    name = hashlib.sha256(import_id.encode("utf-8", "surrogateescape")).hexdigest() if import_id else ""
    return hashlib.sha256(b"ordernotify-import-1\n%b\n%d\n%b" % (name.encode(), line, body)).hexdigest()


class Source:
    """The orders of an open file; iterate once."""

    def __init__(self, file: BinaryIO, form: Format, *, import_id: str = "") -> None:
        self._lines = Lines(file)
        self._form = form
        self._import_id = import_id

    @property
    def position(self) -> int:
        """The number of bytes read so far."""
        return self._lines.position

    def __iter__(self) -> Iterator[Record]:
        """Yield what stands in each line; empty lines are passed over.

        Raises UsageError, before the first order, for a file in UTF-16 and for a CSV header that names no
        usable columns.
        """
        return self._from_json_lines() if self._form is Format.JSONL else self._from_csv()

    def _draft(self, line: int, body: bytes) -> Draft:
        return Draft(body, order_key(line, body, self._import_id), line)

    def _from_json_lines(self) -> Iterator[Record]:
        for line in self._lines:
            if not line.raw.strip():
                continue
            text = line.text().strip()
            reason = line.reason or fault_of_json(text)
            if reason:
                yield line.broken(reason)
            elif _REJECT.match(text) and {"order", "text"} & (reject := members(text)).keys():
                yield self._from_reject(line, reject)
            else:
                # The text goes out as it stands: numbers keep every digit.
                yield self._draft(line.number, text.encode())

    def _from_reject(self, line: Line, reject: Mapping[str, str]) -> Record:
        number = int(reject["line"]) if reject["line"].isdecimal() else line.number
        if "order" in reject:
            return self._draft(number, reject["order"].encode())
        text = str(json.loads(reject["text"])).strip()
        if fault := fault_of_json(text):
            return line.broken(f'its text is still wrong: {fault}; or give the order as "order" in its place')
        return self._draft(number, text.encode())

    def _from_csv(self) -> Iterator[Record]:
        rows = csv_rows(self._lines)
        header = _read_header(rows)
        for row in rows:
            yield row if isinstance(row, Broken) else self._from_row(header, row)

    def _from_row(self, header: Sequence[str], row: Row) -> Record:
        if len(row.cells) != len(header):
            reason = f"the row has {len(row.cells)} cells, and the header has {len(header)}"
            return Broken(row.line, reason, row.text)
        order = {name: _value(name, cell) for name, cell in zip(header, row.cells, strict=True) if cell}
        return self._draft(row.line, json.dumps(order, ensure_ascii=False).encode())


def _value(name: str, cell: str) -> Any:
    is_number = name == "quantity" and len(cell) <= 20 and _WHOLE.fullmatch(cell)
    return int(cell) if is_number else cell


def _read_header(rows: Iterable[Row | Broken]) -> Sequence[str]:
    row = next(iter(rows), None)
    if row is None:
        raise UsageError("the file is empty", _HEADER_HINT)
    if isinstance(row, Broken):
        raise UsageError(f"the CSV header cannot be read: {row.reason}", _HEADER_HINT)
    names = [cell.strip() for cell in row.cells]
    missing = [name for name in _REQUIRED if name not in names]
    if missing:
        raise UsageError(f"the CSV header has no column {' and no column '.join(missing)}", _HEADER_HINT)
    if "" in names:
        raise UsageError(f"column {names.index('') + 1} has no name in the CSV header", _HEADER_HINT)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError(f"the CSV header has the column {twice} twice", _HEADER_HINT)
    return names
