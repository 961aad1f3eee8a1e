"""`setup`, `status`, `verify` and `inbox`: the life of a stack; its end is in `cli.teardown`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ordernotify.cli import app
from ordernotify.cli.access import KeyFileOption, find_access, wait_for_url
from ordernotify.cli.options import SETTING_OPTIONS, JsonOption, option, refuse_without_effect
from ordernotify.cli.questions import confirm_changes
from ordernotify.cli.run import Run, command
from ordernotify.errors import EXIT_DIFFERENCES, EXIT_DONE, EXIT_FAILED, UsageError
from ordernotify.settings.model import Settings
from ordernotify.settings.names import Target

if TYPE_CHECKING:
    from ordernotify.aws.session import Cloud
    from ordernotify.executor import Event, Plan
    from ordernotify.resources.base import AnyLive, Resource
    from ordernotify.stack.report import Report

YesOption = Annotated[bool, option("--yes", "-y", help="Do not ask; for scripts.")]
ExitCodeOption = Annotated[
    bool, option("--exit-code", help=f"End with {EXIT_DIFFERENCES} where anything differs.")
]


_ADOPT_HELP = (
    "Take over resources of these names that belong to no stack, or take the stack back from CloudFormation "
    "or Terraform."
)


@command(app, "setup", SETTING_OPTIONS)
def setup(
    run: Run,
    dry_run: Annotated[bool, option("--dry-run", help="Print the plan and change nothing.")] = False,
    exit_code: ExitCodeOption = False,
    adopt: Annotated[bool, option("--adopt", help=_ADOPT_HELP)] = False,
    save: Annotated[
        bool, option("--save", help="Write the options given here to the settings file.")
    ] = False,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Make or update the stack so that it is as described; a second run changes nothing.

    It ends when the function answers at the invoke URL, or after 60 s, and says which. At a terminal it asks
    before it makes a new stack in an AWS account, and before it changes what exists. Without a terminal it
    makes what is missing without a question, and changes nothing that exists without --yes.

    Example: ordernotify setup --email you@example.com
    """
    _check_dry_run(dry_run, exit_code=exit_code, save=save)
    run.settings()  # what cannot be is refused before the place is opened
    cloud, names = run.open()
    from ordernotify import provision
    from ordernotify.render import note, plans
    from ordernotify.resources.suspension import notes_on_mailboxes
    from ordernotify.stack.discovery import with_own_role
    from ordernotify.stack.former import with_orders_told
    from ordernotify.stack.report import mailboxes_after, report

    settings = run.settings(with_own_role(cloud, names, run.stack))
    resources = _declared(settings, cloud)
    planned = with_orders_told(cloud, settings.names, provision.plan(resources, adopt=adopt))
    if not (adopt or dry_run):
        provision.check_not_managed_elsewhere(planned, run.stack)
    if dry_run:
        _show_dry_run(settings, cloud, planned, json=json)
        raise typer.Exit(EXIT_DIFFERENCES if exit_code and planned.changes else EXIT_DONE)
    live: Mapping[str, AnyLive] = {}
    seconds: float | None = None
    if planned.changes:
        plans.show_what_changes(planned)
        if not yes:
            confirm_changes(planned, cloud)
        began = time.monotonic()
        live = apply_plan(resources, planned)
        seconds = time.monotonic() - began
    if save:
        _save(run)
    for line in (
        *provision.notes_after(resources, planned),
        *notes_on_mailboxes(settings, cloud, mailboxes_after(planned, live)),
    ):
        note(line)
    _end_setup(cloud, report(settings, cloud, planned, live), seconds, json=json)


def _check_dry_run(dry_run: bool, *, exit_code: bool, save: bool) -> None:
    """Refuse what has no effect in a dry run, or only in one."""
    if not dry_run:
        refuse_without_effect({"--exit-code": exit_code}, "--dry-run")
    elif save:
        raise UsageError("--dry-run changes nothing, so --save has no effect", "Leave one of them out.")


def _end_setup(cloud: Cloud, result: Report, seconds: float | None, *, json: bool) -> None:
    """Wait for the URL and print the result; `seconds` is what the changes took, None if there were none."""
    from ordernotify.render import setup as screen

    url = result.url if seconds is not None else None
    seen = wait_for_url(result.settings, cloud, url) if url else None
    if json:
        screen.show_report_json(result, answers=seen.answers if seen else None)
    else:
        screen.show_setup_result(result, seconds)
    if seen and not seen.answers:
        screen.show_unanswered(seen, result.settings.auth, as_json=json)


def _show_dry_run(settings: Settings, cloud: Cloud, planned: Plan, *, json: bool) -> None:
    from ordernotify.render import note, plans
    from ordernotify.render import setup as screen
    from ordernotify.stack.report import report

    if json:
        for line in planned.stays:
            note(line)
        screen.show_report_json(report(settings, cloud, planned))
    else:
        plans.show_plan(planned, to_stdout=True)


def _declared(settings: Settings, cloud: Cloud) -> tuple[Resource[Any], ...]:
    """List the stack's resources; says what production adds, and where former names could not be read."""
    from ordernotify import provision
    from ordernotify.render import note
    from ordernotify.render.setup import show_production
    from ordernotify.stack.former import find_former

    if settings.production:
        show_production(settings)
    former = find_former(cloud, settings.names, settings.stack)
    if former.unread:
        note(former.unread)
    return provision.declare(settings, cloud, former.names)


def _save(run: Run) -> None:
    from ordernotify.render import note
    from ordernotify.settings.file import save_settings

    save_settings(run.config, run.flags)
    note(f"Saved {', '.join(run.flags) or 'nothing'} to {run.config}")


def apply_plan(resources: tuple[Resource[Any], ...], planned: Plan) -> Mapping[str, AnyLive]:
    """Carry a plan out and show its progress; returns what was made and changed, by key."""
    from ordernotify import provision
    from ordernotify.render import plans

    live: dict[str, AnyLive] = {}

    def remember(event: Event) -> None:
        if event.live is not None:
            live[event.item.key] = event.live

    # Closing cancels the work when Ctrl-C ends the display.
    with closing(provision.apply(resources, planned)) as events:
        plans.show_progress(events, planned, remember)
    return live


@command(app, "status")
def status(
    run: Run,
    exit_code: ExitCodeOption = False,
    show_key: Annotated[bool, option("--show-key", help="Print the API key too.")] = False,
    json: JsonOption = False,
) -> None:
    """Show what exists, how it is doing, and what differs from what is described.

    Described is what the settings file and the environment say; for the rest, what the last setup was told.

    Example: ordernotify status
    """
    cloud, names = run.open()
    from ordernotify.orders.signing import read_api_key
    from ordernotify.render import note
    from ordernotify.render import setup as screen
    from ordernotify.render.status import show_status
    from ordernotify.stack.report import read_overview

    found = read_overview(cloud, names, run.stack, run.settings)
    if found.unread:
        note(found.unread)
    api_key = read_api_key(cloud, names, run.stack) if show_key else None
    if json:
        screen.show_report_json(found.report, found.health, api_key)
    else:
        show_status(found.report, found.health, api_key)
    if exit_code and found.differs:
        raise typer.Exit(EXIT_DIFFERENCES)


@command(app, "verify")
def verify(run: Run, api_key_file: KeyFileOption = None, json: JsonOption = False) -> None:
    """Run the guide's testing procedure: response, DynamoDB, notification, logs, each proved on one order.

    Example: ordernotify verify
    """
    cloud, names = run.open()
    from ordernotify.orders.post import Answer, Draft, OrderClient
    from ordernotify.orders.source import random_key
    from ordernotify.render import json_document, json_text, proof
    from ordernotify.stack import verify as procedure

    access = find_access(run, cloud, names, api_key_file)
    client = OrderClient(access.url, road=access.road, sign=access.sign)

    def send(order: Mapping[str, Any]) -> Answer:
        return client.send(Draft(json_text(order).encode(), random_key()))

    order_id = ""
    checks: list[procedure.Check] = []
    try:
        for outcome in procedure.verify(cloud, names, run.stack, send):
            if isinstance(outcome, Answer):
                order_id = outcome.order_id
                continue
            checks.append(outcome)
            if not json:
                proof.show_check(outcome)
    finally:
        # Also when only the queue could not be removed afterwards.
        if json and len(checks) == len(procedure.CHECKS):
            json_document(proof.verify_document(order_id, checks))
    if not all(check.passed for check in checks):
        raise typer.Exit(EXIT_FAILED)


@command(app, "inbox")
def inbox(
    run: Run,
    follow: Annotated[bool, option("--follow", "-f", help="Show new messages until Ctrl-C.")] = False,
    limit: Annotated[
        int | None, option("--limit", "-n", min=1, help="Only the newest N.", metavar="N")
    ] = None,
    order: Annotated[
        str | None,
        option(
            "--order",
            metavar="ID",
            help="Only the messages about this order: its id, or the first 8 characters.",
        ),
    ] = None,
    to: Annotated[
        str | None, option("--to", metavar="ADDRESS", help="Only those to this subscriber.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show the emails and text messages that the subscribers of a local stack got, oldest first.

    Each subscriber got what its filter policy let through at the time. Ctrl-C ends following with the exit
    status 0.

    Example: ordernotify inbox --to you@example.com
    """
    if run.target is Target.AWS:
        raise UsageError(
            "the inbox exists on the local target only",
            "On AWS the messages are in the subscribers' mailboxes and phones.",
        )
    cloud, names = run.open()
    from ordernotify import times
    from ordernotify.aws.waiting import SystemClock
    from ordernotify.local.inbox import Delivery, follow_inbox, read_inbox
    from ordernotify.orders.query import full_id
    from ordernotify.render import proof

    wanted = full_id(cloud, names, order) if order else None

    def read(newest: int | None = None) -> list[Delivery]:
        found = read_inbox(cloud, names, run.stack, newest=newest)
        return [one for one in found if wanted in (None, one.order_id) and to in (None, one.to)]

    if not follow:
        proof.show_inbox(read(None if wanted else limit)[-(limit or 0) :], times.now, as_json=json)
        return
    already = read()
    skipped = already[: max(len(already) - limit, 0)] if limit else []
    with suppress(KeyboardInterrupt):
        proof.show_inbox(follow_inbox(read, SystemClock(), skipped), times.now, as_json=json)
