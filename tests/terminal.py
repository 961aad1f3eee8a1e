"""A person at a terminal: a command runs on a pseudo-terminal that is its own, so that Ctrl-C reaches it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

PATIENCE_SECONDS = 40.0


class Terminal:
    """One command, what it has shown so far, and the keyboard."""

    def __init__(self, process: subprocess.Popen[bytes], keyboard: int) -> None:
        """Take the process and its side of the pseudo-terminal."""
        self.process = process
        self.shown = ""
        self._keyboard = keyboard

    def expect(self, text: str) -> None:
        """Read until the text is shown."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while text not in self.shown:
            assert time.monotonic() < deadline, f"{text!r} was not shown: {self.shown}"
            if not self._read():
                raise AssertionError(f"ended before {text!r} was shown: {self.shown}")

    def type(self, line: str) -> None:
        """Type a line and Enter."""
        os.write(self._keyboard, f"{line}\n".encode())

    def press_ctrl_c(self) -> None:
        """Press Ctrl-C: the terminal sends SIGINT to the command."""
        os.write(self._keyboard, b"\x03")

    def end(self) -> int:
        """Read to the end and return the exit status."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._read():
            assert time.monotonic() < deadline, f"it does not end: {self.shown}"
        return self.process.wait(PATIENCE_SECONDS)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._keyboard], [], [], 0.1)
        if not ready:
            return True
        try:
            read = os.read(self._keyboard, 65_536)
        except OSError:  # the command, the only one at the other side, has ended
            return False
        self.shown += read.decode(errors="replace").replace("\r\n", "\n")
        return bool(read)


@contextmanager
def at_a_terminal(
    *words: str, environ: Mapping[str, str], folder: Path, columns: int = 100
) -> Iterator[Terminal]:
    """Run `ordernotify` with these words on a terminal of so many columns."""
    keyboard, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "ordernotify", *words],
        env={**environ, "COLUMNS": str(columns), "TERM": "xterm", "ORDERNOTIFY_COLOR": "never"},
        cwd=folder,
        stdin=side,
        stdout=side,
        stderr=side,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(side)
    try:
        yield Terminal(process, keyboard)
    finally:
        process.kill()
        process.wait()
        os.close(keyboard)
