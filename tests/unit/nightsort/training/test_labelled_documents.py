"""What is known about labelled documents comes back as it went in, block by block."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from nightsort.training.labelled_documents import store_documents
from nightsort.training.training_files import TrainingFileWriter
from tests.unit.nightsort.training.labelled_rows import Row, batches, stored

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
        documents, _ = stored(rows, Path(folder))
        blocks = list(documents)
        ids = [(indices, batch.to_pylist()) for indices, batch in documents.ids()]

    assert len(documents) == len(rows)
    everywhere = list(range(len(rows)))
    assert [n for block in blocks for n in range(block.indices.start, block.indices.stop)] == everywhere
    assert [n for block in blocks for n in block.characters] == [len(text) for text, _ in rows]
    sets = [
        tuple(documents.names[n] for n in block.labels.numbers[start:end])
        for block in blocks
        for start, end in zip(block.labels.starts[:-1], block.labels.starts[1:], strict=True)
    ]
    assert sets == [tuple(sorted(labels)) for _, labels in rows]
    assert set(documents.names) == {label for _, labels in rows for label in labels}
    assert [n for indices, _ in ids for n in range(indices.start, indices.stop)] == everywhere
    assert [row["document_id"] for _, batch in ids for row in batch] == [f"id{n}" for n in everywhere]


@given(ROWS, st.integers(1, 60))
def test_parts_of_a_block_are_the_block_and_no_larger_than_asked_for(rows: list[Row], limit: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        documents, _ = stored(rows, Path(folder))
        for block in documents:
            parts = list(block.parts(limit))

            assert all(len(part.size) == 1 or part.size.sum() <= limit for part in parts)
            assert [part.indices.start for part in parts[1:]] == [part.indices.stop for part in parts[:-1]]
            for name in ("first", "second", "characters", "size"):
                joined = [n for part in parts for n in getattr(part, name).tolist()]
                assert joined == getattr(block, name).tolist()
            assert [
                n for part in parts for n in part.labels.numbers.tolist()
            ] == block.labels.numbers.tolist()
            assert all(len(part.labels) == len(part.size) for part in parts)


def test_reading_stops_where_nobody_could_use_more(tmp_path: Path) -> None:
    rows: list[Row] = [("a", ("x",))] * 10

    for limit, stops in ((9, True), (10, False)):
        with TrainingFileWriter(tmp_path, None) as writer:
            documents = store_documents(
                batches(rows),
                tmp_path,
                write_rows=writer.add,
                delimiter=None,
                limit=limit,
            )
        assert (documents is None) == stops
