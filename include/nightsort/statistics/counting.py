"""Count labels and scores of results while they stream past."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nightsort.arrow.columns import from_numpy, without_nul
from nightsort.statistics.counts import BINS, EXAMPLES, LEAST_CONFIDENT, Statistics

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt


class Counting:
    """Counts the rows of one batch; memory does not depend on their number.

    :param batch: name of the batch, which the least confident documents carry.
    """

    def __init__(self, batch: str) -> None:
        self._batch = batch
        self._classified = 0
        self._places: dict[str, int] = {}
        self._cells = np.zeros(0, np.int64)
        self._sums = np.zeros(0, np.float64)
        self._lowest: list[tuple[float, int, dict[str, Any]]] = []
        self._examples: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)

    def rows(self, parts: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield record batches as they are, and count their rows.

        :param parts: with :data:`~nightsort.results.join.RESULT_SCHEMA`.
        """
        for part in parts:
            self.add(part)
            yield part

    def add(self, part: pa.RecordBatch) -> None:
        """Count the rows of a record batch.

        :param part: with :data:`~nightsort.results.join.RESULT_SCHEMA`.
        """
        reasons: Any = part["reason"]
        if reasons.null_count < len(part):
            self._note_examples(part)
        if reasons.null_count == 0:
            return
        classified = part if reasons.null_count == len(part) else part.filter(reasons.is_null())
        self._classified += len(classified)
        self._count(classified)
        self._note_least_confident(classified)

    def statistics(self) -> Statistics:
        """Return the counts of all rows."""
        every = self._cells.reshape(-1, BINS)
        # A label may occur without a document that counts for it.
        found = {label: place for label, place in self._places.items() if every[place].any()}
        order = sorted(found, key=str.encode)
        places = [found[label] for label in order]
        histograms = every[places]
        return Statistics(
            classified=self._classified,
            labels=tuple(order),
            documents=histograms.sum(axis=1),
            score_sums=self._sums[places],
            histograms=histograms,
            least_confident=[found for *_, found in self._lowest],
            examples={
                reason: [document_id for _, document_id in found]
                for reason, found in sorted(self._examples.items())
            },
        )

    def _count(self, rows: Any) -> None:
        labels, scores, accepted = rows["labels"], rows["scores"], rows["accepted"]
        starts = labels.offsets.to_numpy()[:-1]
        # Labels are best first, so those that count are the first ones: the accepted, but at least one.
        number = np.maximum(np.diff(accepted.offsets.to_numpy()), 1)
        entries = starts if number.max() == 1 else np.repeat(starts, number) + _counted_up(number)
        codes = self._codes(labels.values.dictionary)[labels.values.indices.to_numpy()[entries]]
        values = scores.values.to_numpy()[entries].astype(np.float64)
        cells = codes * BINS + np.minimum((values * BINS).astype(np.int64), BINS - 1)
        self._cells += np.bincount(cells, minlength=len(self._cells))
        self._sums += np.bincount(codes, values, minlength=len(self._sums))

    def _codes(self, names: Any) -> npt.NDArray[np.int64]:
        """Return the place of each label of a dictionary; a new label gets the next one."""
        places = self._places
        codes = np.array([places.setdefault(name, len(places)) for name in names.to_pylist()], np.int64)
        if new := len(places) - len(self._sums):
            self._sums = np.concatenate((self._sums, np.zeros(new)))
            self._cells = np.concatenate((self._cells, np.zeros(new * BINS, np.int64)))
        return codes

    def _note_least_confident(self, rows: Any) -> None:
        scores, lines = rows["score"].to_numpy(), rows["line"].to_numpy()
        found = np.arange(len(scores))
        if len(self._lowest) == LEAST_CONFIDENT:
            score, line, _ = self._lowest[-1]
            found = np.flatnonzero((scores < score) | ((scores == score) & (lines < line)))
        if not len(found):
            return
        found = found[np.lexsort((lines[found], scores[found]))[:LEAST_CONFIDENT]]
        lowest = rows.select(["line", "document_id", "labels", "scores"]).take(from_numpy(found))
        self._lowest += [
            (float(score), row["line"], {"batch": self._batch, **row, **_as_stored(row)})
            for score, row in zip(scores[found], lowest.to_pylist(), strict=True)
        ]
        self._lowest = sorted(self._lowest, key=_place)[:LEAST_CONFIDENT]

    def _note_examples(self, part: Any) -> None:
        reasons = part["reason"]
        codes = pc.fill_null(reasons.indices, pa.scalar(-1, reasons.indices.type)).to_numpy()
        names = reasons.dictionary.to_pylist()
        lines = part["line"].to_numpy()
        for code in np.unique(codes[codes >= 0]):
            found = np.flatnonzero(codes == code)
            found = found[np.argsort(lines[found])[:EXAMPLES]]
            ids = part["document_id"].take(from_numpy(found)).to_pylist()
            examples = self._examples[names[code]]
            examples += [
                (line, without_nul(document_id))
                for line, document_id in zip(lines[found].tolist(), ids, strict=True)
                if document_id is not None
            ]
            examples.sort()
            del examples[EXAMPLES:]


def _counted_up(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return 0, 1, … up to each of the numbers, one after the other."""
    ends = np.cumsum(numbers)
    return np.arange(ends[-1]) - np.repeat(ends - numbers, numbers)


def _place(found: tuple[float, int, dict[str, Any]]) -> tuple[float, int]:
    return found[:2]


def _as_stored(row: dict[str, Any]) -> dict[str, Any]:
    """Return the id and the scores as the table has them: a float32 as its shortest decimal number."""
    return {
        "document_id": without_nul(row["document_id"]),
        "scores": [float(str(score)) for score in np.array(row["scores"], np.float32)],
    }
