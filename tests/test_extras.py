"""The hint for a missing extra fits the way in which the command was installed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from ordernotify.extras import install_command

HTTPS = "https://example.com/shop/ordernotify"
ORIGINS = {
    "an index": (None, "'ordernotify[local]'"),
    "a checkout": ({"url": "file:///src/my%20shop", "dir_info": {}}, "'/src/my shop[local]'"),
    "a checkout to edit": (
        {"url": "file:///src/shop", "dir_info": {"editable": True}},
        "--editable '/src/shop[local]'",
    ),
    "a wheel": (
        {"url": "file:///tmp/ordernotify-0.1.0-py3-none-any.whl", "archive_info": {}},
        "'ordernotify[local] @ file:///tmp/ordernotify-0.1.0-py3-none-any.whl'",
    ),
    "git": (
        {"url": HTTPS, "vcs_info": {"vcs": "git", "commit_id": "0" * 40}},
        f"'ordernotify[local] @ git+{HTTPS}'",
    ),
    "a tag of git": (
        {"url": HTTPS, "vcs_info": {"vcs": "git", "commit_id": "0" * 40, "requested_revision": "v1"}},
        f"'ordernotify[local] @ git+{HTTPS}@v1'",
    ),
}


@pytest.mark.parametrize(("origin", "source"), ORIGINS.values(), ids=ORIGINS)
@pytest.mark.parametrize(
    ("left", "pip", "installer"),
    [
        ("uv-receipt.toml", False, "uv tool install --force"),
        ("pipx_metadata.json", False, "pipx install --force"),
        ("pyvenv.cfg", True, f"{sys.executable} -m pip install"),
        ("pyvenv.cfg", False, f"uv pip install --python {sys.executable}"),
    ],
    ids=["uv tool", "pipx", "pip", "uv"],
)
def test_the_command_is_the_installers_and_takes_the_same_source(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    left: str,
    pip: bool,
    installer: str,
    origin: object,
    source: str,
) -> None:
    (tmp_path / left).touch()
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr("ordernotify.extras.find_spec", lambda name: (pip and name == "pip") or None)
    installed = SimpleNamespace(read_text={"direct_url.json": origin and json.dumps(origin)}.get)
    monkeypatch.setattr("importlib.metadata.distribution", {"ordernotify": installed}.__getitem__)
    assert install_command("local") == f"{installer} {source}"


def test_without_an_extra_it_installs_the_same_again(monkeypatch: pytest.MonkeyPatch) -> None:
    origin = json.dumps({"url": "file:///src/shop", "dir_info": {}})
    installed = SimpleNamespace(read_text={"direct_url.json": origin}.get)
    monkeypatch.setattr("importlib.metadata.distribution", {"ordernotify": installed}.__getitem__)
    monkeypatch.setattr("ordernotify.extras.find_spec", lambda _: None)
    assert install_command().endswith(" /src/shop")


def test_the_extras_that_are_there_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ordernotify.extras.find_spec", lambda name: name == "ministack")
    assert "[console,local]" in install_command("console")
    assert "[local]" in install_command()
