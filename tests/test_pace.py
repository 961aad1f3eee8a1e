"""The pace while a mailbox gets every order: no second sees more than the mailbox bears, whatever happens."""

from __future__ import annotations

import heapq
import math
import random
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import SystemClock
from ordernotify.errors import CancelledError, OrderNotifyError
from ordernotify.orders.bulk import BulkRun, Summary
from ordernotify.orders.pace import MOST_A_SECOND, PUBLISHED_A_SECOND, Slots, careful_pace, sent_a_second
from ordernotify.orders.post import Draft, OrderClient
from ordernotify.orders.redrive import redrive
from ordernotify.resources.suspension import THROTTLED_BURST, THROTTLED_RATE
from ordernotify.settings.model import Settings
from ordernotify.settings.names import Names, Target
from tests.aws_answers import Call, Send, refusal
from tests.cli_support import Typed, typed
from tests.moto_account import Account
from tests.orders_fakes import NAMES, FakeApi, Reply, TurnedClock, mocked_cloud, put_many, running_api
from tests.provision_support import set_up

__all__ = ["typed"]
MAILBOX_BEARS = 10
ORDERS = 1000
TICK_SECONDS = 0.05
"""What the simulated time advances by at least."""


class SimulatedClock(SystemClock):
    """Time that passes when nobody works: once all are asleep, the next one wakes."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 1000.0
        self._wakes: list[float] = []
        self._moved = threading.Condition()
        threading.Thread(target=self._pass, daemon=True).start()

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        with self._moved:
            wake = math.ceil((self.time + max(seconds, TICK_SECONDS)) / TICK_SECONDS) * TICK_SECONDS
            heapq.heappush(self._wakes, wake)
            self._moved.wait_for(lambda: self.time >= wake or self.cancelled.is_set())
        if self.cancelled.is_set():
            raise CancelledError("interrupted")

    def _pass(self) -> None:
        while True:
            asleep = len(self._wakes)
            time.sleep(0.0005)
            with self._moved:
                if asleep and asleep == len(self._wakes):
                    self.time = max(self.time, heapq.heappop(self._wakes))
                    while self._wakes and self._wakes[0] <= self.time:
                        heapq.heappop(self._wakes)
                    self._moved.notify_all()


def most_in_a_second(moments: list[float]) -> int:
    """Count the most moments in any second, wherever it begins."""
    ordered, start, most = sorted(moments), 0, 0
    for end, moment in enumerate(ordered):
        while moment - ordered[start] > 1.0:
            start += 1
        most = max(most, end - start + 1)
    return most


class Publishing:
    """An API that takes its time for each request and publishes somewhere in between."""

    def __init__(self, clock: SimulatedClock) -> None:
        self.clock = clock
        self.published: list[float] = []
        self._random = random.Random(7)
        self._lock = threading.Lock()

    def __call__(self, number: int, _key: str, _order: dict[str, Any]) -> Reply | None:
        with self._lock:
            before, after = (self._random.choice((0.05, 0.05, 0.1, 0.3, 1.5)) for _ in range(2))
        self.clock.sleep(before)
        self.published.append(self.clock.now())
        self.clock.sleep(after)
        # Every tenth answer is lost: the order is sent again and may be published again.
        return Reply(reset=True, stored=True) if number % 10 == 0 else None


class WaitingApi(FakeApi):
    """A fake API that lets several requests be under way at once, as their script sleeps."""

    def answer(self, headers: Any, body: bytes) -> Reply:
        with self._lock:
            self.requests.append((headers, body))
            number = len(self.requests)
        reply = self.script(number, headers["Idempotency-Key"], {})
        if reply is None or reply.stored:
            with self._lock:
                taken = self._take(headers["Idempotency-Key"], {})
            reply = reply or taken
        return reply


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with running_api(WaitingApi()) as api:
        yield api


def send(api: FakeApi, clock: SystemClock, orders: range, slots: Slots) -> Summary:
    client = OrderClient(api.url, connections=8, clock=clock, pace=slots.one)
    drafts = (Draft(b'{"n": %d}' % number, f"key-{number}") for number in orders)
    return BulkRun(drafts, client.send, concurrency=8, clock=clock).run()


def side_by_side(*runs: Callable[[], object]) -> None:
    threads = [threading.Thread(target=run) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_row_22_no_second_of_1000_orders_has_more_publishes_than_a_mailbox_bears(
    api: FakeApi, tmp_path: Path
) -> None:
    """Two commands at once, 8 side by side in each, answers that are lost, and delays of every length."""
    clock = SimulatedClock()
    api.script = publishing = Publishing(clock)
    done: list[Summary] = []

    def command(orders: range) -> None:
        done.append(send(api, clock, orders, Slots(tmp_path, MOST_A_SECOND, clock)))

    side_by_side(lambda: command(range(ORDERS // 2)), lambda: command(range(ORDERS // 2, ORDERS)))
    assert [summary.accepted for summary in done] == [ORDERS // 2, ORDERS // 2]
    assert len(api.orders) == ORDERS
    assert len(publishing.published) > ORDERS, "some were published twice"
    assert most_in_a_second(publishing.published) <= MOST_A_SECOND


@pytest.fixture
def mail_cloud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Cloud]:
    """An account whose topic has an email subscriber."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with mocked_cloud() as cloud:
        topic = cloud.sns.create_topic(Name=NAMES.topic)["TopicArn"]
        cloud.sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="you@example.com")
        yield cloud


def test_row_22_redrive_leaves_half_of_what_a_mailbox_bears_to_the_api(mail_cloud: Cloud) -> None:
    old = {"notification": "pending", "createdAt": "2026-03-01T11:00:00.000Z"}
    put_many(mail_cloud, [{"orderId": f"id-{number}", **old} for number in range(40)])
    clock, published = SimulatedClock(), list[float]()

    def publish(**_: object) -> None:
        published.append(clock.now())
        clock.sleep(0.2)

    mail_cloud.sns.meta.events.register("provide-client-params.sns.Publish", publish)
    careful = careful_pace(mail_cloud, NAMES, PUBLISHED_A_SECOND, clock)
    assert careful is not None
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    done = list(redrive(mail_cloud, NAMES, concurrency=16, pace=careful.pace, now=now))
    assert len(done) == len(published) == 40
    assert most_in_a_second(published) == PUBLISHED_A_SECOND
    assert PUBLISHED_A_SECOND + 5 <= MAILBOX_BEARS


def admitted(rate: int, burst: int, seconds: float, demand: float) -> list[float]:
    """List when a token bucket, full at first, admits requests that come `demand` times a second."""
    tokens, moments = float(burst), list[float]()
    for request in range(math.ceil(seconds * demand)):
        tokens = min(burst, tokens + rate / demand) if request else tokens
        if tokens >= 1 - 1e-9:
            tokens -= 1
            moments.append(request / demand)
    return moments


@pytest.mark.parametrize("demand", [5.0, 7.0, 50.0, 1000.0])
def test_row_22_the_default_throttle_alone_admits_what_a_mailbox_bears(demand: float) -> None:
    moments = admitted(THROTTLED_RATE, THROTTLED_BURST, 10, demand)
    assert most_in_a_second(moments) <= MAILBOX_BEARS
    flood = admitted(THROTTLED_RATE, THROTTLED_BURST + 2, 10, 1000.0)
    assert most_in_a_second(flood) > MAILBOX_BEARS, "a wider burst would be seen"


def test_row_22_redrive_tells_that_a_burst_of_orders_comes_on_top(account: Account, typed: Typed) -> None:
    """The throttle admits all that the mailbox bears in one second: no pace of redrive leaves room for it."""
    assert THROTTLED_RATE + THROTTLED_BURST == MAILBOX_BEARS
    cloud = account.cloud()
    set_up(Settings(emails=("you@example.com",)), cloud)
    done = typed("redrive")
    assert done.exit_code == 0, done.output
    assert "At most 5 notifications a second" in done.stderr
    assert "A burst of incoming orders comes on top" in done.stderr


def test_the_reason_names_the_mailbox_and_what_happens_to_it(mail_cloud: Cloud) -> None:
    careful = careful_pace(mail_cloud, NAMES, 8, TurnedClock())
    assert careful is not None
    assert careful.most == 8
    assert careful.reason == (
        "you@example.com gets each by email, and SNS suspends a mailbox that gets more than 10 notifications "
        "a second: it falls back to pending, and is removed after 48 hours"
    )


def test_without_a_mailbox_there_is_no_pace(mail_cloud: Cloud) -> None:
    topic = mail_cloud.arn("sns", NAMES.topic)
    (email,) = mail_cloud.sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    mail_cloud.sns.unsubscribe(SubscriptionArn=email["SubscriptionArn"])
    mail_cloud.sns.subscribe(TopicArn=topic, Protocol="sms", Endpoint="+14155550100")
    assert careful_pace(mail_cloud, NAMES, 8, TurnedClock()) is None


def test_a_mailbox_with_a_filter_policy_sets_no_pace(mail_cloud: Cloud) -> None:
    topic = mail_cloud.arn("sns", NAMES.topic)
    (email,) = mail_cloud.sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    mail_cloud.sns.set_subscription_attributes(
        SubscriptionArn=email["SubscriptionArn"],
        AttributeName="FilterPolicy",
        AttributeValue='{"eventType": ["order.shipped"]}',
    )
    assert careful_pace(mail_cloud, NAMES, 8, TurnedClock()) is None


def test_the_embedded_cloud_has_no_such_limit(account: Account) -> None:
    assert careful_pace(account.cloud(Target.LOCAL), Names(), 8, TurnedClock()) is None
    assert account.calls == []


def test_who_may_not_list_the_subscribers_keeps_the_pace(
    account: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def deny(call: Call, send: Send) -> Any:
        denied = call.operation == "ListSubscriptionsByTopic"
        return refusal(call, "AuthorizationError", "not authorized", 403) if denied else send()

    account.interfere = deny
    careful = careful_pace(account.cloud(), Names(), 8, TurnedClock())
    assert careful is not None
    assert "may get each of them (you may not list them)" in careful.reason


@pytest.mark.parametrize(("rate", "sent"), [(None, 5), (0, 8), (1, 1), (7, 7), (50, 8)])
def test_no_more_is_sent_than_the_api_admits(rate: int | None, sent: int) -> None:
    assert sent_a_second(rate) == sent


def test_a_slot_of_before_a_restart_is_free(tmp_path: Path) -> None:
    clock = TurnedClock()
    clock.time = 50_000.0
    with Slots(tmp_path, 1, clock).one():
        pass
    clock.time = 20.0
    with Slots(tmp_path, 1, clock).one():
        assert clock.slept == []


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OrderNotifyError, match=r"cannot keep the pace .*: Not a directory"):
        Slots(tmp_path / "file" / "pace", 1, TurnedClock())


def test_ctrl_c_ends_the_wait_for_a_slot_and_nothing_more_is_sent(api: FakeApi, tmp_path: Path) -> None:
    clock = SystemClock()
    slots = Slots(tmp_path, 1, clock)
    client = OrderClient(api.url, connections=4, clock=clock, pace=slots.one)
    drafts = (Draft(b"{}", f"key-{number}") for number in range(50))

    def tick(summary: Summary) -> None:
        if summary.accepted:
            raise KeyboardInterrupt

    summary = BulkRun(drafts, client.send, concurrency=4, clock=clock).run(tick)
    assert summary.interrupted
    assert summary.sent == summary.accepted == len(api.requests) == 1
