"""The embedded cloud's process: what it is started with, how it ends, its folder, lock and log.

`local.cloud` decides when to start and stop it.
"""

from __future__ import annotations

import fcntl
import http.client
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from ordernotify.errors import LocalCloudError
from ordernotify.local.record import Record, children

ADDRESS = "127.0.0.1"
SERVICES = (
    "apigateway",
    "cloudformation",
    "dynamodb",
    "iam",
    "kms",
    "lambda",
    "logs",
    "monitoring",
    "s3",
    "sns",
    "sqs",
    "sts",
    "tagging",
    "wafv2",
)
"""What the emulator serves (MiniStack's names): what stacks use, and what an exported one is made with."""

LOCK_SECONDS = 60.0
GRACE_SECONDS = 4.0
"""MiniStack's server (Hypercorn) gives requests 3 s to end."""
KILL_SECONDS = 5.0
POLL_SECONDS = 0.03
ANSWER_SECONDS = 2.0

# Everything else stays out: the function's workers inherit the emulator's environment, and neither the
# person's credentials nor a setting meant for another emulator (or a proxy) may reach them.
_INHERITED = (
    "DYLD_LIBRARY_PATH",
    "HOME",
    "LD_LIBRARY_PATH",
    "PATH",
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONUSERBASE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
)
_LOG = "cloud.log"
_STATE = "state"


@dataclass(frozen=True, slots=True)
class Host:
    """What is taken from the machine; tests pass their own. Times are in seconds."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    command: tuple[str, ...] = (sys.executable, "-m", "ordernotify.local.server")
    platform: str = sys.platform
    is_installed: Callable[[], bool] = lambda: importlib.util.find_spec("ministack") is not None
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What the port says: whether anything listens, and what a MiniStack says about itself."""

    listening: bool
    token: str = ""
    version: str | None = None


def ask(port: int) -> Heartbeat:
    """Ask the health endpoint at `port`; anything but a MiniStack's answer has no token."""
    connection = http.client.HTTPConnection(ADDRESS, port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/_ministack/health")
        said = json.loads(connection.getresponse().read(100_000))
        return Heartbeat(True, str(said["edition"]), str(said["version"]))
    except ConnectionRefusedError:
        return Heartbeat(False)
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError):
        return Heartbeat(True)
    finally:
        connection.close()


def environment(port: int, folder: Path, token: str, environ: Mapping[str, str]) -> dict[str, str]:
    """MiniStack's settings (see its README), and the little that is inherited from `environ`."""
    return {
        **{name: environ[name] for name in _INHERITED if name in environ},
        "AUTH": "true",
        "BIND_HOST": ADDRESS,
        "GATEWAY_PORT": str(port),
        "LAMBDA_EXECUTOR": "local",
        "LOG_LEVEL": "WARNING",
        "MINISTACK_EDITION": token,  # the health endpoint shows it
        "PERSIST_STATE": "1",
        "SERVICES": ",".join(SERVICES),
        "STATE_DIR": str(folder / _STATE),
        # These two would listen on all addresses.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # With a Docker daemon in reach it would remove the containers of the person's other MiniStacks.
        "DOCKER_HOST": f"unix://{folder}/no-docker.sock",
        # Its pid file and the unpacked functions would lie in the folder that all users share.
        "TMPDIR": str(folder / "tmp"),
        # The function's SDK must not find the person's profiles and roles.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        # As in Lambda, whatever the person's locale and time zone are.
        "PYTHONUTF8": "1",
        "TZ": "UTC",
    }


def spawn(environ: Mapping[str, str], folder: Path, host: Host) -> subprocess.Popen[bytes]:
    """Start the process in the background, with an empty log and an empty folder for temporary files."""
    shutil.rmtree(folder / "tmp", ignore_errors=True)
    (folder / "tmp").mkdir(mode=0o700)
    with suppress(FileNotFoundError):
        log_path(folder).replace(folder / f"{_LOG}.1")
    with os.fdopen(os.open(log_path(folder), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as output:
        process = subprocess.Popen(
            host.command,
            cwd=folder,  # not the person's, from which `-m` would import modules
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C in the terminal is not for it
            umask=0o077,
        )
    children[process.pid] = process
    return process


def end(record: Record, seconds: float, host: Host) -> bool:
    """Ask the process to save and end, and wait; after `seconds` kill it, and return False."""
    _signal(os.kill, record, signal.SIGTERM)
    if not _wait_until_gone(record, GRACE_SECONDS, host):
        # A function in the middle of a call holds it up before it saves. The workers that run functions are
        # in its process group; it takes the same signal twice as one.
        _signal(os.killpg, record, signal.SIGTERM)
    ended = _wait_until_gone(record, seconds - GRACE_SECONDS, host)
    _signal(os.killpg, record, signal.SIGKILL)  # and whatever is left of its workers
    if not ended:
        _wait_until_gone(record, KILL_SECONDS, host)
    return ended


def _signal(send: Callable[[int, int], None], record: Record, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        send(record.pid, number)


def _wait_until_gone(record: Record, seconds: float, host: Host) -> bool:
    deadline = host.now() + seconds
    while record.is_alive():
        if host.now() >= deadline:
            return False
        host.sleep(POLL_SECONDS)
    return True


def log_path(folder: Path) -> Path:
    """The log of the process that runs, or ran last."""
    return folder / _LOG


def log_lines(folder: Path, after: int = 0) -> list[str]:
    """The lines of the log that are not empty, from the byte `after` on."""
    try:
        text = log_path(folder).read_bytes()[after:].decode("utf-8", "replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if line.strip()]


def keep_state(folder: Path, name: str) -> Path:
    """Copy the saved state aside under `name`, before the process saves over it."""
    return Path(shutil.copytree(folder / _STATE, folder / name))


def make_private(folder: Path) -> None:
    """Make the folder, or correct its mode: nobody else may read orders, or change the code of a function."""
    for above in reversed(folder.parents):
        if not above.exists():
            above.mkdir(mode=0o755, exist_ok=True)  # `parents=True`: writable by everybody with umask 0
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_mode & 0o077:
        folder.chmod(0o700)


@contextmanager
def locked(folder: Path, host: Host) -> Iterator[None]:
    """Hold the lock for starting and stopping; it ends with the process that holds it."""
    file_name = folder / "lock"
    with os.fdopen(os.open(file_name, os.O_RDWR | os.O_CREAT, 0o600), "wb") as file:
        deadline = host.now() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if host.now() >= deadline:
                    raise LocalCloudError(
                        f"another command has held {file_name} for {LOCK_SECONDS:.0f} s",
                        "It starts or stops the embedded cloud: wait for it, or end it; then run this again.",
                    ) from None
                host.sleep(POLL_SECONDS)
        yield
