"""Reading the orders' table: whole, a part of it, or by id."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ordernotify.aws.errors import map_botocore_errors
from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import Clock
from ordernotify.errors import AwsError, StackNotFoundError
from ordernotify.iam.calls import Calls, allow
from ordernotify.orders.attributes import Attributes, Order, plain_order
from ordernotify.orders.parallel import merge
from ordernotify.settings.names import Names

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import ScanInputTypeDef

TABLE_KEY = "FileName"
"""The table's key; it holds the order id."""

SEGMENT_BYTES = 64 * 1024 * 1024
MAX_SEGMENTS = 4
_BATCH_KEYS = 100
"""BatchGetItem's limit."""
_BATCH_PATIENCE_SECONDS = 60.0
_FIRST_PAGE = 100
_PAGES_BUFFERED = 1

Page = Sequence[Attributes]


@dataclass(frozen=True, slots=True)
class Condition:
    """A filter that DynamoDB applies before it sends the items: expression, names and values."""

    expression: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)


ANY = Condition()


def read_calls(cloud: Cloud, names: Names) -> Calls:
    """What querying and exporting orders calls."""
    table = cloud.arn("dynamodb", f"table/{names.table}")
    return (allow("dynamodb", "DescribeTable", "Scan", "BatchGetItem", on=table),)


@contextmanager
def reading(names: Names, action: str = "read") -> Iterator[None]:
    """Translate errors of the table; raises StackNotFoundError if there is none."""
    try:
        with map_botocore_errors(action, "table", names.table):
            yield
    except AwsError as error:
        if error.code == "ResourceNotFoundException":
            raise no_table(names) from error
        raise


def no_table(names: Names) -> StackNotFoundError:
    """Make the error for a stack without its table."""
    return StackNotFoundError(
        f"there is no orders' table {names.table} here",
        "`ordernotify setup` makes it; --stack, --aws and --region choose another one.",
    )


def choose_segments(cloud: Cloud, names: Names) -> int:
    """Choose how many segments a full scan reads side by side: one per 64 MiB of table, up to four.

    One segment keeps about one core busy with parsing, so that more would not help. DynamoDB's figure is
    up to six hours old, and zero for a new table; then one segment reads it all, only slower.
    """
    with reading(names):
        size = cloud.dynamodb.describe_table(TableName=names.table)["Table"].get("TableSizeBytes", 0)
    return max(1, min(size // SEGMENT_BYTES, MAX_SEGMENTS))


def scan_pages(
    cloud: Cloud, names: Names, condition: Condition = ANY, *, segments: int | None = None
) -> Iterator[Page]:
    """Yield the items of the whole table that meet the condition, page by page, each item once.

    The pages (1 MB of table each) are read ahead in threads; a fixed number of them is in memory. The read
    is consistent: an order that was answered before the scan began is among them.
    Raises StackNotFoundError, AwsError.
    """
    total = segments or choose_segments(cloud, names)
    sources = [_segment(cloud, names, condition, number, total) for number in range(total)]
    return merge(sources, buffered=_PAGES_BUFFERED)


def _segment(cloud: Cloud, names: Names, condition: Condition, number: int, total: int) -> Iterator[Page]:
    request = _request(names, condition)
    if total > 1:
        request |= {"Segment": number, "TotalSegments": total}
    return _pages(cloud, names, request)


def _request(names: Names, condition: Condition) -> ScanInputTypeDef:
    request: ScanInputTypeDef = {"TableName": names.table, "ConsistentRead": True}
    if condition.expression:
        request["FilterExpression"] = condition.expression
        request["ExpressionAttributeNames"] = condition.names
        if condition.values:
            request["ExpressionAttributeValues"] = condition.values
    return request


def _pages(cloud: Cloud, names: Names, request: ScanInputTypeDef) -> Iterator[Page]:
    while True:
        with reading(names):
            answer = cloud.dynamodb.scan(**request)
        if answer["Items"]:
            yield answer["Items"]
        if not answer.get("LastEvaluatedKey"):
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def scan_some(
    cloud: Cloud, names: Names, condition: Condition, wanted: int, *, all_match: bool
) -> Iterator[Order]:
    """Yield orders one after the other for a caller who stops early, reading little more than is taken.

    Where every item matches, `wanted` items are asked for. Under a condition nobody knows how many must be
    read: the pages begin small and double, so that at most as much again is read as was needed.
    """
    request = _request(names, condition)
    request["Limit"] = wanted if all_match else max(wanted, _FIRST_PAGE)
    while True:
        with reading(names):
            answer = cloud.dynamodb.scan(**request)
        yield from map(plain_order, answer["Items"])
        if not answer.get("LastEvaluatedKey"):
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        if not all_match:
            request["Limit"] = min(request["Limit"] * 2, 1_000_000)


def read_orders(cloud: Cloud, names: Names, order_ids: Iterable[str], clock: Clock) -> dict[str, Order]:
    """Read the orders of these ids, consistently; ids that do not exist are missing in the result.

    Raises StackNotFoundError, AwsError (also when DynamoDB throttles for more than a minute).
    """
    ids = list(dict.fromkeys(order_ids))
    found: dict[str, Order] = {}
    for start in range(0, len(ids), _BATCH_KEYS):
        for item in _read_batch(cloud, names, ids[start : start + _BATCH_KEYS], clock):
            order = plain_order(item)
            found[order[TABLE_KEY]] = order
    return found


def _read_batch(cloud: Cloud, names: Names, ids: Sequence[str], clock: Clock) -> Iterator[Attributes]:
    keys: Sequence[Mapping[str, Any]] = [{TABLE_KEY: {"S": order_id}} for order_id in ids]
    deadline, pause = clock.now() + _BATCH_PATIENCE_SECONDS, 0.05
    while keys:
        with reading(names):
            answer = cloud.dynamodb.batch_get_item(
                RequestItems={names.table: {"Keys": keys, "ConsistentRead": True}}
            )
        yield from answer["Responses"].get(names.table, [])
        # What was over the throughput or 16 MB comes back as unprocessed; it is no error.
        unprocessed = answer["UnprocessedKeys"].get(names.table)
        keys = unprocessed["Keys"] if unprocessed else []
        if keys:
            if clock.now() >= deadline:
                raise AwsError(
                    f"could not read {len(keys)} of the orders: DynamoDB throttles the table {names.table}",
                    "Wait a minute and run the same command again.",
                    code="ThrottlingException",
                )
            clock.sleep(pause)
            pause = min(pause * 2, 5.0)
