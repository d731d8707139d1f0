"""Give the documents behind the lines of a batch the results of the lines that have their texts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from nightsort.arrow.columns import from_numpy
from nightsort.results.join import CLASSIFIED, MISSING, REPEAT, RESULT_SCHEMA, constant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nightsort.batches.manifest import Manifest
    from nightsort.results.join import BatchResults, LoadCounts
    from nightsort.results.retried import RetriedResults


class RepeatedResults:
    """The results of all documents of a batch; iterate once.

    Of the lines, only the results that other documents share are in memory.

    :param results: those of the lines.
    :param manifest: of the batch.
    """

    def __init__(self, results: BatchResults | RetriedResults, manifest: Manifest) -> None:
        self._results, self._manifest = results, manifest
        self._statuses: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()

    @property
    def counts(self) -> LoadCounts:
        """The counts of the documents; of odd pieces, those of the outputs."""
        counts = self._results.counts
        classified, documents = self._statuses[CLASSIFIED], self._statuses.total()
        reasons = Counter(counts.reasons) + self._reasons
        return replace(
            counts,
            documents=counts.documents + documents,
            classified=counts.classified + classified,
            failed=counts.failed + documents - classified,
            missing=counts.missing + self._reasons[MISSING],
            reasons=dict(reasons.most_common()),
        )

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        shared = np.zeros(len(self._manifest), np.bool_)
        for lines, _ in self._manifest.repeats():
            shared[lines] = True
        kept: list[pa.RecordBatch] = []
        for rows in self._results:
            yield rows
            here = shared[rows["line"].to_numpy()]
            if here.any():
                kept.append(rows.filter(pa.array(here)))
        if kept:
            yield from self._behind(kept)

    def _behind(self, kept: list[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        table = pa.Table.from_batches(kept, RESULT_SCHEMA).unify_dictionaries().combine_chunks()
        kept.clear()
        (found,) = table.to_batches()
        place = np.full(len(self._manifest), -1, np.int64)
        place[found["line"].to_numpy()] = np.arange(len(found))
        position = len(self._manifest)
        for lines, ids in self._manifest.repeats():
            there = np.flatnonzero(ids.is_valid().to_numpy(zero_copy_only=False) & (place[lines] >= 0))
            rows: Any = found.take(from_numpy(place[lines[there]]))
            columns = dict(zip(RESULT_SCHEMA.names, rows.columns, strict=True))
            columns["line"] = from_numpy(position + there)
            columns["document_id"] = ids.take(from_numpy(there))
            columns["source"] = constant(REPEAT, len(there))
            self._statuses.update(columns["status"].to_pylist())
            self._reasons.update(columns["reason"].drop_null().to_pylist())
            yield pa.RecordBatch.from_arrays(list(columns.values()), schema=RESULT_SCHEMA)
            position += len(lines)
