"""Read the output of documents that have no manifest: their places name them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from nightsort.arrow.manifest_schema import MANIFEST_SCHEMA
from nightsort.batches.manifest import Manifest
from nightsort.results.archive import read_member
from nightsort.results.columns import MEMBER, read_prediction_lines
from nightsort.results.join import ENDPOINT, BatchResults

if TYPE_CHECKING:
    from upath import UPath

    from nightsort.real_time.answers import Place


def output_results(archive: UPath, *, per_file: bool, mode: str, threshold: float) -> BatchResults:
    """Return the results in an output as a stream of record batches, which has ``counts`` at its end.

    :param archive: written by :func:`nightsort.real_time.classify.classify_documents`.
    :param per_file: each document has a file of its own, and its name as id; otherwise ``<file>:<line>``.
    :param mode: as for :class:`~nightsort.results.join.BatchResults`.
    :param threshold: as there.
    """
    places = _places(archive)
    ids = [file if per_file else f"{file}:{line}" for file, line in places]
    rows = pa.RecordBatch.from_arrays(
        [
            pa.array([file for file, _ in places], pa.string()).dictionary_encode(),
            pa.array([line for _, line in places], pa.int64()),
            pa.array(ids, pa.string()),
        ],
        schema=pa.schema([MANIFEST_SCHEMA.field(name) for name in ("file", "line", "document_id")]),
    )
    manifest = Manifest.from_batches([rows] if places else [], str(archive))
    return BatchResults(archive, manifest, mode=mode, threshold=threshold, source=ENDPOINT)


def _places(archive: UPath) -> list[Place]:
    """Return the places of all documents, in the order of the input: by file, then by line."""
    found: dict[Place, None] = {}
    for batch in read_prediction_lines(read_member(archive, MEMBER)):
        rows: Any = batch.predictions
        places = zip(rows["file"].to_pylist(), rows["line"].to_pylist(), strict=True)
        found.update(dict.fromkeys(places))
        found.update(dict.fromkeys((failure.file, failure.line or 0) for failure in batch.failures))
    return sorted(found)
