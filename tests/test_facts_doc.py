"""docs/aws-facts.md, the code that cites it by number, and the tests that it names belong together."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FACTS = (ROOT / "docs" / "aws-facts.md").read_text(encoding="utf-8")
ROWS = {int(line.split("|")[1]): line for line in FACTS.splitlines() if re.match(r"\| \d+ \|", line)}
SOURCES = [path for folder in ("ordernotify", "tests") for path in sorted((ROOT / folder).rglob("*.py"))]
_CITED = re.compile(r"AWS-FACTS (\d+(?:(?:, | and )\d+)*)")
_CITED_SECTION = re.compile(r'AWS-FACTS,? "([^"]+)"')


def cited(text: str) -> Iterator[int]:
    """List the rows that a text cites, as `AWS-FACTS 6 and 21` does; comments may break the line in it."""
    for found in _CITED.finditer(re.sub(r"\s*\n\s*#?\s*", " ", text)):
        yield from map(int, re.findall(r"\d+", found[1]))


def proofs(row: str) -> list[str]:
    return re.findall(r"`(tests/[^`]+)`", row.rsplit("|", 2)[1])


def test_the_rows_are_numbered_without_a_gap() -> None:
    assert list(ROWS) == list(range(1, 40))


@pytest.mark.parametrize(
    ("text", "rows"),
    [("AWS-FACTS 6 and 21", [6, 21]), ("(AWS-FACTS 1, 2 and 3).", [1, 2, 3]), ("AWS-FACTS\n    # 5", [5])],
)
def test_citations_are_found(text: str, rows: list[int]) -> None:
    assert list(cited(text)) == rows


def test_every_cited_row_exists() -> None:
    missing = {
        f"{source.relative_to(ROOT)}: {number}"
        for source in SOURCES
        for number in cited(source.read_text(encoding="utf-8"))
        if number not in ROWS
    }
    assert missing == set()


def test_every_cited_section_exists() -> None:
    headings = set(re.findall(r"(?m)^## (.+)$", FACTS))
    others = [source for source in SOURCES if source != Path(__file__)]
    named = {name for source in others for name in _CITED_SECTION.findall(source.read_text(encoding="utf-8"))}
    assert named - headings == set()


@pytest.mark.parametrize("number", sorted(ROWS))
def test_the_tests_that_a_row_names_exist(number: int) -> None:
    for proof in proofs(ROWS[number]):
        file_name, _, test = proof.partition("::")
        tree = ast.parse((ROOT / file_name).read_text(encoding="utf-8"))
        functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert test in functions, f"row {number} names {proof}"


def test_every_row_is_proved() -> None:
    assert [number for number, row in ROWS.items() if not proofs(row)] == []
