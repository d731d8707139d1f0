"""The lengths of each label's documents, however many are sorted at a time."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nightsort.training.lengths import text_lengths
from tests.unit.nightsort.training.labelled_rows import Row, stored

ROWS = st.lists(
    st.tuples(
        st.text("aä", max_size=9),
        st.lists(st.sampled_from("xyz"), min_size=1, unique=True).map(tuple),
        st.booleans(),
    ),
    max_size=15,
)


@given(ROWS, st.integers(1, 20))
def test_lengths_are_those_that_one_would_find_by_hand(
    rows: list[tuple[str, tuple[str, ...], bool]], max_pairs: int
) -> None:
    plain: list[Row] = [(text, labels) for text, labels, _ in rows]
    of_label: dict[str, list[int]] = {}
    for text, labels, chosen in rows:
        for label in labels:
            if chosen and label != "z":
                of_label.setdefault(label, []).append(len(text))
    with tempfile.TemporaryDirectory() as folder:
        documents, _ = stored(plain, Path(folder))
        wanted = np.array([name in of_label for name in documents.names], dtype=bool)
        flags = np.array([chosen for _, _, chosen in rows], dtype=bool)
        found = text_lengths(documents, flags, wanted, max_pairs=max_pairs)

    assert found == {
        label: {"shortest": min(sizes), "median": statistics.median(sizes), "longest": max(sizes)}
        for label, sizes in of_label.items()
    }
