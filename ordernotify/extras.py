"""What may be installed beside the command, and how: the hint must fit the way in which the command came."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

_PACKAGE = "ordernotify"


def install_command(extra: str = "") -> str:
    """Return the shell command that makes this installation anew, with the extra, from where it came."""
    # Slow to import, and needed only here.
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        origin = json.loads(distribution(_PACKAGE).read_text("direct_url.json") or "{}")
    except PackageNotFoundError:
        origin = {}
    words = [*_installer(Path(sys.prefix), has_pip=find_spec("pip") is not None), *_source(extra, origin)]
    return shlex.join(words)


def _installer(prefix: Path, *, has_pip: bool) -> tuple[str, ...]:
    """Name the program that made the environment, by what it leaves there."""
    if (prefix / "uv-receipt.toml").exists():
        return "uv", "tool", "install", "--force"
    if (prefix / "pipx_metadata.json").exists():
        return "pipx", "install", "--force"
    if has_pip:
        return sys.executable, "-m", "pip", "install"
    return "uv", "pip", "install", "--python", sys.executable


def _source(extra: str, origin: Mapping[str, Any]) -> tuple[str, ...]:
    """Write the requirement with the extra; `origin` is the installed package's direct_url.json.

    https://packaging.python.org/en/latest/specifications/direct-url-data-structure/
    """
    with_extra = f"[{extra}]" if extra else ""
    wanted = f"{_PACKAGE}{with_extra}"
    url = origin.get("url", "")
    if "dir_info" in origin:
        folder = f"{unquote(urlsplit(url).path)}{with_extra}"
        return ("--editable", folder) if origin["dir_info"].get("editable") else (folder,)
    if "vcs_info" in origin:
        vcs = origin["vcs_info"]
        revision = f"@{vcs['requested_revision']}" if "requested_revision" in vcs else ""
        url = f"{vcs['vcs']}+{url}{revision}"
    return (f"{wanted} @ {url}" if url else wanted,)
