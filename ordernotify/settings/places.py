"""Where a user's state is kept on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def state_home(environ: Mapping[str, str], platform: str) -> Path:
    """Return the platform's folder for a user's state; `platform` is Python's `sys.platform`."""
    given = Path(environ.get("XDG_STATE_HOME", ""))
    if given.is_absolute():  # a relative one is to be ignored (XDG Base Directory Specification 0.8)
        return given
    home = Path(environ.get("HOME") or Path.home())
    return home / "Library" / "Application Support" if platform == "darwin" else home / ".local" / "state"
