"""Labelled documents as a source gives them, for tests of what becomes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from nightsort.sources.documents import LABELLED_SCHEMA
from nightsort.training.labelled_documents import LabelledDocuments, spool
from nightsort.training.training_files import Drafts

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


def drafted(
    rows: list[Row], folder: Path, *, delimiter: str | None = "|"
) -> tuple[LabelledDocuments, Drafts]:
    """The documents, in stretches of about five, and the draft of their files."""
    with Drafts(folder, "|") as drafts:
        documents = spool(batches(rows), folder, drafts, most=1_000, with_ids=True, stretch=5)
    assert documents is not None
    return documents, drafts
