"""Join Comprehend's output with the manifest of its batch, by file and line.

Each document of the manifest has exactly one result, whatever the output holds: its prediction, or the reason
why there is none.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from nightsort.arrow.columns import from_numpy
from nightsort.arrow.label_lists import LABEL, LABELS, SCORES, accepted_labels
from nightsort.errors import NightsortError
from nightsort.results.columns import Failure, PredictionBatch, Unreadable, read_predictions
from nightsort.results.lines import UNNAMED_ERROR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt
    from upath import UPath

    from nightsort.batches.manifest import Manifest

    Keep = Callable[[Any, Any, Any], None]

log = logging.getLogger(__name__)

_TYPES: dict[str, pa.DataType] = {
    "line": pa.int64(),
    "document_id": pa.string(),
    "status": LABEL,
    "label": LABEL,
    "score": pa.float32(),
    "labels": LABELS,
    "scores": SCORES,
    "accepted": LABELS,
    "reason": LABEL,
    "source": LABEL,
    "source_run": LABEL,
}
RESULT_SCHEMA = pa.schema(_TYPES)
"""Columns of a result. ``line``: the document's position in its batch, from 0. ``status``: ``classified`` or
``failed``; a failed one has a ``reason`` and no label. ``source``: where the result comes from, :data:`JOB`,
:data:`REPEAT`, :data:`REUSED` or :data:`ENDPOINT`; ``source_run``: the run that paid for a reused one."""

JOB = "job"
ENDPOINT = "endpoint"
REPEAT = "repeat"
REUSED = "reused"
CLASSIFIED = "classified"
FAILED = "failed"
MISSING = "missing_from_output"
UNREADABLE = "unreadable_line"

_MAX_REASONS = 1_000
_LOGGED_LINES = 5
_SLICE = 50_000


def result_rows(rows: int, **columns: Any) -> pa.RecordBatch:
    """Return a record batch with :data:`RESULT_SCHEMA`.

    :param rows: how many rows it has.
    :param columns: by name; a column that is not given is null.
    :returns: the record batch.
    """
    arrays = [
        columns[column.name] if column.name in columns else pa.nulls(rows, column.type)
        for column in RESULT_SCHEMA
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=RESULT_SCHEMA)


class WrongOutputError(NightsortError):
    """An output whose results are all for other files: what it holds, what was expected, what to do."""


@dataclass(frozen=True)
class LoadCounts:
    """The counts of a loaded batch. ``classified + failed == documents``, always.

    :param documents: documents of the batch.
    :param classified: with a label.
    :param failed: without one; :attr:`reasons` has the reasons.
    :param missing: failed documents that the output does not mention.
    :param unreadable: pieces of the output that could not be read.
    :param duplicates: results after the first for the same document; they are not used.
    :param unknown: results for a file or line that is not in the batch.
    :param reasons: failed documents by reason.
    """

    documents: int
    classified: int
    failed: int
    missing: int
    unreadable: int
    duplicates: int
    unknown: int
    reasons: dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-safe values."""
        return asdict(self)


class BatchResults:
    """The results of the lines of one batch, as a stream of record batches with :data:`RESULT_SCHEMA`.

    Iterate once. :class:`~nightsort.results.repeated.RepeatedResults` adds the documents behind the lines.

    :param archive: the job's ``output.tar.gz``.
    :param manifest: the batch's manifest.
    :param mode: ``MULTI_CLASS`` accepts the best label, ``MULTI_LABEL`` each label at or above `threshold`.
    :param threshold: the lowest score of an accepted label, for ``MULTI_LABEL``.
    :param source: where the results come from, :data:`JOB` or :data:`ENDPOINT`.
    :param keep: called with text hashes, labels and scores of all that is classified, so that it can be
        used again; also where a line has no document any more.
    """

    def __init__(
        self,
        archive: UPath | IO[bytes],
        manifest: Manifest,
        *,
        mode: str,
        threshold: float,
        source: str = JOB,
        keep: Keep | None = None,
    ) -> None:
        self._source = source
        # A manifest of an earlier release has no hashes.
        self._keep = keep if manifest.text_hashes is not None else None
        self._archive = archive
        self.manifest = manifest
        self._threshold = threshold if mode == "MULTI_LABEL" else None
        self._classified = np.zeros(len(manifest), np.bool_)
        self._garbled = np.zeros(len(manifest), np.bool_)
        # Index into _reasons for each failed document, 0 for none: two bytes a document, even if all fail.
        self._failed = np.zeros(len(manifest), np.uint16)
        self._has_vacant = manifest.number_vacant > 0
        self._reasons = ["", UNNAMED_ERROR]
        self._unreadable = self._duplicates = self._unknown = self._found = 0
        self._counts: LoadCounts | None = None

    @property
    def counts(self) -> LoadCounts:
        """The counts, known after the last record batch."""
        if self._counts is None:
            raise RuntimeError("counts are known after the last record batch; iterate to the end first")
        return self._counts

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in read_predictions(self._archive, documents=len(self.manifest)):
            self._found += len(batch.predictions) + len(batch.failures)
            self._note(batch)
            if len(batch.predictions) and len(results := self._join(batch.predictions)):
                yield results
        self._check_it_is_ours()
        reasons: Counter[Any] = Counter()
        for results in self._without_prediction():
            reasons.update(results["reason"].to_pylist())
            yield results
        classified = int(np.count_nonzero(self._classified))
        documents = len(self.manifest) - self.manifest.number_vacant
        self._counts = LoadCounts(
            documents=documents,
            classified=classified,
            failed=documents - classified,
            missing=reasons[MISSING],
            unreadable=self._unreadable,
            duplicates=self._duplicates,
            unknown=self._unknown,
            reasons=dict(reasons.most_common()),
        )

    def _note(self, batch: PredictionBatch) -> None:
        """Keep failures and unreadable pieces until the end, since a prediction may still follow."""
        for piece in batch.unreadable:
            if self._unreadable < _LOGGED_LINES:
                log.warning("Line %d of the output is unreadable: %s", piece.number, piece.problem)
            self._unreadable += 1
        if batch.unreadable:
            positions = self._positions([piece for piece in batch.unreadable if piece.file is not None])
            self._garbled[positions[positions >= 0]] = True
        if not batch.failures:
            return
        for failure, position in zip(batch.failures, self._positions(batch.failures), strict=True):
            if position < 0:
                self._unknown += 1
            elif self._has_vacant and self.manifest.vacant[position]:
                continue
            elif self._classified[position] or self._failed[position]:
                self._duplicates += 1
            else:
                self._failed[position] = self._reason_code(failure.reason)

    def _positions(self, pieces: Sequence[Failure | Unreadable]) -> npt.NDArray[np.int64]:
        files = pa.array([piece.file for piece in pieces], pa.string())
        return self.manifest.positions(files, pa.array([piece.line for piece in pieces], pa.int64()))

    def _reason_code(self, reason: str) -> int:
        if reason in self._reasons:
            return self._reasons.index(reason)
        if len(self._reasons) > _MAX_REASONS:
            return self._reasons.index(UNNAMED_ERROR)
        self._reasons.append(reason)
        return len(self._reasons) - 1

    def _join(self, predictions: Any) -> pa.RecordBatch:
        positions = self.manifest.positions(predictions["file"], predictions["line"])
        if self._keep is not None:
            known = np.flatnonzero(positions >= 0)
            hashes = self.manifest.text_hashes.take(from_numpy(positions[known]))
            classified = predictions if len(known) == len(positions) else predictions.take(from_numpy(known))
            self._keep(hashes, classified["labels"], classified["scores"].cast(SCORES))
        if self._has_vacant:
            # What was sent is classified too where its document is gone from the source, or forgotten.
            left = np.flatnonzero((positions < 0) | ~self.manifest.vacant[positions])
            predictions, positions = predictions.take(from_numpy(left)), positions[left]
        if len(positions) and (
            positions[0] < 0 or not (np.diff(positions) > 0).all() or self._used(positions)
        ):
            predictions, positions = self._first_of_each(predictions, positions)
        self._classified[positions] = True
        rows = len(positions)
        labels: Any = predictions["labels"]
        scores: Any = predictions["scores"].cast(SCORES)
        starts = labels.offsets[:-1]
        if rows and (np.diff(positions) == 1).all():
            ids = self.manifest.document_ids.slice(positions[0], rows)
        else:
            ids = self.manifest.document_ids.take(from_numpy(positions))
        return result_rows(
            rows,
            line=from_numpy(positions),
            document_id=ids.cast(pa.string()),
            status=constant(CLASSIFIED, rows),
            label=labels.values.take(starts),
            score=scores.values.take(starts),
            labels=labels,
            scores=scores,
            accepted=accepted_labels(labels, scores, self._threshold),
            source=constant(self._source, rows),
        )

    def _used(self, positions: npt.NDArray[np.int64]) -> bool:
        return bool(self._classified[positions].any() or self._failed[positions].any())

    def _first_of_each(
        self, predictions: Any, positions: npt.NDArray[np.int64]
    ) -> tuple[Any, npt.NDArray[np.int64]]:
        """Drop and count predictions for unknown positions, and all but the first for each position."""
        known = positions >= 0
        self._unknown += int(np.count_nonzero(~known))
        _, first = np.unique(positions, return_index=True)
        keep = np.zeros(len(positions), np.bool_)
        keep[first] = True
        keep &= known
        keep[known] &= ~self._classified[positions[known]]
        self._duplicates += int(
            np.count_nonzero(known & ~keep) + np.count_nonzero(self._failed[positions[keep]])
        )
        return predictions.take(from_numpy(np.flatnonzero(keep))), positions[keep]

    def _check_it_is_ours(self) -> None:
        # Where lines have no document, an odd result may be all that is left of the output.
        if self._found and self._unknown >= self._found and len(self.manifest) and not self._has_vacant:
            raise WrongOutputError(
                f"{self._archive}: none of its {self._found:,} results is for this batch, whose input is "
                f"{self.manifest.first_file}: it is another job's output. Check the job's output URI"
            )

    def _without_prediction(self) -> Iterator[pa.RecordBatch]:
        left = np.flatnonzero(~(self._classified | self.manifest.vacant))
        names = [*self._reasons, MISSING, UNREADABLE]
        codes = self._failed.astype(np.int32)
        codes[codes == 0] = names.index(MISSING)
        codes[(self._failed == 0) & self._garbled] = names.index(UNREADABLE)
        for start in range(0, len(left), _SLICE):
            positions = left[start : start + _SLICE]
            rows = len(positions)
            reason = pa.DictionaryArray.from_arrays(from_numpy(codes[positions]), pa.array(names))
            yield result_rows(
                rows,
                line=from_numpy(positions),
                document_id=self.manifest.document_ids.take(from_numpy(positions)).cast(pa.string()),
                status=constant(FAILED, rows),
                reason=reason,
                source=constant(self._source, rows),
            )


def constant(value: str, rows: int) -> Any:
    """Return a column with the same text in each row."""
    return pa.DictionaryArray.from_arrays(from_numpy(np.zeros(rows, np.int32)), pa.array([value]))
