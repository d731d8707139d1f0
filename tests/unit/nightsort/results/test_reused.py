"""What is read of reused documents is what their first load gave, but for the threshold of today."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from upath import UPath

from nightsort.arrow.hashing import as_column, hash_texts
from nightsort.arrow.label_lists import SCORES
from nightsort.batches.manifest import ManifestError
from nightsort.layout import WorkLayout
from nightsort.results.reused import read_reused
from nightsort.reuse.documents import REUSED_SCHEMA, reused_writer
from nightsort.storage import MissingObjectError
from tests.unit.nightsort.reuse.stored_nights import Result, keep, look_up

if TYPE_CHECKING:
    from pathlib import Path

KNOWN = {"one": {"A": 0.75, "B": 0.5}, "two": {"B": 0.625}}


@pytest.fixture
def reused(tmp_path: Path) -> UPath:
    layout = WorkLayout(str(tmp_path / "work"))
    keep(layout, "20261118", "batch", [Result(text, labels) for text, labels in KNOWN.items()])
    look_up(layout, tmp_path, ["20261118"], [["one", "new", "two"]])
    return UPath(tmp_path / "reused.parquet")


def rows_of(path: UPath, mode: str = "MULTI_CLASS", threshold: float = 0.5) -> list[dict[str, object]]:
    return pa.Table.from_batches(read_reused(path, mode=mode, threshold=threshold)).to_pylist()


def test_a_row_has_what_the_first_load_had(reused: UPath) -> None:
    first, second = rows_of(reused)

    assert {name: first[name] for name in ("line", "document_id", "status", "label", "score", "reason")} == {
        "line": 0,
        "document_id": "document 0",
        "status": "classified",
        "label": "A",
        "score": 0.75,
        "reason": None,
    }
    assert (first["labels"], first["scores"], first["accepted"]) == (["A", "B"], [0.75, 0.5], ["A"])
    assert (second["line"], second["document_id"], second["label"]) == (1, "document 2", "B")


@pytest.mark.parametrize(
    ("threshold", "accepted"), [(0.5, [["A", "B"], ["B"]]), (0.625, [["A"], ["B"]]), (0.7, [["A"], []])]
)
def test_the_threshold_of_today_decides(reused: UPath, threshold: float, accepted: list[list[str]]) -> None:
    assert [row["accepted"] for row in rows_of(reused, "MULTI_LABEL", threshold)] == accepted


def test_the_file_of_a_large_night_is_not_in_memory(tmp_path: Path) -> None:
    rows, path = 2**16, tmp_path / "large.parquet"
    ids: Any = pa.array([str(row) for row in range(rows)])
    labels: Any = pa.array([["A"]] * rows)
    columns: list[Any] = [
        ids,
        labels,
        pa.array([[0.5]] * rows, SCORES),
        pa.array(["20261118"] * rows).dictionary_encode(),
        as_column(*hash_texts(ids)),
        pa.array([3] * rows),
    ]
    with reused_writer(path) as writer:
        for _ in range(8):
            writer.write_batch(pa.record_batch(columns, REUSED_SCHEMA.names).cast(REUSED_SCHEMA))
    tracemalloc.start()
    try:
        read = sum(len(part) for part in read_reused(UPath(path), mode="MULTI_CLASS", threshold=0.5))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert read == 8 * rows
    assert most < path.stat().st_size / 2


def test_a_forgotten_document_has_no_row_and_the_others_keep_theirs(reused: UPath) -> None:
    table = pq.read_table(str(reused))
    ids = pa.array([None, "document 2"], pa.string())
    pq.write_table(table.set_column(0, REUSED_SCHEMA.field(0), ids).cast(REUSED_SCHEMA), str(reused))

    (row,) = rows_of(reused)
    assert (row["line"], row["document_id"], row["label"]) == (1, "document 2", "B")


def test_what_cannot_be_read_is_named(reused: UPath) -> None:
    reused.write_bytes(b"no Parquet")
    with pytest.raises(ManifestError, match=r"reused\.parquet: not the results .* prepare_batches again"):
        rows_of(reused)
    reused.unlink()
    with pytest.raises(MissingObjectError, match=r"reused\.parquet is gone"):
        rows_of(reused)
