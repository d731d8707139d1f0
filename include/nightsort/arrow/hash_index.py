"""A sorted file of pairs of hashes, each with the row that it stands for, looked up by few at a time.

It is made once from blocks in any order and is read often. In memory are a filter and every 64th hash, one
byte for each eight pairs; a look-up reads 1.5 KB for each pair that the filter lets through.
"""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from nightsort.arrow.bloom_filter import BloomFilter
from nightsort.arrow.hashing import HASHES_IN_MEMORY, by_leading_bits, find, in_order

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

    from nightsort.arrow.hashing import Hashes

    Rows = npt.NDArray[np.int64]
    Records = npt.NDArray[np.uint64]

_REGION_BITS: Final = 8
"""Pairs are sorted region by region: of 30 million, 3 MB at a time."""

_REGION_BYTES: Final = 2**32
"""Region stride in a sparse file: 178 million pairs per region."""

_RECORD_BYTES: Final = 24
"""A pair and its row."""

_STEP: Final = 64
"""So many records are read for a pair."""


class HashIndex:
    """Pairs of hashes with their rows; use it in a ``with``: its file on disk is removed then.

    Of equal pairs the one that was added first counts. Nothing can be added after the first look-up.

    :param folder: a local folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._unsorted = tempfile.TemporaryFile(prefix="unsorted-", dir=folder)  # noqa: SIM115 (closed by the owner)
        self._sizes = np.zeros(2**_REGION_BITS, np.int64)
        self._recent: list[Records] = []
        self._filter = BloomFilter()
        self._sorted: _SortedRecords | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._unsorted.close()
        if self._sorted is not None:
            self._sorted.close()

    def add(self, first: Hashes, second: Hashes, rows: Rows) -> None:
        """Add pairs.

        :param first: shape ``(n,)``, as the others.
        :param second: see above.
        :param rows: what :meth:`find` returns for them, from 0.
        """
        self._recent.append(np.stack((first, second, rows.astype(np.uint64)), axis=1))
        if sum(map(len, self._recent)) >= HASHES_IN_MEMORY:
            self._write()

    def find(self, first: Hashes, second: Hashes) -> Rows:
        """Return the row of each pair, -1 for those that were not added.

        :param first: in any order; shape ``(n,)``.
        :param second: shape ``(n,)``.
        """
        if self._sorted is None:
            self._sorted = self._sort()
        rows = np.full(len(first), -1, np.int64)
        maybe = np.flatnonzero(self._filter.may_hold(first, second))
        if len(maybe):
            order = maybe[in_order(first[maybe], second[maybe])]
            rows[order] = self._sorted.find(first[order], second[order])
        return rows

    def _write(self) -> None:
        if not self._recent:
            return
        records = np.concatenate(self._recent)
        self._recent = []
        # Stable, so that the first of equal pairs stays the first.
        records = records[np.argsort(records[:, 0], kind="stable")]
        self._filter.add(records[:, 0], records[:, 1])
        for region, rows in by_leading_bits(records[:, 0], _REGION_BITS):
            self._unsorted.seek(region * _REGION_BYTES + int(self._sizes[region]))
            self._unsorted.write(records[rows].data)
            self._sizes[region] += (rows.stop - rows.start) * _RECORD_BYTES

    def _sort(self) -> _SortedRecords:
        self._write()
        self._unsorted.flush()
        ordered = _SortedRecords(self._folder)
        for region, size in enumerate(self._sizes.tolist()):
            content = os.pread(self._unsorted.fileno(), size, region * _REGION_BYTES)
            records = np.frombuffer(content, np.uint64).reshape(-1, 3)
            ordered.append(records[in_order(records[:, 0], records[:, 1])])
        self._unsorted.close()
        ordered.close_writing()
        return ordered


class _SortedRecords:
    """Records in ascending order in an unnamed file, each pair once."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(prefix="sorted-", dir=folder)  # noqa: SIM115 (closed by the owner)
        self._steps: list[Hashes] = []
        self._fences = np.empty(0, np.uint64)
        self._number = 0

    def close(self) -> None:
        self._file.close()

    def append(self, records: Records) -> None:
        """Append records that are above all before them, and of equal pairs the first."""
        new = np.ones(len(records), np.bool_)
        new[1:] = (records[1:, :2] != records[:-1, :2]).any(axis=1)
        records = records[new]
        # A copy: a view would keep all of the records.
        self._steps.append(records[-self._number % _STEP :: _STEP, 0].copy())
        self._file.write(np.ascontiguousarray(records).data)
        self._number += len(records)

    def close_writing(self) -> None:
        """End the file; from here on it is read."""
        self._file.flush()
        self._fences = np.concatenate(self._steps)
        self._steps = []

    def find(self, first: Hashes, second: Hashes) -> Rows:
        """Return the row of each pair, -1 where it is not there.

        :param first: ascending; shape ``(n,)``.
        :param second: shape ``(n,)``.
        """
        records = self._read(first)
        among = np.ascontiguousarray(records.T)
        at = find(first, second, among[0], among[1])
        rows = np.full(len(first), -1, np.int64)
        rows[at >= 0] = among[2][at[at >= 0]].astype(np.int64)
        return rows

    def _read(self, first: Hashes) -> Records:
        """Return the records among which ascending hashes can be, each once."""
        # Two steps may begin with one hash, and a step may end with the hash that the next one begins with.
        begins = np.maximum(np.searchsorted(self._fences, first, side="left") - 1, 0)
        ends = np.searchsorted(self._fences, first, side="right")
        apart = np.flatnonzero(begins[1:] > ends[:-1]) + 1
        starts = begins[np.concatenate(([0], apart))] * _STEP * _RECORD_BYTES
        lengths = np.append(ends[apart - 1], ends[-1]) * _STEP * _RECORD_BYTES - starts
        file = self._file.fileno()
        content = b"".join(
            os.pread(file, length, start)
            for start, length in zip(starts.tolist(), lengths.tolist(), strict=True)
        )
        return np.frombuffer(content, np.uint64).reshape(-1, 3)
