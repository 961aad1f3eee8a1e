from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from ordernotify.errors import LocalCloudError, UsageError
from ordernotify.extras import install_command
from ordernotify.local import cloud as local
from ordernotify.local import process as local_process
from ordernotify.local.process import Host
from ordernotify.local.record import Record, write_record
from ordernotify.settings.places import state_home
from tests.e2e.cloud import command_environ, free_port
from tests.local_support import (
    a_sleeper,
    another_program,
    is_gone,
    place,
    silent_program,
    start_and_forget,
    with_fake_clock,
)

FAKE = Path(__file__).with_name("fake_emulator.py")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """MiniStack at a port of its own, with its state in the test's folder."""
    host = Host(environ=command_environ(tmp_path, free_port()))
    yield host
    local.stop(host=host)


@pytest.fixture
def faked(host: Host) -> Callable[[str], Host]:
    """The same place with another program in MiniStack's stead."""
    return lambda mode: replace(host, command=(sys.executable, "-S", str(FAKE), mode))


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is none of ours."""
    with a_sleeper() as process:
        yield process


class TestWhere:
    @pytest.mark.parametrize(("text", "port"), [("", 4566), ("1", 1), (" 8080 ", 8080), ("65535", 65535)])
    def test_the_port_comes_from_the_environment(self, text: str, port: int) -> None:
        assert local.local_port({"ORDERNOTIFY_LOCAL_PORT": text}) == port

    def test_the_port_is_4566_by_default(self) -> None:
        assert local.local_port({}) == 4566

    @pytest.mark.parametrize("text", ["0", "65536", "-1", "http", "4566.0", "٤٥٦٦", "4_566", "9" * 5000])
    def test_what_is_not_a_port_is_refused(self, text: str) -> None:
        with pytest.raises(UsageError) as caught:
            local.local_port({"ORDERNOTIFY_LOCAL_PORT": text})
        assert "is not a port" in caught.value.message
        assert caught.value.hint == "Set it to a number from 1 to 65535."

    @pytest.mark.parametrize(
        ("environ", "platform", "folder"),
        [
            ({"XDG_STATE_HOME": "/x", "HOME": "/h"}, "linux", "/x"),
            ({"XDG_STATE_HOME": "/x", "HOME": "/h"}, "darwin", "/x"),
            ({"XDG_STATE_HOME": "relative", "HOME": "/h"}, "linux", "/h/.local/state"),
            ({"HOME": "/h"}, "linux", "/h/.local/state"),
            ({"HOME": "/h"}, "darwin", "/h/Library/Application Support"),
        ],
    )
    def test_the_state_is_in_the_platforms_folder(
        self, environ: dict[str, str], platform: str, folder: str
    ) -> None:
        assert state_home(environ, platform) == Path(folder)

    def test_two_ports_do_not_share_a_folder(self, tmp_path: Path) -> None:
        folders = {
            local.status(host=Host(environ=command_environ(tmp_path, free_port()))).state_dir
            for _ in range(2)
        }
        assert len(folders) == 2

    def test_a_folder_that_others_may_read_is_mended(self, faked: Callable[[str], Host]) -> None:
        host = faked("serve")
        folder = place(host).state_dir
        folder.mkdir(parents=True, mode=0o755)
        folder.chmod(0o755)
        folder.parent.chmod(0o777)
        local.start(host=host)
        assert [oct(path.stat().st_mode & 0o777) for path in (folder, folder.parent)] == ["0o700", "0o700"]

    @pytest.mark.parametrize(("umask", "mode"), [(0o000, "0o755"), (0o022, "0o755"), (0o077, "0o700")])
    def test_folders_above_our_own_get_the_usual_mode(self, tmp_path: Path, umask: int, mode: str) -> None:
        before = os.umask(umask)
        try:
            local_process.make_private(tmp_path / ".local" / "state" / "ordernotify")
        finally:
            os.umask(before)
        above = [tmp_path / ".local", tmp_path / ".local" / "state"]
        assert [oct(folder.stat().st_mode & 0o777) for folder in above] == [mode, mode]
        assert oct((above[1] / "ordernotify").stat().st_mode & 0o777) == "0o700"

    def test_the_process_makes_files_for_its_owner_only_whatever_the_umask(
        self, faked: Callable[[str], Host]
    ) -> None:
        host = faked("writes")
        before = os.umask(0o000)
        try:
            local.start(host=host)
        finally:
            os.umask(before)
        assert oct((place(host).state_dir / "written").stat().st_mode & 0o777) == "0o600"

    def test_a_folder_that_cannot_be_made_is_named(self, host: Host, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        blocked = replace(host, environ={**host.environ, "XDG_STATE_HOME": str(tmp_path / "file")})
        with pytest.raises(LocalCloudError) as caught:
            local.start(host=blocked)
        assert caught.value.message == f"cannot use {tmp_path / 'file' / 'ordernotify'}: Not a directory"
        assert caught.value.hint == "Set XDG_STATE_HOME to a folder that is yours to write to."


class TestStarting:
    def test_it_says_so_only_when_it_has_to_start(self, faked: Callable[[str], Host]) -> None:
        host, said = faked("serve"), list[str]()
        first = local.ensure_running(tell=said.append, host=host)
        assert local.ensure_running(tell=said.append, host=host) == first
        assert said == [f"Starting the embedded cloud at {first.endpoint}"]
        assert first == replace(place(host), running=True, pid=first.pid, version="fake")

    def test_a_process_that_ends_is_reported_with_its_last_words(self, faked: Callable[[str], Host]) -> None:
        host = faked("dies")
        with pytest.raises(LocalCloudError) as caught:
            local.start(host=host)
        log = place(host).state_dir / "cloud.log"
        assert caught.value.message == "the embedded cloud ended while it started (exit status 3)"
        assert caught.value.hint == f"See the end of its log, {log}:\n  a first line\n  no such luck"
        assert local.status(host=host) == place(host)

    def test_a_process_that_never_answers_is_ended(self, faked: Callable[[str], Host]) -> None:
        host = with_fake_clock(faked("silent"))
        with pytest.raises(LocalCloudError) as caught:
            local.start(host=host)
        assert caught.value.message == "the embedded cloud did not answer within 20 s of its start"
        assert is_gone(int(caught.value.hint.rpartition("process ")[2]))
        assert local.status(host=host) == place(host)

    def test_a_slow_process_is_waited_for(self, faked: Callable[[str], Host]) -> None:
        assert local.start(host=faked("slow")).running

    def test_a_start_that_was_cut_off_is_continued(self, faked: Callable[[str], Host]) -> None:
        host = faked("slow")
        child = start_and_forget(host)
        assert local.start(host=host).pid == child.pid

    def test_without_ministack_it_says_how_to_install_it(self, host: Host) -> None:
        with pytest.raises(LocalCloudError) as caught:
            local.ensure_running(host=replace(host, is_installed=lambda: False))
        assert caught.value.message == "the embedded cloud needs MiniStack, which is not installed"
        assert f"Install it with: `{install_command('local')}`\n" in caught.value.hint

    @pytest.mark.parametrize("program", [another_program, silent_program])
    def test_a_port_that_another_program_has_is_an_error(
        self, host: Host, program: Callable[[int], AbstractContextManager[object]]
    ) -> None:
        cloud = place(host)
        with program(cloud.port), pytest.raises(LocalCloudError) as caught:
            local.start(host=host)
        assert caught.value.message.startswith(f"port {cloud.port} is in use by another program")
        assert caught.value.hint == (
            f"End that program (`lsof -i :{cloud.port}` shows it), "
            "or set ORDERNOTIFY_LOCAL_PORT to a free port."
        )

    def test_an_emulator_that_others_started_is_not_used(
        self, faked: Callable[[str], Host], tmp_path: Path
    ) -> None:
        theirs = faked("serve")
        ours = replace(theirs, environ={**theirs.environ, "XDG_STATE_HOME": str(tmp_path / "ours")})
        local.start(host=theirs)
        with pytest.raises(LocalCloudError, match="was started in another way"):
            local.ensure_running(host=ours)
        found = local.stop(host=ours)
        assert (found.running, found.pid) == (False, None)
        assert "is in use by another program" in found.warning
        assert local.status(host=theirs).running

    def test_a_lock_that_is_never_released_is_named(self, faked: Callable[[str], Host]) -> None:
        host = with_fake_clock(faked("serve"))
        folder = place(host).state_dir
        local_process.make_private(folder)
        with local_process.locked(folder, host), pytest.raises(LocalCloudError) as caught:
            local.start(host=host)
        assert caught.value.message == f"another command has held {folder / 'lock'} for 60 s"


class TestStaleRecords:
    def test_the_record_of_a_dead_process_is_mended(self, faked: Callable[[str], Host]) -> None:
        host = faked("serve")
        first = local.start(host=host)
        assert first.pid
        os.kill(first.pid, signal.SIGKILL)
        assert is_gone(first.pid)
        assert local.status(host=host) == place(host)
        second = local.ensure_running(host=host)
        assert second.running
        assert second.pid != first.pid

    def test_a_process_that_reused_the_id_is_neither_trusted_nor_ended(
        self, faked: Callable[[str], Host], sleeper: subprocess.Popen[bytes]
    ) -> None:
        host = faked("serve")
        folder = place(host).state_dir
        local_process.make_private(folder)
        write_record(folder, Record(sleeper.pid, "long ago", "token", sys.executable))
        assert local.stop(host=host) == place(host)
        write_record(folder, Record(sleeper.pid, "long ago", "token", sys.executable))
        assert local.start(host=host).running
        assert sleeper.poll() is None

    def test_a_live_process_that_does_not_answer_is_reported(self, faked: Callable[[str], Host]) -> None:
        host = with_fake_clock(faked("silent"))
        cloud = place(host)
        child = start_and_forget(host)
        warning = f"the embedded cloud's process {child.pid} does not answer at port {cloud.port}"
        assert local.status(host=host) == replace(cloud, pid=child.pid, warning=warning)
        with pytest.raises(LocalCloudError) as caught:
            local.start(host=host)
        assert caught.value.message == warning
        assert caught.value.hint == "Run `ordernotify local stop`, then the same command again."

    def test_one_whose_python_was_removed_is_started_anew(
        self, faked: Callable[[str], Host], tmp_path: Path
    ) -> None:
        host, said = faked("serve"), list[str]()
        python = tmp_path / "python"
        python.symlink_to(sys.executable)
        first = local.start(host=replace(host, command=(str(python), *host.command[1:])))
        python.unlink()
        warning = f"the Python that it runs with is gone: {python}"
        assert local.status(host=host) == replace(first, warning=warning)
        second = local.ensure_running(tell=said.append, host=host)
        assert second == replace(first, pid=second.pid)
        assert second.pid != first.pid
        assert first.pid
        assert is_gone(first.pid)

    def test_a_stuck_process_is_told_within_3_seconds_with_what_to_do(
        self, faked: Callable[[str], Host]
    ) -> None:
        host = faked("serve")
        pid = local.start(host=host).pid
        assert pid
        os.kill(pid, signal.SIGSTOP)
        try:
            record = place(host).state_dir / "process.json"
            os.utime(record, (time.time() - 60, time.time() - 60))
            for ask in (local.ensure_running, local.start):
                began = time.monotonic()
                with pytest.raises(LocalCloudError) as caught:
                    ask(host=host)
                assert time.monotonic() - began < 3
                assert f"process {pid} does not answer" in caught.value.message
                assert "`ordernotify local stop`" in caught.value.hint
            assert local.status(host=host).stuck
        finally:
            os.kill(pid, signal.SIGCONT)

    def test_what_a_killed_process_had_not_saved_is_told_once(self, faked: Callable[[str], Host]) -> None:
        host, said = faked("serve"), list[str]()
        pid = local.start(host=host).pid
        assert pid
        mark = place(host).state_dir / "unsaved"
        mark.touch()
        os.kill(pid, signal.SIGKILL)
        assert is_gone(pid)
        at = time.strftime("%H:%M", time.localtime(mark.stat().st_mtime))
        local.ensure_running(tell=said.append, host=host)
        told = f"Warning: the embedded cloud ended without saving; changes since {at} are lost"
        assert said[1:] == [told]
        local.stop(host=host)
        said.clear()
        local.ensure_running(tell=said.append, host=host)
        assert said[1:] == []


class TestStopping:
    def test_stopping_what_was_never_started_changes_nothing(self, host: Host) -> None:
        assert local.stop(host=host) == place(host)
        assert not place(host).state_dir.exists()

    def test_stopping_twice_is_fine(self, faked: Callable[[str], Host]) -> None:
        host = faked("serve")
        pid = local.start(host=host).pid
        assert [local.stop(host=host), local.stop(host=host)] == [place(host), place(host)]
        assert pid
        assert is_gone(pid)

    def test_a_process_that_will_not_end_is_killed_and_the_loss_told(
        self, faked: Callable[[str], Host]
    ) -> None:
        host = with_fake_clock(faked("stubborn"))
        pid = local.start(host=host).pid
        (place(host).state_dir / "unsaved").touch()
        at = time.strftime("%H:%M", time.localtime((place(host).state_dir / "unsaved").stat().st_mtime))
        warning = f"it did not end within 20 s and was killed; changes since {at} are lost"
        assert local.stop(host=host) == replace(place(host), warning=warning, lost=True)
        assert pid
        assert is_gone(pid)

    def test_what_it_could_not_save_is_told(self, faked: Callable[[str], Host]) -> None:
        host = faked("cannot-save")
        local.start(host=host)
        stopped = local.stop(host=host)
        assert stopped.lost
        assert stopped.warning == (
            "the embedded cloud could not save all of its state: Persistence: failed to save sns: no space"
        )
