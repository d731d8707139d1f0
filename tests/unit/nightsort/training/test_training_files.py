"""Whatever is taken out of the draft, the files hold what is left, in the order of the source."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightsort.training import checks as training_checks
from nightsort.training.checks import TrainingDataError
from nightsort.training.decisions import LEFT_OUT, TEST, TRAINING, Decided
from tests.unit.nightsort.training.labelled_rows import Row, drafted

LABELS = ('a"', "b,c", "d", "e")
ROWS = st.lists(
    st.tuples(
        st.text('aä", ', max_size=8),
        st.lists(st.sampled_from(LABELS), min_size=1, unique=True).map(tuple),
    ),
    max_size=15,
)


def decided(fates: list[int], names: list[str], left_out: set[str]) -> Decided:
    labels = np.array([name not in left_out for name in names], dtype=bool)
    return Decided(np.array(fates, dtype=np.int8), labels, {}, sorted(left_out), 0)


def rows_of(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file, strict=True))


@given(ROWS, st.sets(st.sampled_from(LABELS)), st.integers(1, 60), st.data())
def test_files_hold_what_is_left_with_the_labels_that_are_left(
    rows: list[Row], left_out: set[str], at_once: int, data: st.DataObject
) -> None:
    fates = [
        data.draw(st.sampled_from([TRAINING, TEST, LEFT_OUT])) if set(labels) - left_out else LEFT_OUT
        for _, labels in rows
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        documents, drafts = drafted(rows, folder)
        size = drafts.finish(documents, decided(fates, documents.names, left_out), at_once=at_once)
        training, test = rows_of(folder / "training.csv"), rows_of(folder / "test.csv")
        lines = (folder / "test.txt").read_text("utf-8").split("\n")
        assert size == (folder / "training.csv").stat().st_size

    cells = [["|".join(sorted(set(labels) - left_out)), text] for text, labels in rows]
    assert training == [cell for cell, fate in zip(cells, fates, strict=True) if fate == TRAINING]
    assert test == [cell for cell, fate in zip(cells, fates, strict=True) if fate == TEST]
    assert lines == [*(text for _, text in test), ""]


def test_more_bytes_than_comprehend_takes_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents, drafts = drafted([("text", ("a",)), ("other", ("a",))], tmp_path)
    both = decided([TRAINING, TEST], documents.names, set())
    monkeypatch.setattr(training_checks.limits, "MAX_TRAINING_BYTES", len('a,"text"\na,"other"\n') - 1)

    with pytest.raises(TrainingDataError, match="more training data than the"):
        drafts.finish(documents, both)
