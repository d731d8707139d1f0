"""Which labels are accepted follows from the scores as the tables hold them."""

from __future__ import annotations

from itertools import takewhile

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightsort.arrow.label_lists import LABELS, SCORES, accepted_labels

NAMED = st.dictionaries(st.sampled_from("ABCDE"), st.floats(0, 1, width=32), min_size=1)


@given(st.lists(NAMED), st.floats(0.001, 0.999))
def test_labels_at_or_above_the_threshold_are_accepted(
    rows: list[dict[str, float]], threshold: float
) -> None:
    best_first = [sorted(row.items(), key=lambda item: -item[1]) for row in rows]
    labels = pa.array([[name for name, _ in row] for row in best_first], LABELS)
    scores = pa.array([[score for _, score in row] for row in best_first], SCORES)

    accepted = accepted_labels(labels, scores, threshold)

    assert accepted.to_pylist() == [
        [name for name, _ in takewhile(lambda item: item[1] >= np.float32(threshold), row)]
        for row in best_first
    ]
    assert accepted_labels(labels, scores, None).to_pylist() == [[row[0][0]] for row in best_first]


@pytest.mark.parametrize("score", [0.7, float(np.float32(0.7))])
def test_a_score_that_the_table_shows_as_the_threshold_reaches_it(score: float) -> None:
    labels, scores = pa.array([["A"]], LABELS), pa.array([[score]], SCORES)

    assert accepted_labels(labels, scores, 0.7).to_pylist() == [["A"]]
