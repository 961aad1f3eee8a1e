"""Exporting orders: complete or not at all, every value kept, nothing for a spreadsheet to execute."""

from __future__ import annotations

import csv
import errno
import fcntl
import io
import json
import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from ordernotify.aws.session import Cloud
from ordernotify.errors import AwsError, OrderNotifyError, StackNotFoundError
from ordernotify.orders import items
from ordernotify.orders.export import export_orders
from ordernotify.orders.files import Format
from ordernotify.orders.spreadsheet import (
    FIRST_COLUMNS,
    LAST_COLUMNS,
    MAX_COLUMNS,
    OTHER_FIELDS,
    Header,
    csv_cells,
    guard,
    quoted,
    unguard,
)
from ordernotify.render import clean, json_safe
from tests.orders_fakes import NAMES, mocked_cloud, put, put_many

ORDER = {
    "orderId": "a",
    "customerName": 'Ann "A", Ltd\nSecond line',
    "quantity": Decimal(-2),
    "price": Decimal("0.10000000000000000000000000000000000001"),
    "note": "=HYPERLINK(1)",
    "tags": ["é", Decimal(1), None, {"x": True}],
    "empty": "",
    "gone": None,
}
WELL_KNOWN_TRIGGERS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with mocked_cloud() as cloud:
        yield cloud


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class TestJsonLines:
    def test_every_order_is_there_once_with_exact_values(
        self, cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(items, "choose_segments", lambda *_: 3)
        put_many(cloud, [{"orderId": f"{number:04}", "n": number} for number in range(1500)])
        put_many(cloud, [ORDER])
        file = tmp_path / "orders.jsonl"
        assert export_orders(cloud, NAMES, str(file), Format.JSONL) == 1501
        orders = [json.loads(line, parse_float=Decimal) for line in file.read_text().splitlines()]
        assert sorted(order["orderId"] for order in orders) == [*(f"{n:04}" for n in range(1500)), "a"]
        (order,) = [order for order in orders if order["orderId"] == "a"]
        assert order == {"FileName": "a", **ORDER}
        assert files(tmp_path) == ["orders.jsonl"]

    def test_progress_counts_the_orders(self, cloud: Cloud, tmp_path: Path) -> None:
        put_many(cloud, [{"orderId": str(number)} for number in range(30)])
        counts: list[int] = []
        export_orders(cloud, NAMES, str(tmp_path / "o"), Format.JSONL, progress=counts.append)
        assert counts == [30]

    def test_a_table_without_orders_is_an_empty_file(self, cloud: Cloud, tmp_path: Path) -> None:
        assert export_orders(cloud, NAMES, str(tmp_path / "o"), Format.JSONL) == 0
        assert (tmp_path / "o").read_bytes() == b""


class TestCsv:
    def test_the_header_has_every_field_of_every_order(self, cloud: Cloud, tmp_path: Path) -> None:
        put(cloud, "a", colour="red", n=Decimal("1.5"))
        put(cloud, "b", size=Decimal(7))
        file = tmp_path / "orders.csv"
        assert export_orders(cloud, NAMES, str(file), Format.CSV) == 2
        rows = list(csv.DictReader(io.StringIO(file.read_text())))
        assert sorted(rows[0]) == sorted([*FIRST_COLUMNS, *LAST_COLUMNS, "colour", "n", "size"])
        assert list(rows[0])[: len(FIRST_COLUMNS)] == list(FIRST_COLUMNS)
        values = [
            {name: row[name] for name in ("orderId", "colour", "n", "size", "FileName")} for row in rows
        ]
        assert sorted(values, key=lambda row: row["orderId"]) == [
            {"orderId": "a", "colour": "red", "n": "1.5", "size": "", "FileName": "a"},
            {"orderId": "b", "colour": "", "n": "", "size": "7", "FileName": "b"},
        ]
        assert files(tmp_path) == ["orders.csv"]

    def test_numbers_are_bare_texts_quoted_and_the_rest_is_json(self, cloud: Cloud, tmp_path: Path) -> None:
        put_many(cloud, [ORDER])
        file = tmp_path / "orders.csv"
        export_orders(cloud, NAMES, str(file), Format.CSV)
        header, line = file.read_text().split("\n", 1)
        cells = dict(zip(header.replace('"', "").split(","), next(csv.reader([line])), strict=True))
        assert {name: cell for name, cell in cells.items() if cell} == {
            "orderId": "a",
            "FileName": "a",
            "customerName": 'Ann "A", Ltd\nSecond line',
            "quantity": "-2",
            "price": "0.10000000000000000000000000000000000001",
            "note": "'=HYPERLINK(1)",
            "tags": '["é", 1, null, {"x": true}]',
            "gone": "null",
        }
        assert ",-2," in line
        assert ',"",' in line

    @pytest.mark.parametrize("trigger", WELL_KNOWN_TRIGGERS)
    def test_no_text_begins_as_a_formula(self, trigger: str) -> None:
        assert guard(f"{trigger}1+1") == f"'{trigger}1+1"
        assert unguard(guard(f"{trigger}1+1")) == f"{trigger}1+1"

    @given(st.text(max_size=20))
    def test_a_guarded_text_is_harmless_and_can_be_read_back(self, text: str) -> None:
        guarded = guard(text)
        assert not guarded.startswith(WELL_KNOWN_TRIGGERS)
        assert unguard(guarded) == text

    @given(st.text(alphabet="'=+a", max_size=6))
    def test_apostrophes_of_the_texts_own_survive(self, text: str) -> None:
        assert unguard(guard(text)) == text

    @given(
        st.lists(
            st.dictionaries(
                st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=5),
                st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=9),
                max_size=4,
            ),
            max_size=6,
        )
    )
    def test_whatever_the_texts_are_a_csv_reader_gives_them_back(self, orders: list[dict[str, str]]) -> None:
        header = Header()
        rows = [csv_cells({name: {"S": text} for name, text in order.items()}) for order in orders]
        for row in rows:
            header.add(row)
        lines = "".join([header.line, *header.lines(rows)])
        names, *found = csv.reader(io.StringIO(lines, newline=""))
        fields = [unguard(name) for name in names]
        assert len(set(fields)) == len(fields)
        for order, cells in zip(orders, found, strict=True):
            values = {field: unguard(cell) for field, cell in zip(fields, cells, strict=True) if cell}
            if OTHER_FIELDS not in order:
                assert values == {name: text for name, text in order.items() if text}

    def test_fields_beyond_what_a_spreadsheet_can_show_are_kept_in_one_column(self) -> None:
        header = Header()
        rows = [csv_cells({f"f{number}": {"N": str(number)}}) for number in range(MAX_COLUMNS + 2)]
        rows.append(csv_cells({OTHER_FIELDS: {"S": "own"}}))
        for row in rows:
            header.add(row)
        names, *found = csv.reader(io.StringIO("".join([header.line, *header.lines(rows)])))
        assert names[-1] == OTHER_FIELDS
        assert len(names) == MAX_COLUMNS + len(FIRST_COLUMNS) + len(LAST_COLUMNS) + 1
        assert [json.loads(cells[-1]) for cells in found[-3:]] == [
            {f"f{MAX_COLUMNS}": str(MAX_COLUMNS)},
            {f"f{MAX_COLUMNS + 1}": str(MAX_COLUMNS + 1)},
            {OTHER_FIELDS: quoted("own")},
        ]


class TestCompleteOrNotAtAll:
    @pytest.fixture(autouse=True)
    def orders(self, cloud: Cloud) -> None:
        put_many(cloud, [{"orderId": f"{number:03}", "note": "x" * 200} for number in range(200)])

    @pytest.mark.parametrize("form", list(Format))
    def test_the_file_is_its_owners_only(self, cloud: Cloud, tmp_path: Path, form: Format) -> None:
        file = tmp_path / "o"
        file.write_text("old")
        file.chmod(0o644)
        export_orders(cloud, NAMES, str(file), form)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    @pytest.mark.parametrize("form", list(Format))
    def test_a_failure_leaves_the_old_file_and_nothing_else(
        self, cloud: Cloud, tmp_path: Path, form: Format
    ) -> None:
        def fail(**_: Any) -> None:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "Scan")

        file = tmp_path / "o"
        file.write_text("old")
        cloud.dynamodb.meta.events.register("before-call.dynamodb.Scan", fail)
        with pytest.raises(AwsError, match="could not read the table"):
            export_orders(cloud, NAMES, str(file), form)
        assert (files(tmp_path), file.read_text()) == (["o"], "old")

    @pytest.mark.parametrize("form", list(Format))
    def test_ctrl_c_leaves_nothing(self, cloud: Cloud, tmp_path: Path, form: Format) -> None:
        def interrupt(_count: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            export_orders(cloud, NAMES, str(tmp_path / "o"), form, progress=interrupt)
        assert files(tmp_path) == []

    @pytest.mark.parametrize("form", list(Format))
    def test_a_full_disk_is_told_and_leaves_nothing(self, cloud: Cloud, tmpfs: Path, form: Format) -> None:
        with pytest.raises(OrderNotifyError) as raised:
            export_orders(cloud, NAMES, str(tmpfs / "o"), form)
        assert raised.value.message == f"could not write {tmpfs}/o: No space left on device"
        assert "Nothing was kept" in raised.value.hint
        assert files(tmpfs) == []

    def test_an_error_of_the_disk_at_the_very_end_is_told(
        self, cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(_handle: int) -> None:
            raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(OrderNotifyError, match=r"could not write .*: Disk quota exceeded"):
            export_orders(cloud, NAMES, str(tmp_path / "o"), Format.JSONL)
        assert files(tmp_path) == []

    @pytest.mark.parametrize(
        ("name", "reason"), [("no/orders.csv", "No such file or directory"), (".", "Is a directory")]
    )
    def test_a_place_that_cannot_be_written_is_told(
        self, cloud: Cloud, tmp_path: Path, name: str, reason: str
    ) -> None:
        with pytest.raises(OrderNotifyError, match=f"could not write .*: {reason}"):
            export_orders(cloud, NAMES, str(tmp_path / name), Format.CSV)
        assert files(tmp_path) == []

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
    def test_a_signal_leaves_nothing(self, cloud: Cloud, tmp_path: Path, number: signal.Signals) -> None:
        def end(_count: int) -> None:
            os.kill(os.getpid(), number)

        before = signal.signal(number, lambda _number, _frame: pytest.fail("not handled"))
        try:
            with pytest.raises(SystemExit) as raised:
                export_orders(cloud, NAMES, str(tmp_path / "o"), Format.JSONL, progress=end)
        finally:
            signal.signal(number, before)
        assert raised.value.code == 128 + number
        assert files(tmp_path) == []

    def test_what_sigkill_left_is_removed_and_a_running_export_is_not(
        self, cloud: Cloud, tmp_path: Path
    ) -> None:
        (tmp_path / ".o.left.part").write_text("half")
        (tmp_path / ".other.left.part").write_text("half")
        with (tmp_path / ".o.live.part").open("w") as live:
            fcntl.flock(live, fcntl.LOCK_EX)
            export_orders(cloud, NAMES, str(tmp_path / "o"), Format.JSONL)
        assert files(tmp_path) == [".o.live.part", ".other.left.part", "o"]

    def test_the_orders_are_on_the_disk_before_the_file_has_its_name(
        self, cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        synced: list[tuple[bool, int, bool]] = []

        def sync(handle: int) -> None:
            status = os.fstat(handle)
            synced.append((stat.S_ISDIR(status.st_mode), status.st_size, (tmp_path / "o").exists()))

        monkeypatch.setattr(os, "fsync", sync)
        export_orders(cloud, NAMES, str(tmp_path / "o"), Format.JSONL)
        (file_is_folder, size, named), (folder, _, named_then) = synced
        assert (file_is_folder, named, folder, named_then) == (False, False, True, True)
        assert size == (tmp_path / "o").stat().st_size

    @pytest.mark.parametrize("form", list(Format))
    def test_what_a_terminal_would_obey_can_be_escaped(
        self, cloud: Cloud, capfdbinary: pytest.CaptureFixture[bytes], form: Format
    ) -> None:
        put(cloud, "x", note="\x9b2J\x1b[2J\u202e")
        shown = json_safe if form is Format.JSONL else clean
        export_orders(cloud, NAMES, "-", form, visible=shown)
        text = capfdbinary.readouterr().out.decode()
        assert not set(text) & set("\x9b\x1b\u202e")
        assert "2J" in text

    def test_a_link_is_followed(self, cloud: Cloud, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(tmp_path / "target")
        export_orders(cloud, NAMES, str(tmp_path / "link"), Format.JSONL)
        assert (tmp_path / "link").is_symlink()
        assert len((tmp_path / "target").read_text().splitlines()) == 200

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
    def test_a_device_is_written_to_directly(self, cloud: Cloud) -> None:
        with pytest.raises(OrderNotifyError, match="could not write /dev/full: No space left on device"):
            export_orders(cloud, NAMES, "/dev/full", Format.CSV)
        assert Path("/dev/full").is_char_device()

    def test_a_missing_table_is_told_and_leaves_nothing(self, cloud: Cloud, tmp_path: Path) -> None:
        cloud.dynamodb.delete_table(TableName=NAMES.table)
        with pytest.raises(StackNotFoundError, match="there is no orders' table FileMetadata"):
            export_orders(cloud, NAMES, str(tmp_path / "o"), Format.JSONL)
        assert files(tmp_path) == []


@pytest.fixture
def tmpfs(tmp_path: Path) -> Iterator[Path]:
    """Give a file system of 16 KiB, where the tests may make one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no permission to mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
