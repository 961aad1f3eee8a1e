"""Ctrl-C: at a question, and while a call does not answer; the command ends with 130 within 5 s."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
from moto.server import ThreadedMotoServer

from tests.e2e.cloud import command_environ, free_port, run_command
from tests.terminal import at_a_terminal

LIMIT_SECONDS = 5.0
IDENTITY = (
    b'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    b"<Arn>arn:aws:iam::123456789012:user/me</Arn><UserId>me</UserId><Account>123456789012</Account>"
    b"</GetCallerIdentityResult></GetCallerIdentityResponse>"
)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s" % (
    len(IDENTITY),
    IDENTITY,
)
CHILD = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from ordernotify import cli
from ordernotify.cli import interrupt

def hang():
    pool = ThreadPoolExecutor(1)
    call = pool.submit(time.sleep, 60)
    try:
        print("hangs", flush=True)
        call.result()
    except KeyboardInterrupt:
        {then}

interrupt.GRACE_SECONDS = 0.2
cli._run = hang
cli.main()
"""


def environ_of(folder: Path, endpoint: str) -> dict[str, str]:
    """The environment of a person whose AWS is at this endpoint."""
    account = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}
    return {**command_environ(folder, free_port()), **account, "AWS_ENDPOINT_URL": endpoint}


def interrupted(process: subprocess.Popen[str]) -> tuple[int, float, str]:
    """Send SIGINT; return the exit status, the seconds that it took, and what was said."""
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    try:
        _, said = process.communicate(timeout=4 * LIMIT_SECONDS)
    finally:
        process.kill()
    return process.returncode, time.monotonic() - began, said


@pytest.mark.parametrize(
    ("then", "status", "said"),
    [
        ("pool.shutdown()", 130, "Error: interrupted\nHint: Run the same command again; it continues"),
        ("sys.exit(0)", 0, ""),
        ("raise", 130, "Error: interrupted\n"),
    ],
    ids=["waits for the call", "ends by itself", "outside of commands"],
)
def test_ctrl_c_ends_a_command_whose_call_does_not_answer(then: str, status: int, said: str) -> None:
    program = CHILD.format(then=then)
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "hangs\n"
        ended, seconds, shown = interrupted(process)
    assert (ended, seconds < LIMIT_SECONDS) == (status, True)
    assert shown.startswith(said)
    assert bool(shown) is bool(said)


MISSED = """
import os, signal, sys, threading, time
from ordernotify import cli

def miss():
    # The handler in C runs in another thread, so that the main thread's call goes on: as with a signal that
    # comes between Python's last look and the call.
    def take():
        time.sleep(0.3)
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    threading.Thread(target=take).start()
    try:
        os.read(0, 1)
    except KeyboardInterrupt:
        sys.exit(7)

cli._run = miss
cli.main()
"""


def test_ctrl_c_that_a_blocking_call_missed_interrupts_it_all_the_same() -> None:
    done = subprocess.Popen([sys.executable, "-c", MISSED], stdin=subprocess.PIPE)
    try:
        assert done.wait(4 * LIMIT_SECONDS) == 7
    finally:
        done.kill()
        done.communicate()


@pytest.fixture
def silent() -> Iterator[SimpleNamespace]:
    """An endpoint that knows who asks, accepts every other call, and never answers it."""
    waiting: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        with connection:
            while request := connection.recv(65_536):
                if b"GetCallerIdentity" in request:
                    connection.sendall(ANSWER)
                else:
                    waiting.append(request)

    def accept(server: socket.socket) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, args=(server,), daemon=True).start()
        yield SimpleNamespace(url=f"http://127.0.0.1:{server.getsockname()[1]}", waiting=waiting)
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.long
@pytest.mark.parametrize(
    "words",
    [("status",), ("setup",), ("list-orders",), ("logs",), ("teardown", "--yes"), ("list",), ("verify",)],
    ids=" ".join,
)
def test_every_command_ends_within_5_s_of_ctrl_c(
    silent: SimpleNamespace, tmp_path: Path, words: tuple[str, ...]
) -> None:
    command = [sys.executable, "-m", "ordernotify", *words, "--aws"]
    environ = environ_of(tmp_path, silent.url)
    with subprocess.Popen(command, env=environ, stdout=-1, stderr=-1, text=True, cwd=tmp_path) as process:
        while not silent.waiting:
            assert process.poll() is None
            time.sleep(0.05)
        time.sleep(0.5)  # every call that it makes at once is made
        ended, seconds, said = interrupted(process)
    assert ended == 130
    assert seconds < LIMIT_SECONDS
    assert "Error: interrupted\nHint: Run the same command again" in said
    assert "Traceback" not in said


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    server = ThreadedMotoServer(port=free_port(), verbose=False)
    server.start()
    folder = tmp_path_factory.mktemp("account")
    yield environ_of(folder, f"http://127.0.0.1:{server._port}")
    server.stop()


@pytest.mark.long
def test_ctrl_c_at_the_questions_of_setup_and_teardown(account: Mapping[str, str], tmp_path: Path) -> None:
    def press_at(question: str, *words: str) -> None:
        with at_a_terminal(*words, "--aws", environ=account, folder=tmp_path) as terminal:
            terminal.expect(question)
            terminal.press_ctrl_c()
            assert terminal.end() == 130
            assert terminal.shown.endswith(
                "\nError: interrupted at the question\nHint: Nothing was changed.\n"
            )

    press_at("us-east-1? [y/N]: ", "setup")
    assert "There are no stacks here" in run_command("list", "--aws", environ=account, folder=tmp_path).stderr
    with at_a_terminal("setup", "--aws", environ=account, folder=tmp_path) as terminal:
        terminal.expect("us-east-1? [y/N]: ")
        terminal.type("y")
        assert terminal.end() == 0
    press_at("Change what exists? [y/N]: ", "setup", "--memory", "512")
    press_at("Remove the stack default, and its orders? [keep/export/delete]: ", "teardown")
    press_at("Remove this of the stack default? [y/N]: ", "teardown", "--delete-orders")
    assert (
        run_command("setup", "--aws", "--dry-run", "--exit-code", environ=account, folder=tmp_path).returncode
        == 0
    )
