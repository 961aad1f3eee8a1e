"""The README names every command, every option and every setting."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import ordernotify.cli
from ordernotify.settings.environment import OTHER_VARIABLES
from ordernotify.settings.readme import with_settings_tables

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def commands() -> Iterator[tuple[str, Any]]:
    for module in pkgutil.iter_modules(ordernotify.cli.__path__):
        importlib.import_module(f"ordernotify.cli.{module.name}")

    def walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        for name, inner in getattr(command, "commands", {}).items():
            yield from walk(inner, (*path, name))
        if not hasattr(command, "commands"):
            yield " ".join(path), command

    return walk(typer.main.get_command(ordernotify.cli.app), ())


@pytest.mark.parametrize(("name", "command"), list(commands()), ids=lambda value: str(value)[:20])
def test_command_and_its_options_are_in_the_readme(name: str, command: Any) -> None:
    assert f"`{name.split()[0]}" in README
    assert all(word in README for word in name.split())
    options = {option for parameter in command.params for option in parameter.opts if option[:2] == "--"}
    assert {option for option in options - {"--help"} if f"`{option}`" not in README} == set()


@pytest.mark.parametrize(("name", "command"), list(commands()), ids=lambda value: str(value)[:20])
def test_help_of_every_command_has_an_example(name: str, command: Any) -> None:
    assert f"ordernotify {name}" in command.help


def test_the_tables_of_settings_are_made_from_their_rows() -> None:
    assert with_settings_tables(README) == README


def test_only_common_options_have_a_variable_beside_the_settings() -> None:
    found = {parameter.envvar for _, command in commands() for parameter in command.params}
    assert found - {None} == {"ORDERNOTIFY_CONFIG", "ORDERNOTIFY_JSON", "ORDERNOTIFY_VERBOSE"}
    assert {name for name in OTHER_VARIABLES if f"`{name}`" not in README} == set()
