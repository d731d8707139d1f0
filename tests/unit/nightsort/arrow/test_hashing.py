"""Hashes never change."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from nightsort.arrow.hashing import hash_names, hash_texts, mix


def test_hashes_are_those_of_the_first_release() -> None:
    """A document's side of the split hangs on these numbers: with others, documents that were trained on
    would be
    tested. Never change them; if a library does, keep its old algorithm."""
    first, second = hash_texts(pa.array(["", "a", "ä long document " * 10]))

    # Of no bytes at all, XXH3's own test vectors have it.
    assert first.tolist() == [0x99AA06D3014798D8, 12209170011921672244, 1107360461490991726]
    assert second.tolist() == [0x6001C324468D497F, 16629034431890738719, 16803762282389650816]
    assert hash_names(["a", "b"]).tolist() == [1212841174890269944]


def test_slices_and_columns_hash_alike() -> None:
    column = pa.array(["x", "a", "b"])

    assert hash_texts(column.slice(1))[0].tolist() == hash_texts(pa.array(["a", "b"]))[0].tolist()


def test_names_are_hashed_in_their_order() -> None:
    assert hash_names(["a", "b"]) != hash_names(["b", "a"])


@given(st.sets(st.integers(0, 2**64 - 1), max_size=50))
def test_mixing_keeps_different_numbers_different(numbers: set[int]) -> None:
    mixed = mix(np.array(sorted(numbers), dtype=np.uint64))

    assert len(set(mixed.tolist())) == len(numbers)
