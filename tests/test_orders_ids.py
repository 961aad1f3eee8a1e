"""Ids of which a person gives the beginning."""

from __future__ import annotations

import pytest

from ordernotify.aws.session import Cloud
from ordernotify.errors import UsageError
from ordernotify.orders.query import full_id, full_ids
from ordernotify.settings.model import Settings
from ordernotify.settings.names import Names
from tests.cli_support import Typed, typed
from tests.provision_support import Account, set_up

__all__ = ["typed"]

FIRST = "c67590bd-1111-4111-8111-111111111111"
TWIN = "c67590bd-2222-4222-8222-222222222222"
OTHER = "0b8f7a52-3333-4333-8333-333333333333"
ODD = "my-order-1"
NAMES = Names()


@pytest.fixture
def orders(account: Account, cloud: Cloud) -> Cloud:
    set_up(Settings(), cloud)
    for order_id in (FIRST, TWIN, OTHER, ODD, f"{ODD}23"):
        item = {"FileName": {"S": order_id}, "orderId": {"S": order_id}, "customerName": {"S": "A"}}
        account.client("dynamodb").put_item(TableName=NAMES.table, Item=item)
    account.forget_calls()
    return cloud


def scans(account: Account) -> int:
    return sum(call.operation == "Scan" for call in account.calls)


def test_a_beginning_of_8_characters_is_completed(orders: Cloud) -> None:
    assert full_ids(orders, NAMES, [OTHER[:8], FIRST[:13], TWIN]) == [OTHER, FIRST, TWIN]


def test_fewer_characters_are_never_completed(orders: Cloud, account: Account) -> None:
    assert full_id(orders, NAMES, OTHER[:7]) == OTHER[:7]
    assert scans(account) == 0


def test_whole_ids_read_no_table(orders: Cloud, account: Account) -> None:
    assert full_ids(orders, NAMES, [FIRST, OTHER]) == [FIRST, OTHER]
    assert account.calls == []


def test_an_order_of_exactly_this_id_wins_and_reads_no_table(orders: Cloud, account: Account) -> None:
    assert full_id(orders, NAMES, ODD) == ODD
    assert scans(account) == 0


def test_one_that_nothing_begins_with_stays(orders: Cloud) -> None:
    assert full_id(orders, NAMES, "ffffffff") == "ffffffff"


def test_several_orders_that_begin_alike_are_named(orders: Cloud) -> None:
    with pytest.raises(UsageError) as raised:
        full_id(orders, NAMES, "c67590bd")
    assert raised.value.message == f"2 orders begin with c67590bd: {FIRST}, {TWIN}"


def test_without_a_table_the_id_stays_for_the_logs(cloud: Cloud) -> None:
    assert full_id(cloud, NAMES, "c67590bd") == "c67590bd"


@pytest.mark.parametrize(
    "words", [("get-order", OTHER[:8]), ("trace", OTHER[:8])], ids=lambda words: str(words[0])
)
def test_commands_take_the_beginning(orders: Cloud, typed: Typed, words: tuple[str, str]) -> None:
    done = typed(*words)
    assert OTHER in done.stdout, done.output


@pytest.mark.parametrize("words", [("get-order",), ("trace",), ("logs", "--order")], ids=" ".join)
def test_commands_tell_of_two_that_begin_alike(orders: Cloud, typed: Typed, words: tuple[str, ...]) -> None:
    done = typed(*words, "c67590bd")
    assert done.exit_code == 2
    assert "2 orders begin with c67590bd" in done.stderr
