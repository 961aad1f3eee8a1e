"""Reading many log events takes little memory: the bound of `logs` for millions of them, scaled down."""

from __future__ import annotations

import subprocess
import sys

import pytest

EVENTS = 300_000
BOUND_MB = 20
"""150 MB for the 2 million events of ten minutes, less what Python and boto3 take by themselves."""

PROGRAM = """
import resource, sys
from ordernotify.logs.events import LogEvent
from ordernotify.logs.ranges import LogReader
from ordernotify.logs.reader import LogPage
from ordernotify.logs.follow import Follower
from ordernotify.aws.waiting import SystemClock

BEGIN, MINUTES, PAGE = 1_770_000_000_000, 10, 10_000

class Source:
    source = "function"

    def pages(self, start, end=None, pattern=""):
        for first in range(0, EVENTS, PAGE):
            yield LogPage(tuple(
                LogEvent("function", f"stream-{n % 50}", at := BEGIN + n * MINUTES * 60_000 // EVENTS, at,
                         f"a line of a log that is about as long as lines are, number {n}", f"{n:056d}")
                for n in range(first, first + PAGE)
            ))

EVENTS = PAGE
def read():
    if sys.argv[2] == "range":
        return sum(1 for _ in LogReader([Source()]).read(0))
    return sum(1 for _ in Follower([Source()], 0, SystemClock(), lambda: BEGIN / 1000 + MINUTES * 60).poll())

def peak():
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 if sys.platform != "darwin" else 1024 * 1024)

read()
before = peak()
EVENTS = int(sys.argv[1])
assert read() == EVENTS
print(peak() - before)
"""


@pytest.mark.parametrize("how", ["range", "follow"])
def test_ten_chatty_minutes_stay_within_the_bound(how: str) -> None:
    pytest.importorskip("resource")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(EVENTS), how], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) < BOUND_MB
