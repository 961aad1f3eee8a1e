"""Setup ends when the URL answers: what it asks, until when, and what it says (AWS-FACTS 4)."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import urllib3

from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import Patience
from ordernotify.errors import AccessDeniedError, OrderNotifyError, StackNotFoundError
from ordernotify.function.api_event import NO_BODY
from ordernotify.logs.events import LogEvent
from ordernotify.orders import post
from ordernotify.orders.post import Answer
from ordernotify.orders.signing import authorizer, read_api_key
from ordernotify.resources.api import listing
from ordernotify.settings.model import Auth
from ordernotify.settings.names import Names
from ordernotify.stack import answers
from ordernotify.stack.answers import Answering, wait_until_it_answers, what_to_check
from ordernotify.watch.served import served
from tests.cli_support import Typed, typed
from tests.handler_fakes import Context, Shop, open_shop
from tests.provision_support import ManualClock

__all__ = ["typed"]

OWN = Answer(400, NO_BODY)
UNKNOWN = Answer(500, "Internal Server Error")
FORBIDDEN = Answer(403, "Forbidden")
THROTTLED = Answer(429, "Too Many Requests")


class Script:
    """Answers one after the other, the last again and again; an error is raised."""

    def __init__(self, *replies: Answer | OrderNotifyError) -> None:
        self.replies = replies
        self.asked = 0

    def __call__(self) -> Answer:
        reply = self.replies[min(self.asked, len(self.replies) - 1)]
        self.asked += 1
        if isinstance(reply, OrderNotifyError):
            raise reply
        return reply


def waited(script: Script, clock: ManualClock | None = None) -> Answering:
    return wait_until_it_answers(script, Patience(clock or ManualClock()), 60)


@pytest.mark.parametrize(
    ("replies", "pauses"),
    [
        ((OWN,), 0),
        ((UNKNOWN, UNKNOWN, FORBIDDEN, OWN), 3),
        ((OWN, OWN, UNKNOWN, OWN, FORBIDDEN, OWN), 2),
        ((Answer(0, "no connection"), Answer(404, "Not Found"), OWN), 2),
        ((Answer(400, "Invalid request body"), Answer(403, NO_BODY), OWN), 2),
        ((StackNotFoundError("the stack default has no API key"), OWN), 1),
    ],
    ids=["at once", "late", "flapping", "absent", "API Gateway's own 400", "key not listed yet"],
)
def test_it_ends_with_three_answers_in_a_row(
    replies: Sequence[Answer | OrderNotifyError], pauses: int
) -> None:
    clock, script = ManualClock(), Script(*replies)
    assert waited(script, clock) == Answering(OWN, clock.now())
    assert script.asked == len(replies) + answers.IN_A_ROW - 1
    assert len(clock.sleeps) == pauses


def test_the_throttle_of_the_stack_itself_only_slows_the_asking() -> None:
    script = Script(OWN, THROTTLED, OWN, THROTTLED, THROTTLED, OWN)
    assert waited(script).answers
    assert script.asked == 6


def test_each_wait_is_told_and_after_60_seconds_the_last_answer_is_given() -> None:
    clock, told = ManualClock(), list[str]()
    seen = wait_until_it_answers(Script(UNKNOWN, FORBIDDEN), Patience(clock, told.append), 60)
    assert not seen.answers
    assert seen == Answering(FORBIDDEN, clock.now())
    assert 60 <= clock.now() < 61
    assert len(told) == len(clock.sleeps)
    assert "waiting for the URL to answer, 4 s" in told


def test_flapping_without_end_is_no_answer() -> None:
    flapping = [OWN, OWN, FORBIDDEN] * 1000
    assert waited(Script(*flapping)).last == FORBIDDEN


def test_a_key_that_may_not_be_read_is_told_at_once() -> None:
    script = Script(AccessDeniedError("you may not read the key", "Ask for it.", code="AccessDenied"))
    seen = waited(script)
    assert seen == Answering(Answer(0, "you may not read the key"), 0, "Ask for it.")
    assert script.asked == 1
    assert what_to_check(seen, Auth.API_KEY) == "Ask for it."


@pytest.mark.parametrize(
    ("status", "auth", "word"),
    [
        (0, Auth.NONE, "proxy, firewall"),
        (403, Auth.NONE, "resource policy"),
        (403, Auth.API_KEY, "usage plan"),
        (403, Auth.IAM, "execute-api:Invoke"),
        (429, Auth.NONE, "--rate"),
        (500, Auth.NONE, "may invoke the function"),
        (200, Auth.NONE, "nothing else answers"),
    ],
)
def test_what_to_check_goes_by_the_last_answer(status: int, auth: Auth, word: str) -> None:
    assert word in what_to_check(Answering(Answer(status, "no"), 60), auth)


class StandIn:
    """API Gateway in front of the real function: refuses the first requests, and checks credentials.

    The function gets events of payload 2.0 for an HTTP API and 1.0 for a REST API.
    """

    def __init__(self, shop: Shop, refusals: Sequence[Answer]) -> None:
        self.shop = shop
        self.refusals = list(refusals)
        self.http = False
        self.may: Callable[[Mapping[str, str]], bool] = lambda _headers: True
        self.bodies: list[bytes] = []
        self.connections = 0
        self.url = ""

    def answer(self, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        self.bodies.append(body)
        if self.refusals:
            refused = self.refusals.pop(0)
            return refused.status, json.dumps({"message": refused.message})
        if not self.may(headers):
            return 403, '{"message": "Forbidden"}'
        reply = self.shop.function(self._event(headers, body.decode() or None), Context())
        return reply["statusCode"], reply["body"]

    def _event(self, headers: Mapping[str, str], body: str | None) -> dict[str, Any]:
        if not self.http:
            return {"httpMethod": "POST", "path": "/orders", "headers": dict(headers), "body": body}
        event = {"version": "2.0", "rawPath": "/prod/orders", "isBase64Encoded": False}
        request = {"http": {"method": "POST", "path": "/prod/orders"}}
        carried = {} if body is None else {"body": body}
        return {**event, "headers": dict(headers), "requestContext": request, **carried}


@contextmanager
def serving(stand_in: StandIn) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            stand_in.connections += 1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, text = stand_in.answer(headers, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        stand_in.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield
        server.shutdown()


@pytest.fixture
def stand_in(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """Answer in place of the API that setup makes; the waits of setup take no time."""
    with open_shop() as shop:
        stand_in = StandIn(shop, [UNKNOWN, UNKNOWN, FORBIDDEN, UNKNOWN])
        with serving(stand_in):
            monkeypatch.setattr(listing, "api_endpoint", lambda *_: stand_in.url)
            monkeypatch.setattr(answers, "OrderClient", post.OrderClient)
            monkeypatch.setattr("ordernotify.aws.waiting.SystemClock", ManualClock)
            yield stand_in


def printed_url(output: str) -> str:
    (line,) = [line for line in output.splitlines() if line.startswith("Invoke URL: ")]
    return line.removeprefix("Invoke URL: ")


def signed_for(service: str) -> Callable[[Mapping[str, str]], bool]:
    return lambda headers: f"/{service}/aws4_request" in headers.get("authorization", "")


@pytest.mark.parametrize(
    ("api", "auth"),
    [("rest", "none"), ("rest", "api-key"), ("rest", "iam"), ("http", "none"), ("http", "iam")],
)
def test_row_04_an_order_sent_at_once_to_the_printed_url_is_taken(
    cloud: Cloud, typed: Typed, stand_in: StandIn, api: str, auth: str
) -> None:
    stand_in.http = api == "http"
    if auth == "api-key":
        stand_in.may = lambda headers: headers.get("x-api-key") == read_api_key(cloud, Names(), "default")
    elif auth == "iam":
        stand_in.may = signed_for("execute-api")
    done = typed("setup", "--api", api, "--auth", auth)
    assert done.exit_code == 0, done.output
    assert "waiting for the URL to answer" in done.stderr
    assert "The URL answers, after 1.0 s." in done.stderr
    assert stand_in.bodies == [b""] * 7
    assert stand_in.connections == 7, "each host of API Gateway learns of it by itself"
    assert stand_in.shop.aws.requests == [], "nothing is stored"

    url = printed_url(done.stdout)
    order = b'{"customerName": "John Doe", "productName": "Wireless Mouse"}'
    sign = authorizer(cloud, Names(), "default", Auth(auth))
    headers = sign("POST", url, {}, order) if sign else {}
    assert urllib3.request("POST", url, body=order, headers=headers, retries=False).status == 201
    stranger = urllib3.request("POST", url, body=order, retries=False)
    assert stranger.status == (201 if auth == "none" else 403)


def test_setups_own_questions_are_no_rejected_orders(typed: Typed, stand_in: StandIn) -> None:
    assert typed("setup").exit_code == 0
    urllib3.request("POST", stand_in.url, body=b"", headers={"Idempotency-Key": "mine"}, retries=False)
    lines = [LogEvent("function", "", 0, 0, line, "") for line in stand_in.shop.lines]
    asked = [event for event in lines if (event.fields or {}).get("probe")]
    assert len(asked) == answers.IN_A_ROW
    assert [answer.kind for answer in map(served, lines) if answer] == ["rejected"], (
        "the order that is missing"
    )


def test_a_setup_that_changes_nothing_asks_nothing(typed: Typed, stand_in: StandIn) -> None:
    assert json.loads(typed("setup", "--json").stdout)["answers"] is True
    stand_in.bodies.clear()
    for words in (("setup", "--json"), ("setup", "--json", "--memory", "512", "--dry-run")):
        again = typed(*words)
        assert "answers" not in json.loads(again.stdout)
    assert stand_in.bodies == []


def test_a_url_that_does_not_answer_is_told_with_what_to_check(typed: Typed, stand_in: StandIn) -> None:
    stand_in.refusals = [FORBIDDEN] * 1000
    done = typed("setup", "--quiet")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "Stack default is ready" in done.stdout
    unanswered = "The function does not answer at the URL yet: after 60 s the last answer was 403 Forbidden"
    assert unanswered in done.stdout
    assert "Check what refuses requests" in done.stdout
    assert "`ordernotify verify --aws --region us-east-1`" in done.stdout
    changed = typed("setup", "--memory", "512", "--yes", "--json", "--quiet")
    assert json.loads(changed.stdout)["answers"] is False
    assert unanswered in changed.stderr


def test_ctrl_c_while_it_waits_ends_as_usual_with_everything_made(
    typed: Typed, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_clock: ManualClock, _seconds: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as pressed:
        pressed.setattr(ManualClock, "sleep", interrupt)
        done = typed("setup", "--save", "--memory", "512")
    assert done.exit_code == 130
    assert "Error: interrupted" in done.stderr
    assert stand_in.bodies == [b""]
    assert typed("setup", "--dry-run", "--exit-code").exit_code == 0
