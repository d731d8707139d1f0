"""Hashes of texts and ids: whole columns at a time, compact, the same on every machine and for ever.

SipHash-2-4 with fixed keys, as pandas computes it over a column of bytes. Its values decide on which side
of the split a document stands, so a test pins them: a library that computes others must not slip in unseen.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pandas.util import hash_array

from include.nightsort.columnar.columns import Column, to_numpy

if TYPE_CHECKING:
    from collections.abc import Sequence

Hashes = npt.NDArray[np.uint64]

_KEYS: Final = ("nightsort-first.", "nightsort-second")


def hash_texts(texts: Column) -> tuple[Hashes, Hashes]:
    """Return two independent 64-bit hashes per row; together they tell 10 million texts apart beyond
    doubt."""
    values = to_numpy(texts.cast(pa.binary()))
    first, second = (hash_array(values, hash_key=key, categorize=False) for key in _KEYS)
    return first, second


def hash_names(names: Sequence[str]) -> Hashes:
    """Return one 64-bit hash for a list of names (BLAKE2b), for instance the labels of a document."""
    digest = hashlib.blake2b("\x1f".join(names).encode(), digest_size=8).digest()
    return np.frombuffer(digest, dtype="<u8").astype(np.uint64)


def mix(hashes: Hashes) -> Hashes:
    """Scramble 64-bit values one to one (the finaliser of SplitMix64), so that their sum can stand for the
    set."""
    with np.errstate(over="ignore"):
        mixed = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


class SeenIds:
    """Tells which ids of a stream have come before, in 16 bytes per id.

    Hashes are kept in sorted runs of doubling length, so that a look-up is a few binary searches per
    column and no id is ever a Python object of its own.
    """

    def __init__(self) -> None:
        self._runs: list[tuple[Hashes, Hashes]] = []

    def __len__(self) -> int:
        return sum(len(first) for first, _ in self._runs)

    def add(self, ids: Column) -> npt.NDArray[np.bool_]:
        """Take in some ids and return, for each, whether it is new; of equal ids in one call the first is."""
        first, second = hash_texts(ids)
        order = np.lexsort((second, first))
        sorted_first, sorted_second = first[order], second[order]
        again = np.zeros(len(ids), dtype=bool)
        again[1:] = (sorted_first[1:] == sorted_first[:-1]) & (sorted_second[1:] == sorted_second[:-1])
        for run_first, run_second in self._runs:
            at = np.minimum(np.searchsorted(run_first, sorted_first), len(run_first) - 1)
            again |= (run_first[at] == sorted_first) & (run_second[at] == sorted_second)
        self._keep(sorted_first[~again], sorted_second[~again])
        new = np.empty(len(ids), dtype=bool)
        new[order] = ~again
        return new

    def _keep(self, first: Hashes, second: Hashes) -> None:
        if not len(first):
            return
        while self._runs and len(self._runs[-1][0]) <= 2 * len(first):
            other_first, other_second = self._runs.pop()
            first, second = np.concatenate((other_first, first)), np.concatenate((other_second, second))
            order = np.argsort(first, kind="stable")
            first, second = first[order], second[order]
        self._runs.append((first, second))
