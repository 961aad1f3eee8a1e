"""What `setup --production` adds, and its price."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ordernotify.render import err
from ordernotify.settings.production import in_effect

if TYPE_CHECKING:
    from ordernotify.settings.model import Settings


def show_production(settings: Settings) -> None:
    """Print what is described beyond the defaults, unless something else was given."""
    err.print("Production adds (prices in USD, us-east-1):")
    for one in in_effect(settings):
        err.print(f"  {one.what}: {one.cost}")
