"""`policy setup|operate|import|teardown|function`: the least IAM policies for people and the function."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ordernotify.cli import app
from ordernotify.cli.help import panel_of
from ordernotify.cli.options import SETTING_OPTIONS
from ordernotify.cli.run import Run, command
from ordernotify.errors import AccessDeniedError, UsageError
from ordernotify.settings.model import Settings
from ordernotify.settings.names import Names, Target

if TYPE_CHECKING:
    from ordernotify.aws.session import Cloud
    from ordernotify.iam.calls import Calls
    from ordernotify.iam.policies import Policy
    from ordernotify.resources.base import Resource

policy_app = typer.Typer(
    name="policy",
    help="Print the least IAM policy for setup, operation, import, teardown, or for the function.",
    no_args_is_help=True,
)
app.add_typer(policy_app, rich_help_panel=panel_of("policy"))

ReceiverOption = Annotated[
    list[str] | None,
    typer.Option(
        "--receiver",
        metavar="ARN",
        help="A queue or function that will be subscribed, whose policy is to be changed; repeatable.",
    ),
]


@command(policy_app, "setup", SETTING_OPTIONS)
def setup(run: Run) -> None:
    """Print the policy that `setup` needs, for a stack with these options.

    It makes and updates what is described. What an earlier setup made and is described no longer is removed
    with the policy of `policy teardown`.

    Example: ordernotify policy setup --auth api-key > setup.json

    Example: aws iam put-user-policy --user-name deployer \\
        --policy-name setup --policy-document file://setup.json
    """
    cloud = run.cloud()
    _show_least(setup_needs(run, cloud), cloud)


@command(policy_app, "operate", SETTING_OPTIONS)
def operate(run: Run, receiver: ReceiverOption = None) -> None:
    """Print the policy for daily work: every command but `setup`, `import-orders` and `teardown`.

    For a stack that exists, its options are read from the account, unless they are given here.

    Example: ordernotify policy operate --stack dev --auth iam
    """
    cloud = run.cloud()
    _show_least(operate_needs(cloud, described(run, cloud), _receivers(receiver)), cloud)


@command(policy_app, "import", SETTING_OPTIONS)
def import_orders(run: Run) -> None:
    """Print the policy that `import-orders` needs: whoever has it can overwrite any order.

    Example: ordernotify policy import --stack dev
    """
    cloud = run.cloud()
    from ordernotify.orders import restore

    settings = described(run, cloud)
    finding = _finding_calls(cloud, run.told_names, settings.role_path)
    _show_least((*finding, *restore.calls(cloud, settings.names)), cloud)


@command(policy_app, "teardown", SETTING_OPTIONS)
def teardown(run: Run, receiver: ReceiverOption = None) -> None:
    """Print the policy that `teardown` needs.

    Example: ordernotify policy teardown --stack dev
    """
    cloud = run.cloud()
    _show_least(teardown_needs(run, cloud, described(run, cloud), _receivers(receiver)), cloud)


@command(policy_app, "function", SETTING_OPTIONS)
def function(run: Run) -> None:
    """Print the policy of the function's role, for a role of your own (`setup --role-arn`).

    Example: ordernotify policy function --stack dev
    """
    cloud = run.cloud()
    from ordernotify.iam import policies

    _show(policies.role_policy(described(run, cloud, as_recorded=False), cloud))


def setup_needs(run: Run, cloud: Cloud) -> Calls:
    """List what `setup` calls, for a stack as it is told."""
    from ordernotify import provision
    from ordernotify.orders import signing

    settings = described(run, cloud, as_recorded=False)
    finding = _finding_calls(cloud, run.told_names, settings.role_path)
    asking = signing.calls(cloud, settings)  # setup ends when the URL answers
    return (*finding, *provision.setup_calls(_declared(settings, cloud)), *asking)


def operate_needs(cloud: Cloud, settings: Settings, receivers: Sequence[str] = ()) -> Calls:
    """List what the commands between setup and teardown call."""
    from ordernotify import provision

    status = provision.status_calls(_declared(settings, cloud))
    return (*status, *operate_calls(cloud, settings, receivers))


def teardown_needs(run: Run, cloud: Cloud, settings: Settings, receivers: Sequence[str] = ()) -> Calls:
    """List what `teardown` calls."""
    from ordernotify import provision
    from ordernotify.orders.items import count_calls
    from ordernotify.resources import delivery
    from ordernotify.stack import discovery as endpoint
    from ordernotify.stack.former import former_tables
    from ordernotify.stack.left import LEFT_CALLS

    tables = (settings.names, *former_tables(cloud, settings.names, settings.stack))
    more = (
        *_finding_calls(cloud, run.told_names, settings.role_path),
        *endpoint.calls(cloud, settings.names),
        *(allowed for one in tables for allowed in count_calls(cloud, one)),
        *LEFT_CALLS,
        *delivery.calls(receivers),
    )
    return (*provision.teardown_calls(_declared(settings, cloud)), *more)


def operate_calls(cloud: Cloud, settings: Settings, receivers: Sequence[str]) -> Calls:
    """List what the commands between setup and teardown call, beside what `status` reads of the resources."""
    from ordernotify import export
    from ordernotify.audit import facts
    from ordernotify.doctor.account import ACCOUNT_CALLS
    from ordernotify.local import inbox
    from ordernotify.logs import events, trace
    from ordernotify.orders import pace, redrive, signing, undelivered
    from ordernotify.resources.sandbox import SMS_CALLS
    from ordernotify.stack import discovery as endpoint
    from ordernotify.stack import health as overview
    from ordernotify.stack import verify
    from ordernotify.stack.former import former_tables, former_topics
    from ordernotify.subscribers import change, confirm
    from ordernotify.watch.history import HISTORY_CALLS

    names = settings.names
    tables = (names, *former_tables(cloud, names, settings.stack))
    topics = (names, *former_topics(cloud, names, settings.stack))
    return (
        *_finding_calls(cloud, names, settings.role_path),
        *endpoint.calls(cloud, names),
        *signing.calls(cloud, settings),
        *pace.calls(cloud, names),
        *overview.calls(cloud, names),
        *(allowed for one in tables for allowed in redrive.calls(cloud, one)),
        *events.calls(cloud, names),
        *trace.calls(cloud, names),
        *verify.calls(cloud, names),
        *(allowed for one in topics for allowed in undelivered.calls(cloud, one)),
        *facts.calls(cloud, names),
        *export.export_calls(cloud, settings),
        *change.change_calls(cloud, names, receivers),
        *confirm.confirm_calls(cloud, names),
        *SMS_CALLS,
        *ACCOUNT_CALLS,
        *HISTORY_CALLS,
        *(inbox.calls(cloud, names) if cloud.target is Target.LOCAL else ()),
    )


def _receivers(given: list[str] | None) -> list[str]:
    from ordernotify.subscribers.endpoints import parse_endpoint

    endpoints = [parse_endpoint(arn) for arn in given or ()]
    for endpoint in endpoints:
        if endpoint.protocol not in {"sqs", "lambda"}:
            raise UsageError(
                f"{endpoint.address} is neither a queue nor a function",
                "Give the ARN of an SQS queue or of a Lambda function: nothing else needs a permission.",
            )
    return [endpoint.address for endpoint in endpoints]


def _finding_calls(cloud: Cloud, names: Names, role_path: str) -> Calls:
    """List what finding the stack's names calls, whatever they turn out to be."""
    from ordernotify.stack import discovery, former

    return (*discovery.naming_calls(cloud, names, role_path), *former.former_calls())


def _declared(settings: Settings, cloud: Cloud) -> tuple[Resource[Any], ...]:
    from ordernotify import provision
    from ordernotify.stack.former import find_former

    try:
        former = find_former(cloud, settings.names, settings.stack).names
    except AccessDeniedError:
        former = ()
    return provision.declare(settings, cloud, former)


def described(run: Run, cloud: Cloud, *, as_recorded: bool = True) -> Settings:
    """Describe the stack: flags win over environment and file, and these over what `setup` recorded."""
    from ordernotify.stack.discovery import recorded_settings, with_own_role

    names, recorded = run.told_names, dict[str, Any]()
    # The stack need not exist, and who prints a policy need not be allowed to look.
    with suppress(AccessDeniedError):
        names = with_own_role(cloud, run.names_in(cloud), run.stack)
        if as_recorded:
            recorded = recorded_settings(cloud, names, run.stack)
    return run.settings(names, recorded)


def _show_least(needed: Calls, cloud: Cloud) -> None:
    from ordernotify.iam.policies import policy

    _show(policy(needed, cloud))


def _show(policy: Policy) -> None:
    import json

    from ordernotify.iam.policies import INLINE_CHARACTERS, MANAGED_CHARACTERS
    from ordernotify.render import note

    sys.stdout.write(json.dumps(policy.document, indent=2) + "\n")
    if policy.left_out:
        note(f"Left out, because nothing fails without: {', '.join(policy.left_out)}")
    if policy.characters > INLINE_CHARACTERS:
        note(
            f"These are {policy.characters:,} characters, and a user's inline policies hold "
            f"{INLINE_CHARACTERS:,} together: use `aws iam create-policy` and `aws iam attach-user-policy`"
            + ("." if policy.characters <= MANAGED_CHARACTERS else f", in parts of {MANAGED_CHARACTERS:,}.")
        )
