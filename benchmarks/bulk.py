"""How fast orders are sent: `ordernotify send-order --count` beside `hey`, at the same URL, in turns.

    python benchmarks/bulk.py [--orders 5000] [--concurrency 16] [--rounds 2] [--lines 1000000]

It sets up a stack on an embedded cloud of its own (a free port, a temporary state folder), sends the orders
with both programs in turns, then begins to import a file of a million lines and looks at the memory and at
when the first order was there. `hey` (a Debian package, https://github.com/rakyll/hey) has to be installed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

COMMAND = [sys.executable, "-m", "ordernotify"]
ORDER = {"customerName": "John Doe", "productName": "Wireless Mouse"}
IMPORT_SECONDS = 15.0


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


def ordernotify(*arguments: str) -> dict[str, Any]:
    result = subprocess.run([*COMMAND, *arguments, "--json"], stdout=subprocess.PIPE, check=True)
    document: dict[str, Any] = json.loads(result.stdout) if result.stdout.strip() else {}
    return document


def send_with_hey(url: str, orders: int, concurrency: int) -> float:
    arguments = ["-n", str(orders), "-c", str(concurrency), "-m", "POST", "-T", "application/json"]
    command = ["hey", *arguments, "-t", "60", "-d", json.dumps(ORDER), url]
    report = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    taken = re.search(r"\[201\]\s+(\d+) responses", report)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", report)
    assert taken, report
    assert rate, report
    assert int(taken[1]) >= orders - orders % concurrency, report
    return float(rate[1])


def send_with_ordernotify(orders: int, concurrency: int) -> tuple[float, float]:
    before = os.times()
    who = ["--customer", ORDER["customerName"], "--product", ORDER["productName"]]
    summary = ordernotify("send-order", *who, "--count", str(orders), "--concurrency", str(concurrency))
    after = os.times()
    assert summary["accepted"] == orders, summary
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return summary["perSecond"], cpu / orders


def compare(url: str, orders: int, concurrency: int, rounds: int) -> None:
    send_with_hey(url, concurrency * 4, concurrency)  # starts the function's workers
    ours, theirs = [], []
    for number in range(1, rounds + 1):
        theirs.append(send_with_hey(url, orders, concurrency))
        rate, cpu = send_with_ordernotify(orders, concurrency)
        ours.append(rate)
        rates = f"hey {theirs[-1]:.0f}/s, ordernotify {rate:.0f}/s"
        print(f"round {number}: {rates}, {cpu * 1000:.2f} ms CPU per order")
    ratio = statistics.mean(ours) / statistics.mean(theirs)
    print(f"{orders} orders, {concurrency} at a time: {ratio:.2f} of the rate of hey (goal: at least 0.80)")


def import_file(lines: int, concurrency: int, folder: Path) -> None:
    file = folder / "orders.jsonl"
    with file.open("w", encoding="utf-8") as out:
        out.writelines(json.dumps({**ORDER, "number": number}) + "\n" for number in range(lines))
    arguments = ["send-order", "--file", str(file), "--concurrency", str(concurrency), "--json"]
    report = folder / "summary.json"
    started = time.monotonic()
    with report.open("wb") as written:
        process = subprocess.Popen([*COMMAND, *arguments], stdout=written)
    interrupt = threading.Timer(IMPORT_SECONDS, process.send_signal, [signal.SIGINT])
    interrupt.start()
    _, _, usage = os.wait4(process.pid, 0)
    interrupt.cancel()
    summary = json.loads(report.read_text(encoding="utf-8"))
    first = time.monotonic() - started - summary["seconds"]
    peak = usage.ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)
    print(
        f"{lines} lines, {file.stat().st_size / 1e6:.0f} MB: {summary['accepted']} orders in "
        f"{summary['seconds']:.0f} s, sending began about {max(first, 0):.1f} s after the command, "
        f"memory at most {peak:.0f} MB (goal: under 150)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--orders", type=int, default=5000)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--lines", type=int, default=1_000_000)
    options = parser.parse_args()
    if not shutil.which("hey"):
        sys.exit("hey is not installed; on Debian: apt-get install hey")
    for variable in [name for name in os.environ if name.startswith(("AWS_", "ORDERNOTIFY_"))]:
        del os.environ[variable]
    with tempfile.TemporaryDirectory() as name:
        os.environ["XDG_STATE_HOME"] = name
        os.environ["ORDERNOTIFY_LOCAL_PORT"] = str(free_port())
        url = ordernotify("setup", "--yes")["url"]
        try:
            compare(url, options.orders, options.concurrency, options.rounds)
            import_file(options.lines, options.concurrency, Path(name))
        finally:
            subprocess.run([*COMMAND, "local", "stop"], stdout=subprocess.DEVNULL, check=False)


if __name__ == "__main__":
    main()
