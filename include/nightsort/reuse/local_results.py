"""Labels and scores of many documents in local files, taken out in any order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from nightsort.arrow.columns import from_numpy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt
    from typing_extensions import Self

    Integers = npt.NDArray[np.int64]

_SEGMENT_ROWS: Final = 2**18
"""So many rows are read together, with 3 labels each 8 MB."""


class LocalResults:
    """Rows of labels and scores; use it in a ``with``, its files are removed by whoever made the folder.

    :param folder: a local folder.
    """

    def __init__(self, folder: Path) -> None:
        self._codes = (folder / "labels").open("w+b")
        self._scores = (folder / "scores").open("w+b")
        self._ends = (folder / "ends").open("w+b")
        self._ends.write(bytes(8))
        self._code_of: dict[str, int] = {}
        self._values = 0
        self._rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self._codes, self._scores, self._ends):
            file.close()

    def __len__(self) -> int:
        return self._rows

    def append(self, labels: Any, scores: Any) -> None:
        """Append rows.

        :param labels: a column of :data:`~nightsort.arrow.label_lists.LABELS`.
        :param scores: a column of :data:`~nightsort.arrow.label_lists.SCORES`.
        """
        flat = labels.flatten()
        codes = np.array(
            [self._code_of.setdefault(name, len(self._code_of)) for name in flat.dictionary.to_pylist()],
            np.int32,
        )
        self._codes.write(codes[flat.indices.to_numpy()].data)
        self._scores.write(np.ascontiguousarray(scores.flatten().to_numpy()).data)
        offsets = labels.offsets.to_numpy().astype(np.int64)
        self._ends.write((offsets[1:] - offsets[0] + self._values).data)
        self._values += len(flat)
        self._rows += len(labels)

    def truncate(self, rows: int) -> None:
        """Forget all rows behind so many."""
        self._rows = rows
        self._ends.flush()
        self._values = int(self._bounds(rows, rows)[0])
        for file, size in ((self._codes, 4 * self._values), (self._scores, 4 * self._values)):
            file.seek(size)
            file.truncate()
        self._ends.seek(8 * (rows + 1))
        self._ends.truncate()

    def take(self, rows: Integers) -> tuple[Any, Any]:
        """Return rows, in any order and as often as they are asked for.

        :param rows: shape ``(n,)``.
        :returns: columns of labels and of scores.
        """
        for file in (self._codes, self._scores, self._ends):
            file.flush()
        order = np.argsort(rows, kind="stable")
        lengths = [np.zeros(0, np.int64)]
        codes, scores = [np.zeros(0, np.int32)], [np.zeros(0, np.float32)]
        for start, wanted in _segments(rows[order]):
            bounds = self._bounds(start, min(start + _SEGMENT_ROWS, self._rows))
            begins, ends = bounds[wanted - start], bounds[wanted - start + 1]
            indices = _ranges(begins - bounds[0], ends - begins)
            lengths.append(ends - begins)
            codes.append(_read(self._codes, np.int32, bounds)[indices])
            scores.append(_read(self._scores, np.float32, bounds)[indices])
        return self._columns(order, np.concatenate(lengths), np.concatenate(codes), np.concatenate(scores))

    def _columns(self, order: Integers, lengths: Integers, codes: Any, scores: Any) -> tuple[Any, Any]:
        """Return columns in the order in which the rows were asked for."""
        back = np.empty(len(order), np.int64)
        back[order] = np.arange(len(order))
        begins = np.cumsum(lengths) - lengths
        indices = _ranges(begins[back], lengths[back])
        offsets = from_numpy(np.concatenate(([0], np.cumsum(lengths[back]))).astype(np.int32))
        names = pa.array(list(self._code_of), pa.string())
        labels = pa.DictionaryArray.from_arrays(from_numpy(codes[indices]), names)
        return (
            pa.ListArray.from_arrays(offsets, labels),
            pa.ListArray.from_arrays(offsets, from_numpy(scores[indices])),
        )

    def _bounds(self, start: int, end: int) -> Integers:
        """Return where the values of rows begin and the last one ends."""
        return np.fromfile(self._ends.name, np.int64, end - start + 1, offset=8 * start)


def _segments(rows: Integers) -> Iterator[tuple[int, Integers]]:
    """Yield the first row of each segment of ascending rows, and those that are in it."""
    segments = rows // _SEGMENT_ROWS
    for part in np.split(rows, np.flatnonzero(np.diff(segments)) + 1):
        if len(part):
            yield int(part[0]) // _SEGMENT_ROWS * _SEGMENT_ROWS, part


def _ranges(begins: Integers, lengths: Integers) -> Integers:
    """Return the indices of ranges, one behind the other."""
    starts = np.cumsum(lengths) - lengths
    return np.repeat(begins - starts, lengths) + np.arange(int(lengths.sum()))


def _read(file: Any, kind: type[np.generic], bounds: Integers) -> npt.NDArray[Any]:
    return np.fromfile(file.name, kind, int(bounds[-1] - bounds[0]), offset=4 * int(bounds[0]))
