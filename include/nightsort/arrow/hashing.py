"""Hashes of texts and ids, a whole column at a time.

XXH3 with 128 bits (https://xxhash.com), whose values are stable across machines and versions. They decide on
which side of the split a document is, so a test pins them: a library that computes others would fail it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from xxhash import xxh3_128_digest

from nightsort.arrow.columns import as_bytes, to_numpy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nightsort.arrow.columns import TextColumn

Hashes = npt.NDArray[np.uint64]
"""Shape ``(n,)``."""


def hash_texts(texts: TextColumn) -> tuple[Hashes, Hashes]:
    """Return two independent 64-bit hashes per text; as a pair they are practically unique."""
    digests = b"".join(map(xxh3_128_digest, to_numpy(as_bytes(texts))))
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
