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

_LINE, _ID = (RESULT_SCHEMA.get_field_index(name) for name in ("line", "document_id"))


class RetriedResults:
    """The results of a batch of which some documents were sent again; iterate once.

    A line has the result of its last attempt. Its text tells which line of a retry is about it, since another
    document may have the line since the retry was written. Equal texts are told apart by their ids.

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
                yield from self._last_results(self._of_owners(rows, places[rows["line"].to_numpy()]))
        for rows in self._first:
            yield from self._last_results(rows)

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
        """Return the place of each line of a retry in the batch; -1 where a line has no document any more."""
        batch, again = self._first.manifest, retry.manifest
        by_id: Any = pc.index_in(again.document_ids, value_set=batch.document_ids, skip_nulls=True)
        found, gone = by_id, again.number_vacant
        if batch.text_hashes is not None and again.text_hashes is not None:
            there = batch.text_hashes.take(by_id)
            by_text: Any = pc.index_in(again.text_hashes, value_set=batch.text_hashes, skip_nulls=True)
            found = pc.if_else(pc.fill_null(pc.equal(there, again.text_hashes), False), by_id, by_text)
            # A text that is forgotten in the batch may be that of a document which the source lost before.
            gone = again.text_hashes.null_count + batch.text_hashes.null_count
        if found.null_count > gone:
            raise ManifestError(
                f"{again.first_file} holds documents of another batch than {batch.first_file}. "
                "Run prepare_batches again"
            )
        places: npt.NDArray[np.int64] = found.cast(pa.int64()).fill_null(-1).to_numpy()
        return np.where((places >= 0) & ~batch.vacant[places], places, -1)

    def _of_owners(self, rows: pa.RecordBatch, places: npt.NDArray[np.int64]) -> pa.RecordBatch:
        """Return the results of a retry as those of the documents that have the lines now, each once."""
        places, first = np.unique(places, return_index=True)
        first, places = first[places >= 0], places[places >= 0]
        ids = self._first.manifest.document_ids.take(from_numpy(places)).cast(pa.string())
        rows = rows.take(from_numpy(first)).set_column(_LINE, RESULT_SCHEMA.field(_LINE), from_numpy(places))
        return rows.set_column(_ID, RESULT_SCHEMA.field(_ID), ids)

    def _last_results(self, rows: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """Yield those rows whose line has no later result."""
        places = rows["line"].to_numpy()
        last = np.flatnonzero(~self._final[places])
        if not len(last):
            return
        self._final[places[last]] = True
        rows = rows.take(from_numpy(last))
        reasons = [str(reason) for reason in rows["reason"].drop_null().to_pylist()]
        self._reasons.update(reasons)
        self._classified += len(rows) - len(reasons)
        yield rows
