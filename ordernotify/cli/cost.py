"""`cost`: what a stack costs in a month."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from ordernotify.cli import app
from ordernotify.cli.options import SETTING_OPTIONS, JsonOption, option
from ordernotify.cli.run import Run, command

if TYPE_CHECKING:
    from ordernotify.settings.model import Settings
_ORDERS: Any = {"metavar": "N", "min": 0, "max": 10**9, "show_default": True}
_SMS_HELP = "What a text message of one part costs; the default is for the United States."


@command(app, "cost", SETTING_OPTIONS)
def cost(
    run: Run,
    orders_per_day: Annotated[int, option("--orders-per-day", help="How many orders come.", **_ORDERS)] = 100,
    sms_price: Annotated[
        float | None, option("--sms-price", metavar="USD", help=_SMS_HELP, min=0, max=10)
    ] = None,
    live: Annotated[
        bool, option("--live", help="Take settings and subscribers of the stack that exists.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Estimate what a stack with these options costs a month on AWS, item by item.

    Nothing is asked of AWS, unless with --live. The prices come from a dated table of one region, and give an
    idea of the size; AWS's own calculator is https://calculator.aws.

    Example: ordernotify cost --orders-per-day 2000 --email you@example.com
    """
    from ordernotify.render import cost as screen
    from ordernotify.render import json_document
    from ordernotify.stack import prices
    from ordernotify.stack.cost import estimate

    settings, receivers = _found(run) if live else _described(run)
    sms = prices.SMS if sms_price is None else replace(prices.SMS, usd=sms_price, as_of="given")
    lines = estimate(settings, receivers, orders_per_day, sms)
    if as_json:
        json_document(screen.cost_document(lines, orders_per_day))
    else:
        screen.show_cost(lines, orders_per_day)


def _described(run: Run) -> tuple[Settings, Counter[str]]:
    settings = run.settings()
    return settings, Counter(email=len(settings.emails), sms=len(settings.phones))


def _found(run: Run) -> tuple[Settings, Counter[str]]:
    """Read what setup recorded, and who is subscribed; raises StackNotFoundError without a stack."""
    cloud, names = run.open()
    from ordernotify.aws.errors import map_botocore_errors
    from ordernotify.resources.listing import is_internal, list_subscriptions
    from ordernotify.stack.cost import receivers_of
    from ordernotify.stack.discovery import find_endpoint, recorded_settings

    find_endpoint(cloud, names, run.stack)
    settings = run.settings(names, recorded_settings(cloud, names, run.stack))
    with map_botocore_errors("list", "subscriptions"):
        everybody = list_subscriptions(cloud, cloud.arn("sns", settings.names.topic))
    told = (one.protocol for one in everybody if not is_internal(cloud, names, one.endpoint))
    return settings, receivers_of(told)
