"""Pages about orders: the form that sends one, the list with its search, and one order in full."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response

from ordernotify.aws.session import Cloud
from ordernotify.console.pages import Desk, Values, desk, in_thread, is_refresh, trouble, trouble_page
from ordernotify.console.templating import line_words
from ordernotify.errors import OrderNotifyError, StackNotFoundError, UsageError
from ordernotify.function.notification import NOT_IN_MESSAGE, texts
from ordernotify.local.inbox import peek_at_queue, read_inbox
from ordernotify.logs.opening import read_story
from ordernotify.logs.trace import Trace
from ordernotify.orders.attributes import Order
from ordernotify.orders.newest import read_newest
from ordernotify.orders.post import Answer, Draft
from ordernotify.orders.query import OrderQuery, get_orders
from ordernotify.orders.source import check_key, order_body, random_key
from ordernotify.render.setup import curl_line
from ordernotify.stack.discovery import find_endpoint
from ordernotify.stack.verify import TEST_ORDER

MOST_SHOWN = 100
MAX_FORM_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class OrderForm:
    """The fields of the form, as they were typed."""

    customer: str
    product: str
    quantity: str
    fields: str
    key: str

    @classmethod
    def blank(cls) -> OrderForm:
        """The guide's test order, with a new key."""
        return cls(TEST_ORDER["customerName"], TEST_ORDER["productName"], "1", "", random_key())

    @property
    def body(self) -> bytes:
        """The order as JSON; raises UsageError for what cannot be sent."""
        try:
            quantity = int(self.quantity) if self.quantity.strip() else None
        except ValueError:
            raise UsageError("the quantity is not a whole number", "Give 1 or more.") from None
        pairs = [line.partition("=") for line in self.fields.splitlines() if line.strip()]
        if any(not (name.strip() and equals) for name, equals, _ in pairs):
            raise UsageError("a further field is not NAME=VALUE", "Write one on each line: colour=black")
        fields = {name.strip(): value.strip() for name, _, value in pairs}
        return order_body(self.customer, self.product, quantity, fields)


async def send_form(request: Request) -> Response:
    """The form with the guide's test order and the curl command for it."""
    return await _show_form(request, OrderForm.blank(), None)


async def send_order(request: Request) -> Response:
    """Send what the form says, and show the answer; refused where the page is read-only."""
    at = desk(request)
    if not at.site.writes:
        return trouble_page(
            request, "this page is read-only on AWS", "Start it with --write to send orders.", 403
        )
    return await _show_form(request, OrderForm(**await _form(request)), _send)


async def _form(request: Request) -> dict[str, str]:
    """Read the form up to MAX_FORM_BYTES; the API takes no order of that size."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            break
    given = parse_qs(body[:MAX_FORM_BYTES].decode("utf-8", "replace"), keep_blank_values=True)
    return {name: given.get(name, [""])[0] for name in OrderForm.__slots__}


def _send(at: Desk, form: OrderForm) -> Answer:
    check_key(form.key)
    body = form.body
    client = at.site.open_client()
    try:
        return client.send(Draft(body, form.key))
    finally:
        client.close()
        at.wake()


async def _show_form(
    request: Request, form: OrderForm, send: Callable[[Desk, OrderForm], Answer] | None
) -> Response:
    at = desk(request)

    def call() -> Values:
        at.site.check_reachable()
        endpoint, wrong, answer = find_endpoint(at.site.cloud, at.site.names, at.site.stack), None, None
        curl = ""
        try:
            curl = curl_line(endpoint.url, endpoint.auth, at.site.cloud.region, form.body.decode(), form.key)
            answer = send(at, form) if send else None
        except UsageError as error:
            wrong = error
        return {
            "form": form,
            "url": endpoint.url,
            "curl": curl,
            "answer": answer,
            "answered": _answer_text(answer) if answer else "",
            "wrong": wrong,
        }

    try:
        return at.page(request, "send.html", await in_thread(call))
    except OrderNotifyError as error:
        return trouble(request, error)


def _answer_text(answer: Answer) -> str:
    document: dict[str, Any] = {"orderId": answer.order_id} if answer.order_id else {}
    document["message"] = answer.message
    if answer.faults:
        document["errors"] = [{"field": one.field, "message": one.message} for one in answer.faults]
    return json.dumps(document, indent=2, ensure_ascii=False)


def list_page(at: Desk, request: Request) -> Values:
    """The newest orders, or those that a search finds."""
    asked = {name: request.query_params.get(name, "").strip() for name in ("customer", "product", "id")}
    state = request.query_params.get("state", "")
    search = {**asked, "state": state if state in ("pending", "sent") else ""}
    if not any(search.values()):
        snapshot = at.hub.snapshot
        pending = snapshot.counted.pending if snapshot.counted else None
        found: Sequence[Order] = at.newest.get(snapshot.newest, pending, again=not is_refresh(request))
        partly = at.newest.partly
    else:
        found, partly = _search(at, search)
    searching = any(search.values())
    return {"orders": found[:MOST_SHOWN], "search": search, "searching": searching, "partly": partly}


def _search(at: Desk, search: Mapping[str, str]) -> tuple[Sequence[Order], int]:
    """Return the orders found, and how many were looked at if not all were."""
    site = at.site
    if search["id"]:
        return [order for order in get_orders(site.cloud, site.names, [search["id"]]) if order], 0
    query = OrderQuery(
        customer=search["customer"],
        product=search["product"],
        notification=search["state"],
        limit=MOST_SHOWN,
    )
    newest = read_newest(site.cloud, site.names, query)
    return newest.orders, newest.partly


@dataclass(frozen=True, slots=True)
class WaterfallStep:
    """One step of an order: when it ended (ms), how long it took (ms), its place in the plot (0 to 100)."""

    name: str
    at: float | None
    detail: str
    took: float | None
    left: float
    width: float


def waterfall(story: Trace) -> list[WaterfallStep]:
    """Lay an order's steps out on one time line; each begins where the one before it ended."""
    known = [step.at for step in story.steps if step.at is not None] or [0.0]
    first, span = min(known), max(max(known) - min(known), 0.001)
    steps, before = [], first
    for step in story.steps:
        if step.at is None:
            steps.append(WaterfallStep(step.name, None, step.detail, None, 0, 0))
            continue
        took = max(step.at - before, 0.0)
        steps.append(
            WaterfallStep(
                step.name,
                step.at,
                step.detail,
                took,
                round(min((before - first) / span * 100, 99.2), 2),
                round(max(took / span * 100, 0.8), 2),
            )
        )
        before = max(before, step.at)
    return steps


def order_page(at: Desk, request: Request) -> Values:
    """One order: its item, message, log lines and the waterfall of its steps."""
    site, order_id = at.site, request.path_params["order_id"]
    story = read_story(site.cloud, site.names, site.stack, order_id)
    if not story.known:
        raise StackNotFoundError(
            f"there is no order {order_id}", "It may have been deleted; the page Orders shows what there is."
        )
    item = story.item or {}

    def naming(cloud: Cloud, queue: str) -> list[str]:
        # An inbox of ten thousand orders takes seconds to parse.
        return [body for body in peek_at_queue(cloud, queue) if order_id in body]

    inbox = read_inbox(site.cloud, site.names, site.stack, naming) if site.is_local else []
    return {
        "order_id": order_id,
        "story": story,
        "steps": waterfall(story),
        "item": item,
        "message": texts({k: v for k, v in item.items() if k not in NOT_IN_MESSAGE}) if item else None,
        "deliveries": [one for one in inbox if one.order_id == order_id],
        "lines": [line_words(event) for event in story.events],
    }
