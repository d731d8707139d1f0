"""A Bloom filter of pairs of hashes: it rules most new ones out, in memory that does not grow."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]

_PART_BITS: Final = 12
_PART_MASK: Final = np.uint64(2**_PART_BITS - 1)
_TWO_OF_64: Final = np.uint64(1) << (np.arange(2**_PART_BITS, dtype=np.uint64) & np.uint64(63)) | (
    np.uint64(1) << (np.arange(2**_PART_BITS, dtype=np.uint64) >> np.uint64(6))
)
"""For each value of twelve bits two bits of a word."""


class BloomFilter:
    """Pairs of hashes, six bits of one word each.

    With 27 bits for a pair 1 of 1,400 others passes, with 13 bits 1 of 130, with 9 bits 1 of 37.

    :param bits: there are two to the power of so many words of 64 bits.
    """

    def __init__(self, bits: int) -> None:
        self._shift = np.uint64(64 - bits)
        self._words = np.zeros(2**bits, np.uint64)

    def add(self, first: Hashes, second: Hashes) -> npt.NDArray[np.bool_]:
        """Add pairs; return for each whether it may have been there before the call.

        :param first: ascending; shape ``(n,)``.
        :param second: shape ``(n,)``.
        :returns: flags; shape ``(n,)``.
        """
        words, bits = self._words_and_bits(first, second)
        before = self._words[words]
        with_these = before | bits
        self._words[words] = with_these
        # Of pairs with one word, which are neighbours, only the last one is there now.
        others = np.flatnonzero(words[1:] == words[:-1])
        np.bitwise_or.at(self._words, words[others], bits[others])
        known: npt.NDArray[np.bool_] = with_these == before
        return known

    def may_hold(self, first: Hashes, second: Hashes) -> npt.NDArray[np.bool_]:
        """Return for each pair whether it may have been added; false where it was not, for sure.

        :param first: shape ``(n,)``.
        :param second: shape ``(n,)``.
        :returns: flags; shape ``(n,)``.
        """
        words, bits = self._words_and_bits(first, second)
        flags: npt.NDArray[np.bool_] = self._words[words] & bits == bits
        return flags

    def _words_and_bits(self, first: Hashes, second: Hashes) -> tuple[npt.NDArray[np.intp], Hashes]:
        """Return for each hash the index of its word in the filter, and its six bits of that word."""
        words = (first >> self._shift).view(np.intp)
        bits = _TWO_OF_64[(second & _PART_MASK).view(np.intp)]
        for part in (1, 2):
            bits |= _TWO_OF_64[(second >> np.uint64(part * _PART_BITS) & _PART_MASK).view(np.intp)]
        return words, bits
