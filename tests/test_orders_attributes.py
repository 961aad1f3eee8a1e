"""DynamoDB's attributes as plain values and as JSON."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import Any, cast

import pytest
from boto3.dynamodb.types import Binary, TypeDeserializer
from hypothesis import given
from hypothesis import strategies as st

from ordernotify.orders.attributes import json_order, json_value, plain_order, plain_value

TEXTS = st.text(max_size=8)
NUMBERS = st.one_of(
    st.integers(-(10**37), 10**37).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9).map(
        str
    ),
    st.sampled_from(
        ["0", "-0", "0.1", "1E+3", "1E-130", "9.9E+125", "-12345678901234567890123456789012345678"]
    ),
)
BYTES = st.binary(max_size=8)
SCALARS = st.one_of(
    TEXTS.map(lambda text: {"S": text}),
    NUMBERS.map(lambda text: {"N": text}),
    st.booleans().map(lambda value: {"BOOL": value}),
    st.just({"NULL": True}),
    BYTES.map(lambda value: {"B": value}),
    st.lists(TEXTS, min_size=1, max_size=3, unique=True).map(lambda texts: {"SS": texts}),
    st.lists(NUMBERS, min_size=1, max_size=3, unique_by=Decimal).map(lambda texts: {"NS": texts}),
    st.lists(BYTES, min_size=1, max_size=3, unique=True).map(lambda values: {"BS": values}),
)
ATTRIBUTES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda values: {"L": values}),
        st.dictionaries(TEXTS, inner, max_size=3).map(lambda values: {"M": values}),
    ),
    max_leaves=8,
)


def without_binaries(value: Any) -> Any:
    """Put the base64 text in place of boto3's Binary, which is ours for it."""
    if isinstance(value, Binary):
        return base64.b64encode(cast(Any, value).value).decode()
    if isinstance(value, dict):
        return {name: without_binaries(inner) for name, inner in value.items()}
    if isinstance(value, list | set):
        return type(value)(without_binaries(inner) for inner in value)
    return value


@given(ATTRIBUTES)
def test_values_are_those_of_boto3(attribute: dict[str, Any]) -> None:
    ours, theirs = (
        plain_value(attribute),
        without_binaries(TypeDeserializer().deserialize(cast(Any, attribute))),
    )
    assert ours == theirs
    assert repr(type(ours)) == repr(type(theirs))


@given(st.dictionaries(TEXTS, ATTRIBUTES, max_size=4))
def test_the_json_of_an_item_reads_as_its_plain_values(item: dict[str, Any]) -> None:
    text = json_order(item)
    assert "\n" not in text
    read = json.loads(text, parse_int=Decimal, parse_float=Decimal)
    assert read == json_lists(plain_order(item))


def json_lists(value: Any) -> Any:
    """Put the sorted list in place of each set, which JSON does not have."""
    if isinstance(value, dict):
        return {name: json_lists(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [json_lists(inner) for inner in value]
    return sorted(value) if isinstance(value, set) else value


@pytest.mark.parametrize("number", ["0.1", "12345678901234567890123456789012345678", "1E-130", "19.90"])
def test_numbers_keep_every_digit(number: str) -> None:
    assert json_order({"price": {"N": number}}) == f'{{"price": {number}}}'
    assert str(plain_value({"N": number})) == number


def test_a_type_that_dynamodb_does_not_have_is_an_error() -> None:
    with pytest.raises(ValueError, match="X is not an attribute type"):
        plain_value({"X": "1"})
    with pytest.raises(ValueError, match="X is not an attribute type"):
        json_value({"X": "1"})
