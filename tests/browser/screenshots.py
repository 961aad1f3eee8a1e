"""Make the pictures of the documentation from a real run: `make screenshots`."""

from __future__ import annotations

import sys
import tempfile
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
SHOTS = {"overview": "", "order": "", "inbox": "inbox", "plots": "plots"}
WIDE, NARROW = {"width": 1280, "height": 860}, {"width": 375, "height": 812}


def main(folder: Path) -> None:
    """Write `console-PAGE-light.png` and `-dark.png`, and one narrow picture, into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as state,
        served_page(Path(state)) as (address, environ),
        browser() as b,
    ):
        for customer, product in ORDERS * 2:
            run_command("send-order", "--customer", customer, "--product", product, environ=environ)
        home = address.partition("?")[0]
        for scheme in ("light", "dark"):
            for size, names in ((WIDE, SHOTS), (NARROW, {"overview-narrow": ""})):
                context = b.new_context(viewport=size, color_scheme=scheme, locale="en-GB", timezone_id="UTC")  # type: ignore[arg-type]
                page = context.new_page()
                page.goto(address)
                page.wait_for_url(home)
                for name, path in names.items():
                    page.goto(home + path)
                    if name == "order":
                        page.locator("table a.id").first.click()
                    page.wait_for_timeout(1500)
                    page.screenshot(path=folder / f"console-{name}-{scheme}.png")
                context.close()


if __name__ == "__main__":
    if CHROMIUM is None:
        sys.exit("There is no Chromium here: install the package chromium.")
    main(Path(sys.argv[1]))
