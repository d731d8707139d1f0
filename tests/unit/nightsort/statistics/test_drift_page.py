"""The page on drift states the rule's own numbers, and its example is what the rule says."""

from __future__ import annotations

import re
from pathlib import Path

from nightsort.statistics import drift
from nightsort.statistics.drift import Night, judge

PAGE = " ".join((Path(__file__).parents[4] / "docs" / "drift.md").read_text(encoding="utf-8").split())


def test_the_example_is_what_the_rule_says() -> None:
    rows = re.findall(r"\| `(\w+)` \| ([\d,]+) \| \d+ % \| ([\d,]+) \| \d+ % \|", PAGE)
    labels = [label for label, _, _ in rows]
    tonight, before = ([int(row[place].replace(",", "")) for row in rows] for place in (1, 2))
    nights = [Night(labels, [documents // 28 for documents in before])] * 28
    verdict = judge(Night(labels, tonight), nights)
    assert verdict.drifted
    assert verdict.sentence in PAGE.replace("> ", "")


def test_the_numbers_are_those_of_the_code() -> None:
    assert f"the last {drift.TRAILING_NIGHTS} complete nights" in PAGE
    assert f"with {drift.LEAST_DOCUMENTS} documents or more" in PAGE
    assert f"fewer than {drift.LEAST_EXPECTED} documents are expected" in PAGE
    assert f"p < {drift.P_VALUE} and a PSI of at least {drift.LEAST_PSI} more" in PAGE
    assert f"fewer than {drift.LEAST_NIGHTS} nights to compare with" in PAGE
