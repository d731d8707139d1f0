"""Hashes of texts and ids, a whole column at a time, and exact look-ups among those of a stream.

XXH3 with 128 bits (https://xxhash.com), whose values are stable across machines and versions. They decide on
which side of the split a document is, so a test pins them: a library that computes others would fail it.

A hash is a pair of 64-bit values, 16 bytes, and memory does not grow with their number.
:class:`HashNumbers` says which hash of a stream came when; it keeps the latest ones in memory and the others
in a file with regions. :class:`HashSet` says only which are new.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from xxhash import xxh3_128_digest

from nightsort.arrow.bloom_filter import BloomFilter
from nightsort.arrow.columns import as_bytes, to_numpy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from typing_extensions import Self

    from nightsort.arrow.columns import Column, TextColumn

Hashes = npt.NDArray[np.uint64]
"""Shape ``(n,)``."""

HASH: Final[pa.DataType] = pa.binary(16)
"""The type of a pair in a column: the 16 bytes of the digest."""

Numbers = npt.NDArray[np.int64]
"""Shape ``(n,)``."""

_Numbered = tuple[Hashes, Hashes, Numbers]

HASHES_IN_MEMORY: Final = 2**18
"""A run is written after so many (4 MB), so that memory is the same for 1 and for 10 million."""

_REGION_BITS: Final = 11
"""The file has a region for each value of so many leading bits: to look a hash up among 10 million, 117 KB
are read, whenever it was added."""

_REGION_BYTES: Final = 2**29
"""Region stride in a sparse file: 22 million hashes per region."""

_WANTED_BITS: Final = 16
_WANTED_MASK: Final = np.uint64(2**_WANTED_BITS - 1)

_PAIR_BYTES: Final = 16
_ROW_BYTES: Final = 24


def hash_texts(texts: TextColumn) -> tuple[Hashes, Hashes]:
    """Return two independent 64-bit hashes per text; as a pair they are practically unique."""
    return _halves(b"".join(map(xxh3_128_digest, to_numpy(as_bytes(texts)))))


def as_column(first: Hashes, second: Hashes) -> Column:
    """Return pairs of hashes as a column of :data:`HASH`.

    :param first: shape ``(n,)``.
    :param second: shape ``(n,)``.
    """
    digests: Any = np.stack((first, second), axis=1).astype(">u8")
    return pa.Array.from_buffers(HASH, len(first), [None, pa.py_buffer(digests)])


def as_hashes(column: Column) -> tuple[Hashes, Hashes]:
    """Return the pairs of hashes in a column of :data:`HASH` without nulls."""
    start = column.offset * _PAIR_BYTES
    content = column.buffers()[1]
    return _halves(b"" if content is None else content[start : start + len(column) * _PAIR_BYTES])


def _halves(digests: Any) -> tuple[Hashes, Hashes]:
    halves = np.frombuffer(digests, dtype=">u8").reshape(-1, 2)
    return halves[:, 0].astype(np.uint64), halves[:, 1].astype(np.uint64)


def hash_names(names: Sequence[str]) -> Hashes:
    """Return one 64-bit hash for a list of names (BLAKE2b), for instance the labels of a document."""
    digest = hashlib.blake2b("\x1f".join(names).encode(), digest_size=8).digest()
    return np.frombuffer(digest, dtype="<u8").astype(np.uint64)


def mix(hashes: Hashes) -> Hashes:
    """Mix 64-bit values one to one (SplitMix64 finaliser), so that their sum is a fingerprint."""
    with np.errstate(over="ignore"):
        mixed = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


class HashNumbers:
    """Numbers the different hashes of a stream; a hash that comes again has the number that it had first.

    Close it, or use it in a ``with``: its file on disk is removed then.

    :param in_memory: how many hashes are kept in memory before they go to disk.
    """

    def __init__(self, in_memory: int = HASHES_IN_MEMORY) -> None:
        self.next = 0
        """The number that the next new hash gets."""
        self._in_memory = in_memory
        self._recent: list[_Numbered] = []
        self._stored: _StoredHashes | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Forget all hashes."""
        self._recent = []
        if self._stored is not None:
            self._stored.close()
            self._stored = None

    def find(self, first: Hashes, second: Hashes) -> Numbers:
        """Return the number of each pair of hashes, -1 for new ones.

        :param first: shape ``(n,)``.
        :param second: shape ``(n,)``.
        :returns: shape ``(n,)``.
        """
        order = in_order(first, second)
        numbers = np.empty(len(first), np.int64)
        numbers[order] = self._find(first[order], second[order])
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
        order = in_order(first, second)
        first, second = first[order], second[order]
        begins = np.ones(len(first), np.bool_)
        begins[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
        all_different = bool(begins.all())
        different = order if all_different else order[begins]
        if not all_different:
            first, second = first[begins], second[begins]
        numbers = self._find(first, second)
        new = numbers < 0
        all_new = bool(new.all())
        if not all_new:
            first, second = first[new], second[new]
        if given is not None:
            numbers[new] = given[different[new]]
        elif all_different and all_new:
            numbers = self.next + different
        else:
            # Those that are new, in their order.
            arrived = np.zeros(len(order), np.int64)
            arrived[different[new]] = 1
            numbers[new] = (self.next - 1 + np.cumsum(arrived))[different[new]]
        if len(first):
            self.next = max(self.next, int(numbers[new].max()) + 1)
            self._keep((first, second, numbers[new]))
        each = np.empty(len(order), np.int64)
        each[order] = numbers if all_different else numbers[np.cumsum(begins) - 1]
        return each

    def _find(self, first: Hashes, second: Hashes) -> Numbers:
        """Return the numbers of pairs that are sorted, -1 for new ones."""
        numbers = np.full(len(first), -1, np.int64)
        for recent_first, recent_second, recent_numbers in self._recent:
            at = find(first, second, recent_first, recent_second)
            numbers[at >= 0] = recent_numbers[at[at >= 0]]
        if self._stored is not None:
            left = np.flatnonzero(numbers < 0)
            numbers[left] = self._stored.find(first[left], second[left])
        return numbers

    def _keep(self, run: _Numbered) -> None:
        # Runs of doubling length: a look-up takes few binary searches, and no hash is sorted often.
        while self._recent and len(self._recent[-1][0]) <= 2 * len(run[0]):
            run = _merged(self._recent.pop(), run)
        self._recent.append(run)
        if sum(len(first) for first, *_ in self._recent) > self._in_memory:
            run = self._recent.pop()
            while self._recent:
                run = _merged(self._recent.pop(), run)
            if self._stored is None:
                self._stored = _StoredHashes()
            self._stored.add(*run)


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
        self.close()

    def close(self) -> None:
        """Forget all hashes."""
        self._numbers.close()

    def add(self, first: Hashes, second: Hashes) -> npt.NDArray[np.bool_]:
        """Add pairs of hashes and return for each whether it is new; of equal pairs in one call the first is.

        :param first: shape ``(n,)``.
        :param second: shape ``(n,)``.
        :returns: flags; shape ``(n,)``.
        :raises OSError: no room on local disk.
        """
        before = self._numbers.next
        return is_new(self._numbers.number(first, second), before)


def is_new(numbers: Numbers, before: int) -> npt.NDArray[np.bool_]:
    """Return which of the hashes that :meth:`HashNumbers.number` numbered came for the first time.

    :param numbers: as it counted them.
    :param before: :attr:`HashNumbers.next` before the call.
    """
    # New numbers are counted in their order, so a new one is higher than all before it.
    highest = np.maximum.accumulate(np.concatenate(([before - 1], numbers)))
    return numbers > highest[:-1]


class _StoredHashes:
    """Hashes with their numbers in an unnamed file, in regions by their leading bits, and a Bloom filter."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="nightsort-")  # noqa: SIM115 (closed by the owner)
        self._counts = np.zeros(2**_REGION_BITS, np.int64)
        self._filter = BloomFilter()
        self._wanted = np.zeros(2**_WANTED_BITS, np.bool_)

    def close(self) -> None:
        self._file.close()

    def add(self, first: Hashes, second: Hashes, numbers: Numbers) -> None:
        """Write pairs that are sorted and not there yet, with their numbers."""
        written = np.stack((first, second, numbers.view(np.uint64)), axis=1)
        for region, rows in by_leading_bits(first, _REGION_BITS):
            end = region * _REGION_BYTES + int(self._counts[region]) * _ROW_BYTES
            os.pwrite(self._file.fileno(), written[rows].data, end)
            self._counts[region] += rows.stop - rows.start
        self._filter.add(first, second)

    def find(self, first: Hashes, second: Hashes) -> Numbers:
        """Return the numbers of pairs that are sorted, -1 for new ones; the filter rules most of them out."""
        numbers = np.full(len(first), -1, np.int64)
        maybe = np.flatnonzero(self._filter.may_hold(first, second))
        first, second = first[maybe], second[maybe]
        for region, rows in by_leading_bits(first, _REGION_BITS):
            size = int(self._counts[region]) * _ROW_BYTES
            content = os.pread(self._file.fileno(), size, region * _REGION_BYTES)
            stored = np.frombuffer(content, np.uint64).reshape(-1, 3)
            # Most rows are ruled out by some bits of theirs, which takes less time than to look each up.
            wanted = second[rows] & _WANTED_MASK
            self._wanted[wanted] = True
            stored = stored[self._wanted[stored[:, 1] & _WANTED_MASK]]
            self._wanted[wanted] = False
            # The stored pairs are looked up among the few given ones: only those are sorted.
            at = find(stored[:, 0], stored[:, 1], first[rows], second[rows])
            numbers[maybe[rows][at[at >= 0]]] = stored[at >= 0, 2].view(np.int64)
        return numbers


def by_leading_bits(first: Hashes, bits: int) -> Iterator[tuple[int, slice]]:
    """Yield the leading bits of ascending hashes, each value with the slice of its hashes."""
    regions = (first >> np.uint64(64 - bits)).astype(np.intp)
    borders = [*np.flatnonzero(np.diff(regions, prepend=-1)).tolist(), len(regions)]
    for start, end in pairwise(borders):
        yield int(regions[start]), slice(start, end)


def _merged(one: _Numbered, other: _Numbered) -> _Numbered:
    first, second, numbers = (np.concatenate(both) for both in zip(one, other, strict=True))
    order = np.argsort(first, kind="stable")
    return first[order], second[order], numbers[order]


def in_order(first: Hashes, second: Hashes) -> npt.NDArray[np.intp]:
    """Return the order that sorts pairs of hashes by the first; equal pairs stay in their old order."""
    order = np.argsort(first)
    ascending = first[order]
    if (ascending[1:] == ascending[:-1]).any():
        return np.lexsort((second, first))
    return order


def find(first: Hashes, second: Hashes, among_first: Hashes, among_second: Hashes) -> npt.NDArray[np.intp]:
    """Return the index of each pair of hashes among others, -1 for those that are not among them.

    :param first: shape ``(n,)``, as ``second``.
    :param among_first: ascending, shape ``(m,)``, as ``among_second``; pairs may share their first hash.
    :returns: shape ``(n,)``.
    """
    indices = np.full(len(first), -1, np.intp)
    at = np.searchsorted(among_first, first)
    rows = np.flatnonzero(at < len(among_first))
    while len(rows := rows[among_first[at[rows]] == first[rows]]):
        same = among_second[at[rows]] == second[rows]
        indices[rows[same]] = at[rows[same]]
        rows = rows[~same]
        at[rows] += 1
        rows = rows[at[rows] < len(among_first)]
    return indices
