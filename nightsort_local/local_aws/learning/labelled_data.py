"""Labelled documents, from CSV or augmented manifests, as term counts.

The texts themselves are not kept: a block of documents is counted and forgotten, so that memory grows with
the terms of the data and not with its text, and with those of the first :data:`LEARNT_CHARACTERS` at most.
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
"""Characters of text that are learnt from. Of larger data the long documents are cut, all to about the same
length, so that a training needs no more memory for 5 GB than for 0.3."""

_BLOCK = 4_096
_NAMED = 20
_NAME_LENGTH = 80


@dataclass(frozen=True)
class LabelledData:
    """Documents as term counts, with what each carries.

    :param labels: all labels that occur, sorted.
    :param counts: one row per document.
    :param carries: documents by labels, 1 where the document carries the label.
    :param skipped: rows that were left out because they cannot be used.
    :param first_skipped: where the first of them is, and why it cannot be used.
    """

    labels: tuple[str, ...]
    counts: sparse.csr_matrix
    carries: sparse.csc_matrix
    skipped: int = 0
    first_skipped: str = ""

    def __len__(self) -> int:
        return int(self.counts.shape[0])

    def rows(self, chosen: NDArray[np.int64]) -> LabelledData:
        """Return some of the documents; the labels stay."""
        return LabelledData(self.labels, self.counts[chosen], self.carries.tocsr()[chosen].tocsc())

    def documents_per_label(self) -> dict[str, int]:
        """Return how many documents carry each label."""
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
        longest = self._longest()
        texts = [text[:longest] for text in self._texts]
        self._learnt += sum(map(len, texts))
        self._blocks.append(count_terms(texts))
        self._texts = []

    def _longest(self) -> int:
        """Return how much of a document to learn, so that the rest of the data fits in as well."""
        if self._size <= LEARNT_CHARACTERS:
            return MAX_DOCUMENT_BYTES
        mean = self._seen / (len(self._ends) - 1)
        to_come = max(self._size - self._seen, 0) + sum(map(len, self._texts))
        return int(mean * max(LEARNT_CHARACTERS - self._learnt, 0) / to_come)

    def result(self) -> LabelledData:
        """Return everything that was added."""
        self._count()
        labels = sorted(self._columns)
        position = np.empty(len(labels), dtype=np.int64)
        for column, label in enumerate(labels):
            position[self._columns[label]] = column
        columns = position[np.asarray(self._carried, dtype=np.int64)]
        carries = sparse.csr_matrix(
            (np.ones(len(columns), dtype=np.int8), columns, np.asarray(self._ends)),
            shape=(len(self._ends) - 1, len(labels)),
        )
        return LabelledData(
            tuple(labels), stack(self._blocks), carries.tocsc(), self._skipped, self._first_skipped
        )


def check_training_data(data: LabelledData, mode: Mode, least_per_label: int) -> None:
    """Refuse training data outside the limits: number of labels, documents per label, documents in all."""
    if len(data.labels) < MIN_LABELS:
        raise invalid_input(f"There must be at least {MIN_LABELS} labels, not {len(data.labels)}.")
    if len(data.labels) > MAX_LABELS[mode]:
        raise invalid_input(
            f"There can be at most {MAX_LABELS[mode]:,} labels in {mode} mode, not {len(data.labels):,}."
        )
    if mode == "MULTI_LABEL" and len(data) < MIN_MULTI_LABEL_DOCUMENTS:
        raise invalid_input(f"There must be at least {MIN_MULTI_LABEL_DOCUMENTS} documents, not {len(data)}.")
    few = {label: number for label, number in data.documents_per_label().items() if number < least_per_label}
    if few:
        counted = [f"{_shortened(label)} ({few[label]})" for label in sorted(few)]
        raise invalid_input(
            f"Each label needs at least {least_per_label} documents. Too few for: {_joined(counted)}"
        )


def check_test_data(test: LabelledData, labels: Sequence[str]) -> None:
    """Refuse a test set that lacks one of the classifier's labels, or has another."""
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
