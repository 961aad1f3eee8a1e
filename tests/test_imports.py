"""The import directions of the design: cli, operations, resources, aws; settings and errors below all."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ordernotify
from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.resources.base import Resource
from ordernotify.resources.function_code import packed_files
from ordernotify.settings.model import ApiKind, Settings

PACKAGE = Path(ordernotify.__file__).parent
LEVELS = (
    {"function"},
    {"errors", "handler"},
    {"extras", "settings", "times"},
    {"aws"},
    {"iam"},
    {"resources"},
    {"executor"},
    {"provision"},
    {"orders"},
    {"logs"},
    {"stack", "subscribers", "local", "export", "audit"},
    {"watch", "doctor"},
    {"render"},
    {"console"},
    {"cli"},
    {"__main__"},
)
"""A part imports only from levels below its own."""
LEVEL = {part: level for level, parts in enumerate(LEVELS) for part in parts}
SOURCES = sorted(PACKAGE.rglob("*.py"))
PACKED = [name for name in packed_files() if name.startswith("ordernotify/")]


def module_name(source: Path) -> str:
    parts = ("ordernotify", *source.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(module: str) -> str:
    """Name the part of the package that a module is in: the module itself, or its package."""
    name = module.removeprefix("ordernotify").removeprefix(".")
    return name if name in LEVEL else name.split(".")[0]


def level(part: str) -> int:
    return LEVEL[part]


def imported(source: Path) -> Iterator[str]:
    """List every module that the source imports, wherever in it, in full."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source} has a relative import"
            module = node.module or ""
            yield from (
                f"{module}.{alias.name}" if is_module(f"{module}.{alias.name}") else module
                for alias in node.names
            )


def is_module(name: str) -> bool:
    path = PACKAGE.parent.joinpath(*name.split("."))
    return name.startswith("ordernotify.") and (path.is_dir() or path.with_suffix(".py").is_file())


@pytest.mark.parametrize("source", SOURCES, ids=module_name)
def test_imports_go_one_way(source: Path) -> None:
    own = part_of(module_name(source))
    upward = {
        module
        for module in imported(source)
        if module.startswith("ordernotify.")
        and part_of(module) != own
        and own  # the package itself has no part
        and level(part_of(module)) >= level(own)
    }
    assert upward == set(), f"{module_name(source)} imports from its own level or above"


def test_resources_take_nothing_but_states_from_each_other(cloud: Cloud) -> None:
    declared = {type(one).__module__ for one in every_resource(cloud)}
    offending = {
        (module_name(source), node.module, alias.name)
        for source in (PACKAGE / "resources").rglob("*.py")
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module in declared
        for alias in node.names
        if not alias.name.endswith("State")
    }
    assert offending == set()


def test_every_key_that_a_resource_names_is_one_of_a_resource(cloud: Cloud) -> None:
    resources = every_resource(cloud)
    named = {
        key
        for resource in resources
        for key in (
            *resource.needs,
            *resource.deleted_after,
            resource.part_of or resource.key,
            resource.takes_place_of or resource.key,
        )
    }
    assert named <= {resource.key for resource in resources}


def every_resource(cloud: Cloud) -> list[Resource[Any]]:
    return [resource for api in ApiKind for resource in provision.declare(Settings(api=api), cloud)]


@pytest.mark.parametrize("name", PACKED, ids=str)
def test_what_is_in_the_functions_zip_imports_only_that_and_the_standard_library(name: str) -> None:
    for module in imported(PACKAGE.parent / name):
        if module.startswith("ordernotify"):
            assert module.replace(".", "/") + ".py" in PACKED
        else:
            assert module.partition(".")[0] in sys.stdlib_module_names


@pytest.mark.parametrize(
    ("library", "where"), [("typer", {"cli"}), ("rich", {"render"}), ("click", {"cli"})], ids=str
)
def test_only_the_top_talks_to_the_person(library: str, where: set[str]) -> None:
    users = {
        part_of(module_name(source))
        for source in SOURCES
        if any(module.split(".")[0] == library for module in imported(source))
    }
    assert users <= where


OF_THE_PAGE = {"ordernotify.console", "starlette", "hypercorn", "jinja2", "markupsafe"}


def is_of_the_page(module: str) -> bool:
    return bool({module, module.partition(".")[0], ".".join(module.split(".")[:2])} & OF_THE_PAGE)


def test_nothing_of_the_page_is_imported_by_other_commands() -> None:
    users = {
        module_name(source)
        for source in SOURCES
        if any(is_of_the_page(module) for module in imported(source))
        and part_of(module_name(source)) != "console"
    }
    assert users == {"ordernotify.cli.watching"}
    # That module has other commands too: only the function of `console` imports the page.
    watching = ast.parse((PACKAGE / "cli/watching.py").read_text(encoding="utf-8"))
    inside = [
        part.name
        for part in watching.body
        if isinstance(part, ast.FunctionDef)
        and any(
            is_of_the_page(node.module or "") for node in ast.walk(part) if isinstance(node, ast.ImportFrom)
        )
    ]
    outside = [node for node in watching.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert inside == ["console"]
    assert not any(is_of_the_page(getattr(node, "module", None) or "") for node in outside)


def test_help_imports_no_boto3() -> None:
    program = (
        "import sys\n"
        "from ordernotify.cli import main\n"
        "sys.argv = ['ordernotify', '--help']\n"
        "try:\n"
        "    main()\n"
        "except SystemExit:\n"
        "    pass\n"
        "heavy = {name.partition('.')[0] for name in sys.modules} & {'boto3', 'botocore', 'urllib3'}\n"
        "print(sorted(heavy), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
    assert "setup" in done.stdout
