"""Pairs of hashes on local disk, each with a number, looked up by few at a time.

The file has sorted runs. In memory is every 64th hash, one byte for eight pairs; a look-up reads 1.5 KB of
each run for a pair. Merging makes one run of all.
"""

from __future__ import annotations

import os
import tempfile
from typing import IO, TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from nightsort.arrow.hashing import find, in_order, is_first

if TYPE_CHECKING:
    from pathlib import Path

    from nightsort.arrow.hashing import Hashes, Numbers

Records = npt.NDArray[np.uint64]
"""The two hashes of a pair, and a number; shape ``(n, 3)``."""

_RECORD_BYTES: Final = 24

_STEP: Final = 64
"""So many records are read for a pair."""

_PARTS: Final = 2**8
"""Runs are merged part by part: of 30 million records, 3 MB at a time."""

_RECORDS_MERGED_PER_LOOK_UP: Final = 12
"""Merging so many records takes as long as one look-up in one run."""

_LOOK_UPS_FOR_NOTHING: Final = 20
"""To look any pairs up in a run takes as long as so many more."""


class HashFile:
    """Records in an unnamed file, which is removed when it is closed.

    :param folder: a local folder; ``None``: that of temporary files.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._runs: list[_Run] = []
        self._file = self._new_file()
        self._looked_up = 0

    def close(self) -> None:
        """Remove the file."""
        self._file.close()

    def add(self, records: Records) -> None:
        """Add a run. Of equal pairs the first one counts.

        :param records: ascending by the first hash.
        :raises OSError: no room on local disk.
        """
        run = _Run(self._file)
        run.append(records)
        self._file.flush()
        self._runs.append(run)

    def find(self, first: Hashes, second: Hashes) -> Numbers:
        """Return the number of each pair, -1 for those that are not there.

        :param first: ascending; shape ``(n,)``.
        :param second: shape ``(n,)``.
        """
        # Merging spares all further look-ups all runs but one: it is worth while when they have cost as much.
        self._looked_up += (len(first) + _LOOK_UPS_FOR_NOTHING) * max(len(self._runs) - 1, 0)
        if self._looked_up > sum(map(len, self._runs)) // _RECORDS_MERGED_PER_LOOK_UP:
            self.merge()
        numbers = np.full(len(first), -1, np.int64)
        left = np.arange(len(first))
        for run in self._runs:
            if not len(left):
                break
            numbers[left] = run.find(first[left], second[left])
            left = left[numbers[left] < 0]
        return numbers

    def merge(self) -> None:
        """Make one run of all."""
        if len(self._runs) < 2:
            return
        file = self._new_file()
        whole = _Run(file)
        borders = np.arange(_PARTS, dtype=np.uint64) << np.uint64(56)
        for low, last in zip(borders, [*(borders[1:] - np.uint64(1)), np.uint64(2**64 - 1)], strict=True):
            records = np.concatenate([run.between(low, last) for run in self._runs])
            records = records[in_order(records[:, 0], records[:, 1])]
            whole.append(records[is_first(records[:, 0], records[:, 1])])
        file.flush()
        self._file.close()
        self._file, self._runs, self._looked_up = file, [whole], 0

    def _new_file(self) -> IO[bytes]:
        return tempfile.TemporaryFile(prefix="nightsort-", dir=self._folder)


class _Run:
    """Sorted records, one behind the other at the end of a file."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._begin = file.tell()
        self._number = 0
        self._parts: list[Hashes] = []

    def __len__(self) -> int:
        return self._number

    def append(self, records: Records) -> None:
        # A copy: a view would keep all of the records.
        self._parts.append(records[-self._number % _STEP :: _STEP, 0].copy())
        self._file.write(np.ascontiguousarray(records).data)
        self._number += len(records)

    def find(self, first: Hashes, second: Hashes) -> Numbers:
        # Two steps may begin with one hash, and a step may end with the hash that the next one begins with.
        begins = np.maximum(np.searchsorted(self._steps, first, side="left") - 1, 0)
        ends = np.searchsorted(self._steps, first, side="right")
        apart = np.flatnonzero(begins[1:] > ends[:-1]) + 1
        starts = begins[np.concatenate(([0], apart))]
        records = self._read(starts.tolist(), np.append(ends[apart - 1], ends[-1]).tolist())
        among = np.ascontiguousarray(records.T)
        at = find(first, second, among[0], among[1])
        numbers = np.full(len(first), -1, np.int64)
        numbers[at >= 0] = among[2][at[at >= 0]].view(np.int64)
        return numbers

    def between(self, low: np.uint64, last: np.uint64) -> Records:
        """Return the records whose first hash is between two, both included."""
        begin = max(int(np.searchsorted(self._steps, low, side="left")) - 1, 0)
        end = int(np.searchsorted(self._steps, last, side="right"))
        records = self._read([begin], [end])
        first = records[:, 0]
        return records[np.searchsorted(first, low, side="left") : np.searchsorted(first, last, side="right")]

    @property
    def _steps(self) -> Hashes:
        """Every 64th hash."""
        if len(self._parts) > 1:
            self._parts = [np.concatenate(self._parts)]
        return self._parts[0]

    def _read(self, begins: list[int], ends: list[int]) -> Records:
        """Return the records of ranges of steps."""
        step, end = _STEP * _RECORD_BYTES, self._begin + self._number * _RECORD_BYTES
        content = b"".join(
            os.pread(self._file.fileno(), min(end - start, (stop - begin) * step), start)
            for begin, stop in zip(begins, ends, strict=True)
            for start in [self._begin + begin * step]
        )
        return np.frombuffer(content, np.uint64).reshape(-1, 3)
