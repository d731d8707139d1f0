"""What is known about labelled documents comes back as it went in, stretch by stretch."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from nightsort.training.labelled_documents import spool
from nightsort.training.training_files import Drafts
from tests.unit.nightsort.training.labelled_rows import Row, batches, drafted

ROWS = st.lists(
    st.tuples(
        st.text("aä\U0001f600", max_size=5),
        st.lists(st.sampled_from("xyz"), min_size=1, unique=True).map(tuple),
    ),
    max_size=15,
)


@given(ROWS)
def test_documents_come_back_in_order_with_their_places_labels_and_lengths(rows: list[Row]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        documents, _ = drafted(rows, Path(folder))
        stretches = list(documents)
        ids = [(places, batch.to_pylist()) for places, batch in documents.ids()]

    assert len(documents) == len(rows)
    everywhere = list(range(len(rows)))
    assert [
        n for stretch in stretches for n in range(stretch.places.start, stretch.places.stop)
    ] == everywhere
    assert [n for stretch in stretches for n in stretch.characters] == [len(text) for text, _ in rows]
    sets = [
        tuple(documents.names[n] for n in stretch.labels.numbers[start:end])
        for stretch in stretches
        for start, end in zip(stretch.labels.starts[:-1], stretch.labels.starts[1:], strict=True)
    ]
    assert sets == [tuple(sorted(labels)) for _, labels in rows]
    assert set(documents.names) == {label for _, labels in rows for label in labels}
    assert [n for places, _ in ids for n in range(places.start, places.stop)] == everywhere
    assert [row["document_id"] for _, batch in ids for row in batch] == [f"id{n}" for n in everywhere]


@given(ROWS, st.integers(1, 60))
def test_parts_of_a_stretch_are_the_stretch_and_no_larger_than_asked_for(rows: list[Row], most: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        documents, _ = drafted(rows, Path(folder))
        for stretch in documents:
            parts = list(stretch.parts(most))

            assert all(len(part.size) == 1 or part.size.sum() <= most for part in parts)
            assert [part.places.start for part in parts[1:]] == [part.places.stop for part in parts[:-1]]
            for name in ("first", "second", "characters", "size"):
                joined = [n for part in parts for n in getattr(part, name).tolist()]
                assert joined == getattr(stretch, name).tolist()
            assert [
                n for part in parts for n in part.labels.numbers.tolist()
            ] == stretch.labels.numbers.tolist()
            assert all(len(part.labels) == len(part.size) for part in parts)


def test_reading_stops_where_nobody_could_use_more(tmp_path: Path) -> None:
    rows: list[Row] = [("a", ("x",))] * 10

    for most, stops in ((9, True), (10, False)):
        with Drafts(tmp_path, None) as drafts:
            documents = spool(batches(rows), tmp_path, drafts, most=most, with_ids=False)
        assert (documents is None) == stops
