"""Filter policies: what is refused before SNS sees it, and what passes one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ordernotify.errors import UsageError
from ordernotify.function import notification
from ordernotify.resources.filter_policy import (
    CannotEvaluateError,
    Scope,
    attribute_values,
    matches_attributes,
    parse_filter_policy,
)
from ordernotify.subscribers.endpoints import NOTIFICATION_ATTRIBUTES

ORDER = {"eventType": ["order.received"], "orderId": ["a1b2"]}


@pytest.mark.parametrize(
    ("policy", "passes"),
    [
        ({}, True),
        ({"eventType": ["order.received"]}, True),
        ({"eventType": ["order.received", "order.shipped"]}, True),
        ({"eventType": ["order.shipped"]}, False),
        ({"eventType": ["Order.Received"]}, False),
        ({"eventType": ["order.received"], "orderId": ["other"]}, False),
        ({"eventType": ["order.received"], "orderId": ["other", {"prefix": "a1"}]}, True),
        ({"eventType": [{"prefix": "order."}]}, True),
        ({"eventType": [{"prefix": "received"}]}, False),
        ({"eventType": [{"suffix": ".received"}]}, True),
        ({"eventType": [{"suffix": "order"}]}, False),
        ({"eventType": [{"equals-ignore-case": "ORDER.received"}]}, True),
        ({"eventType": [{"wildcard": "order.*ed"}]}, True),
        ({"eventType": [{"wildcard": "*.ship*"}]}, False),
        ({"eventType": [{"anything-but": "order.received"}]}, False),
        ({"eventType": [{"anything-but": ["order.shipped", "order.paid"]}]}, True),
        ({"eventType": [{"anything-but": {"prefix": "order."}}]}, False),
        ({"customer": [{"anything-but": ["x"]}]}, False),
        ({"customer": [{"exists": False}]}, True),
        ({"customer": [{"exists": True}]}, False),
        ({"eventType": [{"exists": True}]}, True),
        ({"eventType": [{"exists": False}]}, False),
        ({"customer": [{"anything-but": ["x"]}, {"exists": False}]}, True),
        ({"orderId": [{"numeric": [">", 0]}]}, False),
        ({"orderId": [{"cidr": "10.0.0.0/8"}]}, False),
        ({"$or": [{"customer": ["x"]}, {"eventType": ["order.received"]}]}, True),
        ({"$or": [{"customer": ["x"]}, {"eventType": ["order.shipped"]}]}, False),
        ({"eventType": [True, None, 1]}, False),
    ],
)
def test_a_notification_passes_as_sns_documents_it(policy: dict[str, Any], passes: bool) -> None:
    assert matches_attributes(policy, ORDER) is passes


@pytest.mark.parametrize(
    ("wanted", "passing"),
    [
        (["=", 5], [5]),
        (["<", 5], [0, 4.5]),
        (["<=", 5], [0, 4.5, 5]),
        ([">", 5], [6]),
        ([">=", 5], [5, 6]),
        ([">", 4, "<=", 5], [4.5, 5]),
    ],
)
def test_numbers_are_compared_as_numbers(wanted: list[Any], passing: list[float]) -> None:
    values = (0, 4.5, 5, 6)
    assert [n for n in values if matches_attributes({"n": [{"numeric": wanted}]}, {"n": [n]})] == passing


def test_a_number_in_a_policy_matches_no_text_and_no_truth_value() -> None:
    assert matches_attributes({"n": [1]}, {"n": [1.0]})
    assert not matches_attributes({"n": [1]}, {"n": ["1"]})
    assert not matches_attributes({"n": [1]}, {"n": [True]})


def test_an_address_matches_its_network() -> None:
    policy = {"ip": [{"cidr": "10.0.0.0/24"}]}
    assert matches_attributes(policy, {"ip": ["10.0.0.255"]})
    assert not matches_attributes(policy, {"ip": ["10.0.1.1"]})


def test_a_missing_attribute_counts_only_where_there_is_another_one() -> None:
    assert not matches_attributes({"customer": [{"exists": False}]}, {})


def test_one_element_of_an_array_is_enough() -> None:
    values = attribute_values("String.Array", '["rugby", "tennis"]')
    assert matches_attributes({"sport": ["tennis"]}, {"sport": values})
    assert attribute_values("Number", "4.5") == [4.5]
    assert attribute_values("String", '["x"]') == ['["x"]']
    assert attribute_values("Number", "many") == ["many"]


@pytest.mark.parametrize(
    "policy",
    [
        {"eventType": [{"sounds-like": "order"}]},
        {"eventType": [{"prefix": "a", "suffix": "b"}]},
        {"eventType": [{"prefix": 1}]},
        {"eventType": {"nested": ["x"]}},
        {"eventType": [{}]},
    ],
)
def test_an_unknown_rule_is_not_guessed(policy: dict[str, Any]) -> None:
    with pytest.raises(CannotEvaluateError):
        matches_attributes(policy, ORDER)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"eventType": ["order.received", {"prefix": "x"}, 5, true, null]}',
        '{"a": [{"numeric": [">", 0, "<=", 150]}], "b": [{"exists": false}]}',
        '{"$or": [{"a": ["x"]}, {"b": ["y"]}]}',
        json.dumps({"a": list(range(150))}),
        json.dumps({str(n): ["x"] for n in range(5)}),
    ],
)
def test_a_policy_within_the_limits_is_taken(text: str) -> None:
    assert parse_filter_policy(text, Scope.ATTRIBUTES) == json.loads(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "it is not JSON"),
        ('{"a": [NaN]}', "NaN is no value"),
        ('{"a": ["\\ud800"]}', "it is not JSON"),
        ('{"a":' * 100_000, "it is nested too deeply"),
        ('["a"]', "it is not a JSON object"),
        (json.dumps({"a": ["x" * 256 * 1024]}), "it is larger than 256 KB"),
        (json.dumps({str(n): ["x"] for n in range(6)}), "it has 6 keys, and SNS takes up to 5"),
        (json.dumps({"a": list(range(76)), "b": [1, 2]}), "it combines 152 values, and SNS takes up to 150"),
        ('{"a": "x"}', "'a' must hold a list of values"),
        ('{"a": []}', "'a' must hold a list of values"),
        ('{"a": [["x"]]}', "a value of 'a' is a list"),
        ('{"a": {"b": ["x"]}}', "attributes have no parts"),
        ('{"a": [{"prefx": "x"}]}', '\'a\' has {"prefx": "x"}'),
        ('{"a": [{"prefix": "x", "suffix": "y"}]}', "'a' has "),
        ('{"a": [{"exists": "yes"}]}', "'exists' of 'a' must be true or false"),
        ('{"a": [{"numeric": [">", "5"]}]}', "'numeric' of 'a' must be like"),
        ('{"a": [{"numeric": [">", 5, "<"]}]}', "'numeric' of 'a' must be like"),
        ('{"$or": [{"a": ["x"]}, {"b": "y"}]}', "'b' must hold a list of values"),
    ],
)
def test_what_sns_would_refuse_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_filter_policy(text, Scope.ATTRIBUTES)
    assert reason in refused.value.message
    assert "subscription-filter-policy-constraints" in refused.value.hint


def test_a_policy_on_the_body_may_be_nested_and_depth_multiplies() -> None:
    # The documentation's own example: 3 levels x 4 values x 2 levels x 3 values = 72.
    policy: Any = {"a": {"b": {"c": ["1", "2", "3", "4"]}}, "d": {"e": ["1", "2", "3"]}}
    assert parse_filter_policy(json.dumps(policy), Scope.BODY) == policy
    policy["d"]["e"] = ["1", "2", "3", "4", "5", "6", "7"]
    with pytest.raises(UsageError, match="it combines 168 values"):
        parse_filter_policy(json.dumps(policy), Scope.BODY)


def test_the_attributes_known_here_are_those_of_the_function() -> None:
    published = notification.notification({"orderId": "a1b2"})["MessageAttributes"]
    assert {name: one["StringValue"] for name, one in published.items()} == NOTIFICATION_ATTRIBUTES | {
        "orderId": "a1b2"
    }
