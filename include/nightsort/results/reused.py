"""Read the results of documents whose texts an earlier run of the same version has paid for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from nightsort.arrow.columns import from_numpy
from nightsort.arrow.label_lists import accepted_labels, as_labels, as_scores
from nightsort.batches.manifest import ManifestError
from nightsort.results.join import CLASSIFIED, REUSED, constant, result_rows
from nightsort.reuse.documents import DamagedResultsError, read_reused_documents
from nightsort.storage import must_exist

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from upath import UPath

_RESULTS: Final = ("labels", "scores", "run_key")


def read_reused(path: UPath, *, mode: str, threshold: float) -> Iterator[pa.RecordBatch]:
    """Stream the results of a run's reused documents, as they are loaded.

    :param path: what :meth:`nightsort.reuse.lookup.Reused.write` has written.
    :param mode: ``MULTI_CLASS`` accepts the best label, ``MULTI_LABEL`` each label at or above `threshold`.
    :param threshold: the lowest score of an accepted label, for ``MULTI_LABEL``.
    :returns: record batches with :data:`~nightsort.results.join.RESULT_SCHEMA`; ``line`` is the row of the
        file, and a forgotten document has no row.
    :raises MissingObjectError: the file is gone.
    :raises ManifestError: it cannot be read.
    """
    start = 0
    for part in _rows(path, [*_RESULTS, "document_id"]):
        yield _results(part, start, threshold if mode == "MULTI_LABEL" else None)
        start += len(part)


def count_reused(path: UPath) -> int:
    """Return how many reused documents a run has; forgotten ones do not count.

    :param path: as for :func:`read_reused`.
    :raises MissingObjectError: the file is gone.
    :raises ManifestError: it cannot be read.
    """
    return sum(len(part) - part["document_id"].null_count for part in _rows(path, ["document_id"]))


def _rows(path: UPath, columns: list[str]) -> Iterator[Any]:
    try:
        with must_exist(path):
            yield from read_reused_documents(path, columns)
    except DamagedResultsError as error:
        raise ManifestError(
            f"{path}: not the results of reused documents ({error}). Run prepare_batches again"
        ) from error


def _results(part: Any, start: int, threshold: float | None) -> pa.RecordBatch:
    lines = np.arange(start, start + len(part))
    if part["document_id"].null_count:
        there = part["document_id"].is_valid()
        part, lines = part.filter(there), lines[there.to_numpy(zero_copy_only=False)]
    rows = len(part)
    labels, scores = as_labels(part["labels"]), as_scores(part["scores"])
    firsts: Any = labels.offsets[:-1]
    return result_rows(
        rows,
        line=from_numpy(lines),
        document_id=part["document_id"],
        status=constant(CLASSIFIED, rows),
        label=labels.values.take(firsts),
        score=scores.values.take(firsts),
        labels=labels,
        scores=scores,
        accepted=accepted_labels(labels, scores, threshold),
        source=constant(REUSED, rows),
        source_run=part["run_key"],
    )
