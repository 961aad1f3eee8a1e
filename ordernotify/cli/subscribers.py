"""`subscribe`, `confirm`, `unsubscribe` and `list-subscriptions`: who gets the notifications."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from ordernotify.cli import app
from ordernotify.cli.options import JsonOption, option, refuse_without_effect
from ordernotify.cli.run import Run, command
from ordernotify.errors import EXIT_FAILED, UsageError
from ordernotify.resources.filter_policy import Scope

if TYPE_CHECKING:
    from ordernotify.aws.session import Cloud
    from ordernotify.settings.names import Names
    from ordernotify.subscribers.change import SubscriberOutcome

EndpointsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="ENDPOINT...",
        help="Email addresses, phone numbers (+14155550100), https URLs, ARNs of SQS queues or functions.",
    ),
]
_POLICY_HELP = "Send only the notifications that match; {} removes the policy."
_SCOPE_HELP = (
    "Match the attributes (eventType, orderId), or the fields of the order (body).  [default: attributes]"
)
_RAW_HELP = "Send queues and URLs the order alone, without SNS's envelope.  [default: as it is]"
_WAIT_HELP = "How long --wait waits, such as 10m."
_ALL_HELP = "Also the queues of the stack itself: the inbox's, and verify's temporary ones."


@command(app, "subscribe")
def subscribe(
    run: Run,
    endpoints: EndpointsArgument,
    filter_policy: Annotated[str | None, option("--filter-policy", metavar="JSON", help=_POLICY_HELP)] = None,
    filter_scope: Annotated[Scope | None, option("--filter-scope", metavar="SCOPE", help=_SCOPE_HELP)] = None,
    raw: Annotated[bool | None, option("--raw-delivery/--no-raw-delivery", help=_RAW_HELP)] = None,
    as_json: JsonOption = False,
) -> None:
    """Send the notifications to these endpoints too; an endpoint that is subscribed gets the options given.

    A queue or function of this account and region gets the permission that it needs; for one of another, the
    command says what its owner must do. Emails and URLs are pending until the receiver confirms. On AWS it
    can take up to 15 minutes until a new filter policy has its effect.

    Example: ordernotify subscribe +14155550100

    Example: ordernotify subscribe \\
        arn:aws:sqs:us-east-1:123456789012:orders --filter-scope body \\
        --filter-policy '{"quantity": [{"numeric": [">=", 9]}]}'
    """
    from ordernotify.subscribers.endpoints import parse_endpoint, parse_wanted

    parsed = [parse_endpoint(text) for text in endpoints]
    wanted = parse_wanted(parsed, filter_policy, filter_scope, raw)
    cloud, names = run.open()
    from ordernotify.render.subscribers import show_notes
    from ordernotify.resources.sandbox import sms_notices
    from ordernotify.subscribers import change

    done = _show(change.subscribe(cloud, names, run.stack, parsed, wanted), as_json)
    phones = [one.endpoint.address for one in done if one.endpoint.protocol == "sms" and not one.failed]
    show_notes(sms_notices(cloud, phones))
    _exit(done)


@command(app, "confirm")
def confirm(
    run: Run,
    link: Annotated[
        str,
        typer.Argument(
            metavar="LINK",
            help="The link of AWS's confirmation email, in quotes; or its token, for the orders' topic.",
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Confirm a subscription so that it lasts: do this in place of opening the link.

    Mail scanners follow the links in messages, the one that unsubscribes among them. After this, SNS ends the
    subscription only for those who may change it in your account. It works for alarm emails too.

    Example: ordernotify confirm \\
        'https://sns.us-east-1.amazonaws.com/confirmation.html?…'
    """
    from ordernotify.subscribers.confirm import parse_link

    parsed = parse_link(link)
    cloud, names = run.open()
    from ordernotify.aws.waiting import Patience
    from ordernotify.subscribers import confirm as operation

    _show([operation.confirm(cloud, names, run.stack, parsed, Patience())], as_json)


@command(app, "unsubscribe")
def unsubscribe(run: Run, endpoints: EndpointsArgument, as_json: JsonOption = False) -> None:
    """Send these endpoints no more notifications, and take back the permission that `subscribe` gave.

    The exit status is 1 if one is not subscribed, or pending: SNS cannot remove a subscription that was never
    confirmed; it drops it by itself after 48 hours.

    Example: ordernotify unsubscribe you@example.com +14155550100
    """
    cloud, names = run.open()
    from ordernotify.subscribers import change

    _exit(_show(change.unsubscribe(cloud, names, run.stack, endpoints), as_json))


@command(app, "list-subscriptions")
def list_subscriptions(
    run: Run,
    everything: Annotated[bool, option("--all", help=_ALL_HELP)] = False,
    wait: Annotated[bool, option("--wait", help="Wait until nobody is pending any more.")] = False,
    within: Annotated[
        str | None, option("--timeout", metavar="SPAN", help=_WAIT_HELP, show_default="48h")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show who gets the notifications: confirmed or pending, with their filter policies.

    With --wait, the exit status is 1 if somebody did not confirm in time.

    Example: ordernotify list-subscriptions --json

    Example: ordernotify list-subscriptions --wait --timeout 10m
    """
    longest = _wait_seconds(wait, within)
    cloud, names = run.open()
    from ordernotify.render.subscribers import show_list, show_list_json
    from ordernotify.subscribers.topic import list_subscribers

    if longest is not None:
        _wait(cloud, names, run.stack, longest)
    listed = list_subscribers(cloud, names, run.stack, everything=everything)
    if as_json:
        show_list_json(listed)
    else:
        show_list(listed)


def _wait_seconds(wait: bool, within: str | None) -> float | None:
    """Return how many seconds to wait at most; None for not waiting."""
    from ordernotify.times import parse_duration

    if not wait:
        refuse_without_effect({"--timeout": within}, "--wait")
        return None
    from ordernotify.resources.subscriber import PENDING_LIFETIME

    span = PENDING_LIFETIME if within is None else parse_duration(within)
    if span is None:
        raise UsageError(f"--timeout {within!r} is not a span", "Give, for example, 90s, 10m or 2h.")
    return span.total_seconds()


def _wait(cloud: Cloud, names: Names, stack: str, seconds: float) -> None:
    from ordernotify.aws.waiting import Patience
    from ordernotify.render.progress import waiting
    from ordernotify.subscribers.confirm import wait_until_confirmed

    with waiting() as tell:
        wait_until_confirmed(cloud, names, stack, Patience(tell=tell), seconds)


def _show(outcomes: Iterable[SubscriberOutcome], as_json: bool) -> list[SubscriberOutcome]:
    """Show each outcome when it comes; returns them all."""
    from ordernotify.render import json_document
    from ordernotify.render.subscribers import outcome_document, show_outcome

    done = []
    for outcome in outcomes:
        done.append(outcome)
        if as_json:
            json_document(outcome_document(outcome))
        else:
            show_outcome(outcome)
    return done


def _exit(done: list[SubscriberOutcome]) -> None:
    if any(outcome.failed for outcome in done):
        raise typer.Exit(EXIT_FAILED)
