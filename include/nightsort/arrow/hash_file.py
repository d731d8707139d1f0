"""Pairs of hashes on local disk, each with a number, looked up by few at a time.

What was added last lies in regions by its leading bits, in the order in which it came: that is fast to
write, and a look-up reads one region. Once look-ups have taken as long as sorting would, all is sorted: then
every 64th hash is in memory, one byte for eight pairs, and a look-up reads 1.5 KB.
"""

from __future__ import annotations

import os
import tempfile
from typing import IO, TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from nightsort.arrow.hashing import find, in_order, is_first

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nightsort.arrow.hashing import Hashes, Numbers

Records = npt.NDArray[np.uint64]
"""The two hashes of a pair, and a number; shape ``(n, 3)``."""

_RECORD_BYTES: Final = 24

_STEP: Final = 64
"""So many sorted records are read for a pair."""

_PAIRS_AT_ONCE: Final = 2**11
"""For so many pairs sorted records are read together: at most 3 MB."""

_REGION_BITS: Final = 11
"""A region for each value of so many leading bits: of 10 million records, 117 KB are read for a pair."""

_REGION_BYTES: Final = 2**29
"""From one region to the next in a sparse file: 22 million records fit in."""

_READ_WHILE_ONE_IS_SORTED: Final = 4
"""So many records of regions are read and compared in the time in which one is sorted."""

_AT_ONCE: Final = 2**16
"""Regions with about so many records are read together."""

_READ_FOR_NOTHING: Final = 500
"""To read any record of a region takes as long as so many more."""


class HashFile:
    """Records in unnamed files, which are removed when it is closed.

    :param folder: a local folder; ``None``: that of temporary files.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._sorted = _Sorted(self._new_file())
        self._latest = _Regions(self._new_file())

    def close(self) -> None:
        """Remove the files."""
        self._sorted.file.close()
        self._latest.file.close()

    def add(self, records: Records) -> None:
        """Add records. Of equal pairs the first one counts.

        :param records: ascending by the first hash.
        :raises OSError: no room on local disk.
        """
        self._latest.add(records)

    def find(self, first: Hashes, second: Hashes) -> Numbers:
        """Return the number of each pair, -1 for those that are not there.

        :param first: ascending; shape ``(n,)``.
        :param second: shape ``(n,)``; equal pairs are neighbours.
        """
        if self._latest.read > _READ_WHILE_ONE_IS_SORTED * (len(self._sorted) + len(self._latest)):
            self.sort()
        numbers = self._sorted.find(first, second)
        left = np.flatnonzero(numbers < 0)
        numbers[left] = self._latest.find(first[left], second[left])
        return numbers

    def sort(self) -> None:
        """Sort all records, so that looking up takes the least time."""
        if not len(self._latest):
            return
        whole = _Sorted(self._new_file())
        for low, last, latest in self._latest.regions():
            records = np.concatenate((self._sorted.between(low, last), latest))
            records = records[in_order(records[:, 0], records[:, 1])]
            whole.append(records[is_first(records[:, 0], records[:, 1])])
        self.close()
        self._sorted, self._latest = whole, _Regions(self._new_file())

    def _new_file(self) -> IO[bytes]:
        # Without a buffer: what is written is read back by its position.
        return tempfile.TemporaryFile(buffering=0, prefix="nightsort-", dir=self._folder)


class _Regions:
    """Records by the leading bits of their first hash, in each region in the order in which they came."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.read = 0
        """What look-ups took, as a number of records that are read in that time."""
        self._numbers = np.zeros(2**_REGION_BITS, np.int64)

    def __len__(self) -> int:
        return int(self._numbers.sum())

    def add(self, records: Records) -> None:
        regions, begins, numbers = _by_region(records[:, 0])
        content = _content(records)
        offsets = regions * _REGION_BYTES + self._numbers[regions] * _RECORD_BYTES
        starts, ends = begins * _RECORD_BYTES, (begins + numbers) * _RECORD_BYTES
        for start, end, offset in zip(starts.tolist(), ends.tolist(), offsets.tolist(), strict=True):
            _write(self.file, content[start:end], offset)
        self._numbers[regions] += numbers

    def find(self, first: Hashes, second: Hashes) -> Numbers:
        different = is_first(first, second)
        first, second = first[different], second[different]
        found: Numbers = np.full(len(first), -1, np.int64)
        if not len(first):
            return found
        regions, begins, asked = _by_region(first)
        ends = begins + asked
        numbers = self._numbers[regions]
        self.read += int(numbers.sum()) + len(regions) * _READ_FOR_NOTHING
        groups = np.cumsum(numbers) // _AT_ONCE
        for some in np.split(np.arange(len(regions)), np.flatnonzero(np.diff(groups)) + 1):
            rows = slice(begins[some[0]], ends[some[-1]])
            # The stored records are looked up among the few given ones: only those are sorted.
            records = np.concatenate([self._of(region) for region in regions[some].tolist()])[::-1]
            at = find(records[:, 0], records[:, 1], first[rows], second[rows])
            there = np.flatnonzero(at >= 0)
            # From the last to the first: of equal pairs the first one counts.
            found[rows][at[there]] = records[there, 2].view(np.int64)
        each: Numbers = found[np.cumsum(different) - 1]
        return each

    def regions(self) -> Iterator[tuple[np.uint64, np.uint64, Records]]:
        """Yield the lowest and the highest hash of each region, with its records."""
        highest = np.uint64(2 ** (64 - _REGION_BITS) - 1)
        for region in range(2**_REGION_BITS):
            low = np.uint64(region << 64 - _REGION_BITS)
            yield low, low + highest, self._of(region)

    def _of(self, region: int) -> Records:
        return _read(self.file, region * _REGION_BYTES, int(self._numbers[region]))


class _Sorted:
    """Records in order, and every 64th hash in memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self._number = 0
        self._parts: list[Hashes] = [np.zeros(0, np.uint64)]

    def __len__(self) -> int:
        return self._number

    def append(self, records: Records) -> None:
        # A copy: a view would keep all of the records.
        self._parts.append(records[-self._number % _STEP :: _STEP, 0].copy())
        _write(self.file, _content(records), self._number * _RECORD_BYTES)
        self._number += len(records)

    def find(self, first: Hashes, second: Hashes) -> Numbers:
        numbers = np.full(len(first), -1, np.int64)
        if self._number:
            for start in range(0, len(first), _PAIRS_AT_ONCE):
                some = slice(start, start + _PAIRS_AT_ONCE)
                numbers[some] = self._find(first[some], second[some])
        return numbers

    def _find(self, first: Hashes, second: Hashes) -> Numbers:
        numbers = np.full(len(first), -1, np.int64)
        # Two steps may begin with one hash, and a step may end with the hash that the next one begins with.
        begins = np.maximum(np.searchsorted(self._steps, first, side="left") - 1, 0)
        ends = np.searchsorted(self._steps, first, side="right")
        apart = np.flatnonzero(begins[1:] > ends[:-1]) + 1
        starts = begins[np.concatenate(([0], apart))]
        ranges = zip(starts.tolist(), np.append(ends[apart - 1], ends[-1]).tolist(), strict=True)
        records = np.concatenate([self._read_steps(begin, end) for begin, end in ranges])
        among = np.ascontiguousarray(records.T)
        at = find(first, second, among[0], among[1])
        numbers[at >= 0] = among[2][at[at >= 0]].view(np.int64)
        return numbers

    def between(self, low: np.uint64, last: np.uint64) -> Records:
        """Return the records whose first hash is between two, both included."""
        begin = max(int(np.searchsorted(self._steps, low, side="left")) - 1, 0)
        end = int(np.searchsorted(self._steps, last, side="right"))
        records = self._read_steps(begin, end)
        first = records[:, 0]
        return records[np.searchsorted(first, low, side="left") : np.searchsorted(first, last, side="right")]

    @property
    def _steps(self) -> Hashes:
        """Every 64th hash."""
        if len(self._parts) > 1:
            self._parts = [np.concatenate(self._parts)]
        return self._parts[0]

    def _read_steps(self, begin: int, end: int) -> Records:
        number = min(end * _STEP, self._number) - begin * _STEP
        return _read(self.file, begin * _STEP * _RECORD_BYTES, number)


def _by_region(first: Hashes) -> tuple[Numbers, Numbers, Numbers]:
    """Return the regions of ascending hashes, the index of the first hash of each, and how many it has."""
    of_hash = (first >> np.uint64(64 - _REGION_BITS)).view(np.int64)
    begins = np.flatnonzero(np.diff(of_hash, prepend=-1))
    return of_hash[begins], begins, np.diff(begins, append=len(first))


def _content(records: Records) -> memoryview:
    return np.ascontiguousarray(records).reshape(-1).view(np.uint8).data


def _write(file: IO[bytes], content: memoryview, offset: int) -> None:
    while content:
        written = os.pwrite(file.fileno(), content, offset)
        content, offset = content[written:], offset + written


def _read(file: IO[bytes], offset: int, number: int) -> Records:
    content = os.pread(file.fileno(), number * _RECORD_BYTES, offset)
    return np.frombuffer(content, np.uint64).reshape(-1, 3)
