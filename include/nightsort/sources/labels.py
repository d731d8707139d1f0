"""The labels of documents, from a cell, a list or a folder's name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nightsort.arrow.columns import Column, to_numpy, without_nulls
from nightsort.comprehend.limits import MAX_LABEL_CHARACTERS
from nightsort.sources.cleaning import clean_label

if TYPE_CHECKING:
    import numpy.typing as npt

    from nightsort.arrow.columns import Flags

    Numbers: TypeAlias = npt.NDArray[np.int64]

MOST_LABELS: Final = 1_000
"""A row with more is rejected. Comprehend takes 100 labels for all documents together."""

_MAX_KNOWN: Final = 100_000
_SHORT: Final = 16
_EMPTY: Final = -1
_INVALID: Final = -2


class LabelReader:
    """Reads columns of labels; each different label is cleaned once, not once per row.

    White space around a label is cut off, labels that show nothing are dropped (``a||b``, ``|a``), and a
    label that is there twice counts once. Composed and decomposed characters are the same (NFC).

    :param mode: ``MULTI_CLASS`` (the cell is the label) or ``MULTI_LABEL``.
    :param delimiter: joins the labels of a cell in ``MULTI_LABEL``.
    """

    def __init__(self, mode: str, delimiter: str | None) -> None:
        self._single = mode == "MULTI_CLASS"
        self._delimiter = None if self._single else delimiter
        self._known = _KnownLabels()

    def read(self, column: Column) -> tuple[pa.ListArray[Any], dict[str, Flags]]:
        """Return the labels of a column.

        :param column: ``n`` cells of bytes or text, or ``n`` lists of such.
        :returns: the labels (list of texts) of each row; and for each reason the rows that it rejects, as
            flags of shape ``(n,)``. The first reason counts. A rejected row keeps the labels that were read.
        """
        parts, lengths = self._parts(column)
        too_many = lengths > MOST_LABELS
        if too_many.any():
            parts = parts.filter(pa.array(np.repeat(~too_many, lengths)))
            lengths = np.where(too_many, 0, lengths)
        if len(self._known) > _MAX_KNOWN:
            self._known = _KnownLabels()
        label = self._known.numbers(without_nulls(parts))
        row = np.repeat(np.arange(len(column)), lengths)
        kept = (label >= 0) & ~_repeated(label, row, int(lengths.max(initial=0)))
        counts = np.bincount(row[kept], minlength=len(column))
        names = self._known.names.take(pa.array(label[kept]))
        offsets = np.concatenate(([0], np.cumsum(counts)))
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), names), {
            "invalid_utf8": _flags(row[label == _INVALID], len(column)),
            "too_many_labels": too_many,
            "no_label": counts == 0,
            "several_labels": self._single & (counts > 1),
            "label_too_long": _flags(row[kept][self._known.too_long[label[kept]]], len(column)),
        }

    def _parts(self, column: Column) -> tuple[Column, Numbers]:
        """Return the parts that may be labels, row by row, as bytes, and how many each row has."""
        if not pa.types.is_list(column.type):
            cells = without_nulls(column.cast(pa.binary()))
            if self._delimiter is None:
                return cells, np.ones(len(cells), dtype=np.int64)
            column = pc.split_pattern(cells, self._delimiter)
        lengths = to_numpy(column.value_lengths().fill_null(0)).astype(np.int64)
        return column.flatten().cast(pa.binary()), lengths


class _KnownLabels:
    """Labels by number, each cleaned when it occurs for the first time."""

    def __init__(self) -> None:
        self.names: Column = pa.array([], pa.string())
        self.too_long: Flags = np.empty(0, dtype=bool)
        self._number: dict[str, int] = {}
        self._raw: Column = pa.array([], pa.binary())
        self._number_of_raw: Numbers = np.empty(0, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._raw)

    def numbers(self, labels: Column) -> Numbers:
        """Return for each label the index of its cleaned name in :attr:`names`, ``_EMPTY`` or ``_INVALID``.

        :param labels: bytes, as in the source.
        """
        indices: Column = pc.index_in(labels, value_set=self._raw)
        if indices.null_count:
            self._learn(labels.filter(indices.is_null()).unique())
            indices = pc.index_in(labels, value_set=self._raw)
        numbers: Numbers = self._number_of_raw[to_numpy(indices)]
        return numbers

    def _learn(self, labels: Column) -> None:
        cleaned = [_clean(label) for label in labels.to_pylist()]
        # Different labels may be the same once they are cleaned.
        new = [name for name in dict.fromkeys(filter(None, cleaned)) if name not in self._number]
        self._number.update((name, number) for number, name in enumerate(new, len(self._number)))
        numbers = [_INVALID if name is None else self._number.get(name, _EMPTY) for name in cleaned]
        self._raw = pa.concat_arrays([self._raw, labels])
        self._number_of_raw = np.append(self._number_of_raw, np.array(numbers, dtype=np.int64))
        self.names = pa.concat_arrays([self.names, pa.array(new, pa.string())])
        too_long = [len(name) > MAX_LABEL_CHARACTERS for name in new]
        self.too_long = np.append(self.too_long, np.array(too_long, dtype=bool))


def as_text(value: object) -> str | None:
    """Return an id as text (null as empty); ``None`` if it is no text and no whole number."""
    if value is None or isinstance(value, str):
        return value or ""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def as_label(value: object) -> str | None:
    """Return a label as text, ``true`` and ``false`` too; ``None`` for anything else."""
    return str(value).lower() if isinstance(value, bool) else as_text(value)


def as_labels(value: object, delimiter: str | None) -> list[str] | None:
    """Return labels as a list: a text is split, a list is kept; ``None`` for anything else."""
    if isinstance(value, list | tuple):
        labels = [as_label(label) for label in value]
        return None if None in labels else [label for label in labels if label is not None]
    text = as_label(value)
    if text is None:
        return None
    return text.split(delimiter) if delimiter is not None else [text]


def _clean(label: bytes) -> str | None:
    try:
        return clean_label(label.decode())
    except UnicodeDecodeError:
        return None


def _repeated(label: Numbers, row: Numbers, longest: int) -> Flags:
    """Return which labels repeat one of the same row; in short rows each is compared with each."""
    if longest > _SHORT:
        repeated = np.ones(len(label), dtype=bool)
        repeated[np.unique((row << 32) | (label & 0xFFFFFFFF), return_index=True)[1]] = False
        return repeated
    repeated = np.zeros(len(label), dtype=bool)
    for distance in range(1, longest):
        repeated[distance:] |= (label[distance:] == label[:-distance]) & (row[distance:] == row[:-distance])
    return repeated


def _flags(rows: Numbers, count: int) -> Flags:
    found = np.zeros(count, dtype=bool)
    found[rows] = True
    return found
