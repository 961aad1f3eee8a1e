"""The printed policies, judged by a linter that knows AWS's Service Authorization Reference (parliament)."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from ordernotify.aws.session import Cloud
from ordernotify.iam import policies
from ordernotify.iam.calls import allow
from ordernotify.settings.model import Settings
from tests.test_policies import KINDS, VARIANTS, import_policy

NO_FAULTS = {
    "Unknown action apigateway:TagResource": "AWS denies by it all the same: AWS-FACTS 37",
    "Type mismatch: StringEquals requires a value of type String but given Arn": "AWS's own form for a "
    "boundary: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html",
}
NOT_YET_KNOWN = "Unknown condition kms:ResourceAliases"
"""https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html"""


def findings(document: object) -> set[tuple[str, str]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves its own files open
        from parliament import analyze_policy_string
    found: Any = analyze_policy_string(json.dumps(document)).findings
    return {(one.issue, str(one.detail)) for one in found}


@pytest.mark.parametrize("kind", [*KINDS, import_policy], ids=lambda kind: kind.__name__)
def test_no_policy_has_an_unknown_action_or_a_resource_that_the_action_does_not_take(
    cloud: Cloud, kind: Callable[[Settings, Cloud], policies.Policy]
) -> None:
    found = {finding for settings in VARIANTS for finding in findings(kind(settings, cloud).document)}
    assert {one for one in found if one[1] not in NO_FAULTS and not one[1].startswith(NOT_YET_KNOWN)} == set()


@pytest.mark.parametrize(
    ("wrong", "issue"),
    [
        (allow("sns", "PublishLoudly", on="arn:aws:sns:us-east-1:1:t"), "UNKNOWN_ACTION"),
        (allow("sns", "Publish", on="arn:aws:sqs:us-east-1:123456789012:q"), "RESOURCE_MISMATCH"),
        (
            allow("iam", "GetRole", on="arn:aws:iam::1:role/r", when={"StringEquals": {"iam:X": "y"}}),
            "UNKNOWN",
        ),
    ],
    ids=["action", "resource", "condition"],
)
def test_the_linter_sees_what_is_wrong(cloud: Cloud, wrong: Any, issue: str) -> None:
    assert any(issue in found for found, _ in findings(policies.policy([wrong], cloud).document))
