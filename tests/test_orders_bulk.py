"""Many orders: what the summary says, the rate, rejects, Ctrl-C, giving up, and being killed."""

from __future__ import annotations

import json
import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from ordernotify.aws.waiting import SystemClock
from ordernotify.errors import OrderNotifyError, UsageError
from ordernotify.orders.bulk import BulkRun, Rejected, Summary, percentile
from ordernotify.orders.files import Format, Rejects, check_rejects, open_orders
from ordernotify.orders.lines import Broken
from ordernotify.orders.post import Answer, Draft, OrderClient
from ordernotify.orders.source import Source, repeated
from tests.orders_fakes import FakeApi, Reply, running_api

BODY = b'{"customerName": "John Doe", "productName": "Wireless Mouse"}'
TAKEN = Answer(201, "Order received", "id", seconds=0.010)


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with running_api() as api:
        yield api


def drafts(count: int) -> Iterator[Draft]:
    return (Draft(b'{"n": %d}' % number, f"key-{number}", number) for number in range(1, count + 1))


def timeless(summary: Summary) -> Summary:
    return replace(summary, seconds=0.0, p50=0.0, p95=0.0, p99=0.0)


class TestSummary:
    def test_every_order_is_counted_by_what_became_of_it(self) -> None:
        answers = {
            "key-1": TAKEN,
            "key-2": replace(TAKEN, status=202),
            "key-3": replace(TAKEN, status=200, replayed=True),
            "key-4": Answer(400, "The order is not valid", attempts=3),
            "key-5": Answer(503, "not now"),
            "key-6": Answer(0, "no answer"),
        }
        records: list[Draft | Broken] = [*drafts(6), Broken(7, "the line is not JSON", "{")]
        summary = BulkRun(records, lambda draft: answers[draft.key]).run()
        assert timeless(summary) == Summary(
            sent=6,
            accepted=3,
            rejected=2,
            failed=2,
            malformed=1,
            replayed=1,
            retries=2,
            answers=Counter([200, 201, 202, 400, 503]),
        )
        assert not summary.complete

    def test_latencies_are_percentiles_of_the_answered_orders(self) -> None:
        def send(draft: Draft) -> Answer:
            return replace(TAKEN, seconds=draft.line / 1000)

        summary = BulkRun(drafts(100), send).run()
        assert (summary.p50, summary.p95, summary.p99) == (0.050, 0.095, 0.099)
        assert summary.complete

    def test_percentiles_are_exact_and_there_are_none_of_nothing(self) -> None:
        assert [percentile([1.0, 2.0, 3.0], percent) for percent in (0, 33, 34, 67, 100)] == [1, 1, 2, 3, 3]
        assert percentile([], 50) == 0

    def test_no_orders_at_all(self) -> None:
        assert timeless(BulkRun([], lambda _draft: TAKEN).run()) == Summary()


class TestSideBySide:
    def test_so_many_are_under_way_as_was_said_and_no_more(self) -> None:
        barrier = threading.Barrier(4, timeout=5)
        lock = threading.Lock()
        under_way, most = 0, 0

        def send(_draft: Draft) -> Answer:
            nonlocal under_way, most
            with lock:
                under_way += 1
                most = max(most, under_way)
            barrier.wait()
            with lock:
                under_way -= 1
            return TAKEN

        assert BulkRun(drafts(40), send, concurrency=4).run().accepted == 40
        assert most == 4

    def test_orders_are_taken_from_the_file_when_they_are_sent_and_not_before(self) -> None:
        taken: list[int] = []
        answered: list[int] = []  # a list's append is one step, whatever the threads do meanwhile
        ahead: list[int] = []

        def records() -> Iterator[Draft]:
            for draft in drafts(1000):
                taken.append(draft.line)
                ahead.append(len(taken) - len(answered))
                yield draft

        def send(draft: Draft) -> Answer:
            answered.append(draft.line)
            return TAKEN

        BulkRun(records(), send, concurrency=4).run()
        assert max(ahead) <= 4

    def test_orders_go_out_at_the_rate(self) -> None:
        started = time.monotonic()
        sent: list[float] = []

        def send(_draft: Draft) -> Answer:
            sent.append(time.monotonic() - started)
            return TAKEN

        BulkRun(drafts(21), send, concurrency=4, rate=50).run()
        assert sent[-1] >= 20 / 50
        assert all(at >= number / 50 - 0.01 for number, at in enumerate(sent))

    def test_time_that_was_lost_is_not_caught_up_with_a_burst(self) -> None:
        sent: list[float] = []
        clock = SteppingClock()

        def send(draft: Draft) -> Answer:
            sent.append(clock.now())
            if draft.line == 1:
                clock.time += 0.2
            return TAKEN

        BulkRun(drafts(6), send, concurrency=1, rate=50, clock=clock).run()
        assert sent == pytest.approx([0.0, 0.2, 0.22, 0.24, 0.26, 0.28])


class SteppingClock(SystemClock):
    """A clock whose sleep advances its time and takes none."""

    time = 0.0

    def now(self) -> float:
        """Return the seconds slept so far."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Advance the time."""
        self.time += seconds


class TestEnding:
    def test_a_file_that_cannot_be_used_is_raised_before_anything_is_sent(self) -> None:
        source = Source(BytesIO(b"name\nx\n"), Format.CSV)
        sent: list[Draft] = []

        def send(draft: Draft) -> Answer:
            sent.append(draft)
            return TAKEN

        with pytest.raises(UsageError, match="no column customerName"):
            BulkRun(source, send, concurrency=4).run()
        assert sent == []

    def test_an_error_of_the_file_in_the_middle_ends_the_run_with_a_truthful_summary(self) -> None:
        def records() -> Iterator[Draft]:
            yield from drafts(3)
            raise OSError(5, "Input/output error")

        summary = BulkRun(records(), lambda _draft: TAKEN).run()
        assert timeless(summary) == Summary(
            sent=3, accepted=3, answers=Counter({201: 3}), stopped="[Errno 5] Input/output error"
        )
        assert not summary.complete

    def test_an_api_that_takes_nothing_any_more_ends_the_run(self) -> None:
        answer = Answer(0, "no connection to api:443 is possible")
        summary = BulkRun(drafts(1000), lambda _draft: answer, concurrency=3).run()
        assert 6 <= summary.failed <= 9
        assert summary.stopped.startswith("none of the last ")
        assert summary.stopped.endswith("orders got through: no connection to api:443 is possible")

    def test_rejected_orders_do_not_end_the_run(self) -> None:
        summary = BulkRun(drafts(100), lambda _draft: Answer(400, "no"), concurrency=3).run()
        assert (summary.rejected, summary.stopped) == (100, "")

    def test_rejects_that_cannot_be_written_end_the_run(self) -> None:
        def reject(_rejected: Rejected) -> None:
            raise OrderNotifyError("could not write r.jsonl: No space left on device")

        summary = BulkRun(drafts(9), lambda _draft: Answer(400, "no"), reject=reject).run()
        assert (summary.sent, summary.rejected) == (1, 1)
        assert summary.stopped == "could not write r.jsonl: No space left on device"

    def test_ctrl_c_waits_for_what_is_under_way_and_takes_no_more(self) -> None:
        release = threading.Event()

        def send(draft: Draft) -> Answer:
            if draft.line > 3:
                release.wait(5)
            return TAKEN

        run = BulkRun(drafts(1000), send, concurrency=2, clock=SystemClock())
        threading.Timer(0.3, release.set).start()
        summary = run.run(interrupt_once(lambda state: state.accepted == 3))
        assert timeless(summary) == Summary(sent=5, accepted=5, answers=Counter({201: 5}), interrupted=True)

    def test_ctrl_c_twice_counts_what_is_under_way_as_failed(self) -> None:
        never = threading.Event()

        def send(draft: Draft) -> Answer:
            if draft.line > 1:
                never.wait(5)
            return TAKEN

        class Impatient(SystemClock):
            def now(self) -> float:
                if self.cancelled.is_set() and not never.is_set():
                    never.set()  # ends the test's threads; the run has left already
                    raise KeyboardInterrupt
                return time.monotonic()

        run = BulkRun(drafts(10), send, concurrency=2, clock=Impatient())
        summary = run.run(interrupt_once(lambda state: state.accepted == 1))
        assert summary.interrupted
        assert summary.sent == 3
        assert summary.accepted + summary.failed == 3

    def test_ctrl_c_ends_the_pauses_between_tries(self, api: FakeApi) -> None:
        clock = SystemClock()
        api.script = lambda _number, _key, _order: Reply(503, {"message": "later"}, {"Retry-After": "30"})
        client = OrderClient(api.url, connections=2, clock=clock)
        started = time.monotonic()
        summary = BulkRun(drafts(9), client.send, concurrency=2, clock=clock).run(
            interrupt_once(lambda _state: len(api.requests) >= 2)
        )
        assert time.monotonic() - started < 5
        assert timeless(summary) == Summary(sent=2, failed=2, interrupted=True)


def interrupt_once(when: Callable[[Summary], bool]) -> Callable[[Summary], None]:
    def tick(summary: Summary) -> None:
        if when(summary):
            raise KeyboardInterrupt

    return tick


class TestRejects:
    def test_each_is_a_line_with_its_place_reason_and_order(self, tmp_path: Path) -> None:
        file = tmp_path / "rejects.jsonl"
        rejects = Rejects(str(file))
        rejects.add(Rejected(3, 400, "quantity: must be a whole number", '{"n": 0.10, "é": 1}'))
        rejects.add(Rejected(4, 0, "the line is not JSON", '{"n\\xff'))
        rejects.close()
        assert file.read_text().splitlines() == [
            '{"line": 3, "status": 400, "reason": "quantity: must be a whole number", '
            '"order": {"n": 0.10, "é": 1}}',
            '{"line": 4, "status": null, "reason": "the line is not JSON", "text": "{\\"n\\\\xff"}',
        ]

    def test_the_file_is_its_owners_only(self, tmp_path: Path) -> None:
        file = tmp_path / "rejects.jsonl"
        file.write_text("old")
        file.chmod(0o644)
        Rejects(str(file)).close()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert file.read_text() == ""

    def test_a_reject_is_in_the_file_at_once(self, tmp_path: Path) -> None:
        rejects = Rejects(str(tmp_path / "r"))
        rejects.add(Rejected(1, 400, "no", "{}"))
        assert (tmp_path / "r").read_text().endswith('"order": {}}\n')
        rejects.close()

    def test_a_place_that_cannot_be_written_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(OrderNotifyError, match=r"could not write .*: No such file or directory"):
            Rejects(str(tmp_path / "no" / "r"))

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
    def test_a_full_disk_is_told(self) -> None:
        rejects = Rejects("/dev/full")
        with pytest.raises(OrderNotifyError, match="could not write /dev/full: No space left on device"):
            rejects.add(Rejected(1, 400, "no", "{}"))
        with pytest.raises(OrderNotifyError, match="No space left"):
            rejects.close()

    def test_the_orders_themselves_are_not_written_over(self, tmp_path: Path) -> None:
        file = tmp_path / "orders.jsonl"
        file.write_text("{}")
        (tmp_path / "link").symlink_to(file)
        with pytest.raises(UsageError, match="is the file that is to be sent"):
            check_rejects(str(file), str(tmp_path / "link"))


@pytest.mark.parametrize("name", ["nothing.jsonl", "."])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, name: str) -> None:
    with (
        pytest.raises(OrderNotifyError, match=r"there is no file|could not read"),
        open_orders(str(tmp_path / name)),
    ):
        pass


def test_the_same_order_many_times_is_as_many_orders() -> None:
    keys = [draft.key for draft in repeated(BODY, 100)] + [draft.key for draft in repeated(BODY, 100)]
    assert len(set(keys)) == 200


def flaky(number: int, _key: str, _order: object) -> Reply | None:
    """Let every 19th request meet a fault, before or after the order was stored."""
    faults = [
        Reply(500),
        Reply(reset=True),
        Reply(reset=True, stored=True),
        Reply(429),
        Reply(502, stored=True),
    ]
    return faults[number // 19 % len(faults)] if number % 19 == 0 else None


def test_under_faults_every_order_is_made_once(api: FakeApi) -> None:
    api.script = flaky
    client = OrderClient(api.url, connections=8)
    summary = BulkRun(drafts(300), client.send, concurrency=8).run()
    assert (summary.accepted, summary.failed, summary.sent) == (300, 0, 300)
    assert sorted(api.keys) == sorted(draft.key for draft in drafts(300))


IMPORT = """
import sys
from ordernotify.aws.waiting import SystemClock
from ordernotify.orders.bulk import BulkRun
from ordernotify.orders.files import Format
from ordernotify.orders.post import OrderClient
from ordernotify.orders.source import Source
url, file = sys.argv[1:]
clock = SystemClock()
client = OrderClient(url, connections=4, clock=clock)
with open(file, "rb") as opened:
    summary = BulkRun(Source(opened, Format.JSONL), client.send, concurrency=4, clock=clock).run()
sys.exit(0 if summary.complete else 1)
"""


def test_an_import_that_is_killed_and_run_again_makes_every_order_once(api: FakeApi, tmp_path: Path) -> None:
    file = tmp_path / "orders.jsonl"
    file.write_text("".join(f'{{"customerName": "C{n % 9}", "productName": "P"}}\n' for n in range(400)))
    command = [sys.executable, "-c", IMPORT, api.url, str(file)]
    chance = random.Random(5)
    api.script = flaky
    for _ in range(5):
        already = len(api.requests)
        process = subprocess.Popen(command)
        until = already + chance.randrange(20, 350)
        while len(api.requests) < until and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert len(api.orders) < 400
    assert subprocess.run(command, check=False).returncode == 0
    assert len(api.orders) == len(api.keys) == 400


FLAT = """
import resource, sys, threading
from ordernotify.orders.bulk import BulkRun
from ordernotify.orders.files import Format
from ordernotify.orders.post import Answer
from ordernotify.orders.source import Source
taken = Answer(201, "ok", "id", seconds=0.01)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with open(0, "rb", closefd=False) as opened:
    summary = BulkRun(Source(opened, Format.JSONL), lambda draft: taken, concurrency=8).run()
print(summary.accepted, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_the_memory_does_not_grow_with_the_file() -> None:
    line = b'{"customerName": "John Doe", "productName": "Wireless Mouse", "note": "%s"}\n' % (b"x" * 400)
    result = subprocess.run(
        [sys.executable, "-c", FLAT], input=line * 60_000, capture_output=True, check=True
    )
    accepted, grown_kilobytes = map(int, result.stdout.split())
    assert accepted == 60_000
    assert grown_kilobytes < 8_000  # the file has 28 MB


STDIN = """
import sys
from ordernotify.orders.bulk import BulkRun
from ordernotify.orders.files import Format, open_orders
from ordernotify.orders.post import Answer
from ordernotify.orders.source import Source
with open_orders("-") as (opened, size):
    run = BulkRun(Source(opened, Format.JSONL), lambda draft: Answer(201, "ok", "id"), concurrency=3)
    summary = run.run(lambda state: print(state.accepted, flush=True))
print("summary", summary.accepted, summary.interrupted)
"""


def test_ctrl_c_ends_a_run_whose_stdin_is_silent() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STDIN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write(b'{"n": 1}\n{"n": 2}\n')
    process.stdin.flush()
    while (line := process.stdout.readline()) != b"2\n":
        assert line, process.stderr and process.stderr.read()
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(timeout=10) == 0  # its stdin is still open
    out, err = process.communicate()
    assert out.splitlines()[-1] == b"summary 2 True"
    assert err == b""


def test_json_of_an_order_that_is_sent_many_times_is_valid() -> None:
    (draft,) = repeated(BODY, 1)
    assert json.loads(draft.body) == {"customerName": "John Doe", "productName": "Wireless Mouse"}


def test_a_rejects_file_that_is_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    rejects = Rejects(str(tmp_path / "link"))
    rejects.add(Rejected(1, 400, "no", "{}"))
    rejects.close()
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text().startswith('{"line": 1')
