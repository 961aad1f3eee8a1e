"""Complete an order's id from its first characters, which emails show."""

from __future__ import annotations

from collections.abc import Sequence

from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import Clock, SystemClock
from ordernotify.errors import StackNotFoundError, UsageError
from ordernotify.orders.items import Condition, read_orders, scan_pages
from ordernotify.settings.names import FULL_ID, SHORT_ID, TABLE_KEY, Names

_IDS_AT_ONCE = 100
_SHOWN = 3


def full_ids(cloud: Cloud, names: Names, given: Sequence[str], clock: Clock | None = None) -> list[str]:
    """Complete the ids that are only a beginning; what no order begins with stays as it is.

    An order of exactly the id given wins. A beginning makes DynamoDB read the whole table: it has no index.
    Raises UsageError where several orders begin alike, AwsError.
    """
    short = [one for one in dict.fromkeys(given) if SHORT_ID <= len(one) < FULL_ID]
    if not short:
        return list(given)
    try:
        exact = read_orders(cloud, names, short, clock or SystemClock())
        known = _beginning_with(cloud, names, [one for one in short if one not in exact])
    except StackNotFoundError:
        # The logs of an order may outlive the table.
        return list(given)
    return [
        _only([full for full in known if full.startswith(one)], one) if one in short else one for one in given
    ]


def full_id(cloud: Cloud, names: Names, given: str) -> str:
    """Complete one id, see `full_ids`."""
    return full_ids(cloud, names, [given])[0]


def _beginning_with(cloud: Cloud, names: Names, short: Sequence[str]) -> list[str]:
    found: list[str] = []
    for start in range(0, len(short), _IDS_AT_ONCE):
        some = short[start : start + _IDS_AT_ONCE]
        expression = " OR ".join(f"begins_with(#key, :id{number})" for number in range(len(some)))
        values = {f":id{number}": {"S": one} for number, one in enumerate(some)}
        pages = scan_pages(cloud, names, Condition(expression, {"#key": TABLE_KEY}, values))
        found += [item[TABLE_KEY]["S"] for page in pages for item in page]
    return sorted(found)


def _only(matching: Sequence[str], given: str) -> str:
    if len(matching) > 1:
        shown = ", ".join(matching[:_SHOWN]) + (", …" if len(matching) > _SHOWN else "")
        raise UsageError(f"{len(matching)} orders begin with {given}: {shown}", "Give more of the id.")
    return matching[0] if matching else given
