"""Pairs of hashes with the rows that they stand for: made once from blocks in any order, and read often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from nightsort.arrow.bloom_filter import BloomFilter
from nightsort.arrow.hash_file import HashFile
from nightsort.arrow.hashing import in_order

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

    from nightsort.arrow.hash_file import Records
    from nightsort.arrow.hashing import Hashes, Numbers

_IN_MEMORY: Final = 2**18
"""A run is written after so many pairs (6 MB)."""

_FILTER_BITS: Final = 22
"""32 MB: of 30 million pairs 1 new one in 49 is looked up on disk."""


class HashIndex:
    """Pairs of hashes with their rows; use it in a ``with``: its file on disk is removed then.

    Of equal pairs the one that was added first counts.

    :param folder: a local folder.
    """

    def __init__(self, folder: Path) -> None:
        self._recent: list[Records] = []
        self._stored = HashFile(folder)
        self._filter = BloomFilter(_FILTER_BITS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stored.close()

    def add(self, first: Hashes, second: Hashes, rows: Numbers) -> None:
        """Add pairs.

        :param first: shape ``(n,)``, as the others.
        :param second: see above.
        :param rows: what :meth:`find` returns for them, from 0.
        :raises OSError: no room on local disk.
        """
        self._recent.append(np.stack((first, second, rows.view(np.uint64)), axis=1))
        if sum(map(len, self._recent)) >= _IN_MEMORY:
            self._store()

    def find(self, first: Hashes, second: Hashes) -> Numbers:
        """Return the row of each pair, -1 for those that were not added.

        :param first: in any order; shape ``(n,)``.
        :param second: shape ``(n,)``.
        """
        if self._recent:
            self._store()
        self._stored.sort()
        rows = np.full(len(first), -1, np.int64)
        maybe = np.flatnonzero(self._filter.may_hold(first, second))
        if len(maybe):
            order = maybe[in_order(first[maybe], second[maybe])]
            rows[order] = self._stored.find(first[order], second[order])
        return rows

    def _store(self) -> None:
        records = np.concatenate(self._recent)
        self._recent = []
        # Stable, so that the first of equal pairs stays the first.
        records = records[np.argsort(records[:, 0], kind="stable")]
        self._filter.add(records[:, 0], records[:, 1])
        self._stored.add(records)
