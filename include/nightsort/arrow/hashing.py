"""Hashes of texts and ids, a whole column at a time.

XXH3 with 128 bits (https://xxhash.com), whose values are stable across machines and versions. They decide on
which side of the split a document is, so a test pins them: a library that computes others would fail it.

A hash is a pair of 64-bit values, 16 bytes. :mod:`nightsort.arrow.hash_numbers` says which came before.
"""

from __future__ import annotations

import hashlib
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from xxhash import xxh3_128_digest

from nightsort.arrow.columns import as_bytes, to_numpy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nightsort.arrow.columns import Column, TextColumn

Hashes = npt.NDArray[np.uint64]
"""Shape ``(n,)``."""

HASH: Final[pa.DataType] = pa.binary(16)
"""The type of a pair in a column: the 16 bytes of the digest."""

Numbers = npt.NDArray[np.int64]
"""Shape ``(n,)``."""

_PAIR_BYTES: Final = 16
_TEXTS_AT_ONCE: Final = 512


def hash_texts(texts: TextColumn) -> tuple[Hashes, Hashes]:
    """Return two independent 64-bit hashes per text; as a pair they are practically unique."""
    texts = as_bytes(texts)
    # Few at a time, whose copies stay in the processor's cache.
    parts = (to_numpy(texts.slice(start, _TEXTS_AT_ONCE)) for start in range(0, len(texts), _TEXTS_AT_ONCE))
    return _halves(b"".join(map(xxh3_128_digest, chain.from_iterable(parts))))


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


def in_order(first: Hashes, second: Hashes) -> npt.NDArray[np.intp]:
    """Return the order that sorts pairs of hashes by the first; equal pairs stay in their old order."""
    order = np.argsort(first)
    ascending = first[order]
    if (ascending[1:] == ascending[:-1]).any():
        return np.lexsort((second, first))
    return order


def is_first(first: Hashes, second: Hashes) -> npt.NDArray[np.bool_]:
    """Return for each pair of hashes whether it is the first of those that are equal.

    :param first: in order, so that equal pairs are neighbours; shape ``(n,)``.
    :param second: shape ``(n,)``.
    :returns: flags; shape ``(n,)``.
    """
    flags = np.ones(len(first), np.bool_)
    flags[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    return flags


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
