"""Teardown stops the embedded cloud only when nothing at all is left in it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ordernotify.aws.session import local_cloud
from ordernotify.local import cloud as local
from ordernotify.local.process import Host
from ordernotify.local.unused import left_in, stop_if_unused
from tests.e2e.cloud import EmbeddedCloud, command_environ, free_port, run_command, running_cloud


@pytest.fixture
def own(tmp_path: Path) -> Iterator[EmbeddedCloud]:
    with running_cloud(tmp_path) as cloud:
        yield cloud


def is_running(own: EmbeddedCloud) -> bool:
    return local.status(host=own.host).running


def test_a_teardown_that_leaves_nothing_stops_it(own: EmbeddedCloud) -> None:
    assert run_command("setup", "--yes", "--email", "a@example.com", environ=own.environ).returncode == 0
    folder = local.status(host=own.host).state_dir
    done = run_command("teardown", "--yes", "--delete-orders", environ=own.environ)
    assert done.returncode == 0, done.stderr
    assert list(left_in(folder)) == []
    assert not is_running(own)


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_a_topic_of_somebody_else_keeps_it_in_any_region(own: EmbeddedCloud, region: str) -> None:
    local_cloud(own.endpoint, region).sns.create_topic(Name="theirs")
    assert not stop_if_unused(host=own.host)
    assert is_running(own)


@pytest.mark.long
def test_orders_that_were_kept_keep_it(own: EmbeddedCloud) -> None:
    assert run_command("setup", "--yes", environ=own.environ).returncode == 0
    assert run_command("teardown", "--yes", environ=own.environ).returncode == 0
    assert is_running(own)


@pytest.mark.long
def test_somebody_at_work_keeps_it(own: EmbeddedCloud) -> None:
    begun, done = threading.Event(), threading.Event()

    sns = local_cloud(own.endpoint).sns

    def work() -> None:
        while not done.wait(0.2):
            sns.list_topics()
            begun.set()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        assert begun.wait(20)
        assert not stop_if_unused(host=own.host)
    finally:
        done.set()
        worker.join()
    assert stop_if_unused(host=own.host)
    assert not is_running(own)


def test_a_cloud_that_never_ran_is_left_alone(tmp_path: Path) -> None:
    assert stop_if_unused(host=Host(environ=command_environ(tmp_path, free_port())))
