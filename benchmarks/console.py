"""How soon the page is there: the first page of `ordernotify console`, beside the same server's empty answer.

    python benchmarks/console.py [--rounds 5]

It starts an embedded cloud of its own with a stack, and a new `console` in each round. The first page must be
there within half a second of being asked for.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass

ORDERNOTIFY = [sys.executable, "-m", "ordernotify"]
LIMIT_SECONDS = 0.5


@dataclass(frozen=True)
class Round:
    """Seconds from the command to its address, to the first page, and to an empty answer after it."""

    start: float
    first: float
    empty: float


def main() -> int:
    """Measure and print; the exit status is 1 if a first page takes longer than the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        port = random.randint(20_000, 30_000)
        environ = {**os.environ, "XDG_STATE_HOME": folder, "ORDERNOTIFY_LOCAL_PORT": str(port)}
        try:
            subprocess.run([*ORDERNOTIFY, "setup", "--yes"], env=environ, check=True, capture_output=True)
            found = [measure(environ) for _ in range(rounds)]
        finally:
            subprocess.run([*ORDERNOTIFY, "local", "stop"], env=environ, check=False, capture_output=True)
    for what in ("start", "first", "empty"):
        each = [getattr(one, what) * 1000 for one in found]
        print(f"{what:<6} median {statistics.median(each):7.1f} ms   longest {max(each):7.1f} ms")
    return int(statistics.median(one.first for one in found) > LIMIT_SECONDS)


def measure(environ: dict[str, str]) -> Round:
    """Start the page, ask for it once, and end it."""
    began = time.perf_counter()
    with subprocess.Popen(
        [*ORDERNOTIFY, "console", "--no-open"],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        started = time.perf_counter()
        home, token = address.split("?token=")
        cookie = {"Cookie": f"ordernotify-{home.rstrip('/').rpartition(':')[2]}={token}"}
        first = ask(address, cookie) + ask(home, cookie)
        empty = ask(f"{home}favicon.ico", cookie)
        process.terminate()
    return Round(started - began, first, empty)


def ask(address: str, headers: dict[str, str]) -> float:
    """Ask once; the seconds until all of the answer is there."""
    began = time.perf_counter()
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers)) as answer:
        answer.read()
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
