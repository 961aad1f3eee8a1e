"""The orders' table: reads by id, in pages and in parallel segments, counts, and the writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from ordernotify.aws.errors import ignore_codes, is_throttled, map_botocore_errors
from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import Patience
from ordernotify.errors import AwsError, StackNotFoundError
from ordernotify.iam.calls import Calls, allow
from ordernotify.orders.attributes import Attributes, Order, plain_order
from ordernotify.orders.parallel import merge
from ordernotify.settings.names import TABLE_KEY, Names

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import ScanInputTypeDef, ScanOutputTypeDef

PENDING = "pending"
SENT = "sent"
SEGMENT_BYTES = 64 * 1024 * 1024
MAX_SEGMENTS = 4
_BATCH_KEYS = 100
"""BatchGetItem's limit."""
_FIRST_PAGE = 100
_PAGES_BUFFERED = 1
COUNTED_PAGES = 20
"""A count reads at most this many pages of 1 MB; beyond, it is a lower bound."""
THROTTLE_SECONDS = 60.0
_THROTTLE_STEP_SECONDS = 1.0

Page = Sequence[Attributes]
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Condition:
    """A filter that DynamoDB applies before it sends the items: expression, names and values."""

    expression: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)


ANY = Condition()
IS_PENDING = Condition("notification = :pending", {}, {":pending": {"S": PENDING}})


@dataclass(frozen=True, slots=True)
class OrderCount:
    """How many orders and pending notifications there are; a lower bound unless `complete`."""

    orders: int
    pending: int
    complete: bool


def _calls(*operations: str) -> Callable[[Cloud, Names], Calls]:
    def calls(cloud: Cloud, names: Names) -> Calls:
        return (allow("dynamodb", *operations, on=cloud.arn("dynamodb", f"table/{names.table}")),)

    return calls


read_calls = _calls("DescribeTable", "Scan", "BatchGetItem")
"""What querying and exporting orders calls."""
get_calls = _calls("GetItem")
count_calls = _calls("Scan")
put_calls = _calls("PutItem")
mark_calls = _calls("UpdateItem")


@contextmanager
def _table(cloud: Cloud, names: Names, action: str = "read") -> Iterator[None]:
    """Translate errors of the table; raises StackNotFoundError if there is none.

    DynamoDB answers the same for one that is being made, which is told apart (AWS-FACTS 23).
    """
    try:
        with map_botocore_errors(action, "table", names.table):
            yield
    except AwsError as error:
        if error.code == "ResourceNotFoundException":
            if _is_being_made(cloud, names):
                raise AwsError(
                    f"the orders' table {names.table} is still being made",
                    "Try again in a moment.",
                    code=error.code,
                ) from error
            raise StackNotFoundError(f"there is no orders' table {names.table} here") from error
        raise


def _is_being_made(cloud: Cloud, names: Names) -> bool:
    with suppress(ClientError):  # without the permission, it counts as absent
        return cloud.dynamodb.describe_table(TableName=names.table)["Table"]["TableStatus"] == "CREATING"
    return False


def patiently(patience: Patience, call: Callable[[], Result]) -> Result:
    """Make the call again for up to a minute while AWS throttles it; any other error is raised at once."""
    return patience.retry(
        call,
        when=is_throttled,
        waiting_for="AWS to take more calls",
        timeout=THROTTLE_SECONDS,
        step=_THROTTLE_STEP_SECONDS,
    )


def get_order(cloud: Cloud, names: Names, order_id: str, patience: Patience | None = None) -> Order | None:
    """Read one order, consistently; None if the table does not hold it.

    With `patience` it waits while DynamoDB throttles. Raises StackNotFoundError, AwsError.
    """

    def read() -> Order | None:
        answer = cloud.dynamodb.get_item(
            TableName=names.table, Key={TABLE_KEY: {"S": order_id}}, ConsistentRead=True
        )
        return plain_order(answer["Item"]) if answer.get("Item") else None

    with _table(cloud, names):
        return patiently(patience, read) if patience else read()


def mark_sent(cloud: Cloud, names: Names, order_id: str, message_id: str, patience: Patience) -> None:
    """Mark a pending notification as sent; every other attribute stays as it is stored.

    An order that was marked by another one or deleted meanwhile is left alone.
    Raises StackNotFoundError, AwsError.
    """
    with _table(cloud, names, "update"), ignore_codes("ConditionalCheckFailedException"):
        patiently(
            patience,
            lambda: cloud.dynamodb.update_item(
                TableName=names.table,
                Key={TABLE_KEY: {"S": order_id}},
                UpdateExpression="SET notification = :sent, messageId = :id",
                ConditionExpression=IS_PENDING.expression,
                ExpressionAttributeValues={
                    **IS_PENDING.values,
                    ":sent": {"S": SENT},
                    ":id": {"S": message_id},
                },
            ),
        )


def put_new(cloud: Cloud, names: Names, item: Attributes, patience: Patience) -> bool:
    """Store an item unless one with its key exists; return whether it was stored.

    Raises StackNotFoundError, AwsError.
    """
    try:
        with _table(cloud, names, "write"):
            patiently(
                patience,
                lambda: cloud.dynamodb.put_item(
                    TableName=names.table,
                    Item=item,
                    ConditionExpression="attribute_not_exists(#key)",
                    ExpressionAttributeNames={"#key": TABLE_KEY},
                ),
            )
    except AwsError as error:
        if error.code == "ConditionalCheckFailedException":
            return False
        raise
    return True


def count_orders(cloud: Cloud, names: Names) -> OrderCount | None:
    """Count the orders and the pending notifications, consistently; None if there is no table."""
    orders = pending = 0
    request: ScanInputTypeDef = {**_request(names, IS_PENDING), "Select": "COUNT"}
    try:
        for answer in islice(_answers(cloud, names, request), COUNTED_PAGES):
            orders += answer["ScannedCount"]
            pending += answer["Count"]
            if not answer.get("LastEvaluatedKey"):
                return OrderCount(orders, pending, complete=True)
    except StackNotFoundError:
        return None
    return OrderCount(orders, pending, complete=False)


def choose_segments(cloud: Cloud, names: Names) -> int:
    """Choose how many segments a full scan reads in parallel: one per 64 MiB of table, up to four.

    Parsing one segment keeps about one core busy, so that more would not help. DynamoDB's figure is up to six
    hours old, and zero for a new table; then one segment reads it all, only slower.
    """
    with _table(cloud, names):
        size = cloud.dynamodb.describe_table(TableName=names.table)["Table"].get("TableSizeBytes", 0)
    return max(1, min(size // SEGMENT_BYTES, MAX_SEGMENTS))


def scan_pages(cloud: Cloud, names: Names, condition: Condition = ANY) -> Iterator[Page]:
    """Yield the items of the whole table that meet the condition, page by page, each item once.

    The pages (1 MB of table each) are read ahead in threads; a fixed number of them is in memory. The read
    is consistent: an order that was answered before the scan began is among them.
    Raises StackNotFoundError, AwsError.
    """
    return (page for page, _ in scan_counted(cloud, names, condition) if page)


def scan_counted(cloud: Cloud, names: Names, condition: Condition) -> Iterator[tuple[Page, int]]:
    """Yield the same pages, each with how many items of the table were looked at for it; some are empty."""
    total = choose_segments(cloud, names)

    def segment(number: int) -> Iterator[ScanOutputTypeDef]:
        request = _request(names, condition)
        request["Segment"], request["TotalSegments"] = number, total
        return _answers(cloud, names, request)

    answers = merge([segment(number) for number in range(total)], buffered=_PAGES_BUFFERED)
    return ((answer["Items"], answer["ScannedCount"]) for answer in answers)


def _request(names: Names, condition: Condition) -> ScanInputTypeDef:
    request: ScanInputTypeDef = {"TableName": names.table, "ConsistentRead": True}
    if condition.expression:
        request["FilterExpression"] = condition.expression
        if condition.names:
            request["ExpressionAttributeNames"] = condition.names
        if condition.values:
            request["ExpressionAttributeValues"] = condition.values
    return request


def _answers(cloud: Cloud, names: Names, request: ScanInputTypeDef) -> Iterator[ScanOutputTypeDef]:
    """Yield every answer of the scan; what the caller changes in `request` counts from the next one on."""
    while True:
        with _table(cloud, names):
            answer = cloud.dynamodb.scan(**request)
        yield answer
        if not answer.get("LastEvaluatedKey"):
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def scan_some(
    cloud: Cloud, names: Names, condition: Condition, wanted: int, *, all_match: bool
) -> Iterator[Order]:
    """Yield orders for a caller who stops early, reading little more than is taken.

    If every item matches, `wanted` items are asked for. Under a condition nobody knows how many must be read:
    the pages begin small and double, so that at most twice as much is read as needed.
    """
    request = _request(names, condition)
    request["Limit"] = wanted if all_match else max(wanted, _FIRST_PAGE)
    for answer in _answers(cloud, names, request):
        yield from map(plain_order, answer["Items"])
        if not all_match:
            request["Limit"] = min(request["Limit"] * 2, 1_000_000)


def read_orders(cloud: Cloud, names: Names, order_ids: Iterable[str], patience: Patience) -> dict[str, Order]:
    """Read the orders of these ids, consistently; ids that do not exist are missing in the result.

    Raises StackNotFoundError, AwsError, WaitTimeoutError when DynamoDB throttles for more than a minute.
    """
    ids = list(dict.fromkeys(order_ids))
    found: dict[str, Order] = {}
    for start in range(0, len(ids), _BATCH_KEYS):
        for item in _read_batch(cloud, names, ids[start : start + _BATCH_KEYS], patience):
            order = plain_order(item)
            found[order[TABLE_KEY]] = order
    return found


def _read_batch(cloud: Cloud, names: Names, ids: Sequence[str], patience: Patience) -> list[Attributes]:
    keys: Sequence[Mapping[str, Any]] = [{TABLE_KEY: {"S": order_id}} for order_id in ids]
    found: list[Attributes] = []

    def is_read() -> bool:
        nonlocal keys
        answer = cloud.dynamodb.batch_get_item(
            RequestItems={names.table: {"Keys": keys, "ConsistentRead": True}}
        )
        found.extend(answer["Responses"].get(names.table, []))
        # What was over the throughput or 16 MB comes back as unprocessed; it is no error.
        unprocessed = answer["UnprocessedKeys"].get(names.table)
        keys = unprocessed["Keys"] if unprocessed else []
        return not keys

    throttling = f"DynamoDB, which throttles the table {names.table}"
    with _table(cloud, names):
        patience.until(is_read, waiting_for=throttling, timeout=THROTTLE_SECONDS)
    return found
