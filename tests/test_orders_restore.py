"""Bringing an exported file back: every value, once, over nothing that exists."""

from __future__ import annotations

import io
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ordernotify.aws.session import Cloud
from ordernotify.errors import UsageError
from ordernotify.orders.export import export_orders
from ordernotify.orders.files import Format
from ordernotify.orders.items import get_order
from ordernotify.orders.restore import Restoration, Restored, restore_orders
from tests.orders_fakes import NAMES, mocked_cloud, put

ORDER: dict[str, Any] = {
    "customerName": 'Ann "A", Ltd\r\nSecond line',
    "productName": "5",
    "quantity": Decimal(-2),
    "price": Decimal("0.10000000000000000000000000000000000001"),
    "createdAt": "2026-03-01T12:00:00.000Z",
    "notification": "pending",
    "note": "=HYPERLINK(1)",
    "text": "true",
    "list as text": "[1]",
    "tags": ["é", Decimal(1), None, {"x": True, "=y": "'=z"}],
    "empty": "",
    "gone": None,
    "no": False,
    "otherFields": {"own": [Decimal("1.50")]},
}


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with mocked_cloud() as cloud:
        yield cloud


def restore(cloud: Cloud, text: str, form: Format = Format.JSONL) -> list[Restored]:
    done = restore_orders(cloud, NAMES, io.BytesIO(text.encode()), form)
    return sorted(done, key=lambda one: one.line)


@pytest.mark.parametrize("form", list(Format))
def test_a_deleted_order_comes_back_as_it_was(cloud: Cloud, tmp_path: Path, form: Format) -> None:
    put(cloud, "a", **ORDER)
    put(cloud, "b", customerName="Bob")
    export_orders(cloud, NAMES, str(tmp_path / "o"), form)
    before = get_order(cloud, NAMES, "a")
    cloud.dynamodb.delete_item(TableName=NAMES.table, Key={"FileName": {"S": "a"}})
    put(cloud, "b", customerName="changed since")

    done = restore(cloud, (tmp_path / "o").read_bytes().decode(), form)

    assert sorted(one.result for one in done) == [Restoration.EXISTING, Restoration.STORED]
    assert get_order(cloud, NAMES, "a") == before == {"FileName": "a", "orderId": "a", **ORDER}
    changed = get_order(cloud, NAMES, "b")
    assert changed
    assert changed["customerName"] == "changed since"


def test_a_broken_line_is_refused_and_the_others_come_back(cloud: Cloud) -> None:
    done = restore(cloud, '{"FileName": "a"}\n[\0\0\0]\n{"orderId": "b"}\n{"FileName": "c", "n": 1e999}\n')
    assert [(one.line, one.result) for one in done] == [
        (1, Restoration.STORED),
        (2, Restoration.REFUSED),
        (3, Restoration.REFUSED),
        (4, Restoration.REFUSED),
    ]
    assert "it has no FileName" in done[2].reason
    assert "beyond what DynamoDB holds" in done[3].reason


def test_a_broken_row_is_refused_and_the_others_come_back(cloud: Cloud) -> None:
    done = restore(cloud, '"FileName","n"\n"a",1\n"b"\n"c",x\n"d"x,1\n"e",2\n"f', Format.CSV)
    assert [one.line for one in done if one.result is Restoration.STORED] == [2, 6]
    assert done[-1].reason == "a quote is not closed"


@pytest.mark.parametrize(
    "value", ["[" * 200 + "]" * 200, "[" * 600 + "]" * 600, r'"\ud800"'], ids=["nested", "deep", "half"]
)
def test_a_value_that_cannot_be_sent_refuses_its_line_alone(cloud: Cloud, value: str) -> None:
    done = restore(cloud, f'{{"FileName": "a", "x": {value}}}\n{{"FileName": "b"}}\n')
    assert [one.result for one in done] == [Restoration.REFUSED, Restoration.STORED]
    assert get_order(cloud, NAMES, "a") is None


@pytest.mark.parametrize("cell", ['"[1]"', '"5"', '"{""x"": 5}"'])
def test_other_fields_that_no_export_writes_refuse_their_row(cloud: Cloud, cell: str) -> None:
    done = restore(cloud, f'"FileName","otherFields"\n"a",{cell}\n"b",\n', Format.CSV)
    assert [one.result for one in done] == [Restoration.REFUSED, Restoration.STORED]


@pytest.mark.parametrize("text", ["", "customerName,productName\nA,B\n", '"FileName","FileName"\n'])
def test_a_file_that_is_no_export_is_told(cloud: Cloud, text: str) -> None:
    with pytest.raises(UsageError, match="not a CSV file of export-orders"):
        restore(cloud, text, Format.CSV)
