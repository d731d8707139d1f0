"""The result of every document of a batch: Comprehend's output joined with the manifest by file and line.

Each document of the manifest gets exactly one result, whatever the output holds: its prediction, or the
reason why there is none.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from nightsort.arrow.columns import from_numpy
from nightsort.errors import NightsortError
from nightsort.results.columns import LABEL, Failure, PredictionBatch, Unreadable, read_predictions
from nightsort.results.lines import UNNAMED_ERROR

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy.typing as npt
    from upath import UPath

    from nightsort.batches.manifest import Manifest

log = logging.getLogger(__name__)

_TYPES: dict[str, pa.DataType] = {
    "line": pa.int64(),
    "document_id": pa.string(),
    "status": LABEL,
    "label": LABEL,
    "score": pa.float32(),
    "labels": pa.list_(LABEL),
    "scores": pa.list_(pa.float32()),
    "accepted": pa.list_(LABEL),
    "reason": LABEL,
}
RESULT_SCHEMA = pa.schema(_TYPES)
"""Columns of a result. ``line``: the document's position in its batch, from 0. ``status``: ``classified`` or
``failed``; a failed one has a ``reason`` and no label."""

CLASSIFIED = "classified"
FAILED = "failed"
MISSING = "missing_from_output"
UNREADABLE = "unreadable_line"

_MAX_REASONS = 1_000
_LOGGED_LINES = 5
_SLICE = 50_000


class WrongOutputError(NightsortError):
    """An output whose results are all about other files: what it holds, what was expected, what to do."""


@dataclass(frozen=True)
class LoadCounts:
    """What became of a batch. ``classified + failed == documents``, always.

    :param documents: documents of the batch.
    :param classified: with a label.
    :param failed: without one; :attr:`reasons` says why.
    :param missing: of the failed ones, those that the output does not mention.
    :param unreadable: pieces of the output that could not be read.
    :param doubles: results beyond the first for the same document; they are not used.
    :param unknown: results for a file or line that the batch does not have.
    :param repaired: results that could be read after their quotes were straightened.
    :param reasons: failed documents by reason.
    """

    documents: int
    classified: int
    failed: int
    missing: int
    unreadable: int
    doubles: int
    unknown: int
    repaired: int
    reasons: dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-safe values."""
        return asdict(self)


class BatchResults:
    """The results of one batch, as a stream of record batches with :data:`RESULT_SCHEMA`; iterate once.

    :param archive: the job's ``output.tar.gz``.
    :param manifest: the batch's manifest.
    :param mode: ``MULTI_CLASS`` accepts the best label, ``MULTI_LABEL`` each label at or above `threshold`.
    :param threshold: the least score of an accepted label, for ``MULTI_LABEL``.
    """

    def __init__(
        self, archive: UPath | IO[bytes], manifest: Manifest, *, mode: str, threshold: float
    ) -> None:
        self._archive = archive
        self._manifest = manifest
        self._threshold = threshold if mode == "MULTI_LABEL" else None
        self._classified = np.zeros(len(manifest), np.bool_)
        self._garbled = np.zeros(len(manifest), np.bool_)
        # Index into _reasons for each failed document, 0 for none: two bytes a document, even if all fail.
        self._failed = np.zeros(len(manifest), np.uint16)
        self._reasons = ["", UNNAMED_ERROR]
        self._unreadable = self._doubles = self._unknown = self._repaired = self._found = 0
        self._counts: LoadCounts | None = None

    @property
    def counts(self) -> LoadCounts:
        """The sums; known once the stream has ended."""
        if self._counts is None:
            raise RuntimeError("counts are known after the last record batch; iterate to the end first")
        return self._counts

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in read_predictions(self._archive, documents=len(self._manifest)):
            self._found += len(batch.predictions) + len(batch.failures)
            self._repaired += batch.repaired
            self._note(batch)
            if len(batch.predictions) and len(results := self._join(batch.predictions)):
                yield results
        self._check_it_is_ours()
        reasons: Counter[Any] = Counter()
        for results in self._without_prediction():
            reasons.update(results["reason"].to_pylist())
            yield results
        classified = int(np.count_nonzero(self._classified))
        self._counts = LoadCounts(
            documents=len(self._manifest),
            classified=classified,
            failed=len(self._manifest) - classified,
            missing=reasons[MISSING],
            unreadable=self._unreadable,
            doubles=self._doubles,
            unknown=self._unknown,
            repaired=self._repaired,
            reasons=dict(reasons.most_common()),
        )

    def _note(self, batch: PredictionBatch) -> None:
        """Keep what is no prediction, for the end: a prediction further down still counts."""
        for piece in batch.unreadable:
            if self._unreadable < _LOGGED_LINES:
                log.warning("Line %d of the output is unreadable: %s", piece.number, piece.problem)
            self._unreadable += 1
        if batch.unreadable:
            places = self._places([piece for piece in batch.unreadable if piece.file is not None])
            self._garbled[places[places >= 0]] = True
        if not batch.failures:
            return
        for failure, position in zip(batch.failures, self._places(batch.failures), strict=True):
            if position < 0:
                self._unknown += 1
            elif self._classified[position] or self._failed[position]:
                self._doubles += 1
            else:
                self._failed[position] = self._reason_code(failure.reason)

    def _places(self, pieces: Sequence[Failure | Unreadable]) -> npt.NDArray[np.int64]:
        files = pa.array([piece.file for piece in pieces], pa.string())
        return self._manifest.positions(files, pa.array([piece.line for piece in pieces], pa.int64()))

    def _reason_code(self, reason: str) -> int:
        if reason in self._reasons:
            return self._reasons.index(reason)
        if len(self._reasons) > _MAX_REASONS:
            return self._reasons.index(UNNAMED_ERROR)
        self._reasons.append(reason)
        return len(self._reasons) - 1

    def _join(self, predictions: Any) -> pa.RecordBatch:
        places = self._manifest.positions(predictions["file"], predictions["line"])
        if len(places) and (places[0] < 0 or not (np.diff(places) > 0).all() or self._used(places)):
            predictions, places = self._first_of_each(predictions, places)
        self._classified[places] = True
        rows = len(places)
        labels: Any = predictions["labels"]
        scores: Any = predictions["scores"]
        starts = labels.offsets[:-1]
        flat = labels.values
        if rows and (np.diff(places) == 1).all():
            ids = self._manifest.document_ids.slice(places[0], rows)
        else:
            ids = self._manifest.document_ids.take(from_numpy(places))
        best = flat.take(starts)
        return pa.RecordBatch.from_arrays(
            [
                from_numpy(places),
                ids.cast(pa.string()),
                _constant(CLASSIFIED, rows),
                best,
                scores.values.take(starts).cast(pa.float32()),
                labels,
                scores.cast(pa.list_(pa.float32())),
                self._accepted(labels, scores, best),
                pa.nulls(rows, LABEL),
            ],
            schema=RESULT_SCHEMA,
        )

    def _used(self, places: npt.NDArray[np.int64]) -> bool:
        return bool(self._classified[places].any() or self._failed[places].any())

    def _first_of_each(
        self, predictions: Any, places: npt.NDArray[np.int64]
    ) -> tuple[Any, npt.NDArray[np.int64]]:
        """Drop predictions for unknown places and all but the first for a place; count both."""
        known = places >= 0
        self._unknown += int(np.count_nonzero(~known))
        _, first = np.unique(places, return_index=True)
        keep = np.zeros(len(places), np.bool_)
        keep[first] = True
        keep &= known
        keep[known] &= ~self._classified[places[known]]
        self._doubles += int(np.count_nonzero(known & ~keep) + np.count_nonzero(self._failed[places[keep]]))
        return predictions.take(from_numpy(np.flatnonzero(keep))), places[keep]

    def _accepted(self, labels: Any, scores: Any, best: Any) -> Any:
        if self._threshold is None:
            return pa.ListArray.from_arrays(from_numpy(np.arange(len(labels) + 1, dtype=np.int32)), best)
        enough = scores.values.to_numpy() >= self._threshold
        ends = np.concatenate(([0], np.cumsum(enough)))[labels.offsets.to_numpy()]
        return pa.ListArray.from_arrays(
            from_numpy(ends.astype(np.int32)), labels.values.take(from_numpy(np.flatnonzero(enough)))
        )

    def _check_it_is_ours(self) -> None:
        if self._found and self._unknown >= self._found and len(self._manifest):
            raise WrongOutputError(
                f"{self._archive}: none of its {self._found:,} results is about this batch, whose input is "
                f"{self._manifest.first_file}: it is another job's output. Check the job's output URI"
            )

    def _without_prediction(self) -> Iterator[pa.RecordBatch]:
        left = np.flatnonzero(~self._classified)
        names = [*self._reasons, MISSING, UNREADABLE]
        codes = self._failed.astype(np.int32)
        codes[codes == 0] = names.index(MISSING)
        codes[(self._failed == 0) & self._garbled] = names.index(UNREADABLE)
        for start in range(0, len(left), _SLICE):
            places = left[start : start + _SLICE]
            rows = len(places)
            reason = pa.DictionaryArray.from_arrays(from_numpy(codes[places]), pa.array(names))
            columns: Iterable[Any] = (
                from_numpy(places),
                self._manifest.document_ids.take(from_numpy(places)).cast(pa.string()),
                _constant(FAILED, rows),
                *(pa.nulls(rows, RESULT_SCHEMA.field(i).type) for i in range(3, 8)),
                reason,
            )
            yield pa.RecordBatch.from_arrays(list(columns), schema=RESULT_SCHEMA)


def _constant(value: str, rows: int) -> Any:
    return pa.DictionaryArray.from_arrays(from_numpy(np.zeros(rows, np.int32)), pa.array([value]))
