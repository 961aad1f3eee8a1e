"""The embedded cloud with the real MiniStack."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ordernotify.aws.session import local_cloud
from ordernotify.local import cloud as local
from ordernotify.local.cloud import LocalCloud
from ordernotify.local.process import Host
from tests.e2e.cloud import command_environ, free_port
from tests.e2e.little_stack import LittleStack


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A place of the test's own; the person in it has secrets."""
    environ = command_environ(tmp_path, free_port())
    secrets = {"AWS_SECRET_ACCESS_KEY": "person's", "AWS_PROFILE": "work", "GITHUB_TOKEN": "person's"}
    host = Host(environ={**environ, **secrets})
    yield host
    local.stop(host=host)


def start_there(environ: dict[str, str]) -> LocalCloud:
    return local.start(host=Host(environ=environ))


def process_group(pid: int) -> list[int]:
    """The processes of the group that `pid` leads or led, from /proc."""
    members = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _parent, group = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(group) == pid and state != "Z":
            members.append(int(stat.parent.name))
    return members


def listening(pid: int) -> set[str]:
    """The local addresses that a process listens on, as /proc/net writes them."""
    descriptors = Path(f"/proc/{pid}/fd").iterdir()
    inodes = {str(path.readlink()).removeprefix("socket:[").rstrip("]") for path in descriptors}
    rows = [
        line.split()
        for table in ("tcp", "tcp6", "udp", "udp6")
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
    ]
    return {row[1] for row in rows if row[9] in inodes and row[3] in ("0A", "07")}


def test_it_starts_reports_itself_and_stops(host: Host) -> None:
    stopped = local.status(host=host)
    started = local.start(host=host)
    assert started == replace(stopped, running=True, pid=started.pid, version=started.version)
    assert started.pid
    assert started.version
    assert started.version[0].isdigit()
    assert local.start(host=host) == local.status(host=host) == started
    assert local.stop(host=host) == local.status(host=host) == stopped


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_it_listens_on_this_machine_only(host: Host) -> None:
    cloud = local.start(host=host)
    assert cloud.pid
    assert listening(cloud.pid) == {f"0100007F:{cloud.port:04X}"}


def test_ctrl_c_in_the_terminal_does_not_reach_it(host: Host) -> None:
    pid = local.start(host=host).pid
    assert pid
    assert os.getsid(pid) == os.getpgid(pid) == pid


def test_what_it_keeps_is_for_its_owner_only(host: Host) -> None:
    folder = local.start(host=host).state_dir
    local.stop(host=host)
    assert [path for path in [folder, *folder.rglob("*")] if path.stat().st_mode & 0o077] == []


def test_commands_at_the_same_moment_end_with_one_process(host: Host) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        clouds = pool.map(start_there, [dict(host.environ)] * 4, chunksize=1)
    assert clouds == [local.status(host=host)] * 4


def test_a_state_that_cannot_be_read_is_told_and_kept(host: Host) -> None:
    folder = local.status(host=host).state_dir
    (folder / "state").mkdir(parents=True)
    (folder / "state" / "sns.json").write_text("{broken")
    said: list[str] = []
    cloud = local.ensure_running(tell=said.append, host=host)
    kept = next(folder.glob("state-*"))
    assert said == [f"Starting the embedded cloud at {cloud.endpoint}", f"Warning: {cloud.warning}"]
    told = "the embedded cloud could not load all of its state: Persistence: failed to load sns"
    assert cloud.warning.startswith(told)
    assert cloud.warning.endswith(f"; what it could not load is kept in {kept}")
    assert (kept / "sns.json").read_text() == "{broken"


def test_a_stack_outlives_stop_and_start_with_nothing_changed(host: Host) -> None:
    stack = LittleStack(local_cloud(local.start(host=host).endpoint))
    first = stack.post()
    before = stack.everything()
    local.stop(host=host)
    local.start(host=host)
    assert stack.everything() == before
    queue = stack.cloud.sqs.get_queue_url(QueueName="queue")["QueueUrl"]
    assert [message["Body"] for message in stack.cloud.sqs.receive_message(QueueUrl=queue)["Messages"]] == [
        "kept"
    ]
    assert stack.post()["pid"] != first["pid"]
    assert "person's" not in first["environ"].values()
    assert "AWS_PROFILE" not in first["environ"]


def test_after_it_was_killed_it_starts_with_the_state_that_it_saved_last(host: Host) -> None:
    sns = local_cloud(local.start(host=host).endpoint).sns
    kept = sns.create_topic(Name="kept")["TopicArn"]
    local.stop(host=host)
    pid = local.start(host=host).pid
    sns.create_topic(Name="lost")
    assert pid
    os.kill(pid, signal.SIGKILL)
    again = local.ensure_running(host=host)
    assert again.pid != pid
    assert [topic["TopicArn"] for topic in sns.list_topics()["Topics"]] == [kept]


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_function_in_the_middle_of_a_call_neither_stops_the_saving_nor_stays(host: Host) -> None:
    started = local.start(host=host)
    stack = LittleStack(local_cloud(started.endpoint))
    call = threading.Thread(target=stack.call_that_is_cut_off)
    call.start()
    time.sleep(0.5)
    assert started.pid
    assert len(process_group(started.pid)) > 1
    assert local.stop(host=host).warning == ""
    assert process_group(started.pid) == []
    call.join()
    local.start(host=host)
    assert stack.cloud.dynamodb.scan(TableName="orders")["Count"] == 1


def test_a_change_is_saved_by_itself_and_survives_a_kill(host: Host) -> None:
    started = local.start(host=host)
    sns = local_cloud(started.endpoint).sns
    kept = sns.create_topic(Name="kept")["TopicArn"]
    deadline = time.monotonic() + 10
    while (started.state_dir / "unsaved").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert started.pid
    os.kill(started.pid, signal.SIGKILL)
    assert local.ensure_running(host=host).warning == ""
    assert [topic["TopicArn"] for topic in sns.list_topics()["Topics"]] == [kept]
