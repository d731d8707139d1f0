"""A Bloom filter of pairs of hashes: it rules most new ones out, in memory that does not grow."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]

_FILTER_BITS: Final = 22
"""2^22 words of 64 bits, 32 MB: of 10 million new hashes 1 in 1,000 is looked up on disk, of 30 million 1 in
60, of 100 million 1 in 3."""


class BloomFilter:
    """Pairs of hashes, four bits each."""

    def __init__(self) -> None:
        self._words = np.zeros(2**_FILTER_BITS, np.uint64)

    def add(self, first: Hashes, second: Hashes) -> None:
        """Add pairs.

        :param first: ascending; shape ``(n,)``.
        :param second: shape ``(n,)``.
        """
        words, bits = _words_and_bits(first, second)
        # The words ascend, as the hashes do, so equal ones are neighbours.
        begins = np.flatnonzero(np.diff(words, prepend=-1))
        self._words[words[begins]] |= np.bitwise_or.reduceat(bits, begins)

    def may_hold(self, first: Hashes, second: Hashes) -> npt.NDArray[np.bool_]:
        """Return for each pair whether it may have been added; false where it was not, for sure.

        :param first: shape ``(n,)``.
        :param second: shape ``(n,)``.
        :returns: flags; shape ``(n,)``.
        """
        words, bits = _words_and_bits(first, second)
        flags: npt.NDArray[np.bool_] = self._words[words] & bits == bits
        return flags


def _words_and_bits(first: Hashes, second: Hashes) -> tuple[npt.NDArray[np.intp], Hashes]:
    """Return for each hash the index of its word in the filter, and its four bits of that word."""
    words = (first >> np.uint64(64 - _FILTER_BITS)).astype(np.intp)
    bits = np.zeros(len(first), np.uint64)
    for shift in (0, 6, 12, 18):
        bits |= np.uint64(1) << ((second >> np.uint64(shift)) & np.uint64(63))
    return words, bits
