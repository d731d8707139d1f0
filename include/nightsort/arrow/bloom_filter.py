"""A Bloom filter of pairs of hashes: it rules most new ones out, in memory that does not grow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterator

Hashes = npt.NDArray[np.uint64]

_WORDS: Final = 4
"""A pair has bits in so many words. The more, the less matters how many other pairs share them."""

_PART_BITS: Final = 12
_PART_MASK: Final = np.uint64(2**_PART_BITS - 1)
_TWO_OF_64: Final = np.uint64(1) << (np.arange(2**_PART_BITS, dtype=np.uint64) & np.uint64(63)) | (
    np.uint64(1) << (np.arange(2**_PART_BITS, dtype=np.uint64) >> np.uint64(6))
)
"""For each value of twelve bits two bits of a word."""


class BloomFilter:
    """Pairs of hashes, two bits of four words each.

    With 54 bits for a pair 1 of 300,000 others passes, with 13 bits 1 of 320, with 9 bits 1 of 49.

    :param bits: there are two to the power of so many words of 64 bits; at least 3.
    """

    def __init__(self, bits: int) -> None:
        rows = 2**bits // _WORDS
        self._shift = np.uint64(64 - rows.bit_length() + 1)
        self._words = np.zeros((_WORDS, rows), np.uint64)

    def add(self, first: Hashes, second: Hashes) -> npt.NDArray[np.bool_]:
        """Add pairs; return for each whether it may have been there before the call.

        :param first: ascending; shape ``(n,)``.
        :param second: shape ``(n,)``.
        :returns: flags; shape ``(n,)``.
        """
        at = self._indices(first)
        # Of pairs with the same words, which are neighbours, only the last one's bits would be kept.
        others = np.flatnonzero(at[1:] == at[:-1])
        known = np.ones(len(first), np.bool_)
        for words, bits in self._words_and_bits(second):
            before = words[at]
            with_these = before | bits
            words[at] = with_these
            np.bitwise_or.at(words, at[others], bits[others])
            known &= with_these == before
        return known

    def may_hold(self, first: Hashes, second: Hashes) -> npt.NDArray[np.bool_]:
        """Return for each pair whether it may have been added; false where it was not, for sure.

        :param first: shape ``(n,)``.
        :param second: shape ``(n,)``.
        :returns: flags; shape ``(n,)``.
        """
        at = self._indices(first)
        flags = np.ones(len(first), np.bool_)
        for words, bits in self._words_and_bits(second):
            flags &= words[at] & bits == bits
        return flags

    def _indices(self, first: Hashes) -> npt.NDArray[np.intp]:
        return (first >> self._shift).view(np.intp)

    def _words_and_bits(self, second: Hashes) -> Iterator[tuple[Hashes, Hashes]]:
        """Yield the words, four times, each time with the bits that the pairs have in them."""
        for part, words in enumerate(self._words):
            values = second >> np.uint64(part * _PART_BITS) & _PART_MASK
            yield words, _TWO_OF_64[values.view(np.intp)]
