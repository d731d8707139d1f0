"""Duplicates are found by text and labels, whatever the order and however many are compared at a time."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from nightsort.training.duplicates import find_duplicates
from tests.unit.nightsort.training.labelled_rows import Row, stored

ROWS = st.lists(
    st.tuples(st.sampled_from("abcde"), st.lists(st.sampled_from("xyz"), min_size=1, unique=True).map(tuple)),
    max_size=15,
)


@given(ROWS, st.integers(1, 16))
def test_duplicates_are_those_that_one_would_find_by_hand(rows: list[Row], block_size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        documents, _ = stored(rows, Path(folder))
        duplicates = find_duplicates(documents, block_size=block_size)

    seen: Counter[tuple[str, frozenset[str]]] = Counter()
    for index, (text, labels) in enumerate(rows):
        key = (text, frozenset(labels))
        assert duplicates.is_duplicate[index] == (seen[key] > 0)
        seen[key] += 1
        others = {frozenset(other) for same, other in rows if same == text}
        assert duplicates.has_other_labels[index] == (len(others) > 1)
