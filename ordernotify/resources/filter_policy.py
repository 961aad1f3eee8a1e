"""Filter policies of SNS subscriptions: checked before SNS sees them, and evaluated for the local inbox.

The language: https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeGuard

from ordernotify.errors import UsageError

MAX_KEYS = 5
MAX_COMBINATIONS = 150
MAX_BYTES = 256 * 1024
LIMITS_URL = "https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html"
RULES = (
    "anything-but",
    "cidr",
    "equals-ignore-case",
    "exists",
    "numeric",
    "prefix",
    "suffix",
    "wildcard",
)
"""What may stand in place of a value, as the only key of an object."""
EXAMPLE = """'{"eventType": ["order.received"]}'"""
_OR = "$or"

Policy = Mapping[str, Any]


class Scope(StrEnum):
    """What a filter policy looks at."""

    ATTRIBUTES = "attributes"
    BODY = "body"

    @property
    def aws_name(self) -> str:
        """SNS's name for it."""
        return "MessageBody" if self is Scope.BODY else "MessageAttributes"


class CannotEvaluateError(Exception):
    """The policy has a rule that is not known here; the message names it."""


def parse_filter_policy(text: str, scope: Scope) -> Policy:
    """Read a filter policy; `{}` is the empty one, which lets everything through.

    Raises UsageError when it is not JSON, not a policy, or over SNS's limits (LIMITS_URL). What SNS counts in
    a `$or` is not documented, so that is left to SNS.
    """
    try:
        policy = json.loads(text, parse_constant=_no_constant)
        json.dumps(policy, ensure_ascii=False).encode()  # half a character, such as "\ud800"
    except ValueError as error:
        raise _refusal(f"it is not JSON: {error}") from error
    except RecursionError:
        raise _refusal("it is nested too deeply") from None
    if not isinstance(policy, dict):
        raise _refusal("it is not a JSON object")
    if len(text.encode()) > MAX_BYTES:
        raise _refusal(f"it is larger than {MAX_BYTES // 1024} KB")
    keys, combinations = _count(policy, scope, 1)
    if keys > MAX_KEYS:
        raise _refusal(f"it has {keys} keys, and SNS takes up to {MAX_KEYS}")
    if combinations > MAX_COMBINATIONS:
        raise _refusal(f"it combines {combinations} values, and SNS takes up to {MAX_COMBINATIONS}")
    return policy


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no value")


def _refusal(reason: str) -> UsageError:
    hint = f"For example {EXAMPLE}; '{{}}' removes the policy. SNS's limits: {LIMITS_URL}"
    return UsageError(f"the filter policy cannot be used: {reason}", hint)


def _count(policy: Policy, scope: Scope, depth: int) -> tuple[int, int]:
    """Count the keys that hold rules, and the combinations: the product of values times depth of each key."""
    keys, combinations = 0, 1
    for key, rules in policy.items():
        if key == _OR and _is_or(rules):
            for member in rules:
                _count(member, scope, depth)
        elif isinstance(rules, dict):
            if scope is Scope.ATTRIBUTES:
                raise _refusal(f"{key!r} holds an object, and attributes have no parts (--filter-scope body)")
            inner_keys, inner_combinations = _count(rules, scope, depth + 1)
            keys, combinations = keys + inner_keys, combinations * inner_combinations
        elif isinstance(rules, list) and rules:
            for rule in rules:
                _check_rule(key, rule)
            keys, combinations = keys + 1, combinations * len(rules) * depth
        else:
            raise _refusal(f"{key!r} must hold a list of values that is not empty")
    return keys, combinations


def _is_or(rules: Any) -> bool:
    """Whether `$or` is the operator: a list of two or more objects that are policies, not rules."""
    return (
        isinstance(rules, list)
        and len(rules) >= 2
        and all(isinstance(member, dict) and not set(member) & set(RULES) for member in rules)
    )


def _check_rule(key: str, rule: Any) -> None:
    if isinstance(rule, list):
        raise _refusal(f"a value of {key!r} is a list")
    if not isinstance(rule, dict):
        return
    name, value = next(iter(rule.items()), ("", None))
    if len(rule) != 1 or name not in RULES:
        raise _refusal(f"{key!r} has {json.dumps(rule)}, and the rules are {', '.join(RULES)}, one each")
    if name == "exists" and not isinstance(value, bool):
        raise _refusal(f"'exists' of {key!r} must be true or false")
    if name == "numeric" and not _is_range(value):
        raise _refusal(f'\'numeric\' of {key!r} must be like [">", 0, "<=", 10]')


_COMPARISONS = ("=", "<", "<=", ">", ">=")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_range(value: Any) -> TypeGuard[list[Any]]:
    return (
        isinstance(value, list)
        and len(value) in {2, 4}
        and all(isinstance(sign, str) and sign in _COMPARISONS for sign in value[::2])
        and all(map(_is_number, value[1::2]))
    )


def attribute_values(kind: str, value: str) -> list[Any]:
    """Give what a message attribute offers to a policy: of an array every element, of a number a number."""
    try:
        parsed = json.loads(value) if kind in {"Number", "String.Array"} else value
    except ValueError:
        parsed = value
    return parsed if isinstance(parsed, list) else [parsed]


def matches_attributes(policy: Policy, attributes: Mapping[str, Sequence[Any]]) -> bool:
    """Whether a message with these attributes (values by name) passes a policy of the scope `attributes`.

    Every key must match, and of a key one rule. Raises CannotEvaluateError for what SNS would not accept, or
    does not document.
    """
    for key, rules in policy.items():
        if key == _OR and _is_or(rules):
            if not any(matches_attributes(member, attributes) for member in rules):
                return False
        elif not isinstance(rules, list):
            raise CannotEvaluateError(f"{key!r} holds no list of values")
        elif not any(_rule_matches(rule, attributes.get(key, ()), bool(attributes)) for rule in rules):
            return False
    return True


def _rule_matches(rule: Any, values: Sequence[Any], has_attributes: bool) -> bool:
    if isinstance(rule, dict) and set(rule) == {"exists"}:
        present = any(value not in ("", None) for value in values)
        # SNS: "exists": false matches only if there is at least one attribute.
        return present if rule["exists"] else has_attributes and not values
    return any(_value_matches(rule, value) for value in values)


def _value_matches(rule: Any, value: Any) -> bool:
    if not isinstance(rule, dict):
        same_kind = type(rule) is type(value) or (_is_number(rule) and _is_number(value))
        return same_kind and bool(rule == value)
    name, wanted = next(iter(rule.items()), ("", None))
    if len(rule) != 1:
        raise CannotEvaluateError(f"the rule {json.dumps(rule)}")
    if name == "anything-but":
        excluded = wanted if isinstance(wanted, list) else [wanted]
        return not any(_value_matches(one, value) for one in excluded)
    if name == "numeric" and _is_range(wanted):
        return _is_number(value) and _in_range(value, wanted)
    if not isinstance(wanted, str) or name not in RULES:
        raise CannotEvaluateError(f"the rule {json.dumps(rule)}")
    return isinstance(value, str) and _text_matches(name, wanted, value)


def _in_range(value: float, wanted: Sequence[Any]) -> bool:
    for sign, bound in zip(wanted[::2], wanted[1::2], strict=True):
        if sign.startswith("<") and not value < bound and not (sign == "<=" and value == bound):
            return False
        if sign.startswith(">") and not value > bound and not (sign == ">=" and value == bound):
            return False
        if sign == "=" and value != bound:
            return False
    return True


def _text_matches(name: str, wanted: str, value: str) -> bool:
    if name == "prefix":
        return value.startswith(wanted)
    if name == "suffix":
        return value.endswith(wanted)
    if name == "equals-ignore-case":
        return value.casefold() == wanted.casefold()
    if name == "wildcard":
        pattern = ".*".join(map(re.escape, wanted.split("*")))
        return re.fullmatch(pattern, value, re.DOTALL) is not None
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        return False
