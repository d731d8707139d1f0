"""The labels of documents, from what a cell, a list or a folder's name says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from include.nightsort.columnar.columns import Column, to_numpy, without_nulls
from include.nightsort.limits import MAX_LABEL_CHARACTERS
from include.nightsort.sources.cleaning import clean_label

SEPARATOR: Final = "\x1f"
"""Joins labels where they travel as one text; cleaned labels hold no control character."""

_MOST_REMEMBERED: Final = 100_000


@dataclass(frozen=True)
class _Cell:
    labels: tuple[str, ...]
    reason: str | None = None


class LabelReader:
    """Reads columns of labels; what a cell means is worked out once per different cell, not once per row.

    White space around a label is cut off, empty labels are dropped (``a||b``, ``|a``), a label that stands
    twice counts once.

    :param mode: ``MULTI_CLASS`` (the cell is the label) or ``MULTI_LABEL``.
    :param delimiter: joins the labels of a cell in ``MULTI_LABEL``.
    """

    def __init__(self, mode: str, delimiter: str | None) -> None:
        self._single = mode == "MULTI_CLASS"
        self._delimiter = None if self._single else delimiter
        self._cells: dict[tuple[bytes, str | None], _Cell] = {}

    def read(self, column: Column) -> tuple[Column, list[str | None], npt.NDArray[np.intp]]:
        """Return the labels of a column.

        :param column: a cell of bytes per row, or a list of texts or of bytes per row.
        :returns: the labels (list of texts) of each different cell; its reason to be rejected or ``None``;
            and for each row the number of its cell.
        """
        delimiter = self._delimiter
        if pa.types.is_list(column.type):
            column, delimiter = _joined(column), SEPARATOR
        encoded = without_nulls(column).dictionary_encode()
        if len(self._cells) > _MOST_REMEMBERED:
            self._cells.clear()
        cells = [self._cell(value, delimiter) for value in encoded.dictionary.to_pylist()]
        labels = pa.array([list(cell.labels) for cell in cells], pa.list_(pa.string()))
        return labels, [cell.reason for cell in cells], to_numpy(encoded.indices).astype(np.intp)

    def _cell(self, value: bytes, delimiter: str | None) -> _Cell:
        key = (value, delimiter)
        cell = self._cells.get(key)
        if cell is None:
            cell = self._cells[key] = self._read_cell(value, delimiter)
        return cell

    def _read_cell(self, value: bytes, delimiter: str | None) -> _Cell:
        try:
            text = value.decode()
        except UnicodeDecodeError:
            return _Cell((), "invalid_utf8")
        parts = [text] if delimiter is None else text.split(delimiter)
        labels = tuple(dict.fromkeys(filter(None, map(clean_label, parts))))
        if not labels:
            return _Cell((), "no_label")
        if self._single and len(labels) > 1:
            return _Cell((), "several_labels")
        if max(map(len, labels)) > MAX_LABEL_CHARACTERS:
            return _Cell((), "label_too_long")
        return _Cell(labels)


def _joined(lists: Column) -> Column:
    """Return each list of labels as one text; as bytes, since one that is no UTF-8 costs only its own row."""
    labels = pc.replace_substring(without_nulls(lists.flatten().cast(pa.binary())), SEPARATOR, " ")
    lengths = to_numpy(lists.value_lengths().fill_null(0))
    offsets = pa.array(np.concatenate(([0], np.cumsum(lengths))), pa.int32())
    return pc.binary_join(pa.ListArray.from_arrays(offsets, labels), pa.scalar(SEPARATOR.encode()))
