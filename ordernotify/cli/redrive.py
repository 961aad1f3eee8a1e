"""`redrive`: notifications that are still pending, or that a subscriber did not take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from ordernotify.cli import app
from ordernotify.cli.options import JsonOption, option
from ordernotify.cli.run import Run, command
from ordernotify.errors import EXIT_FAILED, OrderNotifyError, UsageError

if TYPE_CHECKING:
    from datetime import timedelta

    from ordernotify.aws.session import Cloud
    from ordernotify.orders.pace import Pace
    from ordernotify.orders.redrive import Redriven
    from ordernotify.settings.names import Names

REDRIVEN_AT_ONCE = 16

OlderThanOption = Annotated[
    str,
    option(
        "--older-than",
        help="Only orders at least this old. Keep it above the function's timeout, or an order that is being "
        "worked on is notified twice.",
        metavar="AGE",
        show_default=True,
    ),
]
RedriveConcurrencyOption = Annotated[
    int | None,
    option(
        "--concurrency",
        help="How many at the same time.",
        metavar="N",
        min=1,
        max=64,
        show_default=str(REDRIVEN_AT_ONCE),
    ),
]


UndeliveredOption = Annotated[
    bool,
    option(
        "--undelivered",
        help="Send again, to every subscriber, what one of them did not take; "
        "`ordernotify setup --dead-letters` keeps it.",
    ),
]


@command(app, "redrive")
def redrive(
    run: Run,
    older_than: OlderThanOption = "1m",
    concurrency: RedriveConcurrencyOption = None,
    undelivered: UndeliveredOption = False,
    dry_run: Annotated[bool, option("--dry-run", help="Show the orders and send nothing.")] = False,
    json: JsonOption = False,
) -> None:
    """Send the notifications that are still pending; ends with status 1 if one of them could not be sent.

    It may run twice at once or be killed: every notification goes out at least once.

    Example: ordernotify redrive --older-than 5m
    """
    if dry_run and concurrency is not None:
        raise UsageError("--dry-run sends nothing, so --concurrency has no effect", "Leave one of them out.")
    age = _age(older_than)
    cloud, names = run.open()
    from ordernotify.orders import redrive as sender
    from ordernotify.orders.undelivered import find_undelivered, send_undelivered
    from ordernotify.render import orders as screen
    from ordernotify.stack.former import former_tables, former_topics

    # Former tables too: their orders were answered with 2xx.
    tables = (names, *former_tables(cloud, names, run.stack))
    if undelivered:
        everywhere = (*tables, *former_topics(cloud, names, run.stack))
        if dry_run:
            screen.show_undelivered(find_undelivered(cloud, everywhere), json=json)
        else:
            _send_all(send_undelivered(cloud, everywhere, _pace(cloud, names)), "undelivered", json)
        return
    if dry_run:
        pending = chain.from_iterable(sender.find_pending(cloud, one, age) for one in tables)
        screen.show_pending(pending, json=json)
        return
    pace, at_once = _pace(cloud, names), concurrency or REDRIVEN_AT_ONCE
    _send_all(
        chain.from_iterable(
            sender.redrive(cloud, one, age, concurrency=at_once, pace=pace) for one in tables
        ),
        "pending",
        json,
    )


def _pace(cloud: Cloud, names: Names) -> Pace:
    """Choose a pace that every subscriber can take, and say which."""
    from ordernotify.aws.waiting import SystemClock
    from ordernotify.orders.pace import PUBLISHED_A_SECOND, careful_pace
    from ordernotify.render import note

    careful = careful_pace(cloud, names, PUBLISHED_A_SECOND, SystemClock())
    if careful:
        note(
            f"At most {careful.most} notifications a second: {careful.reason}. A burst of incoming orders "
            "comes on top: better redrive when few come"
        )
    return careful.pace if careful else nullcontext


def _send_all(outcomes: Iterator[Redriven], what: str, json: bool) -> None:
    """Show what becomes of each notification; ends with 1 if one could not be sent."""
    from ordernotify.orders.redrive import Fate
    from ordernotify.render import orders as screen
    from ordernotify.render.progress import counting

    counts: Counter[str] = Counter()
    try:
        with counting("redriven") as tick:
            for done in outcomes:
                counts[done.fate] += 1
                tick(counts.total())
                if done.fate is Fate.FAILED:
                    screen.show_failure(done)
    except (KeyboardInterrupt, OrderNotifyError):
        if counts:
            screen.show_redriven(counts, what, json=json)
        raise
    screen.show_redriven(counts, what, json=json)
    if counts[Fate.FAILED]:
        raise typer.Exit(EXIT_FAILED)


def _age(text: str) -> timedelta:
    from ordernotify.times import parse_duration

    age = parse_duration(text)
    if age is None:
        raise UsageError(f"--older-than {text} is not an age", "Give a duration such as 90s, 10m or 2h.")
    return age
