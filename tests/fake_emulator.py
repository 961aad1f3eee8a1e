"""Stands in for MiniStack where a test needs a process that misbehaves. Usage: fake_emulator.py MODE."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Health(BaseHTTPRequestHandler):
    """Answers as MiniStack's health endpoint does."""

    def do_GET(self) -> None:
        body = json.dumps({"edition": os.environ["MINISTACK_EDITION"], "version": "fake"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def main(mode: str) -> None:
    """Behave as `mode` says."""
    if mode == "dies":
        sys.stderr.write("a first line\nno such luck\n")
        sys.exit(3)
    if mode == "silent":
        sys.stderr.write(f"process {os.getpid()}")
        sys.stderr.flush()
        time.sleep(60)
    if mode == "writes":
        Path("written").touch()
    if mode == "slow":
        time.sleep(0.5)
    if mode == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if mode == "cannot-save":
        signal.signal(signal.SIGTERM, complain)
    HTTPServer(("127.0.0.1", int(os.environ["GATEWAY_PORT"])), Health).serve_forever()


def complain(number: int, frame: object) -> None:
    """Say what MiniStack says when the disk is full."""
    sys.stderr.write("2026-01-01 00:00:00 ERROR [persistence] Persistence: failed to save sns: no space\n")
    sys.stderr.flush()
    sys.exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
