"""A stack on an embedded cloud, its page served by the installed command, and a browser that opens it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.e2e.cloud import run_command, running_cloud
from tests.e2e.console import open_console

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)


@contextmanager
def served_page(folder: Path) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Set a stack up and serve its page; yields its address, and the environment of commands."""
    with running_cloud(folder) as cloud:
        people = ("--email", "jane@example.com", "--phone", "+4915112345678")
        run_command("setup", *people, environ=cloud.environ)
        with open_console(cloud.environ) as page:
            yield page.address, cloud.environ


@contextmanager
def browser() -> Iterator[Browser]:
    """Start Chromium without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_QUIET))
        yield started
        started.close()
