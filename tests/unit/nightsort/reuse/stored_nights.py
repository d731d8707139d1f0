"""Nights whose results are kept, and what a plain dict says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nightsort.arrow.columns import from_numpy
from nightsort.arrow.hashing import as_column, hash_texts
from nightsort.arrow.label_lists import LABELS, SCORES
from nightsort.reuse.documents import REUSED_SCHEMA
from nightsort.reuse.lookup import Reused
from nightsort.reuse.store import ResultsWriter
from nightsort.storage import plain_access

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nightsort.layout import WorkLayout

VERSION = "v0123456789ab"


class Result(NamedTuple):
    """What a classifier said of a text; ``None``: it failed."""

    text: str
    labels: dict[str, float] | None


def labels_of(result: Result) -> list[str]:
    return list(result.labels or {})


def scores_of(result: Result) -> list[float]:
    return [float(np.float32(score)) for score in (result.labels or {}).values()]


def keep(layout: WorkLayout, run_key: str, batch: str, results: Sequence[Result], *, at_once: int = 3) -> str:
    """Keep the results of a batch, as its load does; return where they are."""
    classified = [result for result in results if result.labels]
    with ResultsWriter(plain_access(), layout, version=VERSION, run_key=run_key, batch=batch) as writer:
        for start in range(0, len(classified), at_once):
            part = classified[start : start + at_once]
            writer.add(
                as_column(*hash_texts(pa.array([result.text for result in part], pa.string()))),
                pa.array([labels_of(result) for result in part], LABELS),
                pa.array([scores_of(result) for result in part], SCORES),
            )
        writer.upload()
    return layout.stored_results(VERSION, run_key, batch)


def look_up(
    layout: WorkLayout, scratch: Path, runs: Sequence[str], blocks: Sequence[Sequence[str]]
) -> tuple[list[bool], list[dict[str, object]]]:
    """Return which texts are known, and what is written of them."""
    known: list[bool] = []
    with Reused(
        layout, plain_access(), scratch, version=VERSION, runs=runs, own=str(scratch / "reused.parquet")
    ) as reused:
        for block in blocks:
            ids: pa.Array[Any] = pa.array([f"document {len(known) + row}" for row in range(len(block))])
            first, second = hash_texts(pa.array(block, pa.string()))
            rows = reused.find(first, second)
            here = np.flatnonzero(rows >= 0)
            units = np.full(len(here), 3)
            reused.add(ids.take(from_numpy(here)), first[here], second[here], rows[here], units)
            known += (rows >= 0).tolist()
        reused.write()
        assert (reused.number, reused.units) == (sum(known), 3 * sum(known))
    if not any(known):
        assert not (scratch / "reused.parquet").exists()
        return known, []
    written = pq.ParquetFile(scratch / "reused.parquet").read()
    assert written.schema.names == REUSED_SCHEMA.names
    return known, written.to_pylist()
