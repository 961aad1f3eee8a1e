"""What an order costs: import time and CPU per order of three programs, side by side.

    python benchmarks/handler.py [--runs 15] [--orders 1000]

- interpreter: Python alone, which is what a cold worker pays at least;
- naive: a handler with two boto3 clients, one PutItem and one Publish, no checks and no log;
- handler: `ordernotify/handler.py` with all that it does: checks, two PutItem, one Publish, logs, metrics.

Import times are medians over fresh processes, taken in turns, so that a busy machine hits all alike; the
endpoints are https as on AWS, so that both load certificates. CPU per order is the process's own time (user
and system) against a stub of both services in another process. boto3 has to be importable; on Lambda it
comes with the runtime.
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
from pathlib import Path

HANDLER = Path(__file__).parent.parent / "ordernotify" / "handler.py"

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

# What is measured, run in a fresh process that has one of the handlers as the module `handler`.
IMPORT = """
import time
started = time.perf_counter()
import handler
print((time.perf_counter() - started) * 1000)
"""
ORDERS = """
import json, pathlib, sys, time
import handler
event = json.loads(pathlib.Path(sys.argv[1]).read_text())
count = int(sys.argv[2])
statuses = {handler.handler(event, None)["statusCode"] for _ in range(100)}
started = time.process_time()
for _ in range(count):
    handler.handler(event, None)
spent = time.process_time() - started
assert statuses <= {200, 201}, statuses
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
    """Give the environment of the function, with both services at one endpoint."""
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


def measure(runs: int, orders: int, port: int) -> None:
    """Measure all and print the table."""
    variables = environment(f"http://127.0.0.1:{port}")
    secure = environment("https://service.us-east-1.amazonaws.com")
    with tempfile.TemporaryDirectory() as name:
        folders = {"naive": Path(name, "naive"), "handler": Path(name, "own")}
        for folder, source in zip(folders.values(), (NAIVE, HANDLER.read_text()), strict=True):
            folder.mkdir()
            (folder / "handler.py").write_text(source)
        event = Path(name, "event.json")
        event.write_text(json.dumps(EVENT))
        imports: dict[str, list[float]] = {which: [] for which in folders}
        cpu: dict[str, list[float]] = {which: [] for which in folders}
        bare = []
        for _ in range(runs):
            bare.append(wall_milliseconds(Path(name), variables))
            for which, folder in folders.items():
                imports[which].append(float(run(IMPORT, folder, secure)[0]))
        for _ in range(3):
            for which, folder in folders.items():
                cpu[which].append(float(run(ORDERS, folder, variables, str(event), str(orders))[1]))
    show(bare, imports, cpu)


def show(bare: list[float], imports: dict[str, list[float]], cpu: dict[str, list[float]]) -> None:
    """Print medians and the two ratios."""
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} CPUs; medians")
    print(f"{'':12} {'import ms':>10} {'CPU ms per order':>18}")
    print(f"{'interpreter':12} {statistics.median(bare):>10.1f} {'-':>18}   (start to end)")
    for which in imports:
        milliseconds, order = statistics.median(imports[which]), statistics.median(cpu[which])
        print(f"{which:12} {milliseconds:>10.1f} {order:>18.2f}")
    import_ratio = statistics.median(imports["handler"]) / statistics.median(imports["naive"])
    cpu_ratio = statistics.median(cpu["handler"]) / statistics.median(cpu["naive"])
    print(f"{'ratio':12} {import_ratio:>10.2f} {cpu_ratio:>18.2f}   (at most 0.30 and 0.50)")


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
