"""What `init` leads to: what setup will make, what it costs, and the next command."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ordernotify.render import clean, note, out
from ordernotify.render.changes import kind_word
from ordernotify.render.hints import pasteable
from ordernotify.settings.names import Target

if TYPE_CHECKING:
    from ordernotify.aws.session import Cloud


def show_outlook(kinds: Mapping[str, int], cloud: Cloud, usd: float, orders_per_day: int) -> None:
    """Print how many resources of each kind setup makes where, and what they cost in USD a month."""
    local = cloud.target is Target.LOCAL
    where = "on this machine" if local else f"in account {cloud.account}, {cloud.region}"
    words = [kind_word(kind) + (f" ({count})" if count > 1 else "") for kind, count in kinds.items()]
    note(f"`ordernotify setup` will make {sum(kinds.values())} resources {where}:")
    note(f"  {', '.join(words)}")
    if local:
        note("They cost nothing.")
    else:
        note(f"They cost about {usd:.2f} USD a month at {orders_per_day} orders a day:")
        note("  `ordernotify cost` itemises it.")


def show_written(file: Path) -> None:
    """Print where the settings are now, and what to do next."""
    out.print(f"Wrote {clean(file)}. Next: {pasteable('`ordernotify setup`')}")
