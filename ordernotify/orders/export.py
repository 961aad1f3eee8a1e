"""Write all orders into a file, complete or not at all."""

from __future__ import annotations

import fcntl
import glob
import json
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ordernotify.aws.session import Cloud
from ordernotify.errors import OrderNotifyError
from ordernotify.orders.attributes import json_order
from ordernotify.orders.files import STDIO, Format
from ordernotify.orders.items import Page, scan_pages
from ordernotify.orders.spreadsheet import Header, csv_cells
from ordernotify.settings.names import Names

Progress = Callable[[int], None]
Visible = Callable[[str], str]

_PART = ".part"


@contextmanager
def _replacing(file: str) -> Iterator[BinaryIO]:
    """Open a new file that gets its name only when all of it is on the disk.

    Until then it is hidden in the same folder with mode 0600; it is removed if the block fails or a signal
    ends the command. What SIGKILL left of an earlier export is removed here. A device or a pipe is written to
    directly.
    """
    target = Path(file).resolve()
    if file == STDIO:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if target.exists() and not target.is_file():
        with target.open("wb") as out:
            yield out
        return
    _remove_leftovers(target)
    with _ending_orderly():
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=_PART, dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as out:
                fcntl.flock(handle, fcntl.LOCK_EX)
                yield out
                out.flush()
                os.fsync(handle)
                Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    _sync_folder(target.parent)


@contextmanager
def _ending_orderly() -> Iterator[None]:
    """Turn the signals that end a program into SystemExit, so that files are cleaned up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _remove_leftovers(target: Path) -> None:
    """Remove the parts of exports to this file that nobody writes any more: parts in use are locked."""
    for part in target.parent.glob(f".{glob.escape(target.name)}.*{_PART}"):
        with suppress(OSError), part.open("rb") as opened:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink()


def _sync_folder(folder: Path) -> None:
    # Without this a power cut could undo the renaming; not every file system allows it.
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)


def _spool_folder(file: str) -> Path | None:
    target = Path(file).resolve()
    in_folder = file != STDIO and (target.is_file() or not target.exists())
    return target.parent if in_folder else None


@contextmanager
def _writing(file: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        if file == STDIO:
            # The interpreter flushes stdout once more at its end, and would complain again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        name = "stdout" if file == STDIO else file
        raise OrderNotifyError(
            f"could not write {name}: {error.strerror or error}",
            "Nothing was kept of it. Choose a place with room that you may write to, and export again."
            if file != STDIO
            else "The output is not complete; do not use it.",
        ) from error


def export_orders(
    cloud: Cloud,
    names: Names,
    file: str,
    form: Format,
    *,
    progress: Progress = lambda _count: None,
    visible: Visible | None = None,
) -> int:
    """Write every order of the table into the file, each once; return how many they are.

    The file appears under its name only when it is complete; an existing file is replaced. `-` is stdout,
    where a part may have been written when the export fails. `progress` is called with the number read so
    far. The CSV has a column for each field that any order has: the orders are first kept in a temporary
    file (unlinked, beside the target), because only the last one completes the header. `visible` makes
    the text safe for a terminal.

    Raises OrderNotifyError when the file cannot be written, StackNotFoundError, AwsError.
    """
    pages = scan_pages(cloud, names)
    with _writing(file), _replacing(file) as out:
        if form is Format.JSONL:
            return _write_json_lines(pages, out, progress, visible)
        with tempfile.TemporaryFile(dir=_spool_folder(file)) as spool:
            return _write_csv(pages, out, spool, progress, visible)


def _write_json_lines(
    pages: Iterable[Page], out: BinaryIO, progress: Progress, visible: Visible | None
) -> int:
    count = 0
    for page in pages:
        _write(out, (json_order(item) + "\n" for item in page), visible)
        count += len(page)
        progress(count)
    return count


def _write_csv(
    pages: Iterable[Page], out: BinaryIO, spool: BinaryIO, progress: Progress, visible: Visible | None
) -> int:
    header, count = Header(), 0
    for page in pages:
        rows = [csv_cells(item) for item in page]
        for row in rows:
            header.add(row)
        _write(spool, (json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        count += len(page)
        progress(count)
    spool.seek(0)
    _write(out, [header.line], visible)
    _write(out, header.lines(map(json.loads, spool)), visible)
    return count


def _write(out: BinaryIO, lines: Iterable[str], visible: Visible | None = None) -> None:
    if visible:
        lines = map(visible, lines)
    # Half a surrogate pair, which only another program could have stored, becomes JSON's escape for it.
    out.writelines(line.encode("utf-8", "backslashreplace") for line in lines)
