"""The house: small modules and functions, one meaning to a name, and folders that say what they are for."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

import ordernotify

PACKAGE = Path(ordernotify.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
FOLDERS = sorted(source.parent for source in MODULES if source.name == "__init__.py")
MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 60


def name(path: Path) -> str:
    return str(path.relative_to(PACKAGE.parent))


def nodes(source: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(source.read_text(encoding="utf-8")))


@pytest.mark.parametrize("source", MODULES, ids=name)
def test_a_module_has_at_most_400_lines(source: Path) -> None:
    assert len(source.read_text(encoding="utf-8").splitlines()) <= MAX_MODULE_LINES


@pytest.mark.parametrize("source", MODULES, ids=name)
def test_a_function_has_at_most_60_lines(source: Path) -> None:
    sizes = {
        node.name: (node.end_lineno or node.lineno) - node.lineno + 1
        for node in nodes(source)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {function: size for function, size in sizes.items() if size > MAX_FUNCTION_LINES} == {}


def test_no_two_classes_have_the_same_name() -> None:
    places = defaultdict(list)
    for source in MODULES:
        for node in nodes(source):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(name(source))
    assert {one: where for one, where in places.items() if len(where) > 1} == {}


@pytest.mark.parametrize("folder", FOLDERS, ids=name)
def test_a_folder_says_in_one_sentence_what_it_is_for(folder: Path) -> None:
    said = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
    sentence = said.partition("\n\n")[0].strip()
    assert sentence.endswith(".")
    assert ". " not in sentence
    assert "\n\n" not in said, "one sentence; what needs more belongs in docs/architecture.md"
