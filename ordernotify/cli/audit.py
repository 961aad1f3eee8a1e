"""`audit`: what public controls say of a live stack."""

from __future__ import annotations

from typing import Annotated

import typer

from ordernotify.cli import app
from ordernotify.cli.options import JsonOption, option
from ordernotify.cli.run import Run, command
from ordernotify.errors import EXIT_DIFFERENCES

_EXIT_HELP = f"End with {EXIT_DIFFERENCES} where a control fails."


@command(app, "audit")
def audit(
    run: Run,
    exit_code: Annotated[bool, option("--exit-code", help=_EXIT_HELP)] = False,
    json: JsonOption = False,
) -> None:
    """Judge the live stack by the public controls of AWS Security Hub and Checkov that concern it.

    A control passes, fails, does not apply, or is accepted: then it fails for a reason that holds for this
    system, and the reason is given. The account is read, and nothing is changed.

    Example: ordernotify audit
    """
    cloud, names = run.open()
    from ordernotify.audit import controls
    from ordernotify.render import audit as screen
    from ordernotify.stack.discovery import recorded_settings

    settings = run.settings(names, recorded_settings(cloud, names, run.stack))
    findings = controls.audit_stack(cloud, settings)
    if json:
        screen.show_findings_json(findings)
    else:
        screen.show_findings(findings)
    if exit_code and controls.failed(findings):
        raise typer.Exit(EXIT_DIFFERENCES)
