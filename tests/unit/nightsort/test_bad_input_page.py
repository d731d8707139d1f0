"""The page on bad input names a test for each line, and has a line for each reason that the code knows."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from nightsort.results.join import MISSING, UNREADABLE
from nightsort.results.lines import NO_LABELS, UNNAMED_ERROR
from nightsort.sources.rejects import REASONS

TESTS = Path(__file__).parents[2]
PAGE = (TESTS.parent / "docs" / "bad-input.md").read_text(encoding="utf-8")
TEST_ID = re.compile(r"`([a-z_/]+\.py)::([\w:]+)`")
NAMED = sorted(set(TEST_ID.findall(PAGE)))


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]


ROWS = [cells(line) for line in PAGE.splitlines() if line.startswith("| ") and not line.endswith("| test |")]


@cache
def names_in(path: Path) -> frozenset[str]:
    """The tests of a module, those of classes with the class's name in front."""
    module = ast.parse(path.read_text(encoding="utf-8"))
    found: list[tuple[str, ast.Module | ast.ClassDef]] = [
        ("", module),
        *((f"{node.name}::", node) for node in module.body if isinstance(node, ast.ClassDef)),
    ]
    return frozenset(
        prefix + node.name
        for prefix, scope in found
        for node in scope.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


@pytest.mark.parametrize(("file", "test"), NAMED, ids=["::".join(named) for named in NAMED])
def test_every_test_that_is_named_exists(file: str, test: str) -> None:
    path = TESTS / file if file.startswith("integration/") else TESTS / "unit" / "nightsort" / file

    assert test in names_in(path)


def test_every_line_names_its_test() -> None:
    assert len(ROWS) > 70
    assert [row for row in ROWS if not TEST_ID.fullmatch(row[-1])] == []


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_every_reason_for_a_reject_has_a_line(reason: str) -> None:
    assert any(f"`{reason}`" in cell for row in ROWS for cell in row)


@pytest.mark.parametrize("reason", [MISSING, UNREADABLE, NO_LABELS, UNNAMED_ERROR, "error:<code>"])
def test_every_reason_for_a_failure_has_a_line(reason: str) -> None:
    assert any(row[2] == f"`{reason}`" and row[1].find("failed") >= 0 for row in ROWS)


def test_what_the_page_calls_a_reason_is_one() -> None:
    rejects = [f"{row[1]} {row[2]}" for row in ROWS if "rejected" in row[1]]
    named = {word for cell in rejects for word in re.findall(r"`([a-z_0-9]+)`", cell)}

    assert named == set(REASONS)
