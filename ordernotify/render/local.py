"""How the embedded cloud is shown."""

from __future__ import annotations

from rich.text import Text

from ordernotify.local.cloud import STUCK_HINT, LocalCloud
from ordernotify.render import alert, clean, json_document, out, say


def as_json(cloud: LocalCloud) -> None:
    json_document(
        {
            "running": cloud.running,
            "endpoint": cloud.endpoint,
            "pid": cloud.pid,
            "stateDir": str(cloud.state_dir),
            "version": cloud.version,
        }
    )


def text(cloud: LocalCloud) -> None:
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


def warning(cloud: LocalCloud) -> None:
    if cloud.warning and not cloud.stuck:
        # Not a note: --quiet must not silence that changes are lost.
        say(alert, clean(cloud.warning), ("Warning: ", ""))
