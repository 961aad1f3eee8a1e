"""Make the pictures of the documentation from a real run: `make screenshots`."""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.browser.page import CHROMIUM, browser, served_page
from tests.e2e.cloud import run_command

ORDERS = (
    ("Ana Müller", "Desk Lamp"),
    ("Grace Hopper", "Notebook"),
    ("Li Wei", "Green Tea"),
    ("José Álvarez", "Headphones"),
    ("John Doe", "Wireless Mouse"),
)
WIDE, NARROW = (1280, 860), (375, 812)
PICTURES = (
    ("overview", "", "light", WIDE),
    ("overview", "", "dark", WIDE),
    ("overview-narrow", "", "dark", NARROW),
    ("order", "", "light", WIDE),
    ("inbox", "inbox", "light", WIDE),
)
"""Name, page, colour scheme, and size in pixels."""
SETTLE_MS = 1500


def main(folder: Path) -> None:
    """Write `console-NAME-SCHEME.png` for each picture into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as open_now:
        state = open_now.enter_context(tempfile.TemporaryDirectory())
        address, environ = open_now.enter_context(served_page(Path(state)))
        chromium = open_now.enter_context(browser())
        for customer, product in ORDERS * 2:
            run_command("send-order", "--customer", customer, "--product", product, environ=environ)
        for name, path, scheme, (width, height) in PICTURES:
            page = chromium.new_page(
                viewport={"width": width, "height": height},
                color_scheme="dark" if scheme == "dark" else "light",
                locale="en-GB",
                timezone_id="UTC",
            )
            home = address.partition("?")[0]
            page.goto(address)
            page.wait_for_url(home)
            page.goto(home + path)
            if name == "order":
                page.locator("table a.id").first.click()
            page.wait_for_timeout(SETTLE_MS)
            page.screenshot(path=folder / f"console-{name}-{scheme}.png")


if __name__ == "__main__":
    if CHROMIUM is None:
        sys.exit("There is no Chromium here: install the package chromium.")
    main(Path(sys.argv[1]))
