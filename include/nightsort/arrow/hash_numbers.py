"""Exact look-ups of hashes among those that came before in a stream, in memory that does not grow with them.

:class:`HashNumbers` says which hash of a stream came when; it keeps the latest ones in memory and the others
on local disk. :class:`HashSet` says only which are new.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from nightsort.arrow.bloom_filter import BloomFilter
from nightsort.arrow.hash_file import HashFile
from nightsort.arrow.hashing import in_order, is_first

if TYPE_CHECKING:
    import numpy.typing as npt
    from typing_extensions import Self

    from nightsort.arrow.hash_file import Records
    from nightsort.arrow.hashing import Hashes, Numbers

    Flags = npt.NDArray[np.bool_]

HASHES_IN_MEMORY: Final = 2**17
"""A run is written after so many (3 MB), so that memory is the same for 1 and for 10 million."""

_FEW_BITS: Final = 17
"""A filter of 1 MB, for as many hashes as are in memory."""

_MANY_BITS: Final = 21
"""A filter of 16 MB: of 10 million new hashes 1 in 320 is looked up on disk, of 30 million 1 in 4."""


class HashNumbers:
    """Numbers the different hashes of a stream; a hash that comes again has the number that it had first.

    Close it, or use it in a ``with``: its file on disk is removed then.

    :param in_memory: how many hashes are kept in memory before they go to disk.
    """

    def __init__(self, in_memory: int = HASHES_IN_MEMORY) -> None:
        self.next = 0
        """The number that the next new hash gets."""
        self._in_memory = in_memory
        self._filter = BloomFilter(_FEW_BITS)
        self._recent = _Recent(in_memory)
        self._stored: HashFile | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the file."""
        if self._stored is not None:
            self._stored.close()

    def find(self, first: Hashes, second: Hashes) -> Numbers:
        """Return the number of each pair of hashes, -1 for new ones.

        :param first: shape ``(n,)``.
        :param second: shape ``(n,)``.
        :returns: shape ``(n,)``.
        """
        order = in_order(first, second)
        first, second = first[order], second[order]
        numbers = np.empty(len(order), np.int64)
        numbers[order] = self._find(first, second, self._filter.may_hold(first, second))
        return numbers

    def number(self, first: Hashes, second: Hashes, given: Numbers | None = None) -> Numbers:
        """Return the number of each pair of hashes; new ones get one.

        :param first: shape ``(n,)``.
        :param second: shape ``(n,)``.
        :param given: the number of each, if it is new; ``None``: new ones are counted on from :attr:`next`,
            in their order.
        :returns: shape ``(n,)``.
        :raises OSError: no room on local disk.
        """
        if self._recent.number + len(first) > self._in_memory:
            self._store(self._recent.remove_all())
        order = in_order(first, second)
        first, second = first[order], second[order]
        begins = is_first(first, second)
        different = order[begins]
        first, second = first[begins], second[begins]
        numbers = self._find(first, second, self._filter.add(first, second))
        new = numbers < 0
        if given is None:
            # Those that are new, in their order.
            arrived = np.zeros(len(order), np.bool_)
            arrived[different[new]] = True
            given = self.next - 1 + np.cumsum(arrived)
        numbers[new] = given[different[new]]
        if new.any():
            self.next = max(self.next, int(numbers.max()) + 1)
            records = np.stack((first, second, numbers.view(np.uint64)), axis=1)[new]
            if len(records) > self._in_memory:
                self._store(records)
            else:
                self._recent.add(records)
        each = np.empty(len(order), np.int64)
        each[order] = numbers[np.cumsum(begins) - 1]
        return each

    def _find(self, first: Hashes, second: Hashes, maybe: Flags) -> Numbers:
        """Return the numbers of pairs that are sorted, -1 for new ones; only some may be there."""
        numbers = np.full(len(first), -1, np.int64)
        rows = np.flatnonzero(maybe)
        numbers[rows] = self._recent.find(first[rows], second[rows])
        rows = rows[numbers[rows] < 0]
        if self._stored is not None and len(rows):
            numbers[rows] = self._stored.find(first[rows], second[rows])
        return numbers

    def _store(self, records: Records) -> None:
        if not len(records):
            return
        if self._stored is None:
            self._stored = HashFile()
            self._filter = BloomFilter(_MANY_BITS)
            self._filter.add(records[:, 0], records[:, 1])
        self._stored.add(records)


class _Recent:
    """The latest hashes: records in their order, chained to those before them with the same leading bits.

    :param size: how many there can be.
    """

    def __init__(self, size: int) -> None:
        self.number = 0
        bits = size.bit_length()
        self._shift = np.uint64(64 - bits)
        self._latest = np.full(2**bits, -1, np.int32)
        self._before = np.empty(size, np.int32)
        self._records: Records = np.empty((size, 3), np.uint64)

    def add(self, records: Records) -> None:
        """Add records that are not there yet, ascending by the first hash."""
        end = self.number + len(records)
        rows = np.arange(self.number, end, dtype=np.int32)
        chains = self._chains(records[:, 0])
        before = self._latest[chains]
        # Those of one chain are neighbours.
        same = np.flatnonzero(chains[1:] == chains[:-1])
        before[same + 1] = rows[same]
        self._latest[chains] = rows
        self._before[self.number : end] = before
        self._records[self.number : end] = records
        self.number = end

    def find(self, first: Hashes, second: Hashes) -> Numbers:
        """Return the number of each pair, -1 for those that are not there."""
        numbers = np.full(len(first), -1, np.int64)
        wanted = np.arange(len(first))
        rows = self._latest[self._chains(first)]
        while len(wanted):
            there = rows >= 0
            wanted, rows = wanted[there], rows[there]
            records = self._records[rows]
            same = (records[:, 0] == first[wanted]) & (records[:, 1] == second[wanted])
            numbers[wanted[same]] = records[same, 2].view(np.int64)
            wanted, rows = wanted[~same], self._before[rows[~same]]
        return numbers

    def remove_all(self) -> Records:
        """Return the records, ascending by the first hash; none remains."""
        records = self._records[: self.number]
        self._latest.fill(-1)
        self.number = 0
        # Merge sort, since they are ascending in parts.
        return records[np.argsort(records[:, 0], kind="stable")]

    def _chains(self, first: Hashes) -> npt.NDArray[np.intp]:
        return (first >> self._shift).view(np.intp)


class HashSet:
    """Answers which hashes of a stream are new.

    Close it, or use it in a ``with``: its file on disk is removed then.

    :param in_memory: how many hashes are kept in memory before they go to disk.
    """

    def __init__(self, in_memory: int = HASHES_IN_MEMORY) -> None:
        self._numbers = HashNumbers(in_memory)

    def __len__(self) -> int:
        return self._numbers.next

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._numbers.close()

    def add(self, first: Hashes, second: Hashes) -> Flags:
        """Add pairs of hashes and return for each whether it is new; of equal pairs in one call the first is.

        :param first: shape ``(n,)``.
        :param second: shape ``(n,)``.
        :returns: flags; shape ``(n,)``.
        :raises OSError: no room on local disk.
        """
        before = self._numbers.next
        return is_new(self._numbers.number(first, second), before)


def is_new(numbers: Numbers, before: int) -> Flags:
    """Return which of the hashes that :meth:`HashNumbers.number` numbered came for the first time.

    :param numbers: as it counted them.
    :param before: :attr:`HashNumbers.next` before the call.
    """
    # New numbers are counted in their order, so a new one is higher than all before it.
    highest = np.maximum.accumulate(np.concatenate(([before - 1], numbers)))
    return numbers > highest[:-1]
