"""The labels of many documents as numbers, without a Python object per document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from nightsort.arrow.columns import from_numpy, to_numpy
from nightsort.arrow.hashing import hash_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nightsort.arrow.columns import Column
    from nightsort.arrow.hashing import Hashes

Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int32]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class DocumentLabels:
    """The labels of consecutive documents, at least one each.

    :param starts: index in ``numbers`` of the first label of each document, and the end of the last document.
    :param numbers: the labels' numbers, document after document.
    """

    starts: Numbers
    numbers: Numbers

    def __len__(self) -> int:
        return len(self.starts) - 1

    @classmethod
    def from_column(cls, labels: Column) -> DocumentLabels:
        """Return the labels in a column of lists of numbers."""
        return cls(_starts(to_numpy(labels.value_lengths())), to_numpy(labels.flatten()))

    def part(self, documents: slice) -> DocumentLabels:
        """Return the labels of a slice of the documents."""
        starts = self.starts[documents.start : documents.stop + 1]
        return DocumentLabels(starts - starts[0], self.numbers[starts[0] : starts[-1]])

    def column(self) -> Column:
        """Return the labels as a column of lists of numbers."""
        return pa.ListArray.from_arrays(from_numpy(self.starts), from_numpy(self.numbers))

    def cells(self, names: Column, delimiter: str | None) -> Column:
        """Return the labels of each document as one text.

        :param names: the name of each number.
        :param delimiter: joins the labels of a document; ``None`` where each has one.
        """
        flat = names.take(from_numpy(self.numbers))
        if delimiter is None or self._single:
            return flat
        return pc.binary_join(pa.ListArray.from_arrays(from_numpy(self.starts), flat), delimiter)

    def pairs(self, documents: Flags) -> tuple[Indices, Numbers]:
        """Return every pair of a document and one of its labels, for the documents that are flagged."""
        if self._single:
            chosen = np.flatnonzero(documents)
            return chosen, self.numbers[chosen]
        owners = np.repeat(np.arange(len(self)), np.diff(self.starts))
        wanted = documents[owners]
        return owners[wanted], self.numbers[wanted]

    def have_any(self, labels: Flags) -> Flags:
        """Return which documents have at least one of the flagged labels."""
        found = labels[self.numbers]
        return found if self._single else np.logical_or.reduceat(found, self.starts[:-1])

    def select(self, documents: Flags, labels: Flags) -> DocumentLabels:
        """Return the flagged labels of the flagged documents; each must have one."""
        owners, numbers = self.pairs(documents)
        wanted = labels[numbers]
        lengths = np.bincount(owners[wanted], minlength=len(self))[documents]
        return DocumentLabels(_starts(lengths), numbers[wanted])

    def hashes(self, of_label: Hashes) -> Hashes:
        """Return a hash of each document's set of labels, the same in any order of the labels.

        :param of_label: a hash of each label's name.
        """
        hashes = of_label[self.numbers]
        return hashes if self._single else np.add.reduceat(hashes, self.starts[:-1])

    @property
    def _single(self) -> bool:
        return len(self.numbers) == len(self)


class LabelEncoder:
    """Numbers labels in the order in which they arrive."""

    def __init__(self) -> None:
        self._names: Column = pa.array([], pa.string())

    @property
    def names(self) -> list[str]:
        """The labels by their numbers."""
        names: list[str] = self._names.to_pylist()
        return names

    def encode(self, labels: Column, delimiter: str | None) -> tuple[DocumentLabels, Column]:
        """Return the labels of documents, sorted by name, as numbers and as one text each.

        :param delimiter: joins the labels of a document.
        """
        flat = labels.flatten()
        lengths = to_numpy(labels.value_lengths())
        starts = _starts(lengths)
        encoded = flat.dictionary_encode()
        indices, names = to_numpy(encoded.indices), encoded.dictionary
        if len(flat) == len(lengths):
            return DocumentLabels(starts, self._numbers(names)[indices]), flat
        by_name = pc.sort_indices(names)
        rank = np.empty(len(names), dtype=np.int64)
        rank[to_numpy(by_name)] = np.arange(len(names))
        owners = np.repeat(np.arange(len(lengths)), lengths)
        ranks = (np.sort((owners << 32) | rank[indices]) & 0xFFFFFFFF).astype(np.int32)
        names = names.take(by_name)
        return DocumentLabels(starts, self._numbers(names)[ranks]), DocumentLabels(starts, ranks).cells(
            names, delimiter
        )

    def _numbers(self, names: Column) -> Numbers:
        """Return the numbers of different labels."""
        numbers: Column = pc.index_in(names, value_set=self._names)
        if numbers.null_count:
            self._names = pa.concat_arrays([self._names, names.filter(numbers.is_null())])
            numbers = pc.index_in(names, value_set=self._names)
        return to_numpy(numbers)


def hash_labels(names: Sequence[str]) -> Hashes:
    """Return a hash of each label's name."""
    return np.concatenate([np.empty(0, dtype=np.uint64), *(hash_names([name]) for name in names)])


def _starts(lengths: npt.NDArray[Any]) -> Numbers:
    return np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
