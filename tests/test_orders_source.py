"""Orders out of files: keys, JSON lines, CSV, and everything that may be wrong with a line."""

from __future__ import annotations

import csv
import io
import json
import os
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordernotify.errors import UsageError
from ordernotify.orders.files import Format, format_of
from ordernotify.orders.lines import MAX_LINE_BYTES, Broken
from ordernotify.orders.post import Draft
from ordernotify.orders.source import Record, Source, order_key

HEADER = "customerName,productName,quantity,colour\n"


def read(text: str | bytes, form: Format = Format.JSONL, import_id: str = "") -> list[Record]:
    raw = text.encode() if isinstance(text, str) else text
    return list(Source(io.BytesIO(raw), form, import_id=import_id))


def read_csv(text: str | bytes) -> list[Record]:
    return read(text, Format.CSV)


def draft(line: int, body: str) -> Draft:
    return Draft(body.encode(), order_key(line, body.encode()), line)


def bodies(records: list[Record]) -> list[object]:
    return [json.loads(record.body) if isinstance(record, Draft) else record for record in records]


class TestKeys:
    @given(st.integers(1, 10**9), st.binary(max_size=40), st.integers(1, 10**9), st.binary(max_size=40))
    def test_line_and_text_make_the_key(self, line: int, body: bytes, other: int, text: bytes) -> None:
        assert order_key(line, body) == order_key(line, body)
        assert (order_key(line, body) == order_key(other, text)) == ((line, body) == (other, text))

    @given(st.text(max_size=10), st.text(max_size=10), st.binary(max_size=10))
    def test_the_name_of_the_import_is_a_part_of_it(self, name: str, other: str, body: bytes) -> None:
        assert (order_key(1, body, name) == order_key(1, body, other)) == (name == other)

    def test_a_key_is_a_valid_header(self) -> None:
        assert order_key(1, "Ä".encode(), "Ö").isalnum()
        assert len(order_key(1, b"")) == 64

    def test_keys_are_the_same_for_ever(self) -> None:
        # A new release that derives other keys would make a half-done import twice.
        assert order_key(7, b"{}") == "8150dffba1a5c6d046526282916bd3e5f29e069c214ab7d529817ab70956a600"

    def test_equal_lines_are_orders_of_their_own(self) -> None:
        first, second = read('{"a": 1}\n{"a": 1}\n')
        assert isinstance(first, Draft)
        assert isinstance(second, Draft)
        assert first.body == second.body
        assert first.key != second.key

    @given(st.lists(st.integers(0, 5), max_size=20), st.lists(st.integers(0, 5), max_size=5))
    def test_lines_added_at_the_end_leave_the_keys_of_the_others(
        self, lines: list[int], more: list[int]
    ) -> None:
        def text(numbers: list[int]) -> str:
            return "".join(f'{{"n": {number}}}\n' for number in numbers)

        assert read(text(lines + more))[: len(lines)] == read(text(lines))

    def test_a_line_that_is_mended_in_place_leaves_the_keys_of_the_others(self) -> None:
        broken, mended = read('{"n": 1}\n{"n": \n{"n": 3}\n'), read('{"n": 1}\n{"n": 2}\n{"n": 3}\n')
        assert (broken[0], broken[2]) == (mended[0], mended[2])

    def test_line_ends_and_a_byte_order_mark_do_not_count(self) -> None:
        assert read(b'\xef\xbb\xbf{"n": 1}\r\n{"n": 2}') == read('{"n": 1}\n{"n": 2}\n')


class TestJsonLines:
    def test_the_text_goes_out_as_it_stands(self) -> None:
        line = '{"price": 0.10000000000000000000000000001, "name":"é"}'
        assert read(f"  {line} \n\n{line}") == [draft(1, line), draft(3, line)]

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            (b'{"a": ', "the line is not JSON: Expecting value at column 6"),
            (b"[1]", "the line is not a JSON object"),
            (b'"text"', "the line is not a JSON object"),
            (b"{} {}", "the line is not JSON: Extra data at column 4"),
            (b'{"a": "\xff"}', "the line is not UTF-8 (byte 8)"),
            (b"[" * 200_000, "the line is nested too deeply"),
            (b"[\0\0\0]", "the line is not JSON: Expecting value at column 2"),
        ],
    )
    def test_a_broken_line_is_told_and_the_others_are_read(self, line: bytes, reason: str) -> None:
        records = read(b'{"n": 1}\n' + line + b'\n{"n": 3}\n')
        text = line[:10_000].decode("utf-8", "backslashreplace")
        assert records == [draft(1, '{"n": 1}'), Broken(2, reason, text), draft(3, '{"n": 3}')]

    def test_a_number_of_any_length_is_left_to_the_api(self) -> None:
        line = '{"n": ' + "9" * 5000 + "}"
        assert read(line) == [draft(1, line)]

    def test_a_line_without_end_is_passed_over_in_little_memory(self) -> None:
        class Endless(io.FileIO):
            left = 64

            def __init__(self) -> None:
                super().__init__(os.devnull)

            def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
                if not self.left:
                    return 0
                self.left -= 1
                size = min(len(buffer), MAX_LINE_BYTES)
                buffer[:size] = b"x" * size
                return size

        file: io.BufferedReader[Any] = io.BufferedReader(Endless(), MAX_LINE_BYTES)
        tracemalloc.start()
        with file:
            records = list(Source(file, Format.JSONL))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert records == [Broken(1, "the line is longer than 1048576 bytes", "x" * 10_000)]
        assert peak < 8 * MAX_LINE_BYTES

    def test_the_line_after_a_very_long_one_is_read(self) -> None:
        records = read(b"x" * (3 * MAX_LINE_BYTES + 7) + b'\n{"n": 2}\n')
        assert records[1:] == [draft(2, '{"n": 2}')]

    def test_utf_16_is_told_before_anything_is_read(self) -> None:
        with pytest.raises(UsageError, match="not UTF-8 but UTF-16"):
            read('{"n": 1}'.encode("utf-16"))

    def test_the_position_counts_bytes(self) -> None:
        source = Source(io.BytesIO(b'{"n": 1}\n\n{"n": 2}\n'), Format.JSONL)
        positions = [source.position for _ in source]
        assert positions == [9, 19]


class TestRejectsSentAgain:
    def test_a_mended_order_goes_out_and_the_others_keep_their_keys(self) -> None:
        order = '{"price": 0.10000000000000000000000000000000000000001, "é": 1}'
        head = '{"line": 7, "status": 503, "reason": "not \\"now\\"", '
        assert read(f'{head}"order": {order}}}\n') == [draft(7, order)]
        assert read(f'{head}"text": {json.dumps(order)}}}\n') == [draft(7, order)]
        without_line = '{"line": null, "status": 400, "reason": "", "order": {}}'
        assert read(f"\n{without_line}") == [draft(2, "{}")]

    def test_a_text_that_is_not_mended_is_told(self) -> None:
        line = '{"line": 7, "status": null, "reason": "no", "text": "Bob"}'
        (record,) = read(line)
        assert isinstance(record, Broken)
        assert (record.line, record.text) == (1, line)
        assert record.reason.startswith("its text is still wrong: the line is not JSON")

    def test_an_order_with_fields_of_these_names_is_an_order(self) -> None:
        line = '{"line": 7, "status": 1, "customerName": "A"}'
        assert read(line) == [draft(1, line)]


class TestCsv:
    def test_columns_are_fields_and_a_whole_quantity_is_a_number(self) -> None:
        records = read_csv(HEADER + "Ann,Mouse,2,7\nBob,Lamp, 3 ,\nCyd,Desk,two,red\n")
        assert bodies(records) == [
            {"customerName": "Ann", "productName": "Mouse", "quantity": 2, "colour": "7"},
            {"customerName": "Bob", "productName": "Lamp", "quantity": 3},
            {"customerName": "Cyd", "productName": "Desk", "quantity": "two", "colour": "red"},
        ]
        assert [record.line for record in records] == [2, 3, 4]

    def test_quotes_line_breaks_and_a_byte_order_mark(self) -> None:
        text = "\ufeff" + HEADER + '"Ann ""A"", Ltd","Mouse\r\npad",1,\nBob,Lamp,1,red\n'
        records = read_csv(text)
        assert bodies(records) == [
            {"customerName": 'Ann "A", Ltd', "productName": "Mouse\r\npad", "quantity": 1},
            {"customerName": "Bob", "productName": "Lamp", "quantity": 1, "colour": "red"},
        ]
        assert [record.line for record in records] == [2, 4]

    @pytest.mark.parametrize("separator", [";", "\t"])
    def test_other_separators_are_known_by_the_header(self, separator: str) -> None:
        text = (HEADER + "Ann,Mouse,2,red\n").replace(",", separator)
        assert bodies(read_csv(text)) == bodies(read_csv(HEADER + "Ann,Mouse,2,red\n"))

    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            (b"Ann,Mouse", "the row has 2 cells, and the header has 4"),
            (b"Ann,Mouse,1,red,more", "the row has 5 cells, and the header has 4"),
            (b"Ann,\xff,1,red", "the line is not UTF-8 (byte 5)"),
            (b'"Ann"x,Mouse,1,red', "the row is not CSV: ',' expected after '\"'"),
        ],
    )
    def test_a_broken_row_is_told_and_the_others_are_read(self, row: bytes, reason: str) -> None:
        records = read_csv(HEADER.encode() + b"Bob,Lamp,1,red\n" + row + b"\nCyd,Desk,1,red\n")
        assert records[1] == Broken(3, reason, row.decode("utf-8", "backslashreplace"))
        assert [record.line for record in records] == [2, 3, 4]

    def test_a_quote_that_is_not_closed_names_the_lines_that_it_took(self) -> None:
        records = read_csv(HEADER + 'Ann,"Mouse,1,red\nBob,Lamp,1,red\n')
        reason = "the row is not CSV: unexpected end of data (lines 2 to 3 were read as one row)"
        assert records == [Broken(2, reason, 'Ann,"Mouse,1,red\nBob,Lamp,1,red')]

    def test_rows_after_an_endless_quote_are_read_again(self) -> None:
        text = HEADER + 'Ann,"Mouse,1,red\n' + "Bob,Lamp,1,red\n" * 20_000
        records = read_csv(text)
        broken = [record for record in records if isinstance(record, Broken)]
        assert len(broken) == 1
        assert "were read as one row" in broken[0].reason
        assert len(records) > 10_000

    def test_empty_lines_are_passed_over(self) -> None:
        assert [record.line for record in read_csv(HEADER + "\nAnn,Mouse,1,\n\n")] == [3]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "the file is empty"),
            ("customerName,quantity\n", "has no column productName"),
            ("name\n", "has no column customerName and no column productName"),
            ("customerName,productName,\n", "column 3 has no name"),
            ("customerName,productName,productName\n", "has the column productName twice"),
            ('"customerName,productName\n', "cannot be read"),
        ],
    )
    def test_a_header_that_cannot_be_used_ends_it_at_once(self, text: str, message: str) -> None:
        with pytest.raises(UsageError, match=message):
            read_csv(text)

    @given(
        st.lists(
            st.tuples(*[st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1)] * 2),
            max_size=10,
        )
    )
    def test_whatever_python_writes_as_csv_is_read_back(self, rows: list[tuple[str, str]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text).writerows([("customerName", "productName"), *rows])
        expected = [{"customerName": customer, "productName": product} for customer, product in rows]
        assert bodies(read_csv(text.getvalue())) == expected


def test_orders_are_read_one_at_a_time() -> None:
    def lines() -> Iterator[bytes]:
        yield b'{"n": 1}\n'
        raise AssertionError("read ahead")

    class Slow(io.BytesIO):
        source = lines()

        def readline(self, size: int | None = -1) -> bytes:
            return next(self.source)

    assert next(iter(Source(Slow(), Format.JSONL))) == draft(1, '{"n": 1}')


@pytest.mark.parametrize(
    ("file", "given", "form"),
    [
        ("a.csv", "", "csv"),
        ("A.CSV", "", "csv"),
        ("a.jsonl", "", "jsonl"),
        ("a.ndjson", "", "jsonl"),
        ("-", "", "jsonl"),
        ("a.txt", "csv", "csv"),
        ("a.csv", "jsonl", "jsonl"),
    ],
)
def test_the_format_is_the_given_one_or_the_suffixs(file: str, given: str, form: str) -> None:
    assert format_of(file, given) == Format(form)


@pytest.mark.parametrize(("file", "given"), [("orders", ""), ("a.xlsx", ""), ("a.csv", "xml")])
def test_a_format_that_nobody_knows_is_told(file: str, given: str) -> None:
    with pytest.raises(UsageError, match="format"):
        format_of(file, given)
