"""Ctrl-C ends a command soon, whatever call it waits for."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import NoReturn

from ordernotify.errors import EXIT_INTERRUPTED

GRACE_SECONDS = 4.0
"""How long what is under way may take to end by itself."""
RESEND_SECONDS = 0.5
INTERRUPTED = ("interrupted", "Run the same command again; it continues where it stopped.")


class CtrlC:
    """Whether Ctrl-C was pressed; the process ends GRACE_SECONDS later, unless it has ended before.

    The main thread gets KeyboardInterrupt as ever; but while it waits for threads whose calls do not answer,
    or inside the resolver, that alone ends nothing. The wakeup file is written by the signal itself
    (https://docs.python.org/3/library/signal.html#signal.set_wakeup_fd), and a thread reads it.
    """

    def __init__(self) -> None:
        """Watch from now on, unless the process is to ignore Ctrl-C, as one in a script's background is."""
        self.pressed = False
        self._main = threading.get_ident()  # handlers can be set in the main thread alone
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._interrupt)
            self._written, written = os.pipe()
            os.set_blocking(written, False)
            signal.set_wakeup_fd(written, warn_on_full_buffer=False)
            threading.Thread(target=self._watch, name="ctrl-c", daemon=True).start()

    def _interrupt(self, _number: int, _frame: object) -> NoReturn:
        self.pressed = True
        raise KeyboardInterrupt

    def _watch(self) -> None:
        while os.read(self._written, 1) != bytes([signal.SIGINT]):
            pass
        end = time.monotonic() + GRACE_SECONDS
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, RESEND_SECONDS))
            if not self.pressed:
                # It came just before the main thread's system call blocked, and so did not interrupt it.
                signal.pthread_kill(self._main, signal.SIGINT)
        from ordernotify.render import last_error

        last_error(*INTERRUPTED)
        os._exit(EXIT_INTERRUPTED)


def end_now(status: int) -> NoReturn:
    """End the process without waiting for threads: one of them may hang in a call."""
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)
