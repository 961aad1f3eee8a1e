"""What an order costs: import time and CPU per order of two functions, side by side.

    python benchmarks/handler.py [--runs 15] [--orders 1000]

- interpreter: Python alone, which is what a cold worker pays at least;
- naive: a handler with two boto3 clients, one PutItem and one Publish, no checks and no log;
- ordernotify: the function's zip, with all that it does: checks, three writes, logs, metrics.

Imports are timed twice. "Cold" is what Lambda does: it unpacks the zip into a folder that it cannot write to,
so Python compiles the function's own files at every cold start, and finds the bytecode of the standard
library and of boto3, which belong to the runtime. "Cached" has the bytecode of the function's files too,
for comparison only.

All times are the CPU time of the process (user and system), which a busy machine changes little; only the
interpreter's is wall time. Import times are medians over fresh processes, taken in turns; the endpoints are
https as on AWS, so that both load certificates. Orders go to a stub of both services in another process.
boto3 must be importable.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from ordernotify.resources.function_code import packed_files

Key = TypeVar("Key")
NAIVE = """
import json, os, uuid
import boto3

table = boto3.client("dynamodb")
sns = boto3.client("sns")

def handler(event, context):
    order = json.loads(event["body"])
    order_id = str(uuid.uuid4())
    names = {name: {"S": order[name]} for name in ("customerName", "productName")}
    table.put_item(TableName=os.environ["TABLE_NAME"], Item={"FileName": {"S": order_id}, **names})
    sns.publish(TopicArn=os.environ["TOPIC_ARN"], Subject="New order", Message=json.dumps(order))
    return {"statusCode": 200, "body": json.dumps({"orderId": order_id, "message": "Order received"})}
"""

MODULES = {"naive": "handler", "ordernotify": "ordernotify.handler"}
# What is measured, run in a fresh process in the folder of one of the functions.
IMPORT = """
import time
started = time.process_time()
import {module}
print((time.process_time() - started) * 1000)
"""
ORDERS = """
import json, pathlib, sys, time
import {module} as handler
event = json.loads(pathlib.Path(sys.argv[1]).read_text())
count = int(sys.argv[2])
statuses = set(handler.handler(event, None)["statusCode"] for _ in range(100))
started = time.process_time()
for _ in range(count):
    handler.handler(event, None)
spent = time.process_time() - started
assert statuses <= set((200, 201)), statuses
print(spent * 1000 / count, file=sys.stderr)
"""
EVENT = {
    "httpMethod": "POST",
    "path": "/orders",
    "headers": {"Content-Type": "application/json", "User-Agent": "benchmark", "Host": "api.example.com"},
    "requestContext": {"requestId": "r-1", "identity": {"sourceIp": "203.0.113.9", "userAgent": "benchmark"}},
    "body": json.dumps({"customerName": "John Doe", "productName": "Wireless Mouse", "quantity": 2}),
    "isBase64Encoded": False,
}


def serve(connection: socket.socket) -> None:
    """Answer every request on a connection as DynamoDB or SNS would."""
    dynamodb = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: 2\r\n\r\n{}"
    document = (
        b'<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>'
        b"567910cd-659e-55d4-8ccb-5aaf14679dc0</MessageId></PublishResult></PublishResponse>"
    )
    sns = (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: %d\r\n\r\n" % len(document) + document
    )
    buffer = b""
    with connection:
        while data := connection.recv(65536):
            buffer += data
            head, found, body = buffer.partition(b"\r\n\r\n")
            lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            if found and len(body) >= int(lengths[0].partition(b":")[2]):
                connection.sendall(dynamodb if b"dynamodb_20120810" in head.lower() else sns)
                buffer = b""


def stub() -> None:
    """Run the stub until its standard input ends; print its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


def environment(endpoint: str) -> dict[str, str]:
    """Return the environment of the function, with both services at one endpoint."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_DYNAMODB": endpoint,
        "AWS_ENDPOINT_URL_SNS": endpoint,
        "TABLE_NAME": "FileMetadata",
        "TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:file-upload-notification",
        "STACK": "default",
    }


def run(program: str, folder: Path, variables: dict[str, str], *arguments: str) -> tuple[str, str]:
    """Run a program in a fresh interpreter with a folder on its path; return standard output and error."""
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, check=True, timeout=300
    )
    return done.stdout, done.stderr


def wall_milliseconds(folder: Path, variables: dict[str, str]) -> float:
    """Time a bare interpreter from start to end."""
    timed = "import subprocess, sys, time; t = time.perf_counter(); "
    timed += "subprocess.run([sys.executable, '-c', 'pass']); print((time.perf_counter() - t) * 1000)"
    return float(run(timed, folder, variables)[0])


def install(folder: Path) -> dict[str, Path]:
    """Unpack both functions; return the folder of each."""
    sources = {"naive": {"handler.py": NAIVE.encode()}, "ordernotify": packed_files()}
    for which, files in sources.items():
        for name, source in files.items():
            file = folder / which / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(source)
    return {which: folder / which for which in sources}


def measure(runs: int, orders: int, port: int) -> None:
    """Measure all and print the table."""
    plain = environment(f"http://127.0.0.1:{port}")
    cached = environment("https://service.us-east-1.amazonaws.com")
    cold = cached | {"PYTHONDONTWRITEBYTECODE": "1"}
    with tempfile.TemporaryDirectory() as name:
        folders = install(Path(name, "cold"))
        with_bytecode = install(Path(name, "cached"))
        event = Path(name, "event.json")
        event.write_text(json.dumps(EVENT))
        imports: dict[tuple[str, str], list[float]] = defaultdict(list)
        cpu: dict[str, list[float]] = defaultdict(list)
        bare = []
        for which, folder in with_bytecode.items():
            run(IMPORT.format(module=MODULES[which]), folder, cached)  # writes the bytecode
        for _ in range(runs):
            bare.append(wall_milliseconds(Path(name), plain))
            for which, module in MODULES.items():
                program = IMPORT.format(module=module)
                imports[which, "cold"].append(float(run(program, folders[which], cold)[0]))
                imports[which, "cached"].append(float(run(program, with_bytecode[which], cached)[0]))
        for _ in range(3):
            for which, module in MODULES.items():
                program = ORDERS.format(module=module)
                cpu[which].append(float(run(program, folders[which], plain, str(event), str(orders))[1]))
    show(statistics.median(bare), medians(imports), medians(cpu))


def medians(samples: Mapping[Key, list[float]]) -> dict[Key, float]:
    return {key: statistics.median(values) for key, values in samples.items()}


def show(bare: float, imports: dict[tuple[str, str], float], cpu: dict[str, float]) -> None:
    """Print medians and the ratios."""
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} CPUs; medians")
    print(f"{'':12} {'cold import ms':>15} {'cached import ms':>17} {'CPU ms per order':>17}")
    print(f"{'interpreter':12} {bare:>15.1f} {'-':>17} {'-':>17}   (start to end)")
    for which in MODULES:
        cold, cached = imports[which, "cold"], imports[which, "cached"]
        print(f"{which:12} {cold:>15.1f} {cached:>17.1f} {cpu[which]:>17.2f}")
    cold, cached = (imports["ordernotify", kind] / imports["naive", kind] for kind in ("cold", "cached"))
    order = cpu["ordernotify"] / cpu["naive"]
    print(f"{'ratio':12} {cold:>15.2f} {cached:>17.2f} {order:>17.2f}   (goals: cold 0.30, CPU 0.50)")


def main() -> None:
    """Start the stub in a process of its own, measure, and end it."""
    parser = argparse.ArgumentParser(description="Cost of an order: import and CPU.")
    parser.add_argument("--runs", type=int, default=15, help="fresh processes per import time")
    parser.add_argument("--orders", type=int, default=1000, help="orders per CPU time")
    parser.add_argument("--stub", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stub:
        stub()
        return
    command = [sys.executable, __file__, "--stub"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            measure(options.runs, options.orders, int(server.stdout.readline()))
        finally:
            server.stdin.close()


if __name__ == "__main__":
    main()
