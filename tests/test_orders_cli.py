"""The order commands as they are typed: results on stdout, all else on stderr, and the exit status."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console
from typer.testing import CliRunner, Result

from ordernotify.aws.session import Cloud
from ordernotify.cli import app, listing, orders, redrive, sending  # noqa: F401 - they register commands
from ordernotify.cli.access import Access
from ordernotify.orders import newest
from ordernotify.render import progress
from tests.orders_fakes import NAMES, FakeApi, Reply, mocked_cloud, put, put_many, running_api

Run = Callable[..., Result]
WHEN = "2026-03-01T12:00:00.000Z"
ID = "0b8f7a52-3c1d-4e5f-8a9b-1c2d3e4f5a6b"


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with mocked_cloud() as cloud:
        yield cloud


@pytest.fixture
def run(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Type a command at the account in memory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def invoke(command: str, *arguments: str) -> Result:
        line = [command, "--aws", "--region", "us-east-1", *arguments]
        return CliRunner().invoke(app, line)

    return invoke


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    """Let `send-order` find a fake API."""
    with running_api() as api:
        monkeypatch.setattr(sending, "find_access", lambda *_: Access(api.url, None))
        yield api


def send(run: Run, *arguments: str) -> Result:
    return run("send-order", *arguments)


ONE = ("--customer", "John Doe", "--product", "Wireless Mouse")


class TestSendingOne:
    def test_the_order_id_and_the_message_are_shown(self, run: Run, api: FakeApi) -> None:
        result = send(run, *ONE, "--idempotency-key", "k1")
        assert (result.exit_code, result.stdout) == (0, "Order received\norderId: id-k1\n")
        assert list(api.orders.values()) == [{"customerName": "John Doe", "productName": "Wireless Mouse"}]

    def test_fields_are_json_where_they_are_json_and_text_otherwise(self, run: Run, api: FakeApi) -> None:
        fields = {
            "price": "0.10",
            "big": "1" * 40,
            "gift": "true",
            "none": "null",
            "tags": '["a", 1]',
            "zip": "007",
            "text": '"5"',
            "equation": "a=b",
            "nan": "NaN",
            "two": '1, "x": 2',
            "empty": "",
        }
        options = [part for name, value in fields.items() for part in ("--field", f"{name}={value}")]
        assert send(run, *ONE, "--quantity", "3", *options).exit_code == 0
        order = json.loads(api.requests[0][1], parse_float=Decimal)
        assert order == {
            "customerName": "John Doe",
            "productName": "Wireless Mouse",
            "quantity": 3,
            "price": Decimal("0.10"),
            "big": int("1" * 40),
            "gift": True,
            "none": None,
            "tags": ["a", 1],
            "zip": "007",
            "text": "5",
            "equation": "a=b",
            "nan": "NaN",
            "two": '1, "x": 2',
            "empty": "",
        }
        assert b'"price": 0.10' in api.requests[0][1]

    def test_json_is_one_document(self, run: Run, api: FakeApi) -> None:
        result = send(run, *ONE, "--idempotency-key", "k1", "--json")
        assert result.exit_code == 0
        assert json.loads(result.stdout) == {
            "orderId": "id-k1",
            "status": 201,
            "message": "Order received",
            "replayed": False,
            "attempts": 1,
            "idempotencyKey": "k1",
        }

    def test_a_replay_is_said_to_be_one(self, run: Run, api: FakeApi) -> None:
        send(run, *ONE, "--idempotency-key", "k1")
        result = send(run, *ONE, "--idempotency-key", "k1")
        assert (result.exit_code, len(api.orders)) == (0, 1)
        assert "(it was there already)" in result.stdout

    def test_each_order_has_a_key_of_its_own(self, run: Run, api: FakeApi) -> None:
        send(run, *ONE)
        send(run, *ONE)
        assert len(api.orders) == 2

    def test_every_fault_of_a_refused_order_is_shown_by_its_field(self, run: Run, api: FakeApi) -> None:
        faults = [{"field": "customerName", "message": "is required"}, {"field": "", "message": "is too big"}]
        api.script = lambda _n, _key, _order: Reply(
            400, {"message": "The order is not valid", "errors": faults}
        )
        result = send(run, *ONE, "--json")
        assert result.exit_code == 1
        assert json.loads(result.stdout)["errors"] == faults
        assert "the order was not taken: the API answered 400: The order is not valid" in result.stderr
        assert "  customerName: is required\n  the order: is too big\n" in result.stderr

    def test_what_a_customer_wrote_cannot_steer_the_terminal(self, run: Run, api: FakeApi) -> None:
        api.script = lambda _n, _key, _order: Reply(400, {"message": "bad \x1b[2J\u202e name"})
        result = send(run, *ONE)
        assert "bad \\x1b[2J� name" in result.stderr

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ((), "an order needs --customer and --product"),
            (("--customer", "A"), "an order needs --customer and --product"),
            ((*ONE, "--field", "x"), "--field x has no value"),
            ((*ONE, "--field", "=x"), "--field  has no value"),
            ((*ONE, "--field", "quantity=3"), "quantity was given as a field"),
            ((*ONE, "--idempotency-key", "a\nb"), "cannot be an idempotency key"),
            ((*ONE, "--idempotency-key", "é"), "cannot be an idempotency key"),
            ((*ONE, "--count", "2", "--idempotency-key", "k"), "would make all orders one"),
            ((*ONE, "--file", "x.csv"), "--file brings its own orders"),
            ((*ONE, "--quantity", "many"), "--quantity must be a whole number, not 'many'"),
            ((*ONE, "--count", "0"), "--count must be a whole number of at least 1, not 0"),
            (("--file", "x.xlsx"), "does not show its format"),
            (("--file", "x.jsonl", "--format", "xml"), "'xml' is not a format"),
        ],
    )
    def test_wrong_use_is_told_before_anything_is_sent(
        self, run: Run, api: FakeApi, arguments: tuple[str, ...], message: str
    ) -> None:
        result = send(run, *arguments)
        assert result.exit_code == 2
        assert message in result.stderr
        assert (result.stdout, api.requests) == ("", [])

    @pytest.mark.parametrize(
        ("option", "needed"),
        [
            (("--rejects", "r"), "--file"),
            (("--import-id", "i"), "--file"),
            (("--format", "csv"), "--file"),
            (("--rate", "1"), "--file or --count"),
            (("--concurrency", "2"), "--file or --count"),
        ],
    )
    def test_an_option_without_effect_is_refused(
        self, run: Run, api: FakeApi, option: tuple[str, str], needed: str
    ) -> None:
        result = send(run, *ONE, *option)
        assert (result.exit_code, api.requests) == (2, [])
        assert f"{option[0]} has no effect without {needed}" in result.stderr


class TestSendingMany:
    def test_a_file_is_sent_and_what_is_wrong_is_written_down(
        self, run: Run, api: FakeApi, tmp_path: Path
    ) -> None:
        (tmp_path / "orders.csv").write_text(
            "customerName,productName,quantity\nAnn,Mouse,1\nBob\nCyd,Lamp,no\nDan,Desk,2\n"
        )
        api.script = lambda _n, _key, order: (
            Reply(400, {"message": "no"}) if order["quantity"] == "no" else None
        )
        result = send(run, "--file", "orders.csv", "--rejects", "rejects.jsonl", "--json")
        assert result.exit_code == 1
        summary = json.loads(result.stdout)
        assert {name: summary[name] for name in ("sent", "accepted", "rejected", "failed", "malformed")} == {
            "sent": 3,
            "accepted": 2,
            "rejected": 2,
            "failed": 0,
            "malformed": 1,
        }
        assert summary["answers"] == {"201": 2, "400": 1}
        assert set(summary["latencyMs"]) == {"p50", "p95", "p99"}
        assert summary["perSecond"] > 0
        assert summary["seconds"] >= 0
        rejects = [json.loads(line) for line in (tmp_path / "rejects.jsonl").read_text().splitlines()]
        assert sorted(rejects, key=lambda reject: reject["line"]) == [
            {"line": 3, "status": None, "reason": "the row has 1 cells, and the header has 3", "text": "Bob"},
            {
                "line": 4,
                "status": 400,
                "reason": "no",
                "order": {"customerName": "Cyd", "productName": "Lamp", "quantity": "no"},
            },
        ]

    def test_the_same_file_again_makes_nothing_and_says_so(
        self, run: Run, api: FakeApi, tmp_path: Path
    ) -> None:
        lines = '{"customerName": "A", "productName": "B"}\n' * 3
        (tmp_path / "orders.jsonl").write_text(lines)
        assert send(run, "--file", "orders.jsonl").exit_code == 0
        assert len(api.orders) == 3
        (tmp_path / "renamed.jsonl").write_text(lines)
        result = send(run, "--file", "renamed.jsonl")
        assert (result.exit_code, len(api.orders)) == (0, 3)
        assert "answered 200: there already" in result.stdout
        assert "3 orders were there already, by an earlier run with the same lines" in result.stderr
        assert send(run, "--file", "orders.jsonl", "--import-id", "two").exit_code == 0
        assert len(api.orders) == 6

    def test_a_count_makes_as_many_orders(self, run: Run, api: FakeApi) -> None:
        result = send(run, *ONE, "--count", "25", "--concurrency", "4")
        assert (result.exit_code, len(api.orders)) == (0, 25)
        assert result.stdout.startswith("25 orders sent in ")
        assert "Accepted 25, rejected 0, failed 0.\nLatency: p50 " in result.stdout

    def test_a_count_again_makes_as_many_again(self, run: Run, api: FakeApi) -> None:
        send(run, *ONE, "--count", "5")
        send(run, *ONE, "--count", "5")
        assert len(api.orders) == 10

    def test_the_rate_is_kept(self, run: Run, api: FakeApi) -> None:
        started = time.monotonic()
        assert send(run, *ONE, "--count", "11", "--rate", "25").exit_code == 0
        assert time.monotonic() - started >= 10 / 25

    def test_a_file_that_cannot_be_used_is_told(self, run: Run, api: FakeApi, tmp_path: Path) -> None:
        (tmp_path / "orders.csv").write_text("name\nx\n")
        missing = send(run, "--file", "nothing.csv")
        assert (missing.exit_code, "there is no file nothing.csv" in missing.stderr) == (2, True)
        for arguments in ((), ("--format", "csv")):
            directory = send(run, "--file", ".", *arguments)
            assert (directory.exit_code, ". is a directory" in directory.stderr) == (2, True)
        result = send(run, "--file", "orders.csv")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "the CSV header has no column customerName and no column productName" in result.stderr
        assert api.requests == []

    def test_the_rejects_do_not_overwrite_the_orders(self, run: Run, api: FakeApi, tmp_path: Path) -> None:
        (tmp_path / "orders.jsonl").write_text("{}")
        assert send(run, "--file", "orders.jsonl", "--rejects", "orders.jsonl").exit_code == 2
        assert (tmp_path / "orders.jsonl").read_text() == "{}"

    def test_a_run_that_gets_no_answer_is_stopped_and_says_what_to_do(
        self, run: Run, api: FakeApi, tmp_path: Path
    ) -> None:
        api.script = lambda _n, _key, _order: Reply(401, {"message": "Unauthorized"})
        (tmp_path / "orders.jsonl").write_text('{"customerName": "A", "productName": "B"}\n' * 500)
        result = send(run, "--file", "orders.jsonl", "--concurrency", "2", "--json")
        assert result.exit_code == 1
        summary = json.loads(result.stdout)
        assert summary["failed"] == summary["sent"] <= 8
        assert summary["stopped"] == "none of the last 5 orders got through: Unauthorized"
        assert "Send the same file again" in result.stderr


HOSTILE = "a\x1b[2J\x1b]0;owned\x07\r\x00\x9b31m\x85\x7f\u202e\u2028b"


class TestListing:
    @pytest.fixture(autouse=True)
    def orders(self, cloud: Cloud) -> None:
        common = {"createdAt": WHEN, "notification": "sent", "quantity": 2}
        put(cloud, ID, customerName="John Doe", productName="Wireless Mouse", price=Decimal("0.1"), **common)
        put(cloud, "b", customerName="Ann\x1b[31m\nLee", productName="Lamp" * 60, **common)

    def test_json_has_one_order_per_line_with_exact_numbers(self, run: Run) -> None:
        result = run("list-orders", "--json", "--customer", "doe")
        assert result.exit_code == 0
        assert json.loads(result.stdout, parse_float=Decimal) == {
            "FileName": ID,
            "orderId": ID,
            "customerName": "John Doe",
            "productName": "Wireless Mouse",
            "price": Decimal("0.1"),
            "createdAt": WHEN,
            "notification": "sent",
            "quantity": 2,
        }

    @pytest.mark.parametrize("width", [60, 61, 80, 99, 100, 140, 200])
    def test_a_table_has_a_line_for_each_order_at_any_width(
        self, run: Run, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, width: int
    ) -> None:
        monkeypatch.setenv("COLUMNS", str(width))
        put(cloud, "z" * 70, customerName="高品質" * 30, productName="Mouse", quantity=1, createdAt=WHEN)
        result = run("list-orders")
        assert result.exit_code == 0
        heading, *lines = result.stdout.splitlines()
        assert heading.split() == ["Order", "Created", "Customer", "Product", "Qty", "Notice"]
        assert {line.split()[0][:8] for line in lines} == {"zzzzzzzz", ID[:8], "b"}
        assert ID not in result.stdout
        assert max(map(cell_len, [heading, *lines])) <= width
        assert [line for line in lines if line != line.rstrip()] == []
        assert "\x1b" not in result.stdout
        assert "\\x1b" in result.stdout
        assert "…" in result.stdout  # the end of the longest cell: none was cut off at the edge

    @pytest.mark.parametrize("width", [50, 59])
    def test_where_a_table_has_no_room_each_order_stands_by_itself(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, width: int
    ) -> None:
        monkeypatch.setenv("COLUMNS", str(width))
        result = run("list-orders", "--customer", "doe")
        assert [line.split(maxsplit=1) for line in result.stdout.splitlines()] == [
            ["Order", ID[:8]],
            ["Created", f"{datetime.fromisoformat(WHEN).astimezone():%m-%d %H:%M}"],
            ["Customer", "John Doe"],
            ["Product", "Wireless Mouse"],
            ["Qty", "2"],
            ["Notice", "sent"],
        ]
        both = run("list-orders").stdout.splitlines()
        assert both.count("") == 1
        assert max(map(len, both)) <= width

    def test_columns_choose_what_is_shown(self, run: Run) -> None:
        table = run("list-orders", "--columns", "quantity, price,orderId", "--customer", "doe")
        assert [line.split() for line in table.stdout.splitlines()] == [
            ["Qty", "price", "Order"],
            ["2", "0.1", ID],
        ]
        assert "No order" not in table.stderr
        misspelt = run("list-orders", "--columns", "orderId,customer,product")
        assert "No order here has customer, product; `ordernotify get-order ID" in misspelt.stderr
        lines = run("list-orders", "--columns", "price,orderId", "--json", "--sort", "orderId")
        assert [json.loads(line) for line in lines.stdout.splitlines()] == [
            {"price": 0.1, "orderId": ID},
            {"orderId": "b"},
        ]

    def test_a_limit_that_nobody_asked_for_is_told(self, run: Run, cloud: Cloud) -> None:
        put_many(cloud, [{"orderId": f"n{number}"} for number in range(60)])
        assert "The newest 50 of 62; --limit 0 shows all, in no order." in run("list-orders").stderr
        assert "The newest" not in run("list-orders", "--limit", "62").stderr
        assert "The first 50, in no order; --limit 0" in run("list-orders", "--unsorted").stderr
        assert len(run("list-orders", "--json").stdout.splitlines()) == 62
        assert len(run("list-orders", "--limit", "0").stdout.splitlines()) >= 63

    @pytest.mark.parametrize("form", [(), ("--json",)])
    def test_the_newest_come_first(self, run: Run, cloud: Cloud, form: tuple[str, ...]) -> None:
        put_many(cloud, [{"orderId": f"n{n}", "createdAt": f"2026-03-02T12:0{n}:00.000Z"} for n in range(5)])
        result = run("list-orders", "--limit", "3", *form)
        assert list(dict.fromkeys(re.findall(r"\bn\d\b", result.stdout))) == ["n4", "n3", "n2"]

    @pytest.mark.parametrize("form", [(), ("--json",)])
    def test_a_table_that_was_not_read_whole_is_told(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, form: tuple[str, ...]
    ) -> None:
        monkeypatch.setattr(newest, "MOST_ORDERS", 1)
        result = run("list-orders", "--limit", "1", *form)
        assert "These are the newest of the 2 orders that were looked at in 0 s" in result.stderr
        nothing = run("list-orders", "--limit", "1", "--customer", "nobody", *form)
        assert (nothing.exit_code, nothing.stdout) == (0, "")
        assert "No order was found among the 2 orders that were looked at" in nothing.stderr

    def test_long_lists_are_shown_in_several_tables(self, run: Run, cloud: Cloud) -> None:
        put_many(cloud, [{"orderId": f"n{number}"} for number in range(450)])
        result = run("list-orders", "--limit", "0", "--columns", "orderId")
        assert [line.strip() for line in result.stdout.splitlines()].count("Order") == 3

    def test_nothing_found_is_said_on_stderr(self, run: Run) -> None:
        result = run("list-orders", "--product", "boat")
        assert (result.exit_code, result.stdout) == (0, "")
        assert "No orders." in result.stderr

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("--where", "x"), "--where x is not a condition"),
            (("--where", "=x"), "--where =x is not a condition"),
            (("--since", "soon"), "'soon' is not a time"),
            (("--notification", "lost"), "--notification must be pending or sent, not 'lost'"),
            (("--unsorted", "--sort", "createdAt"), "--unsorted and --sort exclude each other"),
            (("--limit", "-1"), "--limit must be a whole number of at least 0, not -1"),
        ],
    )
    def test_wrong_use_is_told(self, run: Run, arguments: tuple[str, ...], message: str) -> None:
        result = run("list-orders", *arguments)
        assert result.exit_code == 2
        assert message in result.stderr

    def test_a_stack_that_does_not_exist_is_told(self, run: Run) -> None:
        result = run("list-orders", "--stack", "nope")
        assert (result.exit_code, result.stdout) == (1, "")
        assert "there is no stack nope here" in result.stderr
        assert "ordernotify setup" in result.stderr


class TestGetting:
    def test_an_order_is_shown_with_every_field_and_no_text_passes_for_one(
        self, run: Run, cloud: Cloud
    ) -> None:
        put(cloud, "a", customerName="Ann\nnotification  sent", notification="pending", tags=["x", 1])
        result = run("get-order", "a")
        assert result.exit_code == 0
        assert [line.rstrip() for line in result.stdout.splitlines()] == [
            "orderId       a",
            "customerName  Ann",
            "              notification  sent",
            "notification  pending",
            "FileName      a",
            'tags          ["x", 1]',
        ]

    def test_known_orders_are_shown_before_the_unknown_ones_are_told(self, run: Run, cloud: Cloud) -> None:
        put(cloud, "a")
        put(cloud, "b")
        result = run("get-order", "b", "no", "a", "neither", "--json")
        assert result.exit_code == 1
        assert [json.loads(line)["orderId"] for line in result.stdout.splitlines()] == ["b", "a"]
        assert "there are no orders no, neither in the table FileMetadata" in result.stderr


class TestExporting:
    def test_a_file_is_written_by_its_suffix(self, run: Run, cloud: Cloud, tmp_path: Path) -> None:
        put(cloud, "a", note="=1+1")
        result = run("export-orders", "orders.csv", "--json")
        assert result.exit_code == 0
        assert json.loads(result.stdout) == {"exported": 1, "file": "orders.csv", "format": "csv"}
        (row,) = csv.DictReader(io.StringIO((tmp_path / "orders.csv").read_text()))
        assert (row["orderId"], row["note"]) == ("a", "'=1+1")

    def test_a_hyphen_is_stdout(self, run: Run, cloud: Cloud) -> None:
        put(cloud, "a", n=Decimal("0.1"))
        result = run("export-orders", "-")
        assert (result.exit_code, result.stdout) == (0, '{"FileName": "a", "orderId": "a", "n": 0.1}\n')
        assert "1 order written to stdout." in result.stderr

    @pytest.mark.parametrize("form", ["jsonl", "csv"])
    def test_no_control_character_of_an_order_reaches_a_terminal(
        self, run: Run, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, form: str
    ) -> None:
        pty = pytest.importorskip("pty")
        put(cloud, "a", customerName=HOSTILE, tags=[HOSTILE], **{HOSTILE: "name"})
        piped = run("export-orders", "-", "--format", form).stdout
        screen, terminal = pty.openpty()
        with os.fdopen(terminal, "w", newline="\n") as stdout:
            monkeypatch.setattr(sys, "stdout", stdout)
            monkeypatch.setattr(progress, "err", Console(file=stdout, force_terminal=True))
            with pytest.raises(SystemExit) as ended:
                app(["export-orders", "-", "--format", form, "--aws", "--region", "us-east-1"])
            assert ended.value.code == 0  # else nothing was written, and the next line waits for ever
            shown = os.read(screen, 65_536).decode().replace("\r\n", "\n")
        os.close(screen)
        assert re.findall(r"[^\n\t\x20-\x7e\xa1-\u1fff\u2030-\ud7ff\ufffd]", shown) == []
        assert len(shown.splitlines()) == (1 if form == "jsonl" else 2)
        if form == "jsonl":
            assert json.loads(shown) == json.loads(piped)

    def test_wrong_use_is_told(self, run: Run) -> None:
        assert run("export-orders", "orders").exit_code == 2
        assert run("export-orders", "-", "--json").exit_code == 2
        assert run("export-orders").exit_code == 2

    def test_a_place_that_cannot_be_written_is_told(self, run: Run) -> None:
        result = run("export-orders", "no/where.csv")
        assert result.exit_code == 1
        assert "could not write no/where.csv: No such file or directory" in result.stderr


class TestImporting:
    def test_an_export_comes_back_and_a_bad_line_is_told(
        self, run: Run, cloud: Cloud, tmp_path: Path
    ) -> None:
        put(cloud, "a", customerName="Ann")
        lines = '{"FileName": "a"}\n{"FileName": "b", "customerName": "Bob"}\nx\n'
        (tmp_path / "orders.jsonl").write_text(lines)
        result = run("import-orders", "orders.jsonl")
        assert result.exit_code == 1
        assert result.stdout == "1 order brought back, 1 already there, 1 refused\n"
        assert "line 3: the line holds no exported order" in result.stderr
        again = run("import-orders", "orders.jsonl", "--json")
        assert json.loads(again.stdout) == {"file": "orders.jsonl", "stored": 0, "existing": 2, "refused": 1}


class TestRedriving:
    @pytest.fixture(autouse=True)
    def orders(self, cloud: Cloud) -> None:
        cloud.sns.create_topic(Name=NAMES.topic)
        order = {"customerName": "A", "productName": "B", "quantity": 1, "notification": "pending"}
        put_many(cloud, [{"orderId": order_id, "createdAt": WHEN, **order} for order_id in "abc"])

    def test_a_dry_run_shows_what_would_be_sent_and_sends_nothing(self, run: Run) -> None:
        table = run("redrive", "--older-than", "0", "--dry-run")
        assert table.exit_code == 0
        assert {line.split()[0] for line in table.stdout.splitlines()} == {"Order", "a", "b", "c"}
        assert "3 notifications pending; nothing was sent." in table.stderr
        result = run("redrive", "--older-than", "0", "--dry-run", "--json")
        document = json.loads(result.stdout)
        assert sorted(document.pop("orderIds")) == ["a", "b", "c"]
        assert document == {"pending": 3, "sent": 0, "failed": 0}

    def test_a_dry_run_takes_no_option_that_would_do_nothing(self, run: Run) -> None:
        result = run("redrive", "--dry-run", "--concurrency", "4")
        assert result.exit_code == 2
        assert "--dry-run sends nothing, so --concurrency has no effect" in result.stderr

    def test_what_was_pending_is_sent(self, run: Run) -> None:
        result = run("redrive", "--older-than", "0", "--json")
        assert result.exit_code == 0
        assert json.loads(result.stdout) == {"pending": 3, "sent": 3, "failed": 0, "sentByAnother": 0}
        again = run("redrive", "--older-than", "0")
        assert (again.exit_code, again.stdout) == (0, "0 notifications pending: 0 sent, 0 failed\n")

    def test_failures_are_listed_with_their_reason(self, run: Run, cloud: Cloud) -> None:
        cloud.sns.delete_topic(TopicArn=cloud.arn("sns", NAMES.topic))
        result = run("redrive", "--older-than", "0", "--json")
        assert result.exit_code == 1
        assert json.loads(result.stdout) == {"pending": 3, "sent": 0, "failed": 3, "sentByAnother": 0}
        lines = [line for line in result.stderr.splitlines() if "could not publish to the topic" in line]
        assert sorted(line[:2] for line in lines) == ["a:", "b:", "c:"]

    def test_an_age_that_is_none_is_told(self, run: Run) -> None:
        assert run("redrive", "--older-than", "old").exit_code == 2


# A child process that types one command at a fake API: Ctrl-C and pipes need a process of their own.
CHILD = """
import sys
from ordernotify.aws.session import local_cloud
from ordernotify.cli import app, listing, orders, sending
from ordernotify.cli.access import Access
from ordernotify.cli.run import Run
from ordernotify.settings.names import Names
url, *command = sys.argv[1:]
sending.find_access = lambda *_: Access(url, None)
Run.open = lambda self: (local_cloud("http://127.0.0.1:1"), Names())
app(command)
"""


def test_ctrl_c_ends_with_130_and_a_truthful_summary(api: FakeApi, tmp_path: Path) -> None:
    def delayed(_number: int, _key: str, _order: object) -> None:
        time.sleep(0.02)

    api.script = delayed
    (tmp_path / "o.jsonl").write_text('{"customerName": "A", "productName": "B"}\n' * 5000)
    command = [
        sys.executable,
        "-c",
        CHILD,
        api.url,
        "send-order",
        "--file",
        str(tmp_path / "o.jsonl"),
        "--json",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while len(api.orders) < 20:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    summary = json.loads(out)
    assert process.returncode == 130
    assert summary["interrupted"]
    assert summary["accepted"] == summary["sent"] == len(api.orders)
    assert b"Error: interrupted\nHint: Send the same file again" in err
    assert b"Traceback" not in err


def test_bulk_shows_the_first_orders_that_were_not_taken(run: Run, api: FakeApi, tmp_path: Path) -> None:
    (tmp_path / "orders.jsonl").write_text("".join(f"broken {number}\n" for number in range(5)))
    result = send(run, "--file", "orders.jsonl", "--quiet")
    assert result.exit_code == 1
    shown = [line.strip().partition(":")[0] for line in result.stderr.splitlines()]
    assert shown == ["line 1", "line 2", "line 3"]


def test_a_table_has_no_trailing_blanks_when_piped(run: Run, cloud: Cloud) -> None:
    put(cloud, "a", customerName="A", productName="long product name")
    put(cloud, "b", customerName="B", productName="x")
    shown = run("list-orders", "--columns", "customerName,productName").stdout
    assert shown.splitlines()[1:]
    assert all(line == line.rstrip() for line in shown.splitlines())
