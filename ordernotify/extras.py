"""What may be installed beside the command, and how: the hint must fit the way in which the command came."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Collection, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

_PACKAGE = "ordernotify"
_BROUGHT = {"local": "ministack", "console": "starlette"}
"""A module that each extra brings."""


def install_command(extra: str = "") -> str:
    """Return the shell command that makes this installation anew, with the extra, from where it came."""
    # Slow to import, and needed only here.
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        origin = json.loads(distribution(_PACKAGE).read_text("direct_url.json") or "{}")
    except PackageNotFoundError:
        origin = {}
    # uv tool and pipx make the environment anew, so that an extra that is not named would go.
    extras = {name for name, module in _BROUGHT.items() if find_spec(module)} | ({extra} if extra else set())
    installer = _installer(Path(sys.prefix), has_pip=find_spec("pip") is not None)
    return shlex.join([*installer, *_source(extras, origin)])


def _installer(prefix: Path, *, has_pip: bool) -> tuple[str, ...]:
    """Name the program that made the environment, by what it leaves there."""
    if (prefix / "uv-receipt.toml").exists():
        return "uv", "tool", "install", "--force"
    if (prefix / "pipx_metadata.json").exists():
        return "pipx", "install", "--force"
    if has_pip:
        return sys.executable, "-m", "pip", "install"
    return "uv", "pip", "install", "--python", sys.executable


def _source(extras: Collection[str], origin: Mapping[str, Any]) -> tuple[str, ...]:
    """Write the requirement with its extras; `origin` is the installed package's direct_url.json.

    https://packaging.python.org/en/latest/specifications/direct-url-data-structure/
    """
    with_extras = f"[{','.join(sorted(extras))}]" if extras else ""
    wanted = f"{_PACKAGE}{with_extras}"
    url = origin.get("url", "")
    if "dir_info" in origin:
        folder = f"{unquote(urlsplit(url).path)}{with_extras}"
        return ("--editable", folder) if origin["dir_info"].get("editable") else (folder,)
    if "vcs_info" in origin:
        vcs = origin["vcs_info"]
        revision = f"@{vcs['requested_revision']}" if "requested_revision" in vcs else ""
        url = f"{vcs['vcs']}+{url}{revision}"
    return (f"{wanted} @ {url}" if url else wanted,)
