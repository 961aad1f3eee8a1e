"""What the shell offers to complete beside options: the stacks that exist."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from ordernotify.aws.session import Cloud


def stacks_here(ctx: typer.Context, incomplete: str) -> list[str]:
    """Name the stacks of the place that the command line names so far; none where it cannot be reached."""
    with suppress(Exception):  # Whatever fails, a half-typed command line is no place for an error.
        cloud = _place(ctx)
        if cloud is not None:
            from ordernotify.stack.discovery import stacks_present

            return [name for name in sorted(stacks_present(cloud)) if name.startswith(incomplete)]
    return []


def _place(ctx: typer.Context) -> Cloud | None:
    """Open the account, or the embedded cloud if it runs: completing starts nothing."""
    from ordernotify.aws.session import aws_cloud, local_cloud

    if ctx.params.get("aws"):
        return aws_cloud(ctx.params.get("region"), ctx.params.get("profile"))
    from ordernotify.local import cloud as local

    found = local.status()
    return local_cloud(found.endpoint, ctx.params.get("region")) if found.running else None
