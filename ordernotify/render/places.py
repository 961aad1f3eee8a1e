"""Where stacks are: those of a place, and the embedded cloud."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from ordernotify.render import alert, clean, json_document, note, out, say

if TYPE_CHECKING:
    from ordernotify.local.cloud import LocalCloud
    from ordernotify.stack.discovery import StackEntry


def show_stacks(found: Sequence[StackEntry]) -> None:
    """Print a line for each: name, kind of API, and invoke URL."""
    width = max((len(one.stack) for one in found), default=0)
    for one in found:
        out.print(f"{clean(one.stack):<{width}}  {one.kind or '-':<4}  {one.url or '(no API)'}")
    if not found:
        note("There are no stacks here. `ordernotify setup` makes one.")


def stack_documents(found: Iterable[StackEntry]) -> Iterator[dict[str, Any]]:
    for one in found:
        yield {"stack": one.stack, "api": one.kind, "url": one.url}


def show_cloud_json(cloud: LocalCloud) -> None:
    json_document(
        {
            "running": cloud.running,
            "endpoint": cloud.endpoint,
            "pid": cloud.pid,
            "stateDir": str(cloud.state_dir),
            "version": cloud.version,
        }
    )


def show_cloud(cloud: LocalCloud) -> None:
    from ordernotify.local.cloud import STUCK_HINT

    if cloud.running:
        state, more = (
            ("running", "green"),
            f" at {cloud.endpoint} (process {cloud.pid}, MiniStack {cloud.version})",
        )
    elif cloud.stuck:
        state, more = ("stuck", "red"), f": {cloud.warning}. {STUCK_HINT}"
    else:
        state, more = ("not running", "yellow"), f" (its address would be {cloud.endpoint})"
    out.print(Text.assemble("The embedded cloud is ", state, clean(more)))
    out.print(Text(clean(f"State: {cloud.state_dir}")))


def show_warning(cloud: LocalCloud) -> None:
    if cloud.warning and not cloud.stuck:
        # Not a note: --quiet must not silence that changes are lost.
        say(alert, cloud.warning, ("Warning: ", ""))
