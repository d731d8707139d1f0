"""Each promise of SECURITY.md is held by tests that exist, and no finding of the review is forgotten."""

from __future__ import annotations

import re

import pytest

from tests.unit.nightsort.test_bad_input_page import TESTS, cells, names_in

PAGE = (TESTS.parent / "docs" / "testing.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("## The promises of SECURITY.md\n")[2].partition("\n## ")[0]
ROWS = [cells(line) for line in SECTION.splitlines() if line.startswith("| ")][1:]
TEST_ID = re.compile(r"`([a-z0-9_/]+\.py)::([\w:]+)`")
NAMED = sorted({found for row in ROWS for found in TEST_ID.findall(row[2])})


@pytest.mark.parametrize(("file", "test"), NAMED, ids=["::".join(named) for named in NAMED])
def test_every_test_that_is_named_exists(file: str, test: str) -> None:
    assert test in names_in(TESTS / file)


def test_every_promise_names_a_test() -> None:
    assert len(ROWS) > 20
    assert [row for row in ROWS if not TEST_ID.search(row[2])] == []


def test_every_finding_of_the_review_has_a_test() -> None:
    assert {int(row[1]) for row in ROWS if row[1]} == set(range(1, 11))
