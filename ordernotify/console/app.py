"""The web application: its routes, and the watcher that feeds every open page."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from importlib.resources import files

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ordernotify.console import orders_pages, stack_pages
from ordernotify.console.figures import figures
from ordernotify.console.guard import Guard
from ordernotify.console.hub import Hub
from ordernotify.console.pages import Desk, desk, overview, reading, trouble_page
from ordernotify.console.site import Site
from ordernotify.errors import unexpected
from ordernotify.orders.newest import NewestOrders
from ordernotify.watch.watcher import Look, Watcher


def make_app(site: Site, watcher: Watcher, token: str, port: int) -> Guard:
    """Make the application for one stack; `serving` makes it listen."""
    hub = Hub(lambda snapshot: figures(snapshot, site))
    feeder = _Feeder(watcher, hub)

    @asynccontextmanager
    async def feeding(_app: Starlette) -> AsyncIterator[None]:
        feeder.start()
        try:
            yield
        finally:
            feeder.stop()

    app = Starlette(routes=_routes(site), lifespan=feeding, exception_handlers={Exception: _defect})
    app.state.desk = Desk(
        site, hub, NewestOrders(site.cloud, site.names, orders_pages.MOST_SHOWN), feeder.wake
    )
    return Guard(app, token, port)


def _routes(site: Site) -> list[Route | Mount]:
    inbox = [Route("/inbox", reading("inbox.html", stack_pages.inbox_page))] if site.is_local else []
    return [
        Route("/", overview),
        Route("/send", orders_pages.send_form, methods=["GET"]),
        Route("/send", orders_pages.send_order, methods=["POST"]),
        Route("/orders", reading("orders.html", orders_pages.list_page)),
        Route("/orders/", lambda _request: RedirectResponse("/orders")),
        Route("/orders/{order_id:path}", reading("order.html", orders_pages.order_page)),
        *inbox,
        Route("/logs", reading("logs.html", stack_pages.logs_page, from_cloud=False)),
        Route("/plots", reading("plots.html", stack_pages.plots_page)),
        Route("/status", reading("status.html", stack_pages.status_page)),
        Route("/events", _events),
        Route("/favicon.ico", lambda _request: PlainTextResponse("", 204)),
        Mount("/static", StaticFiles(directory=str(files("ordernotify.console") / "static"))),
    ]


async def _events(request: Request) -> Response:
    return StreamingResponse(desk(request).hub.stream(), media_type="text/event-stream")


async def _defect(request: Request, error: Exception) -> Response:
    return trouble_page(request, unexpected(error), "This is a defect of ordernotify; please report it.", 500)


class _Feeder:
    """Runs the watcher in a thread of its own, and passes each look on to the hub."""

    def __init__(self, watcher: Watcher, hub: Hub) -> None:
        self._watcher, self._hub = watcher, hub
        self._awake = threading.Event()
        self._stopped = False

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._run, args=(loop,), daemon=True).start()

    def stop(self) -> None:
        self._stopped = True
        self._awake.set()
        self._hub.close()

    def wake(self) -> None:
        self._awake.set()

    def _look(self) -> Look:
        try:
            return self._watcher.look()
        except Exception as error:  # noqa: BLE001 - the thread would end, and the pages seem up to date for ever
            return Look(replace(self._watcher.snapshot, trouble=unexpected(error)))

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self._stopped:
            look = self._look()
            with suppress(RuntimeError):  # the loop is gone: the page is being closed
                loop.call_soon_threadsafe(self._hub.take, look)
            self._awake.wait(self._watcher.pause)
            self._awake.clear()
