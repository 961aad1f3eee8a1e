"""Replays, conflicts and faults: what the client is told is true."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Iterator
from decimal import Decimal

import pytest

from ordernotify.function.invocation import Invocation
from tests.handler_fakes import MARK, MARK_BY_PUT, PUBLISH, PUT, Reply, Shop, notified, open_shop

ORDER = {"customerName": "John Doe", "productName": "Wireless Mouse", "price": 0.1}


@pytest.fixture
def shop() -> Iterator[Shop]:
    with open_shop() as shop:
        yield shop


def test_the_same_key_and_order_replays_the_first_answer(shop: Shop) -> None:
    first, second = shop.send(ORDER, key="k"), shop.send(ORDER, key="k")
    assert (first.status, second.status) == (201, 200)
    assert first.body["orderId"] == second.body["orderId"]
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert (len(shop.aws.items), len(shop.aws.published)) == (1, 1)


def test_an_order_written_otherwise_is_the_same_order(shop: Shop) -> None:
    shop.send(ORDER, key="k")
    same = '{"price":1.0e-1,"productName":" Wireless Mouse ","quantity":1.0,"customerName":"John\\u0020Doe"}'
    assert shop.send(same, key="k").status == 200


@pytest.mark.parametrize("change", [{"quantity": 2}, {"price": 0.10000001}, {"price": "0.1"}, {"note": None}])
def test_another_order_under_the_same_key_is_a_conflict(shop: Shop, change: dict[str, object]) -> None:
    shop.send(ORDER, key="k")
    reply = shop.send(ORDER | change, key="k")
    assert reply.status == 409
    assert "Idempotency-Replayed" not in reply.headers
    assert (len(shop.aws.items), len(shop.aws.published)) == (1, 1)


def test_orders_without_a_key_are_each_their_own(shop: Shop) -> None:
    ids = {shop.send(ORDER).body["orderId"] for _ in range(20)}
    assert ids == shop.aws.items.keys()
    assert len(ids) == 20


def test_one_key_at_the_same_moment_makes_one_order(shop: Shop) -> None:
    shops = [Shop(shop.aws) for _ in range(8)]
    start = threading.Barrier(len(shops))
    replies: list[Reply] = []

    def send(one: Shop) -> None:
        start.wait()
        with one:
            replies.append(one.send(ORDER, key="k"))

    threads = [threading.Thread(target=send, args=(one,)) for one in shops]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(reply.status for reply in replies) == [200] * 7 + [201]
    assert {reply.body["orderId"] for reply in replies} == shop.aws.items.keys()
    assert len(shop.aws.items) == 1


def test_a_repeat_lets_the_first_request_publish(shop: Shop) -> None:
    shop.aws.fail(PUBLISH, "denied")
    assert shop.send(ORDER, key="k").status == 202
    [item] = shop.aws.items.values()

    def first_request_ends() -> None:
        item["notification"] = {"S": "sent"}

    shop.aws.heal()
    shop.during_pause = first_request_ends
    assert shop.send(ORDER, key="k").status == 200
    assert (len(shop.pauses), len(shop.aws.published)) == (1, 0)


def test_a_repeat_publishes_itself_where_the_first_request_never_does(shop: Shop) -> None:
    shop.aws.fail(PUBLISH, "denied")
    shop.send(ORDER, key="k")
    shop.aws.heal()
    assert shop.send(ORDER, key="k").status == 200
    assert (len(shop.pauses), len(shop.aws.published)) == (3, 1)


def test_a_repeat_does_not_wait_for_an_order_that_has_been_pending_for_long(shop: Shop) -> None:
    shop.aws.fail(PUBLISH, "denied")
    shop.send(ORDER, key="k")
    shop.aws.heal()
    [item] = shop.aws.items.values()
    item["createdAt"] = {"S": "2025-01-31T12:00:00.000Z"}
    assert shop.send(ORDER, key="k").status == 200
    assert (shop.pauses, len(shop.aws.published)) == ([], 1)


def test_a_repeat_without_time_to_wait_publishes_at_once(shop: Shop) -> None:
    shop.aws.fail(PUBLISH, "denied")
    shop.send(ORDER, key="k")
    shop.aws.heal()
    assert shop.send(ORDER, key="k", seconds=0.5).status == 200
    assert (shop.pauses, len(shop.aws.published)) == ([], 1)


@pytest.mark.parametrize("key", ["a" * 255, "!~", '"quoted"', " padded "])
def test_keys_of_visible_characters_are_taken(shop: Shop, key: str) -> None:
    assert shop.send(ORDER, key=key).status == 201
    assert shop.send(ORDER, key=key).status == 200


@pytest.mark.parametrize("key", ["a" * 256, "a b", "ü", "a\nb", "\x00", " "])
def test_other_keys_are_refused(shop: Shop, key: str) -> None:
    reply = shop.send(ORDER, key=key)
    assert (reply.status, reply.fields) == (400, {"Idempotency-Key"})


def test_a_publish_that_fails_for_good_leaves_the_order_pending_and_says_so(shop: Shop) -> None:
    shop.aws.fail(PUBLISH, "denied")
    reply = shop.send(ORDER, key="k")
    assert reply.status == 202
    assert "will be sent" in reply.body["message"]
    [order] = shop.aws.orders()
    assert order["notification"] == "pending"
    assert "messageId" not in order
    response = shop.log()[-1]
    assert response["level"] == "ERROR"
    assert response["NotificationsPending"] == 1
    assert response["error"] == {
        "step": "publish",
        "code": "AuthorizationError",
        "message": "User: x is not authorized to perform this & that",
        "attempts": 1,
    }


def test_a_repeat_that_finds_its_order_pending_sends_it(shop: Shop) -> None:
    shop.aws.fail(PUBLISH, "denied", 2)
    first, second, third = (shop.send(ORDER, key="k") for _ in range(3))
    assert [first.status, second.status, third.status] == [202, 202, 200]
    assert second.headers["Idempotency-Replayed"] == third.headers["Idempotency-Replayed"] == "true"
    assert notified(shop.aws) == [first.body["orderId"]]
    [order] = shop.aws.orders()
    assert order["notification"] == "sent"
    assert order["price"] == Decimal("0.1")


def test_a_mark_that_fails_leaves_a_published_order_pending(shop: Shop) -> None:
    shop.aws.fail(MARK, "denied")
    shop.aws.fail(MARK_BY_PUT, "denied")
    assert shop.send(ORDER).status == 201
    assert shop.aws.orders()[0]["notification"] == "pending"
    assert shop.log()[-1]["error"]["step"] == "mark"
    assert shop.log()[-1]["NotificationsPending"] == 1


def test_a_role_with_the_guides_rights_alone_marks_by_putting_the_item(shop: Shop) -> None:
    shop.aws.fail(MARK, "denied")
    assert shop.send(ORDER).status == 201
    [order] = shop.aws.orders()
    assert (order["notification"], order["messageId"], order["price"]) == ("sent", "m-1", Decimal("0.1"))
    assert shop.log()[-1]["notification"] == "sent"
    assert "NotificationsPending" not in shop.log()[-1]


def test_what_a_subscriber_added_before_the_mark_stays(shop: Shop) -> None:
    shop.aws.fail(MARK, "hold before")
    thread = threading.Thread(target=lambda: shop.send(ORDER))
    thread.start()
    assert shop.aws.reached[MARK].wait(5)
    [item] = shop.aws.items.values()
    item["invoice"] = {"S": "2025-17"}
    shop.aws.hold.set()
    thread.join()
    [order] = shop.aws.orders()
    assert (order["notification"], order["invoice"]) == ("sent", "2025-17")


OF_OTHERS = {
    "tags": {"SS": ["a", "b"]},
    "sizes": {"NS": ["1.5", "2"]},
    "photos": {"BS": ["YQ==", "Yg=="]},
    "scan": {"B": "YQ=="},
    "deep": {"M": {"list": {"L": [{"SS": ["x"]}]}}},
}


@pytest.mark.parametrize("denied", [0, 9])
def test_a_repeat_leaves_sets_and_binaries_of_others_as_they_are(shop: Shop, denied: int) -> None:
    shop.aws.fail(PUBLISH, "denied")
    assert shop.send(ORDER, key="k").status == 202
    shop.aws.heal()
    shop.aws.fail(MARK, "denied", denied)
    next(iter(shop.aws.items.values())).update(copy.deepcopy(OF_OTHERS))
    assert shop.send(ORDER, key="k").status == 200
    [item] = shop.aws.items.values()
    assert item["notification"] == {"S": "sent"}
    assert {name: item[name] for name in OF_OTHERS} == OF_OTHERS
    sent = json.loads(json.loads(shop.aws.published[0]["Message"])["default"], parse_float=Decimal)
    assert (sent["tags"], sent["sizes"], sent["scan"]) == (["a", "b"], [Decimal("1.5"), 2], "YQ==")


def test_a_repeat_that_waits_does_not_put_back_an_order_that_was_deleted(shop: Shop) -> None:
    shop.aws.fail(PUBLISH, "denied")
    shop.send(ORDER, key="k")
    shop.aws.heal()
    shop.during_pause = shop.aws.items.clear
    assert shop.send(ORDER, key="k").status == 200
    assert (shop.aws.items, shop.aws.published) == ({}, [])
    assert shop.log()[-1]["notification"] == "deleted"


@pytest.mark.parametrize("deleted", [True, False])
def test_an_order_deleted_or_marked_in_between_is_left_alone(shop: Shop, deleted: bool) -> None:
    shop.aws.fail(MARK, "hold before")
    replies: list[Reply] = []
    thread = threading.Thread(target=lambda: replies.append(shop.send(ORDER)))
    thread.start()
    assert shop.aws.reached[MARK].wait(5)
    [item] = shop.aws.items.values()
    if deleted:
        shop.aws.items.clear()
    else:
        item |= {"notification": {"S": "sent"}, "messageId": {"S": "of redrive"}}
    shop.aws.hold.set()
    thread.join()
    assert replies[0].status == 201
    assert [order["messageId"] for order in shop.aws.orders()] == ([] if deleted else ["of redrive"])


@pytest.mark.parametrize("fault", ["denied", "throttled"])
def test_a_put_that_was_refused_kept_nothing(shop: Shop, fault: str) -> None:
    shop.aws.fail(PUT, fault, 9)
    reply = shop.send(ORDER)
    assert reply.status == 503
    assert int(reply.headers["Retry-After"]) > 0
    assert "nothing was kept" in reply.body["message"]
    assert shop.aws.items == {}
    assert "NotificationsPending" not in shop.log()[-1]
    assert "maybeApplied" not in shop.log()[-1]["error"]


@pytest.mark.parametrize("step", [PUT, PUBLISH, MARK])
@pytest.mark.parametrize("fault", ["denied", "500", "throttled", "reset before", "timeout"])
def test_no_answer_tells_what_aws_said(shop: Shop, step: str, fault: str) -> None:
    shop.aws.fail(step, fault, 9)
    reply = shop.send(ORDER)
    assert reply.status in (201, 202, 503)
    told = json.dumps([reply.body, reply.headers]).lower()
    words = ("arn:", "dynamodb", "sns", "exception", "traceback", "authoriz", "aws", "127.0.0.1", "urlopen")
    assert [word for word in (*words, "filemetadata", "lambda") if word in told] == []


@pytest.mark.parametrize(
    "fault", ["timeout after", "reset after", "500 after", "timeout", "reset before", "500"]
)
def test_a_put_of_unknown_outcome_is_told_so_and_can_be_repeated_safely(shop: Shop, fault: str) -> None:
    shop.aws.fail(PUT, fault)
    shop.aws.fail(PUT, "denied", 9)
    reply = shop.send(ORDER)
    assert reply.status == 503
    assert "not known" in reply.body["message"]
    assert shop.log()[-1]["NotificationsPending"] == 1
    key = reply.headers["Idempotency-Key"]
    assert key in reply.body["message"]
    assert shop.log()[-1]["error"]["maybeApplied"] is True
    shop.aws.heal()
    again = shop.send(ORDER, key=key)
    assert again.status == (200 if fault.endswith("after") else 201)
    assert notified(shop.aws) == list(shop.aws.items) == [again.body["orderId"]]


@pytest.mark.parametrize("fault", ["timeout after", "reset after", "500 after"])
@pytest.mark.parametrize("key", [None, "k"])
def test_a_first_attempt_that_was_applied_is_known_as_its_own(
    shop: Shop, fault: str, key: str | None
) -> None:
    shop.aws.fail(PUT, fault)
    reply = shop.send(ORDER, key=key)
    assert reply.status == 201
    assert "Idempotency-Replayed" not in reply.headers
    assert notified(shop.aws) == list(shop.aws.items) == [reply.body["orderId"]]


def test_what_cannot_be_done_in_the_time_left_is_left_pending(shop: Shop) -> None:
    shop.aws.fail(PUBLISH, "timeout", 9)
    assert shop.send(ORDER, seconds=0.9).status == 202
    assert shop.aws.orders()[0]["notification"] == "pending"


def test_nothing_is_begun_without_time(shop: Shop) -> None:
    reply = shop.send(ORDER, seconds=0.1)
    assert reply.status == 503
    assert "nothing was kept" in reply.body["message"]
    assert shop.log()[-1]["error"]["code"] == "OutOfTime"
    assert shop.aws.requests == []


def test_the_time_limit_holds_against_a_service_that_never_answers() -> None:
    with open_shop(attempt_seconds=5) as shop:
        shop.aws.fail(PUT, "timeout", 9)
        assert shop.send(ORDER, seconds=0.8).status == 503
        assert shop.log()[-1]["durationMs"] < 700


@pytest.mark.parametrize(("left", "deadline"), [(900, 25), (26, 25), (15, 14.6), (0.1, -0.3)])
def test_an_order_ends_before_lambda_and_api_gateway_give_up(left: float, deadline: float) -> None:
    class Limit:
        def get_remaining_time_in_millis(self) -> int:
            return int(left * 1000)

    assert Invocation(Limit(), lambda: 100.0).deadline == pytest.approx(100 + deadline)
    assert Invocation(None, lambda: 100.0).deadline < 100 + 15, "the guide's time limit"


def test_a_stored_order_that_cannot_be_compared_is_not_taken_for_the_same(shop: Shop) -> None:
    shop.send(ORDER, key="k")
    shop.aws.items[next(iter(shop.aws.items))].pop("requestHash")
    assert shop.send(ORDER, key="k").status == 409


def test_cross_origin_headers_are_on_every_answer() -> None:
    with open_shop(CORS_ORIGIN="https://shop.example") as shop:
        for reply in (shop.send(ORDER), shop.send("{"), shop.send("x" * 70_000)):
            assert reply.headers["Access-Control-Allow-Origin"] == "https://shop.example"
            assert reply.headers["Vary"] == "Origin"
        preflight = Reply(shop.function({"httpMethod": "OPTIONS", "headers": {}, "body": None}, None))
        assert preflight.status == 204
        assert preflight.headers["Access-Control-Allow-Methods"] == "POST, OPTIONS"
        assert "Idempotency-Key" in preflight.headers["Access-Control-Allow-Headers"]


def test_other_methods_are_refused(shop: Shop) -> None:
    reply = Reply(shop.function({"httpMethod": "GET", "body": json.dumps(ORDER)}, None))
    assert (reply.status, reply.headers["Allow"]) == (405, "POST, OPTIONS")
    assert shop.aws.items == {}
