"""What a stack costs in a month, line by line, each with what was assumed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ordernotify.resources.watches import watches
from ordernotify.settings.model import ApiKind, Settings
from ordernotify.stack import prices
from ordernotify.stack.prices import Price

USUAL_ORDERS_PER_DAY = 100
DAYS = 30
BILLED_SECONDS = 0.5
ITEM_BYTES = 700
STORED_MONTHS = 12
LOG_BYTES = 1_800
BODY_BYTES = 400
ACCESS_LOG_BYTES = 600
EXECUTION_LOG_BYTES = 2_000
KEY_USES = 2
GB = 1e9
_PROTOCOLS: Mapping[str, tuple[str, Price]] = {
    "email": ("emails", prices.EMAIL),
    "sms": ("SMS", prices.SMS),
    "https": ("https deliveries", prices.HTTPS),
    "sqs": ("SQS deliveries", prices.TO_AWS),
    "lambda": ("Lambda deliveries", prices.TO_AWS),
}


@dataclass(frozen=True, slots=True)
class CostLine:
    """One line of the estimate: the units in a month, and the assumption behind them."""

    name: str
    quantity: float
    price: Price
    assumption: str

    @property
    def usd(self) -> float:
        """USD a month."""
        return self.quantity * self.price.usd


def receivers_of(protocols: Iterable[str]) -> Counter[str]:
    """Count subscribers by protocol, as `estimate` takes them: http costs what https does."""
    return Counter("https" if protocol == "http" else protocol for protocol in protocols)


def total(lines: Iterable[CostLine]) -> float:
    """USD a month."""
    return sum(line.usd for line in lines)


def estimate(
    settings: Settings, receivers: Mapping[str, int], orders_per_day: int, sms: Price = prices.SMS
) -> tuple[CostLine, ...]:
    """Estimate a month of 30 days; `receivers` counts the subscribers of each protocol."""
    orders = orders_per_day * DAYS
    return (
        *_fixed(settings),
        *_per_order(settings, orders),
        *_kept(settings, orders),
        *_production(settings, orders),
        *_deliveries(receivers, orders, sms),
    )


def _fixed(settings: Settings) -> Iterator[CostLine]:
    alarms = sum(watch.wanted for watch in watches(settings))
    yield CostLine("alarms", alarms, prices.ALARM, f"{alarms} alarms of one metric each")
    yield CostLine(
        "custom metrics",
        0,
        prices.METRIC,
        "NotificationsPending and OrdersReplayed, paid in hours with a pending notification or a replay; "
        f"at most {2 * prices.METRIC.usd:.2f} USD",
    )


def _per_order(settings: Settings, orders: int) -> Iterator[CostLine]:
    rest = settings.api is ApiKind.REST
    yield CostLine(
        f"{settings.api.upper()} API",
        orders,
        prices.REST_REQUEST if rest else prices.HTTP_REQUEST,
        "one request for each order",
    )
    yield CostLine("Lambda invocations", orders, prices.INVOCATION, "one for each order")
    memory = settings.memory / 1024
    arm = settings.architecture == "arm64"
    yield CostLine(
        "Lambda time",
        orders * BILLED_SECONDS * memory,
        prices.GB_SECOND_ARM if arm else prices.GB_SECOND_X86,
        f"{BILLED_SECONDS} s at {settings.memory} MB for each order, mostly the cold start of a quiet shop",
    )
    yield CostLine(
        "DynamoDB writes", orders * 2, prices.WRITE, "orders of at most 1 KB: stored, and marked as sent"
    )


def _kept(settings: Settings, orders: int) -> Iterator[CostLine]:
    table = orders * STORED_MONTHS * ITEM_BYTES / GB
    after = f"the orders of {STORED_MONTHS} months at {ITEM_BYTES} bytes each"
    yield CostLine("DynamoDB storage", table, prices.TABLE_STORED, after)
    yield CostLine("backup", table, prices.BACKUP, f"point-in-time recovery of {after}")
    size = LOG_BYTES + (BODY_BYTES if settings.log_bodies else 0)
    size += ACCESS_LOG_BYTES if settings.access_logs else 0
    size += EXECUTION_LOG_BYTES if settings.execution_logs else 0
    yield CostLine("logs written", orders * size / GB, prices.LOGS_WRITTEN, f"{size:,} bytes for each order")
    kept = orders / DAYS * settings.log_retention * size / GB
    yield CostLine(
        "logs kept", kept, prices.LOGS_STORED, f"{settings.log_retention} days of them, not compressed"
    )


def _production(settings: Settings, orders: int) -> Iterator[CostLine]:
    """What only some stacks have."""
    if settings.tracing:
        yield CostLine(
            "X-Ray traces", orders, prices.TRACE, "one for each order at most; 100,000 a month are free"
        )
    if settings.dead_letters:
        yield CostLine(
            "dead letters",
            0,
            prices.QUEUE_REQUEST,
            "paid by what a subscriber did not take; a million is free",
        )
    if settings.dashboard:
        yield CostLine("dashboard", 1, prices.DASHBOARD, "one; the first three of an account are free")
    if settings.kms_key:
        yield CostLine("KMS key", 1, prices.KEY, "if nothing else pays for the key")
        yield CostLine(
            "uses of the key",
            orders * KEY_USES,
            prices.KEY_USE,
            "by DynamoDB and by SNS, for each order at most",
        )
    if settings.waf_acl:
        yield CostLine("web ACL", 1, prices.WEB_ACL, "if nothing else pays for it; each rule is 1 USD more")
        yield CostLine("requests to the web ACL", orders, prices.WEB_ACL_REQUEST, "one for each order")


def _deliveries(receivers: Mapping[str, int], orders: int, sms: Price) -> Iterator[CostLine]:
    yield CostLine("SNS publishes", orders, prices.PUBLISH, "one for each order, of at most 64 KB")
    for protocol, (name, price) in _PROTOCOLS.items():
        count = receivers.get(protocol, 0)
        if not count and protocol != "email":
            continue
        assumption = f"{count} subscriber{'' if count == 1 else 's'} without a filter"
        if protocol == "sms":
            price = sms
            assumption += f"; one part at {sms.usd:g} USD to the United States, without carrier fees"
            if sms is not prices.SMS:
                assumption = f"{count} without a filter; one part at {sms.usd:g} USD, as given"
        yield CostLine(name, orders * count, price, assumption)
