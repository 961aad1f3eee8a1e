"""The testing procedure: every point is decided, nothing stays behind, nothing is waited for in vain."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ordernotify.aws.session import Cloud
from ordernotify.errors import AwsError, OrderNotifyError
from ordernotify.orders.post import Answer
from ordernotify.settings.names import STACK_TAG
from ordernotify.stack.verify import CHECKS, TEST_ORDER, Check, temporary_queue, verify
from tests.orders_fakes import NAMES, TurnedClock, mocked_cloud, put

TAKEN = Answer(201, "Order received", "id-1")


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with mocked_cloud() as cloud:
        cloud.sns.create_topic(Name=NAMES.topic)
        yield cloud


def queues(cloud: Cloud) -> list[str]:
    return [url.rpartition("/")[2] for url in cloud.sqs.list_queues().get("QueueUrls", [])]


def checks(cloud: Cloud, answer: Answer, clock: TurnedClock | None = None) -> dict[str, Check]:
    found = verify(cloud, NAMES, "default", lambda _order: answer, clock or TurnedClock())
    return {check.name: check for check in found if isinstance(check, Check)}


def test_a_stored_order_is_proved_and_nothing_stays_behind(cloud: Cloud) -> None:
    put(cloud, "id-1", **TEST_ORDER, notification="sent")
    found = checks(cloud, TAKEN)
    assert found.keys() == set(CHECKS)
    assert (found["response"].passed, found["stored order"].passed) == (True, True)
    assert found["stored order"].detail == "FileMetadata holds it, notification sent"
    assert (found["notification"].passed, found["log lines"].passed) == (False, False)
    assert queues(cloud) == []
    assert cloud.sns.list_subscriptions()["Subscriptions"] == []


def test_an_order_that_was_stored_otherwise_fails(cloud: Cloud) -> None:
    put(cloud, "id-1", **{**TEST_ORDER, "productName": "Lamp"})
    assert "differs from the one sent" in checks(cloud, TAKEN)["stored order"].detail


def test_after_a_503_nothing_is_waited_for(cloud: Cloud) -> None:
    clock = TurnedClock()
    found = checks(cloud, Answer(503, "try later"), clock)
    assert found.keys() == set(CHECKS)
    assert not any(check.passed for check in found.values())
    assert found["response"].detail == "503, 'try later'"
    assert sum(clock.slept) <= 3  # the subscription alone


def test_without_an_answer_every_point_fails(cloud: Cloud) -> None:
    def send(_order: Mapping[str, Any]) -> Answer:
        raise OrderNotifyError("no connection")

    found = list(verify(cloud, NAMES, "default", send, TurnedClock()))
    assert [(one.name, one.detail) for one in found if isinstance(one, Check)] == [
        (CHECKS[0], "no connection"),
        *((name, "not tried: no order was accepted") for name in CHECKS[1:]),
    ]


def test_without_the_topic_the_other_points_are_decided(cloud: Cloud) -> None:
    cloud.sns.delete_topic(TopicArn=cloud.arn("sns", NAMES.topic))
    put(cloud, "id-1", **TEST_ORDER)
    found = checks(cloud, TAKEN)
    assert found.keys() == set(CHECKS)
    assert found["stored order"].passed
    assert not found["notification"].passed
    assert queues(cloud) == []


def test_the_queue_goes_even_if_unsubscribing_fails(cloud: Cloud) -> None:
    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "InternalError", "Message": "no"}}, "Unsubscribe")

    cloud.sns.meta.events.register("before-call.sns.Unsubscribe", refuse)
    with (
        pytest.raises(AwsError, match="could not remove the subscription"),
        temporary_queue(cloud, NAMES, "default", TurnedClock()),
    ):
        assert len(queues(cloud)) == 1
    assert queues(cloud) == []


def test_queues_of_killed_runs_are_removed_after_an_hour(cloud: Cloud) -> None:
    prefix, now = NAMES.verify_queue_prefix, int(time.time())
    old, young = f"{prefix}{now - 3700}-0123abcd", f"{prefix}{now - 60}-0123abcd"
    foreign, others = f"{prefix}{now - 3700}-01234567", f"{prefix}dev-{now - 3700}-0123abcd"
    for name in (old, young, others):
        cloud.sqs.create_queue(QueueName=name, tags={STACK_TAG: "default"})
    cloud.sqs.create_queue(QueueName=foreign, tags={STACK_TAG: "dev"})
    checks(cloud, Answer(503, "no"))
    assert sorted(queues(cloud)) == sorted([young, foreign, others])
