"""Pairs of 64-bit hashes in a file: sorted, and found again without all of them in memory."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, Final

import numpy as np

from nightsort.arrow.hashing import find

if TYPE_CHECKING:
    import numpy.typing as npt

    from nightsort.arrow.hashing import Hashes

_INDEX_BITS: Final = 12
"""By so many leading bits the pairs are indexed: of 250,000, some 60 are read to find one."""

_MOST_READS: Final = 64
"""In one search; where more is looked for, neighbours are read together."""

_ROWS_TOGETHER: Final = 65_536
_WIDTH: Final = 16


class StoredHashes:
    """A sorted run of pairs of hashes in a file.

    :param file: the run is written at its end; it stays open as long as the run is used.
    :param first: ascending.
    """

    def __init__(self, file: IO[bytes], first: Hashes, second: Hashes) -> None:
        self._file = file
        self._offset = file.seek(0, os.SEEK_END)
        for start in range(0, len(first), _ROWS_TOGETHER):
            rows = slice(start, start + _ROWS_TOGETHER)
            file.write(np.stack((first[rows], second[rows]), axis=1).data)
        file.flush()
        borders = np.arange(2**_INDEX_BITS, dtype=np.uint64) << np.uint64(64 - _INDEX_BITS)
        self._starts = np.append(np.searchsorted(first, borders), len(first))

    def __len__(self) -> int:
        return int(self._starts[-1])

    def find(self, first: Hashes, second: Hashes) -> npt.NDArray[np.intp]:
        """Return where pairs stand in the run, -1 where they do not.

        :param first: ascending.
        """
        places = np.full(len(first), -1, np.intp)
        bucket = (first >> np.uint64(64 - _INDEX_BITS)).astype(np.intp)
        for rows in np.array_split(np.arange(len(first)), min(len(first), _MOST_READS) or 1):
            if not len(rows):
                break
            begin, end = int(self._starts[bucket[rows[0]]]), int(self._starts[bucket[rows[-1]] + 1])
            content = os.pread(self._file.fileno(), (end - begin) * _WIDTH, self._offset + begin * _WIDTH)
            stored = np.frombuffer(content, np.uint64).reshape(-1, 2)
            at = find(first[rows], second[rows], stored[:, 0], stored[:, 1])
            places[rows] = np.where(at < 0, at, at + begin)
        return places
