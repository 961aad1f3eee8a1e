"""The fault matrix: each step of an order, failing in each way, and what is true afterwards.

After the fault the client repeats its request with its key until it has a 2xx, and one redrive runs. Then
the table has exactly one order, the subscriber at least one notification, and every answer was true when
it was given.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from ordernotify.aws.session import Cloud
from ordernotify.orders.redrive import Fate, redrive
from ordernotify.settings.names import Names
from tests.handler_fakes import (
    ENVIRONMENT,
    MARK,
    MARK_BY_PUT,
    PUBLISH,
    PUT,
    FakeAws,
    Reply,
    Shop,
    notified,
    open_shop,
)

ORDER = {"customerName": "John Doe", "productName": "Wireless Mouse", "price": 0.1}
KEY = "8e03978e-40d5-43e8-bc93-6894a57f9324"
LASTING = 99
SESSION = boto3.Session("AKIDEXAMPLE", ENVIRONMENT["AWS_SECRET_ACCESS_KEY"], "session", "us-east-1")
WORKER = """
import json, sys
from ordernotify import handler
print(json.dumps(handler.handler(json.loads(sys.argv[1]), None)))
"""

# (step, fault, status when it happens once, status while it lasts)
MATRIX = [
    (PUT, "throttled", 201, 503),
    (PUT, "500", 201, 503),
    (PUT, "500 after", 201, 503),
    (PUT, "reset before", 201, 503),
    (PUT, "reset after", 201, 503),
    (PUT, "timeout", 201, 503),
    (PUT, "timeout after", 201, 503),
    (PUT, "denied", 503, 503),
    (PUBLISH, "throttled", 201, 202),
    (PUBLISH, "500", 201, 202),
    (PUBLISH, "500 after", 201, 202),
    (PUBLISH, "reset before", 201, 202),
    (PUBLISH, "reset after", 201, 202),
    (PUBLISH, "timeout", 201, 202),
    (PUBLISH, "timeout after", 201, 202),
    (PUBLISH, "denied", 202, 202),
    (MARK, "throttled", 201, 201),
    (MARK, "500", 201, 201),
    (MARK, "500 after", 201, 201),
    (MARK, "reset before", 201, 201),
    (MARK, "reset after", 201, 201),
    (MARK, "timeout", 201, 201),
    (MARK, "timeout after", 201, 201),
    (MARK, "denied", 201, 201),
    (MARK_BY_PUT, "throttled", 201, 201),
    (MARK_BY_PUT, "500 after", 201, 201),
    (MARK_BY_PUT, "denied", 201, 201),
]


def check_true(aws: FakeAws, reply: Reply, before: int) -> None:
    """Hold that an answer says what is so now; `before` is the number of orders before the request."""
    if reply.status == 503:
        assert "nothing was kept" not in reply.body["message"] or len(aws.items) == before
        return
    item = aws.items[reply.body["orderId"]]
    if reply.status == 202:
        assert item["notification"] == {"S": "pending"}
    else:
        assert reply.body["orderId"] in notified(aws)


def check_promise(aws: FakeAws, reply: Reply) -> None:
    """Hold the promise after everything was repeated and the real `redrive` has run."""
    aws.heal()
    cloud = Cloud(SESSION, endpoint=aws.endpoint)
    assert [one for one in redrive(cloud, Names(), timedelta(0)) if one.fate != Fate.SENT] == []
    assert list(aws.items) == [reply.body["orderId"]]
    assert notified(aws).count(reply.body["orderId"]) >= 1
    assert [order["notification"] for order in aws.orders()] == ["sent"]


def repeat_until_taken(shop: Shop) -> Reply:
    """Send as a client with a key does; every answer on the way must be true."""
    for _ in range(3):
        before = len(shop.aws.items)
        reply = shop.send(ORDER, key=KEY, seconds=4)
        check_true(shop.aws, reply, before)
        if reply.status < 300:
            break
    assert reply.status in (200, 201, 202)
    return reply


def start_fault(aws: FakeAws, step: str, fault: str, times: int = 1) -> None:
    if step == MARK_BY_PUT:  # the way of a given role that has only the guide's rights
        aws.fail(MARK, "denied", LASTING)
    aws.fail(step, fault, times)


@pytest.mark.parametrize(("step", "fault", "status", "_lasting"), MATRIX)
def test_a_single_fault(step: str, fault: str, status: int, _lasting: int) -> None:
    with open_shop(attempt_seconds=0.1) as shop:
        start_fault(shop.aws, step, fault)
        reply = shop.send(ORDER, key=KEY)
        assert reply.status == status
        check_true(shop.aws, reply, 0)
        check_promise(shop.aws, repeat_until_taken(shop))


@pytest.mark.parametrize(("step", "fault", "_once", "status"), MATRIX)
def test_a_fault_that_lasts(step: str, fault: str, _once: int, status: int) -> None:
    with open_shop(attempt_seconds=0.1) as shop:
        start_fault(shop.aws, step, fault, LASTING)
        reply = shop.send(ORDER, key=KEY, seconds=4)
        assert reply.status == status
        check_true(shop.aws, reply, 0)
        shop.aws.heal()
        check_promise(shop.aws, repeat_until_taken(shop))


@pytest.mark.parametrize("step", [PUT, PUBLISH, MARK])
@pytest.mark.parametrize("fault", ["hold before", "hold after"])
def test_a_worker_that_is_killed(step: str, fault: str) -> None:
    with open_shop() as shop:
        shop.aws.fail(step, fault)
        with start_worker(shop.aws) as worker:
            assert shop.aws.reached[step].wait(10)
            worker.kill()
            assert worker.wait(10) == -9
        shop.aws.hold.set()
        check_promise(shop.aws, repeat_until_taken(shop))


def test_the_worker_is_whole_when_it_is_not_killed() -> None:
    with open_shop() as shop:
        output, _ = start_worker(shop.aws).communicate(timeout=10)
        request, response, answer = map(json.loads, output.splitlines())
        assert (request["event"], response["event"]) == ("request", "response")
        assert response["coldStart"] is True
        check_promise(shop.aws, Reply(answer))


def start_worker(aws: FakeAws) -> subprocess.Popen[str]:
    event: dict[str, Any] = {
        "httpMethod": "POST",
        "headers": {"idempotency-key": KEY},
        "body": json.dumps(ORDER),
    }
    endpoints = {"AWS_ENDPOINT_URL_DYNAMODB": aws.endpoint, "AWS_ENDPOINT_URL_SNS": aws.endpoint}
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, json.dumps(event)],
        env={"PATH": os.environ["PATH"], **ENVIRONMENT, **endpoints},
        cwd=Path(__file__).parent.parent,
        stdout=subprocess.PIPE,
        text=True,
    )
