"""Sending one order: what is repeated, how long, and what the answer says."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from ordernotify.aws.waiting import SystemClock
from ordernotify.errors import OrderNotifyError
from ordernotify.orders import connections, post
from ordernotify.orders.post import Answer, Draft, Fault, OrderClient
from tests.orders_fakes import FakeApi, Reply, Script, TurnedClock, running_api

ORDER = b'{"customerName": "John Doe", "productName": "Wireless Mouse"}'
DRAFT = Draft(ORDER, "key-1")
TAKEN = Answer(201, "Order received", "id-key-1")


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with running_api() as api:
        yield api


def client_of(api: FakeApi, clock: SystemClock | None = None) -> OrderClient:
    return OrderClient(api.url, clock=clock or TurnedClock(), jitter=lambda: 1.0)


def first(count: int, reply: Reply) -> Script:
    return lambda number, _key, _order: reply if number <= count else None


def send(api: FakeApi, script: Script, clock: TurnedClock | None = None) -> Answer:
    api.script = script
    client = client_of(api, clock)
    answer = client.send(DRAFT)
    client.close()
    return replace(answer, seconds=0.0)


def test_an_order_is_sent_once_with_its_key_and_text(api: FakeApi) -> None:
    assert send(api, first(0, Reply())) == TAKEN
    assert [body for _, body in api.requests] == [ORDER]
    assert api.requests[0][0]["Idempotency-Key"] == "key-1"
    assert api.requests[0][0]["Content-Type"] == "application/json"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_throttling_and_server_errors_are_repeated_with_the_same_key(api: FakeApi, status: int) -> None:
    answer = send(api, first(2, Reply(status, {"message": "no"})))
    assert answer == replace(TAKEN, attempts=3)
    assert [headers["Idempotency-Key"] for headers, _ in api.requests] == ["key-1"] * 3


def test_a_connection_lost_before_the_order_was_stored_is_repeated(api: FakeApi) -> None:
    assert send(api, first(1, Reply(reset=True))) == replace(TAKEN, attempts=2)
    assert api.keys == ["key-1"]


def test_a_connection_lost_after_the_order_was_stored_makes_no_second_order(api: FakeApi) -> None:
    answer = send(api, first(1, Reply(reset=True, stored=True)))
    assert answer == Answer(200, "Order received", "id-key-1", replayed=True, attempts=2)
    assert api.keys == ["key-1"]


def test_the_pauses_double_up_to_a_limit_and_the_trying_is_bounded(api: FakeApi) -> None:
    clock = TurnedClock()
    answer = send(api, first(1000, Reply(500, {"message": "Internal Server Error"})), clock)
    assert clock.slept[:6] == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0]
    assert set(clock.slept[6:]) == {5.0}
    assert sum(clock.slept) <= 60
    assert answer == Answer(500, "Internal Server Error", attempts=len(clock.slept) + 1)


def test_the_jitter_is_full(api: FakeApi) -> None:
    clock = TurnedClock()
    api.script = first(3, Reply(500))
    fractions = iter([0.0, 0.5, 0.25, 1.0])
    OrderClient(api.url, clock=clock, jitter=lambda: next(fractions)).send(DRAFT)
    assert clock.slept == [0.0, 0.2, 0.2]


def test_retry_after_in_seconds_is_the_shortest_pause(api: FakeApi) -> None:
    clock = TurnedClock()
    send(api, first(1, Reply(429, headers={"Retry-After": "7"})), clock)
    assert clock.slept == [7.0]


def test_retry_after_as_a_date_is_honoured(api: FakeApi) -> None:
    clock = TurnedClock()
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    send(api, first(1, Reply(503, headers={"Retry-After": date})), clock)
    assert len(clock.slept) == 1
    assert 15 < clock.slept[0] <= 20


@pytest.mark.parametrize("text", ["soon", "-3", "", "1e9999", "Tue, 99 Foo 2026 00:00:00 GMT", "٣" * 400])
def test_a_retry_after_that_says_nothing_is_passed_over(api: FakeApi, text: str) -> None:
    clock = TurnedClock()
    api.script = first(1, Reply(429, headers={"Retry-After": text.encode().decode("latin-1")}))
    assert client_of(api, clock).send(DRAFT).status == 201
    assert clock.slept == [0.2]


def test_an_api_that_wants_more_time_than_there_is_gets_none(api: FakeApi) -> None:
    clock = TurnedClock()
    answer = send(api, first(9, Reply(429, {"message": "slow down"}, {"Retry-After": "3600"})), clock)
    assert answer == Answer(429, "slow down")
    assert clock.slept == []


def test_a_refused_order_is_not_repeated_and_every_fault_is_told(api: FakeApi) -> None:
    faults = [
        {"field": "customerName", "message": "is required"},
        {"field": "quantity", "message": "must be …"},
    ]
    answer = send(api, first(9, Reply(400, {"message": "The order is not valid", "errors": faults})))
    assert answer == Answer(
        400,
        "The order is not valid",
        faults=(Fault("customerName", "is required"), Fault("quantity", "must be …")),
    )
    assert answer.rejected
    assert len(api.requests) == 1


@pytest.mark.parametrize("status", [403, 404])
def test_a_new_api_that_does_not_know_its_permissions_yet_is_waited_for(api: FakeApi, status: int) -> None:
    assert send(api, first(3, Reply(status, {"message": "Forbidden"}))) == replace(TAKEN, attempts=4)


def test_a_refusal_that_lasts_is_the_answer_and_is_waited_for_once_only(api: FakeApi) -> None:
    clock = TurnedClock()
    api.script = first(1000, Reply(403, {"message": "Forbidden"}))
    client = client_of(api, clock)
    answer = client.send(DRAFT)
    assert (answer.status, answer.rejected, answer.accepted) == (403, False, False)
    assert 15 <= sum(clock.slept) <= 25
    assert client.send(DRAFT).attempts == 1


def test_a_refusal_after_an_accepted_order_is_not_waited_for(api: FakeApi) -> None:
    client = client_of(api)
    api.script = lambda number, _key, _order: Reply(403, {"message": "Forbidden"}) if number > 1 else None
    assert client.send(DRAFT).status == 201
    assert client.send(DRAFT).attempts == 1


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_an_answer_in_another_form_is_no_promise(api: FakeApi, body: bytes) -> None:
    answer = send(api, first(9, Reply(200, body)))
    assert answer == Answer(200, "the API answered 200 with a text that is not its own")
    assert not answer.accepted


def test_success_without_an_order_id_is_no_promise(api: FakeApi) -> None:
    answer = send(api, first(9, Reply(200, {"message": "hello"})))
    assert answer == Answer(200, "the API answered 200 without an orderId: hello")
    assert not answer.accepted


def test_a_redirect_is_not_followed(api: FakeApi) -> None:
    assert send(api, first(9, Reply(302, headers={"Location": api.url}))).status == 302
    assert len(api.requests) == 1


def test_connections_are_kept(api: FakeApi) -> None:
    client = client_of(api)
    for _ in range(5):
        client.send(DRAFT)
    assert api.connections == 1


def test_nobody_at_the_url_is_told_soon() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # not listening: the connection is refused
        port = held.getsockname()[1]
        clock = TurnedClock()
        answer = OrderClient(f"http://127.0.0.1:{port}/", clock=clock, jitter=lambda: 1.0).send(DRAFT)
    assert replace(answer, attempts=0, seconds=0.0) == Answer(
        0, f"no connection to 127.0.0.1:{port} is possible", attempts=0
    )
    assert 5 < sum(clock.slept) <= 10


def test_being_called_off_ends_the_waiting_with_the_last_reason(api: FakeApi) -> None:
    clock = TurnedClock()
    clock.cancelled.set()
    answer = send(api, first(9, Reply(503, {"message": "not now"})), clock)
    assert answer == Answer(0, "interrupted; the last try: not now", interrupted=True)


def test_each_repetition_is_told_and_signed_anew(api: FakeApi) -> None:
    told: list[str] = []
    signed: list[tuple[str, str, bytes]] = []

    def sign(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        signed.append((method, url, body))
        return {**headers, "x-signature": str(len(signed))}

    api.script = first(1, Reply(500, {"message": "again"}))
    OrderClient(api.url, clock=TurnedClock(), sign=sign, tell=told.append).send(DRAFT)
    assert told == ["again"]
    assert signed == [("POST", api.url, ORDER)] * 2
    assert [headers["x-signature"] for headers, _ in api.requests] == ["1", "2"]


@pytest.mark.parametrize("url", ["", "ftp://x/", "prod/orders", "http://"])
def test_a_url_that_is_none_is_told(url: str) -> None:
    with pytest.raises(OrderNotifyError, match="is not the URL of an order API"):
        OrderClient(url)


@contextmanager
def endless(head: bytes, piece: bytes, pause: float) -> Iterator[str]:
    """Serve one request with an answer that never ends: after the head, a piece again and again."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                connection.recv(65_536)
                connection.sendall(head)
                while True:
                    connection.sendall(piece)
                    time.sleep(pause)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/prod/orders"


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 201 Created\r\nContent-Length: 999999\r\n\r\n"])
def test_an_answer_that_drips_is_given_up(head: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "READ_TIMEOUT_SECONDS", 0.3)
    with endless(head, b"x", 0.05) as url:
        started = time.monotonic()
        answer = OrderClient(url, retry_seconds=0).send(Draft(b"{}", "k"))
    assert (answer.status, "not complete within" in answer.message) == (0, True)
    assert time.monotonic() - started < 2


def test_an_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(post, "_MAX_ANSWER_BYTES", 10_000)
    with endless(b"HTTP/1.1 400 Bad Request\r\n\r\n", b"x" * 5000, 0) as url:
        answer = OrderClient(url, retry_seconds=0).send(Draft(b"{}", "k"))
    assert (answer.status, answer.message) == (400, "the API answered 400 with a text that is not its own")
