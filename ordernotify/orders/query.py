"""Find orders: by what the customer wrote, by time, by notification, by any field; or by (part of) the id."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any

from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import Patience
from ordernotify.errors import StackNotFoundError, UsageError
from ordernotify.orders.attributes import Order, attribute_of, plain_order, read_json
from ordernotify.orders.items import ANY, Condition, read_orders, scan_pages, scan_some
from ordernotify.settings.names import FULL_ID, SHORT_ID, TABLE_KEY, Names
from ordernotify.times import created_at_text

_MAX_ID_BYTES = 2048
_IDS_AT_ONCE = 100
_IDS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class OrderQuery:
    """Which orders, how sorted, how many; every condition given must hold.

    `customer` and `product` are parts of the names, in any case. `since` is inclusive, `until` is not.
    `where` holds a field's name and its value as text: the field may be that text, or the number, boolean,
    null, list or object that the text is in JSON. `sort` is a field's name, with a hyphen before it for
    descending; orders without the field come last. `limit` 0 is all.
    """

    customer: str = ""
    product: str = ""
    notification: str = ""
    since: datetime | None = None
    until: datetime | None = None
    where: tuple[tuple[str, str], ...] = ()
    sort: str = ""
    limit: int = 0


def list_orders(cloud: Cloud, names: Names, query: OrderQuery) -> Iterator[Order]:
    """Yield the orders that match the query, as they are read.

    With a limit and no sort it reads little more than it yields. With a sort it reads everything and keeps
    at most `limit` orders in memory. Raises StackNotFoundError, AwsError.
    """
    condition = condition_of(query)
    matches = name_filter(query)
    if query.limit and not query.sort:
        all_match = condition == ANY and not (query.customer or query.product)
        found = scan_some(cloud, names, condition, query.limit, all_match=all_match)
        return islice(filter(matches, found), query.limit)
    pages = scan_pages(cloud, names, condition)
    orders = filter(matches, (plain_order(item) for page in pages for item in page))
    return iter(sorted_orders(orders, query.sort, query.limit)) if query.sort else orders


def get_orders(
    cloud: Cloud, names: Names, order_ids: Sequence[str], patience: Patience | None = None
) -> list[Order | None]:
    """Read orders by id or its beginning, in the sequence asked; None for one that does not exist.

    Raises UsageError for an id that is not valid or begins several, StackNotFoundError, AwsError.
    """
    for order_id in order_ids:
        _check_id(order_id)
    patience = patience or Patience()
    completed = full_ids(cloud, names, order_ids, patience)
    found = read_orders(cloud, names, completed, patience)
    return [found.get(order_id) for order_id in completed]


def _check_id(order_id: str) -> None:
    try:
        length = len(order_id.encode())
    except UnicodeEncodeError:
        length = 0
    if not 1 <= length <= _MAX_ID_BYTES:
        raise UsageError(f"{order_id!r} is not an order id", "`ordernotify list-orders` shows the ids.")


def full_ids(cloud: Cloud, names: Names, given: Sequence[str], patience: Patience | None = None) -> list[str]:
    """Complete the ids that are only a beginning; what no order begins with stays as it is.

    An order of exactly the id given wins. A beginning makes DynamoDB read the whole table: it has no index.
    Raises UsageError where several orders begin alike, AwsError.
    """
    short = [one for one in dict.fromkeys(given) if SHORT_ID <= len(one) < FULL_ID]
    if not short:
        return list(given)
    try:
        exact = read_orders(cloud, names, short, patience or Patience())
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
        shown = ", ".join(matching[:_IDS_SHOWN]) + (", …" if len(matching) > _IDS_SHOWN else "")
        raise UsageError(f"{len(matching)} orders begin with {given}: {shown}", "Give more of the id.")
    return matching[0] if matching else given


def condition_of(query: OrderQuery) -> Condition:
    """Write the part of the query that DynamoDB can decide; the rest is `name_filter`'s."""
    texts: list[str] = []
    names: dict[str, str] = {}
    values: dict[str, Mapping[str, Any]] = {}

    def clause(field: str, template: str, value: Mapping[str, Any]) -> str:
        name = names.setdefault(field, f"#n{len(names)}")
        placeholder = f":v{len(values)}"
        values[placeholder] = value
        return template.format(name, placeholder)

    if query.notification:
        texts.append(clause("notification", "{} = {}", {"S": query.notification}))
    if query.since:
        texts.append(clause("createdAt", "{} >= {}", {"S": created_at_text(query.since)}))
    if query.until:
        texts.append(clause("createdAt", "{} < {}", {"S": created_at_text(query.until)}))
    for field, text in query.where:
        choices = [clause(field, template, value) for template, value in _readings(text)]
        texts.append(choices[0] if len(choices) == 1 else f"({' OR '.join(choices)})")
    return Condition(" AND ".join(texts), {name: field for field, name in names.items()}, values)


def _readings(text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield a clause for every value that the text may mean."""
    yield "{} = {}", {"S": text}
    if text == "null":
        yield "attribute_type({}, {})", {"S": "NULL"}
    else:
        with suppress(ValueError):
            value = read_json(text)
            if not isinstance(value, str):
                yield "{} = {}", attribute_of(value)


def name_filter(query: OrderQuery) -> Callable[[Mapping[str, Any]], bool]:
    """Make the test for parts of names in any case, which DynamoDB has no function for."""
    parts = [
        (field, text.casefold())
        for field, text in (("customerName", query.customer), ("productName", query.product))
        if text
    ]
    return lambda order: all(part in str(order.get(field, "")).casefold() for field, part in parts)


def sorted_orders(orders: Iterable[Order], sort: str, limit: int) -> list[Order]:
    """Sort by a field (numbers, then texts, then the rest; absent last), keeping `limit` orders (0: all)."""
    descending, field = sort.startswith("-"), sort.removeprefix("-")

    def key(order: Order) -> tuple[Any, ...]:
        return ((field in order) == descending, *_rank(order.get(field)), str(order.get("orderId", "")))

    if limit:
        choose = heapq.nlargest if descending else heapq.nsmallest
        return choose(limit, orders, key=key)
    return sorted(orders, key=key, reverse=descending)


def _rank(value: Any) -> tuple[int, Any]:
    if isinstance(value, Decimal):
        return 0, value
    if isinstance(value, str):
        return 1, value
    return 2, str(value)
