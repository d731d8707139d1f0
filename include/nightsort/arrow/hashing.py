"""Hashes of texts and ids, a whole column at a time, and exact look-ups among those of a stream.

XXH3 with 128 bits (https://xxhash.com), whose values are stable across machines and versions. They decide on
which side of the split a document is, so a test pins them: a library that computes others would fail it.

A hash is a pair of 64-bit values, 16 bytes, and memory does not grow with their number. :class:`HashSet`
answers which hashes of a stream are new; it keeps the latest pairs in memory and the others in a file with
regions. :class:`StoredRun` is one sorted run in a file, in which each pair has a position. The set does not
consist of such runs, since a look-up would read every run, and so take longer the more there are (ADR 19).
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from itertools import pairwise
from typing import IO, TYPE_CHECKING, Any, Final

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

HASHES_IN_MEMORY: Final = 2**18
"""A run is written after so many (4 MB), so that memory is the same for 1 and for 10 million."""

_REGION_BITS: Final = 11
"""The file of a set has a region for each value of so many leading bits: to look a hash up among 10 million,
78 KB are read, whenever it was added."""

_REGION_BYTES: Final = 2**29
"""Region stride in a sparse file: 32 million hashes per region."""

_INDEX_BITS: Final = 10
"""A run is indexed by so many leading bits, in 4 KB: to find a pair among 262,144, 4 KB are read."""

_MAX_READS: Final = 32
"""In one look-up of many pairs; beyond that, neighbours are read together."""

_WRITE_ROWS: Final = 65_536
_PAIR_BYTES: Final = 16


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


class HashSet:
    """Answers which hashes of a stream are new.

    Close it, or use it in a ``with``: its file on disk is removed then.

    :param in_memory: how many hashes are kept in memory before they go to disk.
    """

    def __init__(self, in_memory: int = HASHES_IN_MEMORY) -> None:
        self._in_memory = in_memory
        self._recent: list[tuple[Hashes, Hashes]] = []
        self._stored: _StoredSet | None = None

    def __len__(self) -> int:
        return sum(len(first) for first, _ in self._recent) + (len(self._stored) if self._stored else 0)

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

    def add(self, first: Hashes, second: Hashes) -> npt.NDArray[np.bool_]:
        """Add pairs of hashes and return for each whether it is new; of equal pairs in one call the first is.

        :param first: shape ``(n,)``.
        :param second: shape ``(n,)``.
        :returns: flags; shape ``(n,)``.
        :raises OSError: no room on local disk.
        """
        order = in_order(first, second)
        first, second = first[order], second[order]
        known = np.zeros(len(first), dtype=bool)
        known[1:] = (first[1:] == first[:-1]) & (second[1:] == second[:-1])
        for recent in self._recent:
            known |= find(first, second, *recent) >= 0
        if self._stored is not None:
            known[~known] = self._stored.contains(first[~known], second[~known])
        self._keep(first[~known], second[~known])
        new = np.empty(len(first), dtype=bool)
        new[order] = ~known
        return new

    def _keep(self, first: Hashes, second: Hashes) -> None:
        if not len(first):
            return
        # Runs of doubling length: a look-up takes few binary searches, and no hash is sorted often.
        while self._recent and len(self._recent[-1][0]) <= 2 * len(first):
            first, second = _merged(self._recent.pop(), (first, second))
        self._recent.append((first, second))
        if sum(len(run) for run, _ in self._recent) > self._in_memory:
            run = self._recent.pop()
            while self._recent:
                run = _merged(self._recent.pop(), run)
            if self._stored is None:
                self._stored = _StoredSet()
            self._stored.add(*run)


class _StoredSet:
    """Hashes in an unnamed file, in regions by their leading bits, and a Bloom filter of them."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="nightsort-")  # noqa: SIM115 (closed by the owner)
        self._counts = np.zeros(2**_REGION_BITS, np.int64)
        self._filter = BloomFilter()

    def __len__(self) -> int:
        return int(self._counts.sum())

    def close(self) -> None:
        self._file.close()

    def add(self, first: Hashes, second: Hashes) -> None:
        """Write pairs that are sorted and not there yet."""
        pairs = np.stack((first, second), axis=1)
        for region, rows in by_leading_bits(first, _REGION_BITS):
            self._file.seek(region * _REGION_BYTES + int(self._counts[region]) * _PAIR_BYTES)
            self._file.write(pairs[rows].data)
            self._counts[region] += rows.stop - rows.start
        self._file.flush()
        self._filter.add(first, second)

    def contains(self, first: Hashes, second: Hashes) -> npt.NDArray[np.bool_]:
        """Return which pairs, sorted and all different, are in the file; the filter rules most others out."""
        found = np.zeros(len(first), dtype=bool)
        maybe = np.flatnonzero(self._filter.may_hold(first, second))
        first, second = first[maybe], second[maybe]
        for region, rows in by_leading_bits(first, _REGION_BITS):
            size = int(self._counts[region]) * _PAIR_BYTES
            stored = np.frombuffer(os.pread(self._file.fileno(), size, region * _REGION_BYTES), np.uint64)
            # The stored pairs are looked up among the few given ones: only those are sorted.
            at = find(stored[0::2], stored[1::2], first[rows], second[rows])
            found[maybe[rows][at[at >= 0]]] = True
        return found


def by_leading_bits(first: Hashes, bits: int) -> Iterator[tuple[int, slice]]:
    """Yield the leading bits of ascending hashes, each value with the slice of its hashes."""
    regions = (first >> np.uint64(64 - bits)).astype(np.intp)
    borders = [*np.flatnonzero(np.diff(regions, prepend=-1)).tolist(), len(regions)]
    for start, end in pairwise(borders):
        yield int(regions[start]), slice(start, end)


def _merged(one: tuple[Hashes, Hashes], other: tuple[Hashes, Hashes]) -> tuple[Hashes, Hashes]:
    first, second = (np.concatenate(both) for both in zip(one, other, strict=True))
    order = np.argsort(first, kind="stable")
    return first[order], second[order]


class StoredRun:
    """A sorted run of pairs of hashes in a file.

    :param file: the run is appended to it; it stays open as long as the run is used.
    :param first: ascending; shape ``(n,)``.
    :param second: shape ``(n,)``.
    """

    def __init__(self, file: IO[bytes], first: Hashes, second: Hashes) -> None:
        self._file = file
        self._offset = file.seek(0, os.SEEK_END)
        for start in range(0, len(first), _WRITE_ROWS):
            rows = slice(start, start + _WRITE_ROWS)
            file.write(np.stack((first[rows], second[rows]), axis=1).data)
        file.flush()
        borders = np.arange(2**_INDEX_BITS, dtype=np.uint64) << np.uint64(64 - _INDEX_BITS)
        self._starts = np.append(np.searchsorted(first, borders), len(first)).astype(np.int32)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def find(self, first: Hashes, second: Hashes) -> npt.NDArray[np.intp]:
        """Return the position of each pair in the run, -1 for those that are not in it.

        :param first: ascending; shape ``(n,)``.
        :param second: shape ``(n,)``.
        """
        positions = np.full(len(first), -1, np.intp)
        bucket = (first >> np.uint64(64 - _INDEX_BITS)).astype(np.intp)
        begins, ends = self._starts[bucket].tolist(), self._starts[bucket + 1].tolist()
        step = -(-len(first) // _MAX_READS) or 1
        for start in range(0, len(first), step):
            rows = slice(start, min(start + step, len(first)))
            begin, end = begins[rows.start], ends[rows.stop - 1]
            content = os.pread(
                self._file.fileno(), (end - begin) * _PAIR_BYTES, self._offset + begin * _PAIR_BYTES
            )
            stored = np.frombuffer(content, np.uint64).reshape(-1, 2)
            found = find(first[rows], second[rows], stored[:, 0], stored[:, 1])
            positions[rows] = np.where(found < 0, found, found + begin)
        return positions


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
