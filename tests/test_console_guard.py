"""Who may see the page, and with which headers it goes out."""

from __future__ import annotations

import pytest

from ordernotify.aws.session import local_cloud
from tests.console_support import OWN, PORT, TOKEN, Console


@pytest.fixture
def console() -> Console:
    return Console(local_cloud("http://127.0.0.1:9"))


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": f"evil.example:{PORT}"},
        {"Host": "127.0.0.1:80"},
        {"Host": f"127.0.0.1.evil.example:{PORT}"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": f"https://127.0.0.1:{PORT}"},
        {"Cookie": None},
        {"Cookie": f"ordernotify-{PORT}=other"},
        {"Cookie": f"ordernotify={TOKEN}"},
        {"Cookie": f"ordernotify-{PORT}="},
    ],
    ids=str,
)
def test_a_stranger_gets_403(console: Console, headers: dict[str, str | None]) -> None:
    for path in ("/", "/orders", "/events", "/static/console.js"):
        answer = console.ask(path, headers=headers)
        assert answer.status_code == 403
        assert answer.text.startswith("Refused: ")


def test_the_cookie_alone_does_not_let_another_page_post(console: Console) -> None:
    for origin in (None, "http://evil.example"):
        assert console.ask("/send", "POST", headers={"Origin": origin}, data={}).status_code == 403


def test_the_address_with_the_token_sets_a_strict_cookie(console: Console) -> None:
    answer = console.ask(f"/?token={TOKEN}", headers={"Cookie": None, "Origin": None})
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"ordernotify-{PORT}={TOKEN};")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in answer.text


def test_another_token_and_another_path_set_none(console: Console) -> None:
    for address in ("/?token=wrong", "/?token=", f"/orders?token={TOKEN}"):
        answer = console.ask(address, headers={"Cookie": None})
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", ["/", "/none", "/static/console.css"])
def test_every_answer_has_the_headers_that_keep_the_page_to_itself(console: Console, path: str) -> None:
    headers = console.ask(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


def test_no_page_has_a_script_or_a_style_of_its_own(console: Console) -> None:
    for path in ("/", "/logs"):
        page = console.ask(path).text
        assert page.count("<script") == page.count("<script src=") == 1
        assert " style=" not in page
        assert "<style" not in page
        assert " onclick" not in page
        assert "http://" not in page.replace(OWN, "")
