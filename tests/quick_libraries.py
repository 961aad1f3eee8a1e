"""botocore, moto and typer as quick as tests need them: what is the same each time is done once, untraced.

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
import moto.core.models
import typer.testing


def make_quick() -> None:
    """Take effect for the rest of this process; once only."""
    change: Any = botocore  # the stubs know no attributes that are set
    change_typer: Any = typer.testing
    # CliRunner builds every command with its options anew for each call.
    build = functools.cache(lambda app, _registered: typer.main.get_command(app))
    change_typer._get_command = lambda app: build(
        app, len(app.registered_commands) + len(app.registered_groups)
    )
    # What moto answers to the library `requests`, which nothing here uses, takes a second for 40 accounts.
    moto.core.models.RESPONSES_METHODS.clear()
    change.session.create_loader = functools.cache(botocore.loaders.create_loader)
    for name in ("__init__", "create_client"):
        setattr(botocore.session.Session, name, untraced(getattr(botocore.session.Session, name)))
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
