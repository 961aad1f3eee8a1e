"""botocore as quick as tests need it: it reads its descriptions of services once, and coverage skips it.

This halves the time of the suite and changes nothing that the package does: botocore calls no line of it, and
the descriptions are what each session would read from the same files.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import botocore.client
import botocore.loaders
import botocore.session


def make_quick() -> None:
    """Take effect for the rest of this process; once only."""
    change: Any = botocore  # the stubs know no attributes that are set
    change.session.create_loader = functools.cache(botocore.loaders.create_loader)
    change.session.Session.create_client = untraced(botocore.session.Session.create_client)
    change.client.BaseClient._make_api_call = untraced(change.client.BaseClient._make_api_call)


def untraced(function: Callable[..., Any]) -> Callable[..., Any]:
    """Switch coverage off while `function` runs: up to Python 3.11 it doubles the time of what it watches."""

    @functools.wraps(function)
    def run(*arguments: Any, **more: Any) -> Any:
        tracer = sys.gettrace()
        if tracer is None:
            return function(*arguments, **more)
        sys.settrace(None)
        try:
            return function(*arguments, **more)
        finally:
            sys.settrace(tracer)
            _called()

    return run


def _called() -> None:
    """Be called: a tracer written in C takes its place again at the next call, not before."""
