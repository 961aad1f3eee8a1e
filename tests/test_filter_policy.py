"""Filter policies: what is refused before anything is changed; the rest is SNS's to decide."""

from __future__ import annotations

import json

import pytest

from ordernotify.errors import UsageError
from ordernotify.function import notification
from ordernotify.resources.filter_policy import parse_filter_policy
from ordernotify.subscribers.endpoints import NOTIFICATION_ATTRIBUTES


@pytest.mark.parametrize(
    "text",
    ["{}", '{"eventType": ["order.received", {"prefix": "x"}, 5, true, null]}', '{"a": {"b": ["new rule"]}}'],
)
def test_a_json_object_is_taken(text: str) -> None:
    assert parse_filter_policy(text) == json.loads(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "it is not JSON"),
        ('{"a": [NaN]}', "NaN is no value"),
        ('{"a": ["\\ud800"]}', "it is not JSON"),
        ('{"a":' * 100_000, "it is nested too deeply"),
        ('["a"]', "it is not a JSON object"),
        (json.dumps({"a": ["x" * 256 * 1024]}), "it is larger than 256 KB"),
    ],
)
def test_what_cannot_be_a_policy_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_filter_policy(text)
    assert reason in refused.value.message


def test_the_attributes_known_here_are_those_of_the_function() -> None:
    published = notification.notification({"orderId": "a1b2"})["MessageAttributes"]
    assert tuple(published) == NOTIFICATION_ATTRIBUTES
