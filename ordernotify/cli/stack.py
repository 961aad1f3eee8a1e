"""`setup`, `status`, `verify`, `inbox` and `teardown`: the life of a stack."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ordernotify.cli import app
from ordernotify.cli.access import KeyFileOption, find_access
from ordernotify.cli.options import SETTING_OPTIONS
from ordernotify.cli.run import JsonOption, Run, command
from ordernotify.errors import EXIT_DIFFERENCES, EXIT_FAILED, OrderNotifyError, StackNotFoundError, UsageError
from ordernotify.settings.model import Settings
from ordernotify.settings.names import Names, Target

if TYPE_CHECKING:
    from ordernotify.aws.session import Cloud
    from ordernotify.executor import Event, Plan
    from ordernotify.resources.base import AnyLive, Resource
    from ordernotify.stack.health import Health

LAST_ERRORS_SECONDS = 24 * 3600
"""How far back `status` looks for errors."""

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; for scripts.")]
ExitCodeOption = Annotated[
    bool, typer.Option("--exit-code", help=f"End with {EXIT_DIFFERENCES} where anything differs.")
]


@command(app, "setup", SETTING_OPTIONS)
def setup(
    run: Run,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and change nothing.")] = False,
    exit_code: ExitCodeOption = False,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Take over resources of these names that belong to no stack.")
    ] = False,
    save: Annotated[
        bool, typer.Option("--save", help="Write the options given here to the settings file.")
    ] = False,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Make or update the stack so that it is as described; a second run changes nothing.

    Example: ordernotify setup --email you@example.com
    """
    settings = run.settings()
    cloud = run.cloud()
    from ordernotify import provision
    from ordernotify.render import note, plans
    from ordernotify.render.production import show_production
    from ordernotify.stack.report import report

    resources = provision.declare(settings, cloud)
    planned = provision.plan(resources, adopt=adopt)
    if settings.production and planned.changes:
        show_production(settings)
    if dry_run:
        if json:
            plans.show_report_json(report(settings, cloud, planned))
        else:
            plans.show_plan(planned, to_stdout=True)
        if exit_code and planned.changes:
            raise typer.Exit(EXIT_DIFFERENCES)
        return
    live: Mapping[str, AnyLive] = {}
    if planned.changes:
        plans.show_plan(planned)
        _confirm_changes(planned, yes)
        live = _apply(resources, planned)
    if save:
        _save(run)
    for line in provision.notes_after(resources, planned):
        note(line)
    result = report(settings, cloud, planned, live)
    if json:
        plans.show_report_json(result)
    else:
        plans.show_setup_result(result, changed=bool(planned.changes))


def _save(run: Run) -> None:
    from ordernotify.render import note
    from ordernotify.settings.file import save_settings

    given = {option: list(v) if isinstance(v, tuple) else v for option, v in run.flags.items()}
    save_settings(run.config, given)
    note(f"Saved {', '.join(given) or 'nothing'} to {run.config}")


def _confirm_changes(planned: Plan, yes: bool) -> None:
    """Ask before anything that exists is changed; making what is missing needs no question."""
    from ordernotify.executor import Action

    if yes or all(item.action is Action.CREATE for item in planned.changes):
        return
    if not sys.stdin.isatty():
        raise OrderNotifyError(
            "the plan changes resources that exist, and there is no terminal to ask at",
            "Read the plan with --dry-run, then add --yes.",
        )
    typer.confirm("Change what exists?", abort=True, err=True)


def _apply(resources: tuple[Resource[Any], ...], planned: Plan) -> Mapping[str, AnyLive]:
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
    show_key: Annotated[bool, typer.Option("--show-key", help="Print the API key too.")] = False,
    json: JsonOption = False,
) -> None:
    """Show what exists, how it is doing, and what differs from what is described.

    Described is what the settings file and the environment say; for the rest, what the last setup was told.

    Example: ordernotify status --stack dev
    """
    cloud = run.cloud()
    from ordernotify import provision
    from ordernotify.orders.signing import read_api_key
    from ordernotify.render import plans
    from ordernotify.stack.discovery import recorded_settings
    from ordernotify.stack.report import report

    settings = run.settings(recorded_settings(cloud, run.names, run.stack))
    planned = provision.plan(provision.declare(settings, cloud))
    if all(item.live is None for item in planned.items):
        raise StackNotFoundError(
            f"there is no stack {run.stack} here",
            "`ordernotify setup` makes it; --stack, --aws and --region choose another one.",
        )
    found = report(settings, cloud, planned)
    health = _health(cloud, run.names)
    api_key = read_api_key(cloud, run.names, run.stack) if show_key else None
    if json:
        plans.show_report_json(found, health, api_key)
    else:
        plans.show_status(found, health, api_key)
    if exit_code and planned.changes:
        raise typer.Exit(EXIT_DIFFERENCES)


def _health(cloud: Cloud, names: Names) -> Health:
    """Read how the stack is doing, side by side."""
    import time
    from concurrent.futures import ThreadPoolExecutor

    from ordernotify.orders.items import count_orders
    from ordernotify.stack import health as overview

    since = int((time.time() - LAST_ERRORS_SECONDS) * 1000)
    with ThreadPoolExecutor(3) as pool:
        alarms = pool.submit(overview.read_alarms, cloud, names)
        orders = pool.submit(count_orders, cloud, names)
        errors = pool.submit(overview.last_errors, cloud, names, since)
        return overview.Health(alarms.result(), orders.result(), errors.result())


@command(app, "verify")
def verify(run: Run, api_key_file: KeyFileOption = None, json: JsonOption = False) -> None:
    """Run the guide's testing procedure: response, DynamoDB, notification, logs, each proved on one order.

    Example: ordernotify verify
    """
    cloud = run.cloud()
    from ordernotify.orders.post import Answer, Draft, OrderClient
    from ordernotify.orders.send import random_key
    from ordernotify.render import json_document, json_text, proof
    from ordernotify.stack import verify as procedure

    access = find_access(run, cloud, api_key_file)
    client = OrderClient(access.url, sign=access.sign)

    def send(order: Mapping[str, Any]) -> Answer:
        return client.send(Draft(json_text(order).encode(), random_key()))

    order_id = ""
    checks: list[procedure.Check] = []
    try:
        for outcome in procedure.verify(cloud, run.names, run.stack, send):
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
def inbox(run: Run, json: JsonOption = False) -> None:
    """Show the emails and text messages that the subscribers of a local stack got.

    Example: ordernotify inbox --json
    """
    if run.target is Target.AWS:
        raise UsageError(
            "the inbox exists on the local target only",
            "On AWS the messages are in the subscribers' mailboxes and phones.",
        )
    cloud = run.cloud()
    from ordernotify.local.inbox import read_inbox
    from ordernotify.render import note, proof

    deliveries = read_inbox(cloud, run.names, tell=note)
    if json:
        proof.show_inbox_json(deliveries)
    else:
        proof.show_inbox(deliveries)


@command(app, "teardown")
def teardown(
    run: Run,
    delete_orders: Annotated[
        bool | None,
        typer.Option(
            "--delete-orders/--keep-orders",
            help="Delete the table with all its orders, or keep it; otherwise you are asked, or it is kept.",
            show_default=False,
        ),
    ] = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Remove exactly what setup made; the orders are kept unless told.

    Example: ordernotify teardown --yes --delete-orders
    """
    cloud = run.cloud()
    from ordernotify import provision
    from ordernotify.render import json_document, plans
    from ordernotify.stack.discovery import recorded_settings

    settings = Settings(run.stack, run.names, **recorded_settings(cloud, run.names, run.stack))
    resources = provision.declare(settings, cloud)
    planned = provision.plan_teardown(resources, delete_orders=bool(delete_orders))
    if planned.changes:
        plans.show_plan(planned)
        if not yes and _confirm_teardown(cloud, run, planned, ask_for_orders=delete_orders is None):
            planned = provision.plan_teardown(resources, delete_orders=True)
        _apply(resources, planned)
    if json:
        json_document(plans.teardown_document(planned))
    else:
        plans.show_teardown_result(planned)
    _stop_unused_cloud(cloud)


def _confirm_teardown(cloud: Cloud, run: Run, planned: Plan, *, ask_for_orders: bool) -> bool:
    """Ask whether to go on; returns whether the orders are to be deleted after all."""
    from ordernotify.orders.items import count_orders
    from ordernotify.render import note

    if not sys.stdin.isatty():
        raise OrderNotifyError("there is no terminal to ask at", "Read the plan above, then add --yes.")
    counted = count_orders(cloud, run.names)
    if not ask_for_orders or counted is None or not any(item.keeps_orders for item in planned.items):
        typer.confirm(f"Remove this of the stack {run.stack}?", abort=True, err=True)
        return False
    number = f"{counted.orders}" if counted.complete else f"at least {counted.orders}"
    note(f"The table {run.names.table} holds {number} orders, {counted.pending} of them not announced yet.")
    note("`ordernotify export-orders orders.jsonl` saves them first.")
    typer.confirm(f"Remove the stack {run.stack} and keep the table?", abort=True, err=True)
    answer = typer.prompt(
        f"Type {run.stack} to delete the table with all orders too, or press Enter to keep it",
        default="",
        show_default=False,
        err=True,
    )
    return bool(answer == run.stack)


def _stop_unused_cloud(cloud: Cloud) -> None:
    """Stop the embedded cloud if nothing is left in it and nobody else is at work in it."""
    if cloud.target is Target.LOCAL:
        from ordernotify.local.unused import stop_if_unused

        stop_if_unused()
