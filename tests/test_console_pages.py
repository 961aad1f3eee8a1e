"""Every page in every state: no stack, an empty one, orders, alarms, a cloud that is gone and comes back."""

from __future__ import annotations

import asyncio
import html
import json
import re
import time
import tracemalloc
from dataclasses import replace

import pytest
from botocore.awsrequest import AWSResponse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ordernotify.console.figures import ALARM_PARTS
from ordernotify.console.hub import Hub
from ordernotify.console.orders_pages import MOST_SHOWN
from ordernotify.console.pages import Desk
from ordernotify.console.templating import commands, line_words, render_page
from ordernotify.local.inbox import Delivery
from ordernotify.logs.events import LogEvent
from ordernotify.logs.follow import Follower
from ordernotify.stack.health import ALARMS
from ordernotify.watch.watcher import LOCAL_PACE, NEWEST_LINES, NEWEST_ORDERS, Look, Snapshot, Watcher
from tests.aws_answers import answer_json
from tests.cli_support import Typed, typed
from tests.console_support import NAMES, Console, log_lines, make_stack, put_answer, put_order
from tests.provision_support import Account, Call, Send, pass_through, refusal, refuse

__all__ = ["typed"]

PAGES = ("/", "/send", "/orders", "/logs", "/plots", "/status")
READING = ("/send", "/orders", "/plots", "/status")


@pytest.fixture
def console(account: Account) -> Console:
    make_stack(account.cloud())
    return Console(account.cloud())


def test_without_a_stack_every_page_says_so(account: Account) -> None:
    console = Console(account.cloud())
    console.look()
    assert console.ask("/").status_code == 200
    assert "there is no topic file-upload-notification" in console.ask("/").text
    for path in ("/send", "/orders", "/status"):
        answer = console.ask(path)
        assert answer.status_code == 404
        assert "ordernotify setup" in answer.text


@pytest.mark.parametrize("path", PAGES)
def test_an_empty_stack_has_every_page(console: Console, path: str) -> None:
    console.look()
    answer = console.ask(path)
    assert answer.status_code == 200
    assert "<h1>" in answer.text
    assert "data-trouble role" in answer.text


def test_an_order_is_in_the_table_the_log_and_on_its_own_page(console: Console) -> None:
    put_order(console.cloud, "order-number-one", customerName="Ana Müller")
    put_answer(console.cloud, "order-number-one")
    console.look()
    assert console.desk.hub.snapshot.rates.per_minute == 1
    for path in ("/", "/orders"):
        assert "Ana Müller" in console.ask(path).text
    assert "order-number-one" in console.ask("/logs").text
    page = console.ask("/orders/order-number-one").text
    for step in ("validated", "stored", "published", "marked"):
        assert f'<th scope="row">{step}</th>' in page
    assert "10.0 ms" in page
    assert "New order order-nu" in page


def test_the_page_of_an_order_reads_the_logs_once(console: Console, account: Account) -> None:
    put_order(console.cloud, "order-number-one")
    put_answer(console.cloud, "order-number-one")
    account.forget_calls()
    page = console.ask("/orders/order-number-one").text
    assert "New order order-nu" in page
    read = [call.params["logGroupName"] for call in account.calls if call.operation == "FilterLogEvents"]
    # The lines that name the order, those of its request, and those of the API's.
    assert read.count(NAMES.log_group) == 2, read


def test_a_pending_order_and_an_alarm_are_seen(console: Console) -> None:
    put_order(console.cloud, "pending-one", notification="pending")
    console.cloud.cloudwatch.set_alarm_state(
        AlarmName=NAMES.alarm("errors"), StateValue="ALARM", StateReason="it is a test"
    )
    console.look()
    page = console.ask("/").text
    assert 'data-part="function" data-alarm="alarm"' in page
    assert '<b data-live="pending">1</b>' in page
    assert "in alarm" in console.ask("/status").text
    assert "redrive" in console.ask("/orders/pending-one").text


def test_the_search_finds_by_customer_product_state_and_id(console: Console) -> None:
    put_order(console.cloud, "one", customerName="Ana", productName="Lamp", notification="sent")
    put_order(console.cloud, "two", customerName="Ben", productName="Desk", notification="pending")
    for query, found, other in (
        ("customer=an", "Ana", "Ben"),
        ("product=desk", "Ben", "Ana"),
        ("state=pending", "Ben", "Ana"),
        ("id=one", "Ana", "Ben"),
        ("customer=nobody", "No order matches", "Ana"),
    ):
        page = console.ask(f"/orders?{query}").text
        assert found in page
        assert other not in page


@pytest.mark.parametrize("query", ["", "?customer=an", "?customer=nobody"])
def test_a_page_of_a_table_that_was_not_read_whole_says_so(
    console: Console, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    put_order(console.cloud, "one", customerName="Ana")
    assert "looked at" not in console.ask(f"/orders{query}").text
    monkeypatch.setattr("ordernotify.orders.newest.MOST_ORDERS", 1)
    assert "Only 1 orders of a larger table were looked at." in console.ask(f"/orders{query}").text


def test_an_open_page_gets_new_orders_without_reading_the_table_again(
    console: Console, account: Account
) -> None:
    console.ask("/orders")
    console.look()
    console.ask("/orders", headers={"X-Refresh": "1"})
    put_order(console.cloud, "new-order")
    put_answer(console.cloud, "new-order")
    console.look()
    account.forget_calls()
    assert "new-orde" in console.ask("/orders", headers={"X-Refresh": "1"}).text
    assert [call.operation for call in account.calls if call.operation == "Scan"] == []


def test_the_status_tells_what_audit_and_cost_tell(console: Console, typed: Typed) -> None:
    page = html.unescape(console.ask("/status").text)
    findings = json.loads(typed("audit", "--json").stdout)["controls"]
    assert len(findings) > 20
    for one in findings:
        assert f'<th scope="row">{one["title"]}</th>' in page
    failed = sum(one["verdict"] == "failed" for one in findings)
    assert f">{failed} failed<" in page
    for query, options in (("", ()), ("?orders-per-day=70000", ("--orders-per-day", "70000"))):
        cost = json.loads(typed("cost", "--live", "--json", *options).stdout)
        page = html.unescape(console.ask(f"/status{query}").text)
        assert f"<b>{cost['total']:,.2f} USD</b> a month" in page
        assert f'value="{cost["ordersPerDay"]}"' in page
        assert all(line["assumption"] in page for line in cost["lines"])


def test_every_alarm_belongs_to_a_part_of_the_picture() -> None:
    assert ALARM_PARTS.keys() == set(ALARMS)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("`a <b>` c", "<code>a &lt;b&gt;</code> c"), ("<i>", "&lt;i&gt;"), ("a ` b", "a <code> b</code>")],
)
def test_commands_are_shown_as_code_and_stay_escaped(text: str, shown: str) -> None:
    assert commands(text) == shown


MANY = 10_000


def many_orders(call: Call, apply: Send) -> AWSResponse:
    """Answer scans with MANY orders, in pages of 1 MB as DynamoDB does; the last stored is the newest."""
    if call.operation != "Scan":
        return apply()
    start = int(call.params.get("ExclusiveStartKey", {}).get("FileName", {}).get("S", -1)) + 1
    end = min(start + MANY // 4, MANY)
    last = {"LastEvaluatedKey": {"FileName": {"S": str(end - 1)}}} if end < MANY else {}
    if call.params.get("Select") == "COUNT":
        return answer_json({"ScannedCount": end - start, "Count": 0, **last})
    items = [
        {
            "FileName": {"S": str(number)},
            "orderId": {"S": str(number)},
            "customerName": {"S": f"Customer {number}"},
            "productName": {"S": "Mouse"},
            "notification": {"S": "sent"},
            "createdAt": {"S": f"2026-03-01T{number:05}"},
        }
        for number in range(start, end)
    ]
    return answer_json({"Items": items, "ScannedCount": len(items), "Count": len(items), **last})


def test_ten_thousand_orders_fit_on_the_pages(console: Console, account: Account) -> None:
    account.interfere = many_orders
    console.look()
    assert '<b data-live="orders">10,000</b>' in console.ask("/").text
    for path, newest in (("/orders", 9999), ("/orders?customer=customer+1", 1999)):
        page = console.ask(path).text
        assert page.count("<tr data-key") == MOST_SHOWN
        assert f"Customer {newest}" in page
        assert len(page) < 1000 * MOST_SHOWN
    account.forget_calls()
    for path in PAGES:
        assert console.ask(path, headers={"X-Refresh": "1"}).status_code == 200
    # Nothing but `status`, which counts, reads the table again.
    assert [call.params.get("Select") for call in account.calls if call.operation == "Scan"] == ["COUNT"] * 4


def test_log_lines_are_filtered_on_the_page_as_by_the_command(console: Console) -> None:
    log_lines(
        console.cloud,
        {"level": "INFO", "event": "request", "requestId": "a", "message": "plain"},
        {"level": "ERROR", "event": "response", "requestId": "b", "message": "broken"},
    )
    console.look()
    both = console.ask("/logs").text
    assert "plain" in both
    assert "broken" in both
    assert "plain" not in console.ask("/logs?level=errors").text
    assert "broken" not in console.ask("/logs?filter=PLAIN").text
    assert "plain" not in console.ask("/logs?source=api").text


def test_a_request_with_long_names_is_whole_on_the_log_page(console: Console) -> None:
    body = {"customerName": "C" * 200, "productName": "P" * 200}
    log_lines(console.cloud, {"level": "INFO", "event": "request", "requestId": "a", "body": body})
    console.look()
    assert f"{'P' * 200} for {'C' * 200}" in console.ask("/logs").text


def test_a_cloud_that_is_gone_is_told_and_found_again(console: Console) -> None:
    console.look()
    console.reached.why = "the embedded cloud is gone"
    console.look()
    for path in ("/", "/logs"):
        answer = console.ask(path)
        assert answer.status_code == 200
        assert "the embedded cloud is gone" in answer.text
    for path in READING:
        answer = console.ask(path)
        assert answer.status_code == 503
        assert "The embedded cloud is gone" in answer.text
        assert "data-recover" in answer.text
    console.reached.why = ""
    console.look()
    assert "the embedded cloud is gone" not in console.ask("/").text
    assert all(console.ask(path).status_code == 200 for path in PAGES)


def test_what_the_watcher_does_not_suffer_from_is_not_asked_again_and_again(
    console: Console, account: Account
) -> None:
    console.look()
    account.interfere = refuse("GetRestApis", "AccessDeniedException")
    answer = console.ask("/status")
    assert answer.status_code == 503
    assert "may not call" in answer.text
    assert "data-recover" not in answer.text
    refused = console.ask("/send", "POST", data={"customer": "a", "product": "b", "key": "k"})
    assert refused.status_code == 403
    assert "data-recover" not in refused.text


def test_an_order_whose_id_has_a_slash_has_its_page(console: Console) -> None:
    put_order(console.cloud, "photos/2026/a.jpg", customerName="Ana Müller")
    link = re.findall(r'href="(/orders/[^"]+)" title', console.ask("/orders").text)
    assert "Ana Müller" in console.ask(html.unescape(link[0])).text
    assert console.ask("/orders/").headers["location"] == "/orders"


def test_a_look_that_breaks_off_loses_no_lines(account: Account) -> None:
    make_stack(account.cloud())
    console = Console(account.cloud())
    console.look()
    put_answer(console.cloud, "meanwhile")
    broken: list[Call] = []

    def break_the_second_group(call: Call, apply: Send) -> AWSResponse:
        # The function's lines are read already when the API's cannot be.
        if call.operation == "FilterLogEvents" and call.name == NAMES.api_log_group:
            broken.append(call)
            return refusal(call, "InvalidParameterException", "it is a test", 400)
        return apply()

    account.interfere = break_the_second_group
    console.look()
    assert broken
    assert "it is a test" in console.desk.hub.snapshot.trouble
    account.interfere = pass_through
    console.look()
    ids = [(line.fields or {}).get("orderId") for line in console.desk.hub.lines]
    assert [one for one in ids if one] == ["meanwhile"]


def test_lines_that_were_read_before_a_look_failed_come_with_the_next(
    console: Console, account: Account
) -> None:
    console.look()
    put_answer(console.cloud, "meanwhile")
    account.interfere = refuse("DescribeAlarms", "AccessDenied")
    console.clock.sleep(60)
    console.look()
    assert "DescribeAlarms" in console.desk.hub.snapshot.trouble
    assert console.watcher.pause == 15, "everything is read again, and a right may be missing for long"
    account.interfere = pass_through
    console.look()
    ids = [(line.fields or {}).get("orderId") for line in console.desk.hub.lines]
    assert [one for one in ids if one] == ["meanwhile"]
    assert console.desk.hub.snapshot.rates.per_minute == 1
    assert console.watcher.pause == 2


def test_a_look_brings_no_more_lines_than_are_shown(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [LogEvent("function", "s", at, at, f"line {at}", str(at)) for at in range(3 * NEWEST_LINES)]
    monkeypatch.setattr(Follower, "poll", lambda _follower: iter(events))
    assert [event.event_id for event in console.watcher.look().lines] == [
        event.event_id for event in events[-NEWEST_LINES:]
    ]


def test_a_defect_of_the_watcher_is_told_and_the_watching_goes_on(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []

    def look(watcher: Watcher) -> Look:
        looks.append(1)
        if len(looks) == 1:
            raise LookupError("it is a test")
        return Look(Snapshot(present=True))

    monkeypatch.setattr(Watcher, "look", look)
    monkeypatch.setattr(console.watcher, "pace", replace(LOCAL_PACE, lines=0.01, trouble=0.01))
    told: list[str] = []
    monkeypatch.setattr(Hub, "take", lambda _hub, seen: told.append(seen.snapshot.trouble))

    async def while_it_is_open() -> None:
        async with getattr(console.app.app, "router").lifespan_context(console.app.app):  # noqa: B009
            deadline = time.monotonic() + 10
            while len(told) < 2 and time.monotonic() < deadline:
                await asyncio.sleep(0.01)

    asyncio.run(while_it_is_open())
    assert told[:2] == ["unexpected LookupError: it is a test", ""]


def test_on_aws_the_page_sends_nothing_unless_told(console: Console) -> None:
    assert "read-only" in console.ask("/send").text
    answer = console.ask("/send", "POST", data={"customer": "a", "product": "b", "key": "k"})
    assert answer.status_code == 403
    assert "--write" in answer.text


def test_a_form_that_cannot_be_sent_says_what_is_wrong(account: Account) -> None:
    make_stack(account.cloud())
    console = Console(account.cloud(), writes=True)
    order = {"customer": "a", "product": "b", "quantity": "many", "fields": "", "key": "k"}
    page = console.ask("/send", "POST", data=order).text
    assert "the quantity is not a whole number" in page
    page = console.ask("/send", "POST", data={**order, "quantity": "1", "fields": "nothing"}).text
    assert "a further field is not NAME=VALUE" in page
    page = console.ask("/send", "POST", data={**order, "quantity": "1", "key": "with space"}).text
    assert "cannot be an idempotency key" in html.unescape(page)


HOSTILE = st.text(
    st.sampled_from([*"<>&\"'/=x ", "\x00", "\x1b", "\u202e", "\u2066", "\u200f", "\ud800", "\x85", "é"]),
    max_size=30,
) | st.sampled_from(
    ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{7*7}}", "</pre><b>", "&lt;"]
)
_BAD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@given(customer=HOSTILE, product=HOSTILE)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_of_a_customer_gets_into_a_page_unescaped(
    account: Account, customer: str, product: str
) -> None:
    desk = Console(account.cloud()).desk
    plain = _pages(desk, "plain", "plain")
    for page, harmless in zip(_pages(desk, customer, product), plain, strict=True):
        assert not _BAD.search(page)
        assert len(_TAG.findall(page)) == len(_TAG.findall(harmless))
        assert len(_ATTRIBUTE.findall(page)) == len(_ATTRIBUTE.findall(harmless))
        # What is in a mail's frame is escaped once more.
        assert [_tags_in_frame(one) for one in _FRAME.findall(page)] == [
            _tags_in_frame(one) for one in _FRAME.findall(harmless)
        ]


def test_a_mail_is_in_a_frame_that_may_do_nothing(account: Account) -> None:
    _orders, inbox, _logs = _pages(Console(account.cloud()).desk, "Jane", "Mouse")
    frames = re.findall("<iframe[^>]*>", inbox)
    assert frames
    assert all(' sandbox="" ' in frame and " src=" not in frame for frame in frames)


_TAG = re.compile(r"<[^<>]*>")
_ATTRIBUTE = re.compile(r"""[\w-]+="[^"]*\"""")
_FRAME = re.compile(r"""srcdoc="([^"]*)\"""")


def _tags_in_frame(escaped: str) -> int:
    return len(_TAG.findall(html.unescape(escaped)))


def _pages(desk: Desk, customer: str, product: str) -> list[str]:
    order = {"FileName": "id", "customerName": customer, "productName": product, "notification": "sent"}
    search = {"customer": customer, "product": product, "id": "", "state": ""}
    values = {"orders": [order], "search": search, "searching": True, "partly": 0}
    mails = [
        Delivery("jane@example.com", protocol, f"{customer} x", f"{product} x\n{customer}", "id", "", "m")
        for protocol in ("email", "sms", "sqs")
    ]
    inbox = {"deliveries": mails, "readers": [], "to": "", "height": len}
    line = LogEvent("function", "s", 0, 0, json.dumps({"event": customer, "message": product}), "e")
    asked = dict.fromkeys(("filter", "order"), customer) | {"level": "", "source": ""}
    return [
        render_page("orders.html", {**desk.frame("/orders"), **values}),
        render_page("inbox.html", {**desk.frame("/inbox"), **inbox}),
        render_page("logs.html", {**desk.frame("/logs"), "lines": [line_words(line)], "asked": asked}),
    ]


def test_an_hour_of_events_keeps_memory_flat() -> None:
    hub = Hub(lambda _snapshot: {"texts": {}})

    def minute(number: int) -> None:
        for second in range(60):
            at = (number * 60 + second) * 1000
            lines = [
                LogEvent("function", "s", at, at, f"line {at} {one} {'x' * 200}", f"{at}-{one}")
                for one in range(5)
            ]
            hub.take(Look(Snapshot(present=True), lines))

    for number in range(10):
        minute(number)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for number in range(10, 60):
        minute(number)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(hub.lines) == NEWEST_LINES
    assert after - before < NEWEST_LINES * 1500, "what was forgotten is still held"
    assert NEWEST_ORDERS <= 100
