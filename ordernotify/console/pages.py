"""The pages: each calls the operation of a command, and a template shows what it returns."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from ordernotify.aws.endpoints import console_home
from ordernotify.aws.session import Cloud
from ordernotify.console.figures import figures
from ordernotify.console.hub import Hub
from ordernotify.console.site import Site, UnreachableError
from ordernotify.console.templating import render_page
from ordernotify.errors import OrderNotifyError, StackNotFoundError, UsageError
from ordernotify.orders.newest import NewestOrders
from ordernotify.settings.names import Names

Result = TypeVar("Result")
Values = Mapping[str, Any]
Handler = Callable[[Request], Awaitable[Response]]
REFRESH_HEADER = "X-Refresh"
"""An open page that asks for its newer content sends this header: what is expensive is not read again."""

_PAGES = (
    ("/", "Overview"),
    ("/send", "Send an order"),
    ("/orders", "Orders"),
    ("/inbox", "Inbox"),
    ("/logs", "Logs"),
    ("/plots", "Plots"),
    ("/status", "Status"),
)


@dataclass(frozen=True, slots=True)
class Desk:
    """What every page needs at hand."""

    site: Site
    hub: Hub
    newest: NewestOrders
    wake: Callable[[], None]
    """Makes the watcher look at once."""

    def page(self, request: Request, template: str, values: Values, status: int = 200) -> Response:
        """Render a page inside the frame that all pages have."""
        return HTMLResponse(render_page(template, {**self.frame(request.url.path), **values}), status)

    def frame(self, path: str) -> Values:
        """Return what the frame of the page at `path` shows."""
        site = self.site
        return {
            "navigation": [page for page in _PAGES if site.is_local or page[0] != "/inbox"],
            "path": path,
            "stack": site.stack,
            "place": site.place,
            "is_local": site.is_local,
            "writes": site.writes,
            "figures": figures(self.hub.snapshot, site),
        }


def desk(request: Request) -> Desk:
    found: Desk = request.app.state.desk
    return found


async def in_thread(call: Callable[[], Result]) -> Result:
    """Make the call in a thread of its own and wait for what it returns or raises.

    The thread is a daemon: asyncio's own threads would keep Ctrl-C waiting until AWS answered.
    """
    outcome: Future[Result] = Future()
    outcome.set_running_or_notify_cancel()  # whoever waits may give up; the thread still ends quietly

    def run() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return await asyncio.wrap_future(outcome)


def reading(template: str, read: Callable[[Desk, Request], Values], *, from_cloud: bool = True) -> Handler:
    """Make the handler of a page that shows what `read` returns, or its error; `read` may block.

    A page that is not `from_cloud` shows what the hub remembers, even while the cloud is gone.
    """

    async def handle(request: Request) -> Response:
        at = desk(request)

        def call() -> Values:
            if from_cloud:
                at.site.check_reachable()
            return read(at, request)

        try:
            return at.page(request, template, await in_thread(call))
        except OrderNotifyError as error:
            return trouble(request, error)

    return handle


def trouble(request: Request, error: OrderNotifyError) -> Response:
    """Show an error as its command would, with what to do about it."""
    absent = isinstance(error, StackNotFoundError)
    gone = isinstance(error, UnreachableError)
    status = 404 if absent else 400 if isinstance(error, UsageError) else 503
    return trouble_page(request, error.message, error.hint, status, gone=gone)


def trouble_page(request: Request, message: str, hint: str, status: int, *, gone: bool = False) -> Response:
    """Show what went wrong; the page reloads by itself if that ends when the watcher finds the stack again.

    A right that is missing, say, would be missing again: reloading would call AWS every 2 seconds in vain.
    """
    at = desk(request)
    recovers = gone or at.hub.snapshot.trouble != "" or at.hub.snapshot.present is not True
    values = {"absent": status == 404, "message": message, "hint": hint, "recovers": recovers}
    return at.page(request, "trouble.html", values, status)


def is_refresh(request: Request) -> bool:
    """Whether an open page asks for its newer content."""
    return REFRESH_HEADER in request.headers


async def overview(request: Request) -> Response:
    """The path of an order as a picture; shown at once, and filled in by the stream."""
    at = desk(request)
    return at.page(
        request,
        "overview.html",
        {
            "newest": at.hub.snapshot.newest[:8],
            "aws": _aws_links(at.site.cloud, at.site.names),
            "names": at.site.names,
        },
    )


def _aws_links(cloud: Cloud, names: Names) -> Mapping[str, str]:
    """Return the addresses by part of the path; none for the embedded cloud and unknown partitions."""
    home, region = console_home(cloud), f"region={cloud.region}"
    if not home:
        return {}
    return {
        "api": f"{home}/apigateway/main/apis?{region}",
        "function": f"{home}/lambda/home?{region}#/functions/{quote(names.function)}",
        "table": f"{home}/dynamodbv2/home?{region}#table?name={quote(names.table)}",
        "topic": f"{home}/sns/v3/home?{region}#/topic/{cloud.arn('sns', names.topic)}",
        "subscribers": f"{home}/sns/v3/home?{region}#/topic/{cloud.arn('sns', names.topic)}",
    }
