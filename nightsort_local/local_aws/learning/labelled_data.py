"""Labelled documents, from CSV or augmented manifests, as term counts.

The texts themselves are not kept. Terms are counted block by block, so that memory grows with the number of
terms and not with the text, and at most with the terms of :data:`LEARNT_CHARACTERS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from scipy import sparse

from nightsort.comprehend.limits import (
    MAX_DOCUMENT_BYTES,
    MAX_LABEL_CHARACTERS,
    MAX_LABELS,
    MAX_TRAINING_DOCUMENTS,
    MIN_LABELS,
    MIN_MULTI_LABEL_DOCUMENTS,
)
from nightsort_local.local_aws.learning.examples import (
    Example,
    Unusable,
    document_too_big,
    invalid_input,
    label_too_big,
)
from nightsort_local.local_aws.learning.text_features import count_terms, stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from nightsort.comprehend.limits import Mode

    Read = Callable[[BinaryIO, str], Iterator[Example | Unusable]]
    """Yields what a file holds, given its content and its name."""

LEARNT_CHARACTERS = 2**28
"""Maximum of characters to learn from. In larger data the long documents are cut to about the same length, so
that a training needs no more memory for 5 GB than for 0.3 GB."""

_BLOCK = 4_096
_NAMED = 20
_NAME_LENGTH = 80


@dataclass(frozen=True)
class LabelledData:
    """Documents as term counts, with their labels.

    :param labels: all labels of the data, sorted.
    :param counts: term counts; shape (documents, buckets), float32.
    :param carries: 1 where a document has a label; shape (documents, labels), int8.
    :param skipped: the number of unusable rows.
    :param first_skipped: position of the first unusable row, and why it is unusable.
    """

    labels: tuple[str, ...]
    counts: sparse.csr_matrix
    carries: sparse.csc_matrix
    skipped: int = 0
    first_skipped: str = ""

    def __len__(self) -> int:
        return int(self.counts.shape[0])

    def rows(self, chosen: NDArray[np.int64]) -> LabelledData:
        """Return a subset of the documents, with all labels.

        :param chosen: row numbers; shape (rows,).
        """
        return LabelledData(self.labels, self.counts[chosen], self.carries.tocsr()[chosen].tocsc())

    def documents_per_label(self) -> dict[str, int]:
        """Return the number of documents per label."""
        return dict(zip(self.labels, np.diff(self.carries.indptr).tolist(), strict=True))


class LabelledDataBuilder:
    """Collect documents and count their terms block by block.

    :param size: bytes of all objects. It predicts how much text follows.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._columns: dict[str, int] = {}
        self._carried: list[int] = []
        self._ends: list[int] = [0]
        self._blocks: list[sparse.csr_matrix] = []
        self._texts: list[str] = []
        self._seen = 0
        self._learnt = 0
        self._skipped = 0
        self._first_skipped = ""

    def add(self, found: Example | Unusable, file: str) -> None:
        """Add one row of a file."""
        if isinstance(found, Unusable):
            self._first_skipped = self._first_skipped or f"line {found.line} of {file}: {found.reason}"
            self._skipped += 1
            return
        line, labels, text = found
        if len(text.encode()) > MAX_DOCUMENT_BYTES:
            raise document_too_big(line, file)
        if any(len(label) > MAX_LABEL_CHARACTERS for label in labels):
            raise label_too_big(line, file)
        for label in sorted(set(labels)):
            self._carried.append(self._columns.setdefault(label, len(self._columns)))
        self._ends.append(len(self._carried))
        self._texts.append(text)
        if len(self._texts) == _BLOCK:
            self._count()
        if len(self._ends) - 1 > MAX_TRAINING_DOCUMENTS:
            raise invalid_input(f"There are more than {MAX_TRAINING_DOCUMENTS:,} documents.")

    def _count(self) -> None:
        if not self._texts:
            return
        self._seen += sum(map(len, self._texts))
        limit = self._max_length()
        texts = [text[:limit] for text in self._texts]
        self._learnt += sum(map(len, texts))
        self._blocks.append(count_terms(texts))
        self._texts = []

    def _max_length(self) -> int:
        """Return how many characters of a document to learn, so that the remaining data fits, too."""
        if self._size <= LEARNT_CHARACTERS:
            return MAX_DOCUMENT_BYTES
        mean = self._seen / (len(self._ends) - 1)
        remaining = max(self._size - self._seen, 0) + sum(map(len, self._texts))
        return int(mean * max(LEARNT_CHARACTERS - self._learnt, 0) / remaining)

    def result(self) -> LabelledData:
        """Return everything that was added."""
        self._count()
        labels = sorted(self._columns)
        new_columns = np.empty(len(labels), dtype=np.int64)
        for column, label in enumerate(labels):
            new_columns[self._columns[label]] = column
        columns = new_columns[np.asarray(self._carried, dtype=np.int64)]
        carries = sparse.csr_matrix(
            (np.ones(len(columns), dtype=np.int8), columns, np.asarray(self._ends)),
            shape=(len(self._ends) - 1, len(labels)),
        )
        return LabelledData(
            tuple(labels), stack(self._blocks), carries.tocsc(), self._skipped, self._first_skipped
        )


def check_training_data(data: LabelledData, mode: Mode, min_per_label: int) -> None:
    """Refuse training data that violates a limit: labels, documents per label, documents in total."""
    if len(data.labels) < MIN_LABELS:
        raise invalid_input(f"There must be at least {MIN_LABELS} labels, not {len(data.labels)}.")
    if len(data.labels) > MAX_LABELS[mode]:
        raise invalid_input(
            f"There can be at most {MAX_LABELS[mode]:,} labels in {mode} mode, not {len(data.labels):,}."
        )
    if mode == "MULTI_LABEL" and len(data) < MIN_MULTI_LABEL_DOCUMENTS:
        raise invalid_input(f"There must be at least {MIN_MULTI_LABEL_DOCUMENTS} documents, not {len(data)}.")
    too_few = {
        label: number for label, number in data.documents_per_label().items() if number < min_per_label
    }
    if too_few:
        counted = [f"{_shortened(label)} ({too_few[label]})" for label in sorted(too_few)]
        raise invalid_input(
            f"Each label needs at least {min_per_label} documents. Too few for: {_joined(counted)}"
        )


def check_test_data(test: LabelledData, labels: Sequence[str]) -> None:
    """Refuse a test set that lacks a label of the classifier, or has a further label."""
    missing = sorted(set(labels) - set(test.labels))
    if missing:
        raise invalid_input(
            "The test data must have at least one document of every label of the training data. "
            f"Missing: {_joined(missing)}"
        )
    unknown = sorted(set(test.labels) - set(labels))
    if unknown:
        raise invalid_input(f"The test data has labels that the training data lacks: {_joined(unknown)}")


def _joined(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - _NAMED} more" if len(labels) > _NAMED else ""
    return ", ".join(_shortened(label) for label in labels[:_NAMED]) + more + "."


def _shortened(label: str) -> str:
    return label if len(label) <= _NAME_LENGTH else label[:_NAME_LENGTH] + "..."
