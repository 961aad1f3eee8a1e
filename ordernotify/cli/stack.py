"""`setup`, `status`, `verify`, `inbox` and `teardown`: the life of a stack."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ordernotify.cli import app
from ordernotify.cli.run import JsonOption, Run, command
from ordernotify.config import Settings, Target, settings_default
from ordernotify.errors import EXIT_DIFFERENCES, EXIT_FAILED, OrderNotifyError, UsageError

if TYPE_CHECKING:
    from ordernotify.aws import Cloud
    from ordernotify.provision import Plan
    from ordernotify.resources.base import Live, Resource
    from ordernotify.verify import Answer

YesOption = Annotated[
    bool, typer.Option("--yes", "-y", envvar="ORDERNOTIFY_YES", help="Do not ask; for scripts.")
]
StageOption = Annotated[
    str, typer.Option("--stage", envvar="ORDERNOTIFY_STAGE", help="The API's stage.", metavar="NAME")
]


@command(app, "setup")
def setup(
    run: Run,
    email: Annotated[
        list[str] | None,
        typer.Option("--email", envvar="ORDERNOTIFY_EMAIL", help="Subscribe this address; repeatable."),
    ] = None,
    phone: Annotated[
        list[str] | None,
        typer.Option("--phone", envvar="ORDERNOTIFY_PHONE", help="Subscribe this E.164 number; repeatable."),
    ] = None,
    stage: StageOption = settings_default("stage"),
    runtime: Annotated[
        str, typer.Option("--runtime", envvar="ORDERNOTIFY_RUNTIME", help="The function's runtime.")
    ] = settings_default("runtime"),
    memory: Annotated[
        int,
        typer.Option(
            "--memory", envvar="ORDERNOTIFY_MEMORY", help="The function's memory in MB.", min=128, max=10240
        ),
    ] = settings_default("memory"),
    timeout: Annotated[
        int,
        typer.Option(
            "--timeout", envvar="ORDERNOTIFY_TIMEOUT", help="The function's timeout in s.", min=3, max=29
        ),
    ] = settings_default("timeout"),
    log_retention: Annotated[
        int, typer.Option("--log-retention", envvar="ORDERNOTIFY_LOG_RETENTION", help="Days to keep logs.")
    ] = settings_default("log_retention"),
    log_bodies: Annotated[
        bool,
        typer.Option("--log-bodies/--no-log-bodies", envvar="ORDERNOTIFY_LOG_BODIES", help="Log the orders."),
    ] = settings_default("log_bodies"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and change nothing.")] = False,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Make or update the stack so that it is as described; a second run changes nothing.

    Example: ordernotify setup --email you@example.com
    """
    settings = Settings(
        stack=run.stack,
        names=run.names,
        emails=tuple(dict.fromkeys(email or ())),
        phones=tuple(dict.fromkeys(phone or ())),
        stage=stage,
        runtime=runtime,
        memory=memory,
        timeout=timeout,
        log_retention=log_retention,
        log_bodies=log_bodies,
    )
    cloud = run.cloud()
    from ordernotify import provision
    from ordernotify.render import plans

    resources = provision.declare(settings, cloud)
    planned = provision.plan(resources)
    if dry_run:
        if json:
            plans.show_report_json(provision.report(settings, cloud, planned))
        else:
            plans.show_plan(planned, to_stdout=True)
        return
    live: Mapping[str, Live] = {}
    if planned.changes:
        plans.show_plan(planned)
        _confirm_changes(planned, yes)
        live = _apply(resources, planned)
    report = provision.report(settings, cloud, planned, live)
    if json:
        plans.show_report_json(report)
    else:
        plans.show_setup_result(report, changed=bool(planned.changes))


def _confirm_changes(planned: Plan, yes: bool) -> None:
    """Ask before anything that exists is changed; making what is missing needs no question."""
    from ordernotify.provision import Action

    if yes or all(item.action is Action.CREATE for item in planned.changes):
        return
    if not sys.stdin.isatty():
        raise OrderNotifyError(
            "the plan changes resources that exist, and nobody is there to be asked",
            "Read the plan with --dry-run, then add --yes.",
        )
    typer.confirm("Change what exists?", abort=True, err=True)


def _apply(resources: tuple[Resource, ...], planned: Plan) -> Mapping[str, Live]:
    from ordernotify import provision
    from ordernotify.render import plans

    live: dict[str, Live] = {}

    def remember(event: provision.Event) -> None:
        if event.live is not None:
            live[event.item.key] = event.live

    plans.show_progress(provision.apply(resources, planned), planned, remember)
    return live


@command(app, "status")
def status(
    run: Run,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help=f"End with {EXIT_DIFFERENCES} if anything differs.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Show what exists, the URL, the subscribers, and what differs from what is described.

    Example: ordernotify status --stack dev
    """
    cloud = run.cloud()
    from ordernotify import provision
    from ordernotify.render import plans

    settings = Settings(stack=run.stack, names=run.names)
    planned = provision.plan(provision.declare(settings, cloud))
    if not json and all(item.live is None for item in planned.items):
        raise no_stack(run)
    report = provision.report(settings, cloud, planned)
    if json:
        plans.show_report_json(report)
    else:
        plans.show_status(report)
    if exit_code and planned.changes:
        raise typer.Exit(EXIT_DIFFERENCES)


def no_stack(run: Run) -> OrderNotifyError:
    """Build the error for a stack of which nothing exists."""
    from ordernotify.errors import StackNotFoundError

    return StackNotFoundError(
        f"there is no stack {run.stack} here",
        "`ordernotify setup` makes it; --stack, --aws and --region choose another one.",
    )


@command(app, "verify")
def verify(run: Run, json: JsonOption = False) -> None:
    """Run the guide's testing procedure: response, DynamoDB, notification, logs, each proved on one order.

    Example: ordernotify verify
    """
    cloud = run.cloud()
    from ordernotify import verify as procedure
    from ordernotify.endpoint import find_endpoint
    from ordernotify.orders import send_order
    from ordernotify.render import proof

    endpoint = find_endpoint(cloud, run.names, run.stack)

    def send(order: Mapping[str, Any]) -> Answer:
        sent = send_order(endpoint.url, order)
        return procedure.Answer(sent.status, sent.order_id, sent.message)

    order_id: str | None = None
    checks: list[procedure.Check] = []
    for outcome in procedure.verify(cloud, run.names, run.stack, send):
        if isinstance(outcome, procedure.Answer):
            order_id = outcome.order_id
            continue
        checks.append(outcome)
        if not json:
            proof.show_check(outcome)
    if json:
        from ordernotify.render import json_document

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
    from ordernotify.inbox import read_inbox
    from ordernotify.render import proof

    deliveries = read_inbox(cloud, run.names)
    if json:
        proof.show_inbox_json(deliveries)
    else:
        proof.show_inbox(deliveries)


@command(app, "teardown")
def teardown(
    run: Run,
    delete_orders: Annotated[
        bool, typer.Option("--delete-orders", help="Delete the table with all its orders too.")
    ] = False,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Remove exactly what setup made; the orders are kept unless told.

    Example: ordernotify teardown --yes --delete-orders
    """
    cloud = run.cloud()
    from ordernotify import provision
    from ordernotify.render import json_document, plans

    settings = Settings(stack=run.stack, names=run.names)
    resources = provision.declare(settings, cloud)
    planned = provision.plan_teardown(resources, delete_orders=delete_orders)
    if planned.changes:
        plans.show_plan(planned)
        if not yes:
            _confirm_teardown(run.stack)
        _apply(resources, planned)
    if json:
        json_document(plans.teardown_document(planned))
    else:
        plans.show_teardown_result(planned)
    _stop_unused_cloud(cloud)


def _confirm_teardown(stack: str) -> None:
    if not sys.stdin.isatty():
        raise OrderNotifyError("nobody is there to be asked", "Read the plan above, then add --yes.")
    typer.confirm(f"Remove this of the stack {stack}?", abort=True, err=True)


def _stop_unused_cloud(cloud: Cloud) -> None:
    """Stop the embedded cloud if no stack is left in it."""
    if cloud.target is Target.LOCAL:
        from ordernotify import local
        from ordernotify.endpoint import stacks_present

        if not stacks_present(cloud):
            local.stop()
