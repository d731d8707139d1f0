"""The documents of a night whose text another document has, on local disk until all batches are known."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from nightsort.arrow.columns import from_numpy, joined

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from nightsort.arrow.columns import Column
    from nightsort.arrow.hashing import Numbers

_TYPES: Final[dict[str, pa.DataType]] = {
    "line": pa.int64(),
    "units": pa.int64(),
    "document_id": pa.string(),
}
_SCHEMA: Final = pa.schema(_TYPES)
_ROWS_AT_ONCE: Final = 2**18


class Repeat(NamedTuple):
    """Documents whose text is on a line; shape ``(n,)`` each.

    :param lines: numbers of the lines.
    :param units: units that each document would have cost.
    :param ids: their ids.
    """

    lines: Numbers
    units: npt.NDArray[np.int64]
    ids: Column


class Repeats:
    """Documents and the lines that have their texts, by the number of the line in the run.

    :param folder: a local folder.
    """

    def __init__(self, folder: Path) -> None:
        self.number = self.units = 0
        self._arrived, self._sorted = folder / "repeats.arrows", folder / "repeats.arrow"
        self._stream: Any = None
        self._groups: defaultdict[int, list[int]] = defaultdict(list)
        self._begins: Numbers = np.zeros(0, np.int64)

    def add(self, repeat: Repeat) -> None:
        """Keep some documents."""
        if not len(repeat.ids):
            return
        if self._stream is None:
            self._stream = pa.ipc.new_stream(str(self._arrived), _SCHEMA)
        columns = [from_numpy(repeat.lines), from_numpy(repeat.units), repeat.ids]
        self._stream.write_batch(pa.record_batch(columns, schema=_SCHEMA))
        self.number += len(repeat.ids)
        self.units += int(repeat.units.sum())

    def sort(self, begins: Sequence[int]) -> None:
        """Put the documents of each batch together; :meth:`of` returns them then.

        :param begins: the number of the first line of each batch, ascending.
        """
        self._begins = np.array(begins, np.int64)
        if self._stream is None:
            return
        self._stream.close()
        groups = 0
        with pa.ipc.new_file(str(self._sorted), _SCHEMA) as file:
            for rows in _read(self._arrived):
                batches = np.searchsorted(self._begins, rows["line"].to_numpy(), side="right") - 1
                order = np.argsort(batches, kind="stable")
                rows = rows.take(from_numpy(order))
                different, first = np.unique(batches[order], return_index=True)
                ends = [*first[1:].tolist(), len(rows)]
                for batch, start, end in zip(different.tolist(), first.tolist(), ends, strict=True):
                    file.write_batch(rows.slice(start, end - start))
                    self._groups[batch].append(groups)
                    groups += 1
        self._arrived.unlink()

    def of(self, batch: int) -> Iterator[Repeat]:
        """Yield the documents of a batch, in the order in which they came; its lines count from 0.

        :param batch: its place in the argument of :meth:`sort`.
        """
        if batch not in self._groups:
            return
        with pa.memory_map(str(self._sorted)) as mapped, pa.ipc.open_file(mapped) as file:
            for group in self._groups[batch]:
                rows: Any = file.get_batch(group)
                lines = rows["line"].to_numpy() - self._begins[batch]
                yield Repeat(lines, rows["units"].to_numpy(), rows["document_id"])


def _read(path: Path) -> Iterator[Any]:
    """Yield the rows of a file in large record batches."""
    with pa.OSFile(str(path), "rb") as source, pa.ipc.open_stream(source) as stream:
        yield from joined(stream, _ROWS_AT_ONCE)
