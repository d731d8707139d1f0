"""Put the results of documents that were sent again in the place of their first results."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nightsort.arrow.columns import from_numpy
from nightsort.batches.manifest import ManifestError
from nightsort.results.join import MISSING, RESULT_SCHEMA, LoadCounts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from nightsort.batches.manifest import Manifest
    from nightsort.results.join import BatchResults

_LINE = RESULT_SCHEMA.get_field_index("line")


class RetriedResults:
    """The results of a batch of which some documents were sent again; iterate once.

    A document has the result of its last attempt. Ids are unique in a run, so they tell which document of the
    batch a retry is about.

    :param first: the results of the batch's own job.
    :param retries: those of its retries, in their order.
    """

    def __init__(self, first: BatchResults, retries: Sequence[BatchResults]) -> None:
        self._first, self._retries = first, retries
        self._final = np.zeros(len(first.manifest), np.bool_)
        self._classified = 0
        self._reasons: Counter[str] = Counter()

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for retry in reversed(self._retries):
            places = self._places(retry)
            for rows in retry:
                yield from self._last_results(rows, places[rows["line"].to_numpy()])
        for rows in self._first:
            yield from self._last_results(rows, rows["line"].to_numpy())

    @property
    def manifest(self) -> Manifest:
        """The manifest of the batch."""
        return self._first.manifest

    @property
    def counts(self) -> LoadCounts:
        """The counts of the documents; of odd pieces, the sums of all outputs."""
        each = [results.counts for results in (self._first, *self._retries)]
        documents = len(self._first.manifest) - self._first.manifest.number_vacant
        return LoadCounts(
            documents=documents,
            classified=self._classified,
            failed=documents - self._classified,
            missing=self._reasons[MISSING],
            unreadable=sum(counts.unreadable for counts in each),
            duplicates=sum(counts.duplicates for counts in each),
            unknown=sum(counts.unknown for counts in each),
            reasons=dict(self._reasons.most_common()),
        )

    def _places(self, retry: BatchResults) -> npt.NDArray[np.int64]:
        """Return the place of each line of a retry in the batch; none where it has no document any more."""
        ids = self._first.manifest.document_ids
        found: Any = pc.index_in(retry.manifest.document_ids, value_set=ids, skip_nulls=True)
        if found.null_count > retry.manifest.number_vacant:
            raise ManifestError(
                f"{retry.manifest.first_file} holds documents of another batch than "
                f"{self._first.manifest.first_file}. Run prepare_batches again"
            )
        places: npt.NDArray[np.int64] = found.cast(pa.int64()).fill_null(-1).to_numpy()
        return places

    def _last_results(self, rows: pa.RecordBatch, places: npt.NDArray[np.int64]) -> Iterator[pa.RecordBatch]:
        """Yield those rows whose document has no later result, with its place in the batch."""
        last = np.flatnonzero(~self._final[places])
        if not len(last):
            return
        places = places[last]
        self._final[places] = True
        rows = rows.take(from_numpy(last)).set_column(_LINE, RESULT_SCHEMA.field(_LINE), from_numpy(places))
        reasons = [str(reason) for reason in rows["reason"].drop_null().to_pylist()]
        self._reasons.update(reasons)
        self._classified += len(rows) - len(reasons)
        yield rows
