"""The generated pages are as the program is; the README is short and leads to everything."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from ordernotify.cli import app
from ordernotify.settings.environment import OTHER_VARIABLES
from tests.pictures import TERMINALS, architecture

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def generator() -> Any:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATE = generator()


@pytest.mark.parametrize(("name", "text"), GENERATE.pages().items(), ids=["commands", "settings"])
def test_generated_page_is_as_the_program_is(name: str, text: str) -> None:
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == text, "run `make docs`"


def test_readme_is_short_and_leads_to_every_page() -> None:
    assert len(README.splitlines()) <= 120
    pages = {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")}
    assert {page for page in pages if f"({page})" not in README} == set()


@pytest.mark.parametrize(("name", "command"), list(GENERATE.commands()), ids=lambda value: str(value)[:20])
def test_help_of_every_command_has_an_example(name: str, command: Any) -> None:
    assert f"ordernotify {name}" in command.help


def test_only_common_options_have_a_variable_beside_the_settings() -> None:
    found = {parameter.envvar for _, command in GENERATE.commands() for parameter in command.params}
    names = ("CONFIG", "JSON", "QUIET", "COLOR", "VERBOSE")
    assert found - {None} == {f"ORDERNOTIFY_{name}" for name in names}
    settings = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert {name for name in OTHER_VARIABLES if f"`{name}`" not in settings} == set()


PICTURES = ROOT / "docs" / "images"


def test_the_picture_of_the_system_has_the_names_that_setup_gives() -> None:
    kept = (PICTURES / "architecture.svg").read_text(encoding="utf-8")
    assert kept == architecture(), "`make screenshots` draws it anew"
    ElementTree.fromstring(kept)


def test_every_picture_is_shown_small_and_complete_in_itself() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    shown = "".join(page.read_text(encoding="utf-8") for page in pages)
    assert {f"{name}.svg" for name in ("architecture", *(f"terminal-{one}" for one in TERMINALS))} == {
        picture.name for picture in PICTURES.glob("*.svg")
    }
    for picture in PICTURES.glob("*.svg"):
        text = picture.read_text(encoding="utf-8")
        assert f"images/{picture.name}" in shown
        assert len(text) < 60_000
        assert "url(http" not in text, "an image in a page loads nothing"


def test_the_pictures_of_the_terminal_show_commands_that_exist() -> None:
    for line in (line for lines in TERMINALS.values() for line in lines):
        done = CliRunner().invoke(app, [line.split()[0], "--help"])
        assert done.exit_code == 0
        options = re.findall(r"--[a-z-]+", line)
        assert [option for option in options if option not in done.output] == []
