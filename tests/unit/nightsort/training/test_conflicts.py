"""A text under several labels is rejected wherever it stands, each time with all of its labels."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import orjson
from hypothesis import given
from hypothesis import strategies as st

from nightsort.sources.rejects import RejectLog
from nightsort.training.conflicts import reject_conflicts
from nightsort.training.duplicates import find_duplicates
from nightsort.training.split_assignment import CONFLICTING, TRAINING, SplitAssignment
from tests.unit.nightsort.training.labelled_rows import Row, stored

ROWS = st.lists(st.tuples(st.sampled_from("abcde"), st.tuples(st.sampled_from("xyz"))), max_size=15)


@given(ROWS)
def test_each_is_rejected_in_its_place_with_all_labels_of_its_text(rows: list[Row]) -> None:
    with tempfile.TemporaryDirectory() as name:
        documents, _ = stored(rows, Path(name))
        roles = np.where(find_duplicates(documents).has_other_labels, CONFLICTING, TRAINING).astype(np.int8)
        assignment = SplitAssignment(roles, np.ones(len(documents.names), dtype=bool), {}, {}, {}, 0)
        with RejectLog(Path(name) / "rejects") as rejects:
            reject_conflicts(documents, assignment, rejects)
        found = [orjson.loads(line) for line in rejects.path.read_bytes().splitlines()]

    labels_of = {text: sorted({label for other, (label,) in rows if other == text}) for text, _ in rows}
    assert [(reject["document_id"], reject["row"], reject["detail"]) for reject in found] == [
        (f"id{n}", n, "the same text has the labels " + ", ".join(f'"{label}"' for label in labels_of[text]))
        for n, (text, _) in enumerate(rows)
        if len(labels_of[text]) > 1
    ]
