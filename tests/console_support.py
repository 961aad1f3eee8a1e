"""What the tests of the page share: a site on the account in memory, and a browser's way to ask for pages."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from ordernotify.aws.session import Cloud
from ordernotify.console.app import make_app
from ordernotify.console.guard import Guard
from ordernotify.console.pages import Desk
from ordernotify.console.site import Site
from ordernotify.errors import OrderNotifyError
from ordernotify.orders.post import OrderClient
from ordernotify.settings.model import Settings
from ordernotify.settings.names import Names
from ordernotify.watch.watcher import Watcher
from tests.provision_support import ManualClock, set_up

TOKEN, PORT = "secret", 4580
OWN = f"http://127.0.0.1:{PORT}"
NAMES = Names()


def no_client() -> OrderClient:
    raise OrderNotifyError("no order is to be sent")


@dataclass
class Reached:
    """Whether the cloud answers; a test takes it away by giving a reason."""

    why: str = ""

    def __call__(self) -> str:
        return self.why


@dataclass
class Console:
    """The page of one stack, asked without a network."""

    cloud: Cloud
    writes: bool = False
    reached: Reached = field(default_factory=Reached)

    def __post_init__(self) -> None:
        site = Site(
            cloud=self.cloud,
            names=NAMES,
            stack="default",
            describe=lambda names, recorded: Settings(names=names, **recorded),
            open_client=no_client,
            writes=self.writes,
            unreachable=self.reached,
        )
        self.clock = ManualClock()
        self.watcher = Watcher(self.cloud, NAMES, "default", unreachable=self.reached, clock=self.clock)
        self.app: Guard = make_app(site, self.watcher, TOKEN, PORT)

    @property
    def desk(self) -> Desk:
        """What the pages have at hand."""
        found: Desk = getattr(self.app.app, "state").desk  # noqa: B009 - an ASGI app in general has none
        return found

    def look(self) -> None:
        """Let the watcher look once, as its thread does."""
        self.desk.hub.take(self.watcher.look())

    def ask(self, path: str, method: str = "GET", **more: Any) -> httpx.Response:
        """Ask as the browser with the cookie does; headers given here replace its own."""
        headers = {"Cookie": f"ordernotify-{PORT}={TOKEN}", "Origin": OWN, **more.pop("headers", {})}

        async def answer() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=OWN) as client:
                sent = {name: value for name, value in headers.items() if value is not None}
                return await client.request(method, path, headers=sent, **more)

        return asyncio.run(answer())


def make_stack(cloud: Cloud) -> None:
    """Set a stack up."""
    set_up(Settings(emails=("jane@example.com",)), cloud)


def put_order(cloud: Cloud, order_id: str, **fields: Any) -> None:
    """Store an order as the function does."""
    item = {"customerName": "John Doe", "productName": "Wireless Mouse", "notification": "sent", **fields}
    item = {"createdAt": "2026-03-01T12:00:00.000Z", "FileName": order_id, "orderId": order_id, **item}
    cloud.dynamodb.put_item(TableName=NAMES.table, Item={name: {"S": str(v)} for name, v in item.items()})


def put_answer(cloud: Cloud, order_id: str, status: int = 201, **fields: Any) -> None:
    """Log a request and its answer as the function does, just now."""
    steps = {"validated": 0.5, "stored": 10.0, "published": 20.0, "marked": 30.0}
    common = {"level": "INFO", "requestId": f"r-{order_id}"}
    answer = {"status": status, "durationMs": 30.0, "orderId": order_id, "notification": "sent"}
    log_lines(
        cloud,
        {**common, "event": "request", "method": "POST", "path": "/orders"},
        {**common, "event": "response", **answer, "steps": steps, **fields},
    )


def log_lines(cloud: Cloud, *lines: Mapping[str, Any]) -> None:
    """Write lines to the function's log group, just now."""
    now = int(time.time() * 1000)
    events = [{"timestamp": now + at, "message": json.dumps(line)} for at, line in enumerate(lines)]
    stream = {"logGroupName": NAMES.log_group, "logStreamName": "one"}
    with suppress(cloud.logs.exceptions.ResourceAlreadyExistsException):
        cloud.logs.create_log_stream(**stream)
    cloud.logs.put_log_events(**stream, logEvents=events)  # type: ignore[arg-type]
