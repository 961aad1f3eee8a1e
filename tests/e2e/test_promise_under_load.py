"""The promise under load, on a real embedded cloud: no order lost or doubled, every one announced."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.function.order import order_id
from ordernotify.local.inbox import peek_at_queue
from ordernotify.orders.post import Answer, Draft, OrderClient
from ordernotify.orders.query import OrderQuery, list_orders
from ordernotify.orders.redrive import Fate, redrive
from ordernotify.resources.mailbox import list_mailboxes
from ordernotify.resources.role_names import POLICY_NAME
from ordernotify.settings.model import Settings
from ordernotify.settings.names import Names
from ordernotify.stack.discovery import find_endpoint
from tests.e2e.cloud import EmbeddedCloud, run_command, running_cloud

ORDERS = 2000
AT_ONCE = 16
PENDING = 200


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[tuple[EmbeddedCloud, Cloud, Names]]:
    with running_cloud(tmp_path) as embedded:
        settings, cloud = Settings(emails=("you@example.com",)), embedded.cloud()
        resources = provision.declare(settings, cloud)
        list(provision.apply(resources, provision.plan(resources)))
        yield embedded, cloud, settings.names


def may_publish(cloud: Cloud, names: Names, allowed: bool) -> None:
    """Give or take away the function's permission to publish."""
    policy = cloud.iam.get_role_policy(RoleName=names.role, PolicyName=POLICY_NAME)["PolicyDocument"]
    document = json.loads(policy) if isinstance(policy, str) else policy
    for statement in document["Statement"]:
        if statement["Sid"] == "PublishNotifications":
            statement["Effect"] = "Allow" if allowed else "Deny"
    cloud.iam.put_role_policy(
        RoleName=names.role, PolicyName=POLICY_NAME, PolicyDocument=json.dumps(document)
    )


def notified(cloud: Cloud, names: Names) -> Counter[str]:
    """Count the notifications that arrived, by order."""
    [mailbox] = list_mailboxes(cloud, names, "default")
    envelopes = [json.loads(body) for body in peek_at_queue(cloud, mailbox.url)]
    return Counter(json.loads(envelope["Message"])["orderId"] for envelope in envelopes)


def states(cloud: Cloud, names: Names) -> dict[str, str]:
    return {str(o["orderId"]): str(o["notification"]) for o in list_orders(cloud, names, OrderQuery())}


@pytest.mark.long
def test_load_with_repeats_and_a_topic_that_refuses_for_a_while(
    stack: tuple[EmbeddedCloud, Cloud, Names],
) -> None:
    _, cloud, names = stack
    client = OrderClient(find_endpoint(cloud, names, "default").url, connections=AT_ONCE)
    drafts = []
    for number in range(ORDERS):
        order = {"customerName": f"Customer {number}", "productName": "Wireless Mouse"}
        draft = Draft(json.dumps(order).encode(), f"load-{number}")
        drafts += [draft, draft] if number % 10 == 0 else [draft]

    def send(position: int) -> tuple[str, Answer]:
        if position == len(drafts) // 4:
            may_publish(cloud, names, False)
        if position == len(drafts) // 2:
            may_publish(cloud, names, True)
        return drafts[position].key, client.send(drafts[position])

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(send, range(len(drafts))))
    client.close()

    assert {answer.status for _, answer in answers} <= {200, 201, 202}
    expected = {order_id(names.table, f"load-{number}") for number in range(ORDERS)}
    assert {answer.order_id for _, answer in answers} == expected
    before = states(cloud, names)
    assert set(before) == expected, "exactly the distinct orders are stored"
    pending = {order_id for order_id, state in before.items() if state == "pending"}
    assert pending, "the refused permission left some pending"
    answered_202 = {answer.order_id for _, answer in answers if answer.status == 202}
    assert pending <= answered_202

    outcomes = Counter(done.fate for done in redrive(cloud, names, timedelta(0)))
    assert outcomes == {Fate.SENT: len(pending)}
    assert set(states(cloud, names).values()) == {"sent"}
    received = notified(cloud, names)
    assert set(received) == expected, "every order is notified"
    print(f"{len(pending)} pending were redriven, {received.total() - ORDERS} duplicates of {ORDERS}")


@pytest.mark.long
def test_two_redrives_at_once_leave_no_order_pending(stack: tuple[EmbeddedCloud, Cloud, Names]) -> None:
    embedded, cloud, names = stack
    may_publish(cloud, names, False)
    client = OrderClient(find_endpoint(cloud, names, "default").url, connections=AT_ONCE)
    order = {"customerName": "John Doe", "productName": "Wireless Mouse"}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        drafts = [Draft(json.dumps(order).encode(), f"pending-{n}") for n in range(PENDING)]
        assert {answer.status for answer in pool.map(client.send, drafts)} == {202}
    client.close()
    may_publish(cloud, names, True)

    def run() -> dict[str, int]:
        done = run_command("redrive", "--older-than", "0", "--json", environ=embedded.environ)
        assert done.returncode == 0, done.stderr
        result: dict[str, int] = json.loads(done.stdout)
        return result

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: run(), range(2)))
    assert set(states(cloud, names).values()) == {"sent"}
    assert len(notified(cloud, names)) == PENDING
    assert sum(result["failed"] for result in results) == 0
    assert sum(result["sent"] for result in results) >= PENDING
