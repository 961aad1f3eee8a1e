"""`setup` and `teardown` killed at any moment on the embedded cloud, and given again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.account_snapshot import snapshot_of
from tests.e2e.cloud import EmbeddedCloud, run_command, running_cloud

ROUNDS = int(os.environ.get("TESTS_KILL_ROUNDS", "3"))
SETUP = ("setup", "--email", "you@example.com", "--alarm-email", "ops@example.com", "--yes")
TEARDOWN = ("teardown", "--yes", "--delete-orders")
NEIGHBOUR = ("--stack", "neighbour")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedCloud]:
    """An embedded cloud with another stack in it, which nothing here may touch."""
    with running_cloud(tmp_path_factory.mktemp("state")) as running:
        complete(running, *SETUP, *NEIGHBOUR)
        yield running


def complete(cloud: EmbeddedCloud, *args: str) -> subprocess.CompletedProcess[str]:
    done = run_command(*args, environ=cloud.environ)
    assert done.returncode == 0, done.stderr
    return done


def everything(cloud: EmbeddedCloud) -> dict[str, Any]:
    return snapshot_of(cloud.cloud())


def start(cloud: EmbeddedCloud, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ordernotify", *args],
        env=cloud.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def kill_at_any_moment(cloud: EmbeddedCloud, dice: random.Random, *args: str) -> None:
    """Let the command plan, then kill it without a chance to say anything."""
    process = start(cloud, *args)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("Plan:"):
            break
    time.sleep(dice.uniform(0.0, 0.4))
    process.kill()
    process.communicate()


@pytest.mark.long
@pytest.mark.usefixtures("nothing_of_ours")
def test_what_was_killed_is_continued_by_the_same_command(cloud: EmbeddedCloud) -> None:
    without_it = everything(cloud)
    complete(cloud, *SETUP)
    undisturbed = everything(cloud)
    complete(cloud, *TEARDOWN)
    assert everything(cloud) == without_it
    dice = random.Random(20_241)
    for _ in range(ROUNDS):
        kill_at_any_moment(cloud, dice, *SETUP)
        kill_at_any_moment(cloud, dice, *SETUP)
        complete(cloud, *SETUP)
        assert everything(cloud) == undisturbed
        kill_at_any_moment(cloud, dice, *TEARDOWN)
        complete(cloud, *TEARDOWN)
        assert everything(cloud) == without_it


@pytest.fixture
def nothing_of_ours(cloud: EmbeddedCloud) -> None:
    complete(cloud, *TEARDOWN)


@pytest.mark.usefixtures("nothing_of_ours")
def test_ctrl_c_ends_with_130_a_sentence_and_a_stack_that_the_next_setup_completes(
    cloud: EmbeddedCloud,
) -> None:
    process = start(cloud, *SETUP)
    assert process.stderr is not None
    seen = ""
    for line in process.stderr:
        seen += line
        if " created, " in line:
            break
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=20)
    seen += rest
    assert "Traceback" not in seen
    assert process.returncode == 130, seen
    assert "interrupted" in seen
    assert "Run the same command again" in seen
    complete(cloud, *SETUP)
    again = json.loads(complete(cloud, *SETUP, "--json").stdout)
    assert {resource["action"] for resource in again["resources"]} == {"none"}
    complete(cloud, *TEARDOWN)


@pytest.mark.long
@pytest.mark.usefixtures("nothing_of_ours")
def test_two_setups_at_the_same_moment_end_with_one_correct_stack(
    cloud: EmbeddedCloud, tmp_path: Path
) -> None:
    complete(cloud, *SETUP)
    undisturbed = everything(cloud)
    complete(cloud, *TEARDOWN)
    both = [start(cloud, *SETUP) for _ in range(2)]
    ended = [(process.communicate(timeout=60)[1], process.returncode) for process in both]
    assert 0 in {status for _, status in ended}, ended
    assert "Traceback" not in "".join(stderr for stderr, _ in ended)
    assert everything(cloud) == undisturbed
    complete(cloud, *TEARDOWN)
