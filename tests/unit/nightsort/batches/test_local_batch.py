"""Batches hold all documents, in their order, and each as many as it may; their manifests say where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nightsort.arrow.hashing import as_column, hash_texts
from nightsort.batches import local_batch
from nightsort.classifier_spec.model import ClassifierSpec

if TYPE_CHECKING:
    from pathlib import Path


def spec(**settings: Any) -> ClassifierSpec:
    return ClassifierSpec.model_validate(
        {
            "name": "tickets",
            "mode": "MULTI_CLASS",
            "labelled": {"uri": "/data/labelled.csv", "format": "csv"},
            "incoming": {"uri": "/data/incoming/", "format": "csv"},
            "work_uri": "/data/work",
            "data_access_role_arn": "arn:aws:iam::123456789012:role/Comprehend",
            **settings,
        }
    )


def lines(ids: list[str], texts: list[str]) -> local_batch.Lines:
    column = pa.array(texts, pa.string())
    return local_batch.Lines(pa.array(ids, pa.string()), column, as_column(*hash_texts(column)))


DOCUMENTS = st.lists(st.integers(1, 12).map("é".__mul__), max_size=9)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    columns=st.lists(DOCUMENTS, max_size=5),
    most_documents=st.integers(1, 6),
    most_bytes=st.integers(1, 60),
    per_file=st.booleans(),
    rows_together=st.integers(1, 4),
)
def test_each_batch_is_as_large_as_allowed_and_nothing_is_lost(
    tmp_path_factory: pytest.TempPathFactory,
    columns: list[list[str]],
    most_documents: int,
    most_bytes: int,
    per_file: bool,
    rows_together: int,
) -> None:
    folder = tmp_path_factory.mktemp("batches")
    limits = spec(
        batch={"max_documents": most_documents, "max_bytes": most_bytes},
        input_format="ONE_DOC_PER_FILE" if per_file else "ONE_DOC_PER_LINE",
    )
    texts = [text for column in columns for text in column]
    ids = iter(f"id-{number}" for number in range(len(texts)))
    documents = [lines([next(ids) for _ in column], column) for column in columns]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_batch, "_ROWS_AT_ONCE", rows_together)
        made = list(local_batch.cut_batches(documents, limits, folder, taken=range(7)))

    def size(text: str) -> int:
        return len(text.encode()) + (0 if per_file else 1)

    written = [batch.path.read_text().splitlines() for batch in made]
    assert [line for batch in written for line in batch] == texts
    assert [batch.number for batch in made] == list(range(7, 7 + len(made)))
    for batch, following in zip(written, [*written[1:], None], strict=False):
        assert len(batch) <= most_documents
        assert sum(map(size, batch)) <= most_bytes or len(batch) == 1
        if following is not None:
            assert len(batch) == most_documents or sum(map(size, batch)) + size(following[0]) > most_bytes
    manifests = [
        [row for rows in batch.manifest_rows(None if per_file else "name.txt") for row in rows.to_pylist()]
        for batch in made
    ]
    assert [row["document_id"] for rows in manifests for row in rows] == [
        f"id-{number}" for number in range(len(texts))
    ]
    for manifest in manifests:
        places = [(row["file"], row["line"]) for row in manifest]
        assert places == [
            (row["document_id"], 0) if per_file else ("name.txt", number)
            for number, row in enumerate(manifest)
        ]


def test_what_is_removed_is_gone(tmp_path: Path) -> None:
    (batch,) = local_batch.cut_batches([lines(["a"], ["text"])], spec(), tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    batch.remove()
    batch.remove()
    assert list(tmp_path.iterdir()) == []
