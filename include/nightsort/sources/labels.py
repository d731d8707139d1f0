"""The labels of documents, from what a cell, a list or a folder's name says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nightsort.arrow.columns import Column, to_numpy, without_nulls
from nightsort.comprehend.limits import MAX_LABEL_CHARACTERS
from nightsort.sources.cleaning import clean_label

if TYPE_CHECKING:
    import numpy.typing as npt

    Numbers: TypeAlias = npt.NDArray[np.int64]
    Rows: TypeAlias = npt.NDArray[np.bool_]

_MOST_KNOWN: Final = 100_000
_EMPTY: Final = -1
_INVALID: Final = -2


class LabelReader:
    """Reads columns of labels; each different label is cleaned once, not once per row.

    White space around a label is cut off, empty labels are dropped (``a||b``, ``|a``), a label that stands
    twice counts once.

    :param mode: ``MULTI_CLASS`` (the cell is the label) or ``MULTI_LABEL``.
    :param delimiter: joins the labels of a cell in ``MULTI_LABEL``.
    """

    def __init__(self, mode: str, delimiter: str | None) -> None:
        self._single = mode == "MULTI_CLASS"
        self._delimiter = None if self._single else delimiter
        self._known = _KnownLabels()

    def read(self, column: Column) -> tuple[Column, dict[str, Rows]]:
        """Return the labels of a column.

        :param column: a cell of bytes or text per row, or a list of such per row.
        :returns: the labels (list of texts) of each row; and by each reason the rows that it rejects, the
            first reason counting where there are several. Labels of rejected rows mean nothing.
        """
        parts, lengths = self._parts(column)
        if len(self._known) > _MOST_KNOWN:
            self._known = _KnownLabels()
        label = self._known.numbers(without_nulls(parts))
        row = np.repeat(np.arange(len(column)), lengths)
        kept = (label >= 0) & ~_again(label, row, int(lengths.max(initial=0)))
        counts = np.bincount(row[kept], minlength=len(column))
        names = self._known.names.take(pa.array(label[kept]))
        offsets = np.concatenate(([0], np.cumsum(counts)))
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), names), {
            "invalid_utf8": _among(row[label == _INVALID], len(column)),
            "no_label": counts == 0,
            "several_labels": self._single & (counts > 1),
            "label_too_long": _among(row[kept][self._known.too_long[label[kept]]], len(column)),
        }

    def _parts(self, column: Column) -> tuple[Column, Numbers]:
        """Return what may be labels, one row's after the other's, as bytes, and how many each row has."""
        if not pa.types.is_list(column.type):
            cells = without_nulls(column.cast(pa.binary()))
            if self._delimiter is None:
                return cells, np.ones(len(cells), dtype=np.int64)
            column = pc.split_pattern(cells, self._delimiter)
        lengths = to_numpy(column.value_lengths().fill_null(0)).astype(np.int64)
        return column.flatten().cast(pa.binary()), lengths


class _KnownLabels:
    """Labels by number, each cleaned when it is met for the first time."""

    def __init__(self) -> None:
        self.names: Column = pa.array([], pa.string())
        self.too_long: Rows = np.empty(0, dtype=bool)
        self._number: dict[str, int] = {}
        self._met: Column = pa.array([], pa.binary())
        self._number_of_met: Numbers = np.empty(0, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._met)

    def numbers(self, labels: Column) -> Numbers:
        """Return for each label the place of its cleaned name in :attr:`names`, ``_EMPTY`` or ``_INVALID``.

        :param labels: bytes, as they stand in the source.
        """
        places: Column = pc.index_in(labels, value_set=self._met)
        if places.null_count:
            self._meet(labels.filter(places.is_null()).unique())
            places = pc.index_in(labels, value_set=self._met)
        numbers: Numbers = self._number_of_met[to_numpy(places)]
        return numbers

    def _meet(self, labels: Column) -> None:
        cleaned = [_clean(label) for label in labels.to_pylist()]
        # Different labels may be the same once they are cleaned.
        new = [name for name in dict.fromkeys(filter(None, cleaned)) if name not in self._number]
        self._number.update((name, number) for number, name in enumerate(new, len(self._number)))
        numbers = [_INVALID if name is None else self._number.get(name, _EMPTY) for name in cleaned]
        self._met = pa.concat_arrays([self._met, labels])
        self._number_of_met = np.append(self._number_of_met, np.array(numbers, dtype=np.int64))
        self.names = pa.concat_arrays([self.names, pa.array(new, pa.string())])
        too_long = [len(name) > MAX_LABEL_CHARACTERS for name in new]
        self.too_long = np.append(self.too_long, np.array(too_long, dtype=bool))


def _clean(label: bytes) -> str | None:
    try:
        return clean_label(label.decode())
    except UnicodeDecodeError:
        return None


def _again(label: Numbers, row: Numbers, longest: int) -> Rows:
    """Return which labels stand in the same row before; rows are short, so each is compared with each."""
    again = np.zeros(len(label), dtype=bool)
    for distance in range(1, longest):
        again[distance:] |= (label[distance:] == label[:-distance]) & (row[distance:] == row[:-distance])
    return again


def _among(rows: Numbers, count: int) -> Rows:
    found = np.zeros(count, dtype=bool)
    found[rows] = True
    return found
