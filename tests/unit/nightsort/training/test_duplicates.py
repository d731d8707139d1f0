"""Doubles are found by text and labels, whatever the order and however many are compared at a time."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from nightsort.training.duplicates import Doubles
from tests.unit.nightsort.training.labelled_rows import Row, drafted

ROWS = st.lists(
    st.tuples(st.sampled_from("abcde"), st.lists(st.sampled_from("xyz"), min_size=1, unique=True).map(tuple)),
    max_size=15,
)


@given(ROWS, st.integers(1, 16))
def test_doubles_are_those_that_one_would_find_by_hand(rows: list[Row], at_once: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        documents, _ = drafted(rows, Path(folder))
        doubles = Doubles.of(documents, at_once=at_once)

    seen: Counter[tuple[str, frozenset[str]]] = Counter()
    for place, (text, labels) in enumerate(rows):
        key = (text, frozenset(labels))
        assert doubles.again[place] == (seen[key] > 0)
        seen[key] += 1
        others = {frozenset(other) for same, other in rows if same == text}
        assert doubles.differing[place] == (len(others) > 1)
