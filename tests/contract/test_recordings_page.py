"""docs/recordings.md names a test, which exists, or a reason for every recording; its figures are counted."""

from __future__ import annotations

import ast
import re
from pathlib import Path

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "recordings.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ([\d-]+) \| (.+) \| (match|explained) \| (.+) \|$", PAGE, re.MULTILINE)


def numbers(cell: str) -> list[int]:
    """The recordings of a row, which may be of two or more: 1-2."""
    first, _, last = cell.partition("-")
    return list(range(int(first), int(last or first) + 1))


def functions(file: Path) -> set[str]:
    """The names of all functions of a file, those of its classes too."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_recording_is_there_once() -> None:
    assert [number for cell, *_ in ROWS for number in numbers(cell)] == list(range(1, 48))


def test_the_figures_are_those_of_the_table() -> None:
    counts = {
        verdict: sum(len(numbers(cell)) for cell, _, found, _ in ROWS if found == verdict)
        for verdict in ("match", "explained")
    }
    assert f"Of 47 recordings {counts['match']} match, and {counts['explained']} are explained." in PAGE


def test_every_test_exists() -> None:
    named = re.findall(r"`(tests/[^`:]+)::(\w+)`", PAGE)
    assert len(named) > 40
    assert [(file, name) for file, name in named if name not in functions(PROJECT / file)] == []


def test_what_matches_has_a_test() -> None:
    assert [cell for cell, _, verdict, proof in ROWS if verdict == "match" and "::test_" not in proof] == []


def test_every_former_mismatch_is_told() -> None:
    subjects = PAGE.partition("The 18 mismatches")[2]
    told = {int(number) for cell in re.findall(r"\| ([\d, ]+) \|", subjects) for number in cell.split(",")}
    assert len(told) == 18
