"""Calls that block, made beside the event loop without ever holding up its end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")


async def in_thread(call: Callable[[], Result]) -> Result:
    """Make the call in a thread of its own and wait for what it returns or raises.

    The thread is a daemon: asyncio's own threads would keep Ctrl-C waiting until AWS answered.
    """
    outcome: Future[Result] = Future()
    outcome.set_running_or_notify_cancel()  # whoever waits may give up; the thread still ends quietly

    def run() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return await asyncio.wrap_future(outcome)
