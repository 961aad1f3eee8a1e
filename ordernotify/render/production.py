"""What `setup --production` adds, and its price."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ordernotify.render import err, say
from ordernotify.settings.production import in_effect

if TYPE_CHECKING:
    from ordernotify.settings.model import Settings


def show_production(settings: Settings) -> None:
    """Print what is described beyond the defaults, unless something else was given."""
    say(err, "Production adds (prices in USD, us-east-1):")
    for one in in_effect(settings):
        say(err, f"  {one.what}: {one.cost}")
