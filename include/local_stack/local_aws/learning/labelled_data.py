"""Training and test data: CSV with a label cell and a document, without header, into term counts.

The texts themselves are not kept: a block of documents is counted and forgotten, so that memory grows with
the terms of the data and not with its text.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from scipy import sparse

from include.local_stack.local_aws.learning.text_features import count_terms, stack
from include.local_stack.local_aws.work.tasks import MULTI_CLASS, MULTI_LABEL, TaskError
from include.nightsort.limits import (
    MAX_DOCUMENT_BYTES,
    MAX_LABEL_CHARACTERS,
    MAX_LABELS,
    MAX_TRAINING_BYTES,
    MAX_TRAINING_DOCUMENTS,
    MIN_LABELS,
    MIN_MULTI_LABEL_DOCUMENTS,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from include.local_stack.local_aws.work.object_store import ObjectStore

_BLOCK = 4_096
_NAMED = 20
_NAME_LENGTH = 80


def invalid_input(reason: str) -> TaskError:
    """Return the error for training data that cannot be used, with the code of the real service."""
    return TaskError(f"CLASSIFIER_INVALID_INPUT: {reason}")


@dataclass(frozen=True)
class LabelledData:
    """Documents as term counts, with what each carries.

    Attributes:
        labels: all labels that occur, sorted.
        counts: one row per document.
        carries: documents by labels, 1 where the document carries the label.
        skipped: rows that were left out because they are not a label and a document.
    """

    labels: tuple[str, ...]
    counts: sparse.csr_matrix
    carries: sparse.csc_matrix
    skipped: int

    def __len__(self) -> int:
        return int(self.counts.shape[0])

    def rows(self, chosen: np.ndarray[tuple[int], np.dtype[np.int64]]) -> LabelledData:
        """Return some of the documents; the labels stay."""
        return LabelledData(self.labels, self.counts[chosen], self.carries.tocsr()[chosen].tocsc(), 0)

    def documents_per_label(self) -> dict[str, int]:
        """Return how many documents carry each label."""
        return dict(zip(self.labels, np.diff(self.carries.indptr).tolist(), strict=True))


def read_labelled_data(store: ObjectStore, uri: str, mode: str, delimiter: str) -> LabelledData:
    """Read every object whose key begins with the URI's.

    A header is data, as for the real service. A row of other than two cells, or without label or document,
    is skipped and counted; what the real service's own checks refuse is refused.

    Raises:
        TaskError: unreadable objects, invalid UTF-8, sizes over the limits, empty labels in a cell.
    """
    objects = store.list(uri)
    if sum(size for _, size in objects) > MAX_TRAINING_BYTES:
        raise invalid_input(f"The data under {uri} is larger than {MAX_TRAINING_BYTES:,} bytes.")
    reading = _Reading(mode, delimiter)
    for location, _ in objects:
        with store.open(location) as stream:
            reading.read(stream, location.uri)
    return reading.result()


class _Reading:
    def __init__(self, mode: str, delimiter: str) -> None:
        self._mode = mode
        self._delimiter = delimiter
        self._columns: dict[str, int] = {}
        self._carried: list[int] = []
        self._ends: list[int] = [0]
        self._blocks: list[sparse.csr_matrix] = []
        self._texts: list[str] = []
        self._skipped = 0

    def read(self, stream: BinaryIO, name: str) -> None:
        for row, cells in _rows(stream, name):
            where = f"{name}, row {row}"
            if len(cells) != 2 or not cells[0].strip() or not cells[1].strip():
                self._skipped += 1
                continue
            if len(cells[1].encode()) > MAX_DOCUMENT_BYTES:
                raise invalid_input(f"The document at {where} is larger than {MAX_DOCUMENT_BYTES:,} bytes.")
            for label in sorted(self._labels(cells[0], where)):
                self._carried.append(self._columns.setdefault(label, len(self._columns)))
            self._ends.append(len(self._carried))
            self._texts.append(cells[1])
            if len(self._texts) == _BLOCK:
                self._count()
            if len(self._ends) - 1 > MAX_TRAINING_DOCUMENTS:
                raise invalid_input(f"There are more than {MAX_TRAINING_DOCUMENTS:,} documents.")

    def _labels(self, cell: str, where: str) -> set[str]:
        labels = {cell} if self._mode == MULTI_CLASS else set(cell.split(self._delimiter))
        if "" in labels:
            raise invalid_input(
                f"The label cell at {where} has an empty label: a leading, trailing or doubled delimiter."
            )
        if any(len(label) > MAX_LABEL_CHARACTERS for label in labels):
            raise invalid_input(f"A label at {where} is longer than {MAX_LABEL_CHARACTERS:,} characters.")
        return labels

    def _count(self) -> None:
        if self._texts:
            self._blocks.append(count_terms(self._texts))
        self._texts = []

    def result(self) -> LabelledData:
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
        return LabelledData(tuple(labels), stack(self._blocks), carries.tocsc(), self._skipped)


def _rows(stream: BinaryIO, name: str) -> Iterator[tuple[int, list[str]]]:
    # A cell over the limit has to be read to be refused with a clear message, hence twice the size.
    csv.field_size_limit(2 * MAX_DOCUMENT_BYTES)
    reader = csv.reader(io.TextIOWrapper(stream, encoding="utf-8", newline=""))
    row = 0
    try:
        for row, cells in enumerate(reader, 1):
            if cells:
                yield row, cells
    except UnicodeDecodeError as error:
        raise invalid_input(f"{name} is not UTF-8 after row {row}.") from error
    except csv.Error as error:
        raise invalid_input(f"{name} cannot be read as CSV after row {row}: {error}.") from error


def check_training_data(data: LabelledData, mode: str, least_per_label: int) -> None:
    """Refuse training data outside the limits: number of labels, documents per label, documents in all."""
    if len(data.labels) < MIN_LABELS:
        raise invalid_input(f"There must be at least {MIN_LABELS} labels, not {len(data.labels)}.")
    if len(data.labels) > MAX_LABELS[mode]:
        raise invalid_input(
            f"There can be at most {MAX_LABELS[mode]:,} labels in {mode} mode, not {len(data.labels):,}."
        )
    if mode == MULTI_LABEL and len(data) < MIN_MULTI_LABEL_DOCUMENTS:
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
