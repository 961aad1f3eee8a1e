"""What a person sees: an order that travels, the pages, dark and narrow, and what a screen reader needs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.browser.page import CHROMIUM, browser, served_page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here: install the package chromium"),
]
PAGES = ("/", "/send", "/orders", "/inbox", "/logs", "/plots", "/status")
PROMPT_MS = 3000
"""A second, as it may be on a machine that does three other things."""
AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Mapping[str, str]]]:
    with served_page(tmp_path_factory.mktemp("state")) as page:
        yield page


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


class Visit:
    """A page that is open, and what the browser complained of."""

    def __init__(self, chromium: Browser, address: str, width: int = 1440, scheme: str = "light") -> None:
        dark = scheme == "dark"
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
        )
        self.complaints: list[str] = []
        self.home = address.partition("?")[0]
        self._context = context
        self.page = self.open(address)
        self.page.wait_for_url(self.home)

    def open(self, address: str) -> Page:
        page = self._context.new_page()
        page.on("console", self._complain)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(address)
        return page

    def _complain(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


@pytest.fixture
def visit(chromium: Browser, served: tuple[str, Mapping[str, str]]) -> Visit:
    return Visit(chromium, served[0])


def test_an_order_sent_by_the_form_is_seen_everywhere_at_once(visit: Visit) -> None:
    name = f"Ana Müller {time.time_ns()}"
    views = {path: visit.open(visit.home.rstrip("/") + path) for path in ("/", "/orders", "/inbox", "/logs")}
    for view in views.values():
        expect(view.locator("[data-beat-text]")).to_have_text("live")
    form = visit.open(visit.home + "send")
    form.get_by_label("Customer").fill("warm up")
    form.get_by_role("button", name="Send the order").click()
    expect(form.get_by_text("Order received", exact=True)).to_be_visible()
    form.get_by_role("link", name="A new order").click()
    form.get_by_label("Customer").fill(name)
    form.get_by_role("button", name="Send the order").click()
    expect(form.get_by_text("Order received", exact=True)).to_be_visible()
    for view in views.values():
        expect(view.get_by_text(name).first).to_be_visible(timeout=PROMPT_MS)
    form.bring_to_front()
    form.get_by_role("button", name="Send again with the same key").click()
    expect(form.get_by_text("replayed: nothing new was stored or sent")).to_be_visible()
    assert visit.complaints == []


@pytest.mark.parametrize("path", ["/", "/orders", "/inbox", "/logs"])
def test_a_new_order_is_on_an_open_page_at_once(visit: Visit, path: str) -> None:
    name = f"Ben {time.time_ns()}"
    view = visit.open(visit.home.rstrip("/") + path)
    expect(view.locator("[data-beat-text]")).to_have_text("live")
    order = {"customer": name, "product": "Lamp", "quantity": "1", "fields": "", "key": name.replace(" ", "")}
    headers = {"Origin": visit.home.rstrip("/")}
    assert view.request.post(visit.home + "send", form=order, headers=headers).ok  # type: ignore[arg-type]
    expect(view.get_by_text(name).first).to_be_visible(timeout=PROMPT_MS)


def test_an_order_is_seen_moving_through_the_picture(visit: Visit) -> None:
    view = visit.page
    expect(view.locator("[data-beat-text]")).to_have_text("live")
    order = {"customer": "c", "product": "p", "quantity": "1", "fields": "", "key": str(time.time_ns())}
    headers = {"Origin": visit.home.rstrip("/")}
    assert view.request.post(visit.home + "send", form=order, headers=headers).ok  # type: ignore[arg-type]
    for part in ("client", "function", "subscribers"):
        expect(view.locator(f'[data-part="{part}"].hit')).to_be_visible(timeout=PROMPT_MS)


def test_the_waterfall_of_an_order_opens(visit: Visit) -> None:
    visit.page.goto(visit.home + "orders")
    visit.page.locator("table a.id").first.click()
    expect(visit.page.get_by_role("heading", name="Waterfall")).to_be_visible()
    for step in ("validated", "stored", "published", "marked"):
        expect(visit.page.get_by_role("rowheader", name=step)).to_be_visible()
    assert visit.complaints == []


@pytest.mark.parametrize(
    ("width", "scheme"), [(1440, "light"), (1440, "dark"), (375, "light"), (375, "dark")]
)
def test_every_page_fits_and_has_no_violation_of_level_aa(
    chromium: Browser, served: tuple[str, Mapping[str, str]], width: int, scheme: str
) -> None:
    visit = Visit(chromium, served[0], width, scheme)
    order = visit.page.goto(visit.home + "orders") and visit.page.locator("table a.id").first.get_attribute(
        "href"
    )
    axe = Axe()
    for path in (*PAGES, order or "/"):
        visit.page.goto(visit.home.rstrip("/") + path)
        expect(visit.page.locator("[data-beat-text]")).to_have_text("live")
        wide = visit.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{path} is wider than the screen"
        found = axe.run(visit.page, options={"runOnly": {"type": "tag", "values": AA}})
        assert [(path, one["id"], one["nodes"][0]["html"]) for one in found.response["violations"]] == []
    assert visit.complaints == []


def test_the_keyboard_reaches_the_content_and_the_pages(visit: Visit) -> None:
    visit.page.keyboard.press("Tab")
    expect(visit.page.get_by_role("link", name="Skip to the content")).to_be_focused()
    visit.page.keyboard.press("Enter")
    expect(visit.page.locator("main")).to_be_focused()


def test_the_first_page_is_there_within_half_a_second(visit: Visit) -> None:
    began = time.monotonic()
    visit.page.goto(visit.home)
    assert time.monotonic() - began < 0.5 * 3, "thrice the half second: this machine may be busy"
