"""`doctor`: what would go wrong, before it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from ordernotify.cli import app
from ordernotify.cli.options import SETTING_OPTIONS, JsonOption
from ordernotify.cli.run import Run, command
from ordernotify.errors import EXIT_FAILED, LocalCloudError
from ordernotify.settings.names import Target

if TYPE_CHECKING:
    from ordernotify.aws.session import Cloud
    from ordernotify.doctor.case import Case


@command(app, "doctor", SETTING_OPTIONS, bears_faults=True)
def doctor(run: Run, json: JsonOption = False) -> None:
    """Look for what would go wrong, before it does, and say what fixes it; nothing is started or changed.

    Checked are this machine, the settings, the embedded cloud or the AWS account (credentials, region, clock,
    rights, quotas, text messages), and the subscribers. The exit status is 1 if something is broken;
    warnings, and what could not be checked, leave it 0.

    Example: ordernotify doctor --aws
    """
    from ordernotify.doctor.examine import examine
    from ordernotify.render import doctor as screen
    from ordernotify.render import json_document

    found = {}
    for name, diagnosis in examine(_case(run)):
        found[name] = diagnosis
        if not json:
            screen.show_diagnosis(name, diagnosis)
    if json:
        json_document(screen.diagnoses_document(found))
    else:
        screen.show_sum(found)
    if screen.is_broken(found):
        raise typer.Exit(EXIT_FAILED)


def _case(run: Run) -> Case:
    from ordernotify.cli import policy
    from ordernotify.doctor.case import Case

    return Case(
        target=run.target,
        stack=run.stack,
        open_place=lambda: _open(run),
        describe=run.settings,
        describe_there=lambda cloud: policy.described(run, cloud),
        find_names=run.names_in,
        needed=lambda cloud, settings: {
            "operate": policy.operate_needs(cloud, settings),
            "setup": policy.setup_needs(run, cloud),
            "teardown": policy.teardown_needs(run, cloud, settings),
        },
        faults=run.faults,
        origins=tuple(dict.fromkeys(one.partition(", line ")[0] for one in run.told.origins.values())),
    )


def _open(run: Run) -> Cloud:
    """Open the place; unlike the other commands, do not start the embedded cloud."""
    from ordernotify.local import cloud as local

    if run.target is Target.LOCAL and not local.status().running:
        raise LocalCloudError("the embedded cloud is not running", "`ordernotify local start` starts it.")
    return run.reopened().impatient()
