"""What an export takes, in time and memory: `ordernotify export-orders` beside `aws dynamodb scan`.

    python benchmarks/export.py [--orders 100000] [--rounds 1] [--aws aws]

It starts an emulator of its own with a table of so many orders, and runs both programs in turns; each writes
into a file. Then it compares the exported ids with the stored ones, and lists twenty orders. `aws` is
AWS's command line (`awscli` on PyPI).
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

TABLE = "FileMetadata"
ORDERNOTIFY = [sys.executable, "-m", "ordernotify"]


@contextmanager
def emulator(folder: Path) -> Iterator[str]:
    """Run MiniStack with DynamoDB on a free port of this machine."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    settings = {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "SERVICES": "dynamodb,sts",
        "STATE_DIR": str(folder),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
    }
    program = shutil.which("ministack", path=str(Path(sys.executable).parent)) or "ministack"
    with (folder / "emulator.log").open("wb") as log:
        process = subprocess.Popen([program], env={**os.environ, **settings}, stdout=log, stderr=log)
    try:
        wait_for(f"http://127.0.0.1:{port}/_ministack/health")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGKILL)  # its state is of no use to anybody
        process.wait()


def wait_for(url: str) -> None:
    for _ in range(100):
        try:
            with urllib.request.urlopen(url):
                return
        except OSError:
            time.sleep(0.1)
    sys.exit("the emulator did not start")


def fill(endpoint: str, orders: int) -> set[str]:
    """Store so many orders, as the handler would; return their ids."""
    client = boto3.client("dynamodb", endpoint_url=endpoint)
    client.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "FileName", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "FileName", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    ids = [str(uuid.uuid4()) for _ in range(orders)]

    def put(start: int) -> None:
        requests: Any = [{"PutRequest": {"Item": item(order_id)}} for order_id in ids[start : start + 25]]
        client.batch_write_item(RequestItems={TABLE: requests})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, range(0, orders, 25)))
    return set(ids)


def item(order_id: str) -> dict[str, Any]:
    texts = {
        "FileName": order_id,
        "orderId": order_id,
        "customerName": "John Doe",
        "productName": "Wireless Mouse",
        "colour": "black",
        "createdAt": "2026-03-01T12:00:00.000Z",
        "notification": "sent",
        "messageId": str(uuid.uuid4()),
        "requestHash": "ab" * 32,
    }
    return {name: {"S": text} for name, text in texts.items()} | {
        "quantity": {"N": "3"},
        "price": {"N": "19.9"},
    }


@dataclass(frozen=True)
class Cost:
    """What one run took: seconds of the clock and of CPU, and the most memory in MB."""

    seconds: float
    cpu: float
    megabytes: float

    def __str__(self) -> str:
        return f"{self.seconds:6.1f} s, {self.cpu:5.1f} s CPU, {self.megabytes:4.0f} MB"


def measure(command: list[str], output: Path | None = None) -> Cost:
    """Run the command in a process of its own; its stdout goes to the file."""
    started = time.monotonic()
    with (output or Path(os.devnull)).open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, f"{command} ended with {status}"
    return Cost(time.monotonic() - started, usage.ru_utime + usage.ru_stime, megabytes(usage))


def megabytes(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)


def exported_ids(file: Path) -> list[str]:
    with file.open(encoding="utf-8", newline="") as lines:
        if file.suffix == ".csv":
            return [row["orderId"] for row in csv.DictReader(lines)]
        return [json.loads(line)["orderId"] for line in lines]


def compare(folder: Path, ids: set[str], aws: str, rounds: int) -> None:
    for number in range(1, rounds + 1):
        scan = measure([aws, "dynamodb", "scan", "--table-name", TABLE], folder / "scan.json")
        print(f"round {number}: aws dynamodb scan      {scan}")
        for name in ("orders.jsonl", "orders.csv"):
            file = folder / name
            cost = measure([*ORDERNOTIFY, "export-orders", "--aws", str(file)])
            found = exported_ids(file)
            once = "each once" if sorted(found) == sorted(ids) else "NOT EACH ONCE"
            print(f"round {number}: export to {name:<13} {cost}, {len(found)} orders, {once}")
    twenty = measure([*ORDERNOTIFY, "list-orders", "--aws", "--limit", "20"])
    print(f"list-orders --limit 20:         {twenty}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--aws", default="aws", help="AWS's command line")
    options = parser.parse_args()
    if not shutil.which(options.aws):
        sys.exit(f"{options.aws} is not installed; pip install awscli, in an environment of its own")
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with tempfile.TemporaryDirectory() as name, emulator(Path(name)) as endpoint:
        os.environ["AWS_ENDPOINT_URL"] = endpoint
        compare(Path(name), fill(endpoint, options.orders), options.aws, options.rounds)


if __name__ == "__main__":
    main()
