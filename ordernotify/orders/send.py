"""What `send-order` sends: one order from its options, or many from a file or a count."""

from __future__ import annotations

import json
import os
import re
import stat
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO

from ordernotify.errors import OrderNotifyError, UsageError
from ordernotify.orders.bulk import Rejected
from ordernotify.orders.formats import STDIO
from ordernotify.orders.post import Draft
from ordernotify.orders.source import fault_of_json

_KEY = re.compile(r"[!-~]{1,255}")
_OWN_FIELDS = ("customerName", "productName", "quantity")


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
        json.loads(value, parse_int=_any_number, parse_float=_any_number, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return json.dumps(value)
    return value.strip()


def _any_number(_text: str) -> int:
    return 0  # only the form counts: the digits go out as they were written


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
            "Give 1 to 255 letters, digits and signs, without spaces.",
        )


def repeated(body: bytes, count: int) -> Iterator[Draft]:
    """Yield the same order `count` times, each as an order of its own."""
    run = random_key()
    return (Draft(body, f"{run}-{number}") for number in range(1, count + 1))


@contextmanager
def open_orders(file: str) -> Iterator[tuple[BinaryIO, int]]:
    """Open a file of orders, or stdin for `-`, with its size in bytes (0 where nobody knows it).

    Raises OrderNotifyError when it cannot be read.
    """
    try:
        # Not sys.stdin: the interpreter would wait for its lock at the end if a thread were still reading.
        opened = open(0, "rb", closefd=False) if file == STDIO else Path(file).open("rb")  # noqa: SIM115
        status = os.fstat(opened.fileno())
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(21, "it is a folder")
    except OSError as error:
        raise OrderNotifyError(
            f"could not read {file}: {error.strerror or error}",
            "Give a file of orders that exists and is yours to read.",
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
        """Close the file."""
        with self._writing():
            self._out.close()

    @staticmethod
    def _order(text: str) -> str:
        # An order stands there as it was read, so that it can be mended and sent again with every digit.
        if fault_of_json(text.encode("utf-8", "backslashreplace")):
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
