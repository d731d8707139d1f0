"""Which ids of a stream have come before: exactly, and in memory that does not grow with their number.

An id is kept as 128 bits of hash, 16 bytes. The latest ones are in memory; more of them go to an unnamed file
on local disk. A filter in memory knows of nearly every new id that it is not on disk, so that the disk is
asked for repeated ids, and for hardly any other.
"""

from __future__ import annotations

import os
import tempfile
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from nightsort.arrow.hashing import find, hash_texts, in_order

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt
    from typing_extensions import Self

    from nightsort.arrow.columns import Column
    from nightsort.arrow.hashing import Hashes

IDS_IN_MEMORY: Final = 2**18
"""So few that a million documents need the memory of ten million: 4 MB, and four times that to sort."""

_FILTER_BITS: Final = 22
"""2^22 words of 64 bits, 32 MB: of 10 million new ids 1 in 1,000 is looked for on disk, of 100 million 1 in
3."""

_REGION_BITS: Final = 11
"""The file has a region for each value of so many leading bits: to look an id up among 10 million, 78 KB are
read, whenever it came."""

_REGION_BYTES: Final = 2**29
"""From one region to the next: room for 32 million ids each. What is not written yet takes no disk."""

_WIDTH: Final = 16


class SeenIds:
    """Tells which ids of a stream have come before.

    To be closed, or used in a ``with``: its file on disk goes then.

    :param in_memory: how many ids are kept in memory before they go to disk.
    """

    def __init__(self, in_memory: int = IDS_IN_MEMORY) -> None:
        self._in_memory = in_memory
        self._runs: list[tuple[Hashes, Hashes]] = []
        self._on_disk: _IdsOnDisk | None = None

    def __len__(self) -> int:
        return sum(len(first) for first, _ in self._runs) + (len(self._on_disk) if self._on_disk else 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Forget all ids."""
        self._runs = []
        if self._on_disk is not None:
            self._on_disk.close()

    def add(self, ids: Column) -> npt.NDArray[np.bool_]:
        """Take in some ids and return, for each, whether it is new; of equal ids in one call the first is.

        :raises OSError: no room on local disk.
        """
        first, second = hash_texts(ids)
        order = in_order(first, second)
        first, second = first[order], second[order]
        again = np.zeros(len(ids), dtype=bool)
        again[1:] = (first[1:] == first[:-1]) & (second[1:] == second[:-1])
        for run_first, run_second in self._runs:
            again |= find(first, second, run_first, run_second) >= 0
        if self._on_disk is not None:
            again[~again] = self._on_disk.hold(first[~again], second[~again])
        self._keep(first[~again], second[~again])
        new = np.empty(len(ids), dtype=bool)
        new[order] = ~again
        return new

    def _keep(self, first: Hashes, second: Hashes) -> None:
        if not len(first):
            return
        # Runs of doubling length: a look-up takes few binary searches, and no id is sorted often.
        while self._runs and len(self._runs[-1][0]) <= 2 * len(first):
            first, second = _merged(self._runs.pop(), (first, second))
        self._runs.append((first, second))
        if sum(len(run_first) for run_first, _ in self._runs) > self._in_memory:
            run = self._runs.pop()
            while self._runs:
                run = _merged(self._runs.pop(), run)
            self._on_disk = self._on_disk or _IdsOnDisk()
            self._on_disk.append(*run)


def _merged(one: tuple[Hashes, Hashes], other: tuple[Hashes, Hashes]) -> tuple[Hashes, Hashes]:
    first, second = (np.concatenate(both) for both in zip(one, other, strict=True))
    order = np.argsort(first, kind="stable")
    return first[order], second[order]


class _IdsOnDisk:
    """Hashes in an unnamed file, those with the same leading bits side by side, and the filter."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="nightsort-")  # noqa: SIM115 (closed by the owner)
        self._numbers = np.zeros(2**_REGION_BITS, np.int64)
        self._filter = np.zeros(2**_FILTER_BITS, np.uint64)

    def __len__(self) -> int:
        return int(self._numbers.sum())

    def close(self) -> None:
        self._file.close()

    def append(self, first: Hashes, second: Hashes) -> None:
        """Write hashes that are sorted and not there yet."""
        pairs = np.stack((first, second), axis=1)
        for region, rows in _by_region(first):
            self._file.seek(region * _REGION_BYTES + int(self._numbers[region]) * _WIDTH)
            self._file.write(pairs[rows].data)
            self._numbers[region] += rows.stop - rows.start
        self._file.flush()
        words, bits = _filter_places(first, second)
        # The words ascend, as the hashes do: those that are equal stand together.
        begins = np.flatnonzero(np.diff(words, prepend=-1))
        self._filter[words[begins]] |= np.bitwise_or.reduceat(bits, begins)

    def hold(self, first: Hashes, second: Hashes) -> npt.NDArray[np.bool_]:
        """Return which of some hashes, sorted and all different, are on disk."""
        found = np.zeros(len(first), dtype=bool)
        words, bits = _filter_places(first, second)
        maybe = np.flatnonzero(self._filter[words] & bits == bits)
        first, second = first[maybe], second[maybe]
        for region, rows in _by_region(first):
            size = int(self._numbers[region]) * _WIDTH
            stored = np.frombuffer(os.pread(self._file.fileno(), size, region * _REGION_BYTES), np.uint64)
            # Those on disk are looked for among the few: only these are in order.
            at = find(stored[0::2], stored[1::2], first[rows], second[rows])
            found[maybe[rows][at[at >= 0]]] = True
        return found


def _by_region(first: Hashes) -> Iterator[tuple[int, slice]]:
    """Yield the regions that hashes, ascending, belong to, and which of them do."""
    regions = (first >> np.uint64(64 - _REGION_BITS)).astype(np.intp)
    borders = [*np.flatnonzero(np.diff(regions, prepend=-1)).tolist(), len(regions)]
    for start, end in pairwise(borders):
        yield int(regions[start]), slice(start, end)


def _filter_places(first: Hashes, second: Hashes) -> tuple[npt.NDArray[np.intp], Hashes]:
    """Return for each hash its word of the filter, and the four bits of the word that stand for it."""
    words = (first >> np.uint64(64 - _FILTER_BITS)).astype(np.intp)
    bits = np.zeros(len(first), np.uint64)
    for shift in (0, 6, 12, 18):
        bits |= np.uint64(1) << ((second >> np.uint64(shift)) & np.uint64(63))
    return words, bits
