"""Nights whose results are kept, and what a plain dict says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from nightsort.arrow.hashing import as_column, hash_texts
from nightsort.arrow.label_lists import LABELS, SCORES
from nightsort.results.join import CLASSIFIED, FAILED, result_rows
from nightsort.reuse.lookup import REUSED_SCHEMA, Reused
from nightsort.reuse.store import ResultsWriter
from nightsort.storage import plain_access

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nightsort.naming import WorkLayout

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
    hashes = as_column(*hash_texts(pa.array([result.text for result in results], pa.string())))
    with ResultsWriter(
        plain_access(), layout, version=VERSION, run_key=run_key, batch=batch, text_hashes=hashes
    ) as writer:
        for start in range(0, len(results), at_once):
            part = results[start : start + at_once]
            writer.add(
                result_rows(
                    len(part),
                    line=pa.array(range(start, start + len(part)), pa.int64()),
                    document_id=pa.array([f"{batch} {start + row}" for row in range(len(part))]),
                    status=pa.array(
                        [FAILED if result.labels is None else CLASSIFIED for result in part]
                    ).dictionary_encode(),
                    labels=pa.array([result.labels and labels_of(result) for result in part], LABELS),
                    scores=pa.array([result.labels and scores_of(result) for result in part], SCORES),
                )
            )
        writer.upload()
    return layout.stored_results(VERSION, run_key, batch)


def look_up(
    layout: WorkLayout, scratch: Path, runs: Sequence[str], blocks: Sequence[Sequence[str]]
) -> tuple[list[bool], list[dict[str, object]]]:
    """Return which texts are known, and what is written of them."""
    import pyarrow.parquet as pq

    known: list[bool] = []
    with Reused(layout, plain_access(), scratch, version=VERSION, runs=runs) as reused:
        for block in blocks:
            ids = pa.array([f"document {len(known) + row}" for row in range(len(block))], pa.string())
            known += reused.take(ids, *hash_texts(pa.array(block, pa.string()))).tolist()
        reused.write(str(scratch / "reused.parquet"))
        assert reused.number == sum(known)
    written = pq.ParquetFile(scratch / "reused.parquet").read()
    assert written.schema.names == REUSED_SCHEMA.names
    return known, written.to_pylist()
