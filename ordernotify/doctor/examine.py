"""Run all checks that apply, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

from ordernotify.aws.errors import map_botocore_errors
from ordernotify.doctor import account, machine, receivers
from ordernotify.doctor.case import Case, CheckState, CheckUp, Diagnosis
from ordernotify.errors import AccessDeniedError, OrderNotifyError, unexpected
from ordernotify.settings.names import Target

CHECK_UPS = (*machine.CHECK_UPS, *account.CHECK_UPS, *receivers.CHECK_UPS)
"""All checks, in the order in which they are told."""


def examine(case: Case) -> Iterator[tuple[str, Diagnosis]]:
    """Run the checks that apply, side by side; yield each one's name and diagnosis, in their order."""
    asked = [one for one in CHECK_UPS if one.target in (None, case.target)]
    with ThreadPoolExecutor(len(asked)) as pool:
        yield from zip((one.name for one in asked), pool.map(_found, asked, repeat(case)), strict=True)


def _found(one: CheckUp, case: Case) -> Diagnosis:
    try:
        with map_botocore_errors("check", one.name):
            return one.look(case)
    except AccessDeniedError as error:
        # Its hint names every policy; the check of rights names those that are lacking.
        return Diagnosis(CheckState.UNCHECKED, error.message)
    except OrderNotifyError as error:
        if case.target is Target.AWS and case.has_failed_by(error):
            return Diagnosis(CheckState.UNCHECKED, "the account does not answer: see credentials")
        return Diagnosis.of(CheckState.UNCHECKED, error)
    except Exception as error:  # noqa: BLE001 - what one check meets must not hide what the others found
        return Diagnosis(CheckState.UNCHECKED, unexpected(error))
