"""Doubles are found by text and labels, whatever the order, and documents come back as they went in."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from include.nightsort.documents import LABELLED_SCHEMA
from include.nightsort.training.labelled_documents import Doubles, LabelledDocuments, spool

Row = tuple[str, tuple[str, ...]]
ROWS = st.lists(
    st.tuples(st.sampled_from("abcde"), st.lists(st.sampled_from("xyz"), min_size=1, unique=True).map(tuple)),
    max_size=15,
)


def batches(rows: list[Row], *, size: int = 4) -> list[pa.RecordBatch]:
    return [
        pa.RecordBatch.from_pylist(
            [
                {"document_id": f"id{n}", "text": text, "labels": list(labels), "file": "x", "row": n}
                for n, (text, labels) in enumerate(rows[start : start + size], start)
            ],
            schema=LABELLED_SCHEMA,
        )
        for start in range(0, len(rows), size)
    ]


def documents(rows: list[Row], folder: str, *, most: int = 100) -> LabelledDocuments | None:
    return spool(batches(rows), Path(folder) / "spool", most=most)


@given(ROWS)
def test_doubles_are_those_that_one_would_find_by_hand(rows: list[Row]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        kept = documents(rows, folder)
        assert kept is not None
        doubles = Doubles.of(kept)

    seen: Counter[tuple[str, frozenset[str]]] = Counter()
    for place, (text, labels) in enumerate(rows):
        key = (text, frozenset(labels))
        assert doubles.again[place] == (seen[key] > 0)
        seen[key] += 1
        others = {frozenset(other) for same, other in rows if same == text}
        assert doubles.differing[place] == (len(others) > 1)


@given(ROWS)
def test_documents_come_back_in_order_with_their_places(rows: list[Row]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        kept = documents(rows, folder)
        assert kept is not None
        back = [(places, batch.to_pylist()) for places, batch in kept.batches()]

    assert [row["text"] for _, batch in back for row in batch] == [text for text, _ in rows]
    assert [n for places, _ in back for n in range(places.start, places.stop)] == list(range(len(rows)))
    sets = [kept.sets[number] for number in kept.labelling.set_of_document.tolist()]
    assert sets == [tuple(sorted(labels)) for _, labels in rows]
    assert kept.labels == sorted({label for _, labels in rows for label in labels})


def test_reading_stops_where_nobody_could_use_more(tmp_path: Path) -> None:
    rows: list[Row] = [("a", ("x",))] * 10

    assert documents(rows, str(tmp_path), most=9) is None
    assert documents(rows, str(tmp_path), most=10) is not None


def test_lengths_are_characters(tmp_path: Path) -> None:
    kept = documents([("äöü", ("x",)), ("", ("x",))], str(tmp_path))

    assert kept is not None
    assert kept.characters.tolist() == [3, 0]
