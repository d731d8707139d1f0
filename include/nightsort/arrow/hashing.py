"""Hashes of texts and ids: whole columns at a time, compact, the same on every machine and for ever.

XXH3 with 128 bits (https://xxhash.com), whose values are promised to stay. They decide on which side of the
split a document stands, so a test pins them: a library that computes others must not slip in unseen.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from xxhash import xxh3_128_digest

from nightsort.arrow.columns import Column, to_numpy

if TYPE_CHECKING:
    from collections.abc import Sequence

Hashes = npt.NDArray[np.uint64]


def hash_texts(texts: Column) -> tuple[Hashes, Hashes]:
    """Return two independent 64-bit hashes per row; together they tell 10 million texts apart beyond
    doubt."""
    digests = b"".join(map(xxh3_128_digest, to_numpy(texts.cast(pa.binary()))))
    halves = np.frombuffer(digests, dtype=">u8").reshape(-1, 2)
    return halves[:, 0].astype(np.uint64), halves[:, 1].astype(np.uint64)


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


def in_order(first: Hashes, second: Hashes) -> npt.NDArray[np.intp]:
    """Return the order in which pairs of hashes ascend by the first, with equal pairs side by side and in the
    order in which they came."""
    order = np.argsort(first)
    ascending = first[order]
    if (ascending[1:] == ascending[:-1]).any():
        return np.lexsort((second, first))
    return order


def find(first: Hashes, second: Hashes, among_first: Hashes, among_second: Hashes) -> npt.NDArray[np.intp]:
    """Return where pairs of hashes stand among others, -1 where they do not.

    :param among_first: ascending; two pairs may have the same first hash.
    """
    places = np.full(len(first), -1, np.intp)
    at = np.searchsorted(among_first, first)
    rows = np.flatnonzero(at < len(among_first))
    while len(rows := rows[among_first[at[rows]] == first[rows]]):
        same = among_second[at[rows]] == second[rows]
        places[rows[same]] = at[rows[same]]
        rows = rows[~same]
        at[rows] += 1
        rows = rows[at[rows] < len(among_first)]
    return places
