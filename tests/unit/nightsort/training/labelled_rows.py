"""Labelled documents as a source yields them, for tests of the training data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from nightsort.sources.documents import LABELLED_SCHEMA
from nightsort.training.labelled_documents import LabelledDocuments, store_documents
from nightsort.training.training_files import TrainingFileWriter

if TYPE_CHECKING:
    from pathlib import Path

Row = tuple[str, tuple[str, ...]]
"""A cleaned text and its labels."""


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


def stored(
    rows: list[Row], folder: Path, *, delimiter: str | None = "|"
) -> tuple[LabelledDocuments, TrainingFileWriter]:
    """The documents, in blocks of about five, and the writer of their files."""
    with TrainingFileWriter(folder, "|") as writer:
        documents = store_documents(
            batches(rows),
            folder,
            write_rows=writer.add,
            delimiter="|",
            limit=1_000,
            block_documents=5,
        )
    assert documents is not None
    return documents, writer
