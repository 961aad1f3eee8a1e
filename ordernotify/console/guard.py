"""Who may see the page: a browser on this machine that was given its address.

Other users of the machine, other pages in the same browser and names that point here (DNS rebinding) may not:
https://owasp.org/www-community/attacks/csrf, https://en.wikipedia.org/wiki/DNS_rebinding.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from importlib.resources import files
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost")
MAIL_STYLE = (files("ordernotify.console") / "templates/mail.css").read_text(encoding="utf-8")
"""A mail's frame is sandboxed and loads nothing, so its style is inline; only this very text is allowed."""
_MAIL_HASH = base64.b64encode(hashlib.sha256(MAIL_STYLE.encode()).digest()).decode()
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; script-src 'self'; style-src 'self' 'sha256-{_MAIL_HASH}'; img-src 'self'; "
        "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_SAFE_METHODS = ("GET", "HEAD")
# After a redirect, the request would still count as coming from the page with the link, and SameSite=Strict
# would withhold the cookie. A page that refreshes to the next one is a new start.
_WELCOME = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>ordernotify</title>'
    '<meta http-equiv="refresh" content="0;url=/"><a href="/">Continue</a></html>'
)


class Guard:
    """Passes on only the requests that have the cookie, a loopback Host and the page's own Origin."""

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self.app = app
        """What is guarded."""
        self._token = token
        self._cookie = f"ordernotify-{port}"
        self._hosts = frozenset(f"{name}:{port}" for name in LOOPBACK)
        self._origins = frozenset(f"http://{host}" for host in self._hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403 to strangers, with the security headers on every answer."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SECURITY_HEADERS)
            await send(message)

        answer = self._answer_to(scope) if scope["type"] == "http" else _refused("HTTP only")
        await (answer or self.app)(scope, receive, send_guarded)

    def _answer_to(self, scope: Scope) -> Response | None:
        """Refuse a request, or welcome a browser that has the token; None lets the request through."""
        headers = Headers(scope=scope)
        if headers.get("host", "").lower() not in self._hosts:
            return _refused("this page answers to its own address only")
        origin = headers.get("origin")
        if origin is None and scope["method"] not in _SAFE_METHODS:
            return _refused("the request does not say which page it comes from")
        if origin is not None and origin.lower() not in self._origins:
            return _refused("the request comes from another page")
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
        if scope["path"] == "/" and self._is_token(given):
            welcome = HTMLResponse(_WELCOME)
            welcome.set_cookie(self._cookie, self._token, httponly=True, samesite="strict")
            return welcome
        if not self._is_token(self._cookies(headers.getlist("cookie"))):
            return _refused("open the address that `ordernotify console` printed")
        return None

    def _cookies(self, lines: Iterable[str]) -> list[str]:
        found = []
        for line in lines:
            try:
                cookie = SimpleCookie(line).get(self._cookie)
            except CookieError:
                continue
            found += [cookie.value] if cookie else []
        return found

    def _is_token(self, given: Iterable[str]) -> bool:
        return any(hmac.compare_digest(one.encode(), self._token.encode()) for one in given)


def _refused(why: str) -> PlainTextResponse:
    return PlainTextResponse(f"Refused: {why}.\n", status_code=403)
