"""What all tests share: hypothesis profiles, credentials that open nothing, an account in memory, a clock."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from ordernotify import render
from ordernotify.aws.session import Cloud
from ordernotify.render.hints import begin_command
from ordernotify.settings.names import Target
from tests.provision_support import Account, ManualClock, quick_retries
from tests.quick_libraries import make_quick

__all__ = ["quick_retries"]

settings.register_profile("default", max_examples=50, deadline=None)
settings.register_profile("thorough", max_examples=1_000, deadline=None)
settings.register_profile("long", max_examples=20_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

_NO_ACCOUNT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


def pytest_configure() -> None:
    """Take the person's own AWS account and settings out of reach before anything reads the environment."""
    make_quick()
    for name in [name for name in os.environ if name.startswith(("AWS_", "ORDERNOTIFY_"))]:
        del os.environ[name]
    os.environ.update(_NO_ACCOUNT)
    for console in (render.out, render.err, render.alert):
        console._width = None  # it keeps the COLUMNS that it was made with, and pytest's workers have them


def pytest_collection_finish() -> None:
    """Look for garbage more seldom, and not among what stays: it took an eighth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture
def account(quick_retries: None) -> Iterator[Account]:
    """An empty AWS account in memory; a call that it does not know never leaves the process."""
    with Account() as opened:
        yield opened


@pytest.fixture
def cloud(account: Account) -> Cloud:
    """The account in memory, as `--aws` opens it."""
    return account.cloud()


@pytest.fixture
def local_cloud(account: Account) -> Cloud:
    """The account in memory, taken for the embedded cloud."""
    return account.cloud(Target.LOCAL)


@pytest.fixture
def manual_clock() -> ManualClock:
    """A clock whose sleep advances its time and takes none."""
    return ManualClock()


@pytest.fixture(autouse=True)
def no_command_before() -> None:
    """Forget the options of a command that another test ran in this process: hints would carry them."""
    begin_command({}, {})
