"""Whatever is removed from the training file, the files hold what is left, in the order of the source."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightsort.comprehend import limits
from nightsort.training.checks import TrainingDataError
from nightsort.training.split_assignment import LEFT_OUT, TEST, TRAINING, SplitAssignment
from tests.unit.nightsort.training.labelled_rows import Row, stored

LABELS = ('a"', "b,c", "d", "e")
ROWS = st.lists(
    st.tuples(
        st.text('aä", ', max_size=8),
        st.lists(st.sampled_from(LABELS), min_size=1, unique=True).map(tuple),
    ),
    max_size=15,
)


def assignment(roles: list[int], names: list[str], left_out: set[str]) -> SplitAssignment:
    labels = np.array([name not in left_out for name in names], dtype=bool)
    return SplitAssignment(np.array(roles, dtype=np.int8), labels, {}, {}, {}, 0)


def rows_of(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file, strict=True))


@given(ROWS, st.sets(st.sampled_from(LABELS)), st.integers(1, 60), st.data())
def test_files_hold_what_is_left_with_the_labels_that_are_left(
    rows: list[Row], left_out: set[str], block_bytes: int, data: st.DataObject
) -> None:
    roles = [
        data.draw(st.sampled_from([TRAINING, TEST, LEFT_OUT])) if set(labels) - left_out else LEFT_OUT
        for _, labels in rows
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        documents, writer = stored(rows, folder)
        size = writer.finish(documents, assignment(roles, documents.names, left_out), block_bytes=block_bytes)
        training, test = rows_of(folder / "training.csv"), rows_of(folder / "test.csv")
        lines = (folder / "test.txt").read_text("utf-8").split("\n")
        assert size == (folder / "training.csv").stat().st_size

    cells = [["|".join(sorted(set(labels) - left_out)), text] for text, labels in rows]
    assert training == [cell for cell, role in zip(cells, roles, strict=True) if role == TRAINING]
    assert test == [cell for cell, role in zip(cells, roles, strict=True) if role == TEST]
    assert lines == [*(text for _, text in test), ""]


def test_more_bytes_than_comprehend_takes_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents, writer = stored([("text", ("a",)), ("other", ("a",))], tmp_path)
    both = assignment([TRAINING, TEST], documents.names, set())
    monkeypatch.setattr(limits, "MAX_TRAINING_BYTES", len('a,"text"\na,"other"\n') - 1)

    with pytest.raises(TrainingDataError, match="more training data than the"):
        writer.finish(documents, both)
