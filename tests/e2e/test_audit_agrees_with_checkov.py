"""`audit` and Checkov judge the same stack; for every control that both know they say the same.

Checkov pins an old boto3 and lives in an environment of its own: `make checkov-env`, or
TESTS_CHECKOV names its command.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from ordernotify.audit.controls import CONTROLS, Verdict, audit_stack
from ordernotify.aws.session import Cloud
from ordernotify.settings.model import ApiKind, Settings
from ordernotify.settings.names import Names
from ordernotify.settings.told import Told, describe
from tests.e2e.checkov_template import template
from tests.provision_support import Account, set_up
from tests.test_declared_calls import known_to_aws

pytestmark = pytest.mark.long

OWN = Path(__file__).parents[2] / ".venv-checkov" / "bin" / "checkov"
PRODUCTION = {"production": True, "alarm-email": ["ops@example.com"], "email": ["you@example.com"]}
STACKS = {
    "default": Settings(),
    "default http": Settings(api=ApiKind.HTTP),
    "production": describe("default", Names(), Told.by_flags({**PRODUCTION, "auth": "iam"})),
    "production key": describe("default", Names(), Told.by_flags({**PRODUCTION, "auth": "api-key"})),
    "production http": describe(
        "default", Names(), Told.by_flags({**PRODUCTION, "auth": "iam", "api": "http", "concurrency": 20})
    ),
}
QUIET = {**os.environ, "LOG_LEVEL": "ERROR"}


def command() -> str:
    named = os.environ.get("TESTS_CHECKOV") or str(OWN)
    if not Path(named).exists():
        pytest.fail(f"there is no Checkov at {named}: `make checkov-env` makes it")
    return named


def judged_by_checkov(written: dict[str, Any], folder: Path) -> dict[str, bool]:
    """Map each check to whether all resources pass it."""
    path = folder / "template.json"
    path.write_text(json.dumps(written))
    arguments = ("--framework", "cloudformation", "--skip-download", "--output", "json")
    done = subprocess.run(
        [command(), "--file", str(path), *arguments],
        capture_output=True,
        text=True,
        env=QUIET,
        timeout=300,
        check=False,
    )
    results = json.loads(done.stdout)["results"]
    found: dict[str, list[bool]] = defaultdict(list)
    for passed, checks in ((True, results["passed_checks"]), (False, results["failed_checks"])):
        for check in checks:
            found[check["check_id"]].append(passed)
    return {check: all(passed) for check, passed in found.items()}


@pytest.mark.parametrize("name", STACKS)
def test_both_say_the_same_of_what_both_know(
    account: Account, cloud: Cloud, tmp_path: Path, name: str
) -> None:
    settings = STACKS[name]
    account.interfere = known_to_aws
    account.client("apigateway").update_account(
        patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": "arn:aws:iam::1:role/logs"}]
    )
    set_up(settings, cloud)
    ours = {
        check: finding.verdict is Verdict.PASSED
        for finding in audit_stack(cloud, settings)
        if finding.verdict is not Verdict.DOES_NOT_APPLY
        for check in finding.control.ids
    }
    theirs = judged_by_checkov(template(account.client), tmp_path)
    both = ours.keys() & theirs.keys()
    assert {check: ours[check] for check in both} == {check: theirs[check] for check in both}
    assert len(both) >= 12, sorted(both)
    known = {check for control in CONTROLS for check in control.ids}
    # What Checkov fails and `audit` has no row for would be kept from the person.
    assert {check for check, passed in theirs.items() if not passed} <= known
