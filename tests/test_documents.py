"""The documents for contributors point at what exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_a_document_names_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    links = [document.parent / target for target in re.findall(r"\]\(([^)#:]+)\)", text)]
    paths = re.findall(r"`((?:tests|ordernotify|benchmarks|docs)/[\w/.-]+)[`:]", text)
    modules = re.findall(r"`((?:function|resources|settings|orders|aws|cli|iam|local|logs)/\w+\.py)`", text)
    named = [*links, *(ROOT / path for path in paths), *(ROOT / "ordernotify" / path for path in modules)]
    assert [str(path) for path in named if not path.exists()] == []


def test_every_test_that_shows_a_claim_of_security_exists() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    named, file = [], Path()
    for path, test in re.findall(r"`(tests/[\w/.]+)?(?:::(test_\w+))?`", text):
        file = ROOT / path if path else file
        named += [(file, test)] if test else []
    assert len(named) > 20
    assert [test for file, test in named if f"def {test}(" not in file.read_text(encoding="utf-8")] == []


def test_the_makefile_has_every_target_that_a_document_names() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for document in [*DOCUMENTS, ROOT / "README.md", *sorted((ROOT / ".github").rglob("*.yml"))]:
        for target in re.findall(r"(?:`|run: )make ([a-z-]+)", document.read_text(encoding="utf-8")):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{document.name}: make {target}"
