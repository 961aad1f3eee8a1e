"""The embedded cloud: a MiniStack process on 127.0.0.1, started when needed and kept running.

One folder per port holds all of it: the lock, the record of the process, its log, its temporary files and
the saved state. A random token tells who it is: the process gets it in its environment, the record keeps it,
the health endpoint shows it. So neither a reused process id, nor another program or another person's emulator
on the port, is ever taken for it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from subprocess import Popen

from ordernotify.errors import LocalCloudError, UsageError
from ordernotify.extras import install_command
from ordernotify.local import process
from ordernotify.local.process import Host
from ordernotify.local.record import Record, read_record, record_age, remove_record, write_record
from ordernotify.local.saving import forget_unsaved, unsaved_since
from ordernotify.settings.places import state_home

DEFAULT_PORT = 4566
PORT_VARIABLE = "ORDERNOTIFY_LOCAL_PORT"
START_SECONDS = 20.0
STOP_SECONDS = 20.0
_LOG_LINES_SHOWN = 5
STUCK_HINT = "Run `ordernotify local stop`, then the same command again."

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LocalCloud:
    """The embedded cloud as it was found or left."""

    running: bool
    endpoint: str
    port: int
    state_dir: Path
    pid: int | None = None
    version: str | None = None
    """MiniStack's version, while it runs."""
    warning: str = ""
    """What the person should know although nothing failed; empty if there is nothing."""
    stuck: bool = False
    """Its process lives and had time to start, but does not answer."""
    lost: bool = False
    """It was stopped and could not save everything; `warning` says what is lost."""


def ensure_running(*, tell: Tell = lambda _message: None, host: Host | None = None) -> LocalCloud:
    """Return the running embedded cloud; start it first if it does not run.

    `tell` gets a line when it has to be started, and any warning. Raises LocalCloudError with what to do.
    """
    found = status(host=host)
    if found.running and not found.warning:
        return found
    if found.stuck:
        raise LocalCloudError(found.warning, STUCK_HINT)
    tell(f"Starting the embedded cloud at {found.endpoint}")
    started = start(host=host)
    if started.warning:
        tell(f"Warning: {started.warning}")
    return started


def status(*, host: Host | None = None) -> LocalCloud:
    """Say whether the embedded cloud runs; changes nothing and costs one request."""
    cloud = _place(host or Host())
    record, answer = read_record(cloud.state_dir), process.ask(cloud.port)
    if record and answer.token == record.token:
        warning = "" if record.has_program() else f"the Python that it runs with is gone: {record.program}"
        return replace(cloud, running=True, pid=record.pid, version=answer.version, warning=warning)
    if record and record.is_alive():
        stuck = record_age(cloud.state_dir) >= START_SECONDS
        return replace(cloud, pid=record.pid, warning=_silent(record, cloud.port), stuck=stuck)
    return replace(cloud, warning=_foreign(cloud.port) if answer.listening else "")


def start(*, host: Host | None = None) -> LocalCloud:
    """Start the embedded cloud with the state that it saved last; does nothing if it runs.

    A cloud whose Python environment was removed is restarted with this one. If several callers start it at
    the same moment, one of them does, and the others wait for it.
    Raises LocalCloudError: MiniStack is not installed, the port is taken, or the process did not come up.
    """
    host = host or Host()
    cloud = _place(host)
    with _file_errors(cloud.state_dir):
        process.make_private(cloud.state_dir.parent)
        process.make_private(cloud.state_dir)
        with process.locked(cloud.state_dir, host):
            return _wait_for_earlier(cloud, host) or _launch(cloud, host)


def stop(*, host: Host | None = None) -> LocalCloud:
    """Stop the embedded cloud, which saves its state first; does nothing if it does not run.

    A process that does not end within STOP_SECONDS is killed; the warning of the result says so.
    """
    host = host or Host()
    cloud = _place(host)
    if not cloud.state_dir.is_dir():
        return status(host=host)
    with _file_errors(cloud.state_dir), process.locked(cloud.state_dir, host):
        record = read_record(cloud.state_dir)
        if record is None or not record.is_alive():
            remove_record(cloud.state_dir)
            return status(host=host)
        warning = _end(record, cloud.state_dir, host)
        remove_record(cloud.state_dir)
        return replace(cloud, warning=warning, lost=bool(warning))


def local_port(environ: Mapping[str, str]) -> int:
    """The port of the embedded cloud; raises UsageError when ORDERNOTIFY_LOCAL_PORT is not a port."""
    text = environ.get(PORT_VARIABLE, "").strip() or str(DEFAULT_PORT)
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise UsageError(
            f"{PORT_VARIABLE} is {text!r}, which is not a port", "Set it to a number from 1 to 65535."
        )
    return int(text)


def _place(host: Host) -> LocalCloud:
    port = local_port(host.environ)
    folder = state_home(host.environ, host.platform) / "ordernotify" / f"local-{port}"
    return LocalCloud(False, f"http://{process.ADDRESS}:{port}", port, folder)


def _wait_for_earlier(cloud: LocalCloud, host: Host) -> LocalCloud | None:
    """Return the cloud that an earlier caller started; None if its process is gone.

    A process that lives and does not answer is still starting (its starter was killed), or stopping.
    """
    record = read_record(cloud.state_dir)
    deadline = host.now() + START_SECONDS - record_age(cloud.state_dir)
    while record:
        answer = process.ask(cloud.port)
        if answer.token == record.token and record.has_program():
            return replace(cloud, running=True, pid=record.pid, version=answer.version)
        if answer.token == record.token:
            process.end(record, STOP_SECONDS, host)
        if not record.is_alive():
            return None
        if host.now() >= deadline:
            raise LocalCloudError(_silent(record, cloud.port), STUCK_HINT)
        host.sleep(process.POLL_SECONDS)
    return None


def _launch(cloud: LocalCloud, host: Host) -> LocalCloud:
    check_can_launch(cloud.port, host)
    folder = cloud.state_dir
    lost = _what_is_lost(folder)
    token = "ordernotify-" + secrets.token_hex(16)
    child = process.spawn(process.environment(cloud.port, folder, token, host.environ), folder, host)
    try:
        write_record(folder, Record.of(child, token, host.command[0]))
    except BaseException:
        child.kill()  # nobody would know it any more
        raise
    try:
        version = _wait_until_healthy(cloud, token, child, host)
    except LocalCloudError:
        remove_record(folder)
        raise
    warning = _complaint("load", folder)
    if warning:
        warning += f"; what it could not load is kept in {process.keep_state(folder, f'state-{token[-8:]}')}"
    if lost:
        warning = "; ".join(filter(None, (f"the embedded cloud ended without saving{lost}", warning)))
    return replace(cloud, running=True, pid=child.pid, version=version, warning=warning)


def _wait_until_healthy(cloud: LocalCloud, token: str, child: Popen[bytes], host: Host) -> str | None:
    """Return MiniStack's version as soon as it answers; raises LocalCloudError with the end of its log."""
    deadline = host.now() + START_SECONDS
    while (answer := process.ask(cloud.port)).token != token:
        if child.poll() is not None:
            what = f"ended while it started (exit status {child.returncode})"
            raise _start_failed(what, cloud.state_dir)
        if host.now() >= deadline:
            child.kill()
            child.wait()
            raise _start_failed(f"did not answer within {START_SECONDS:.0f} s of its start", cloud.state_dir)
        host.sleep(process.POLL_SECONDS)
    return answer.version


def check_can_launch(port: int, host: Host) -> None:
    """Raise LocalCloudError if MiniStack is not installed, or the port is taken."""
    if not host.is_installed():
        raise LocalCloudError(
            "the embedded cloud needs MiniStack, which is not installed",
            f"Install it with: `{install_command('local')}`\nOr use an AWS account, with --aws.",
        )
    if process.ask(port).listening:
        raise LocalCloudError(
            _foreign(port),
            f"End that program (`lsof -i :{port}` shows it), or set {PORT_VARIABLE} to a free port.",
        )


def _start_failed(what: str, folder: Path) -> LocalCloudError:
    lines = process.log_lines(folder)[-_LOG_LINES_SHOWN:] or ["(empty)"]
    shown = "".join(f"\n  {line}" for line in lines)
    return LocalCloudError(
        f"the embedded cloud {what}", f"See the end of its log, {process.log_path(folder)}:{shown}"
    )


def _end(record: Record, folder: Path, host: Host) -> str:
    """End the process; returns a warning if it could not save everything."""
    logged = process.log_path(folder).stat().st_size if process.log_path(folder).exists() else 0
    if process.end(record, STOP_SECONDS, host):
        return _complaint("save", folder, logged)
    return f"it did not end within {STOP_SECONDS:.0f} s and was killed{_what_is_lost(folder)}"


def _what_is_lost(folder: Path) -> str:
    """Say what a process that ended had not saved; the next one does not repeat it."""
    since = unsaved_since(folder)
    forget_unsaved(folder)
    return (
        "" if since is None else f"; changes since {time.strftime('%H:%M', time.localtime(since))} are lost"
    )


def _complaint(verb: str, folder: Path, after: int = 0) -> str:
    """A warning if the process could not load or save its state: MiniStack says that only in its log."""
    for line in process.log_lines(folder, after):
        if " ERROR " in line and "persist" in line.lower():
            return f"the embedded cloud could not {verb} all of its state: {line.partition('] ')[2]}"
    return ""


def _silent(record: Record, port: int) -> str:
    return f"the embedded cloud's process {record.pid} does not answer at port {port}"


def _foreign(port: int) -> str:
    return f"port {port} is in use by another program, or by an emulator that was started in another way"


@contextmanager
def _file_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LocalCloudError(
            f"cannot use {error.filename or folder}: {error.strerror or error}",
            "Set XDG_STATE_HOME to a folder that is yours to write to.",
        ) from error
