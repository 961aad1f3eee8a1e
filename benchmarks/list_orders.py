"""What `list-orders` takes on the embedded cloud, beside a program that makes the same calls with boto3.

    python benchmarks/list_orders.py [--orders 50] [--rounds 15]

It starts an embedded cloud of its own, sets a stack up, sends so many orders, and runs both in turns. Printed
are the medians, of the clock and of CPU, which says more on a busy machine. PYTHONDONTWRITEBYTECODE is taken
away: without compiled files it would measure Python's compiler.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ORDERNOTIFY = [sys.executable, "-m", "ordernotify"]
BARE = """
import boto3, sys
from botocore.config import Config
session = boto3.Session("test", "test", region_name="us-east-1")
def client(name):
    return session.client(name, endpoint_url=sys.argv[1], config=Config(proxies={}))
account = client("sts").get_caller_identity()["Account"]
client("lambda").list_tags(Resource=f"arn:aws:lambda:us-east-1:{account}:function:processFileUpload")
table = client("dynamodb")
table.describe_table(TableName="FileMetadata")
assert table.scan(TableName="FileMetadata", ConsistentRead=True)["Items"]
"""


@contextmanager
def stack(folder: Path, orders: int) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Set up a stack with so many orders; yields the endpoint and the environment of its commands."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    environ = {**kept, "XDG_STATE_HOME": str(folder), "ORDERNOTIFY_LOCAL_PORT": str(port)}
    try:
        run(environ, "setup", "--yes")
        run(environ, *f"send-order --customer A --product B --count {orders}".split())
        yield f"http://127.0.0.1:{port}", environ
    finally:
        run(environ, "local", "stop")


def run(environ: Mapping[str, str], *words: str) -> None:
    subprocess.run([*ORDERNOTIFY, *words], env=environ, check=True, capture_output=True)


def measure(command: list[str], environ: Mapping[str, str]) -> tuple[float, float]:
    """Run a command; return its milliseconds of the clock and of CPU."""
    started = time.monotonic()
    with subprocess.Popen(
        command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"{command} ended with {process.returncode}"
    return 1000 * (time.monotonic() - started), 1000 * (usage.ru_utime + usage.ru_stime)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--orders", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, stack(Path(name), options.orders) as (endpoint, environ):
        commands = {
            "list-orders": [*ORDERNOTIFY, "list-orders"],
            "the same calls with boto3": [sys.executable, "-c", BARE, endpoint],
        }
        took: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for turn in range(options.rounds + 1):
            for name, command in commands.items():
                measured = measure(command, environ)
                if turn:  # the first one fills the caches
                    took[name].append(measured)
    cpu = {name: statistics.median(one for _, one in all_of) for name, all_of in took.items()}
    for name, all_of in took.items():
        clock = statistics.median(one for one, _ in all_of)
        print(f"{name:<26} {clock:6.0f} ms, {cpu[name]:6.0f} ms CPU")
    share = cpu["the same calls with boto3"] / cpu["list-orders"]
    print(f"boto3 is {share:.0%} of list-orders (CPU)")


if __name__ == "__main__":
    main()
