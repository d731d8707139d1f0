"""Hashes stay what they are, and seen ids are told from new ones."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from include.nightsort.columnar.hashing import SeenIds, hash_names, hash_texts, mix


def test_hashes_are_those_of_the_first_release() -> None:
    """A document's side of the split hangs on these numbers: with others, documents that were trained on
    would be
    tested. Never change them; if a library does, keep its old algorithm."""
    first, second = hash_texts(pa.array(["", "a", "ä long document " * 10]))

    assert first.tolist() == [4778657889305084571, 13432360755779105212, 7419636858016992536]
    assert second.tolist() == [15319176519854399248, 5723286588245071022, 13141150488817473170]
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


@given(st.lists(st.lists(st.sampled_from("abcdefghij") | st.text(max_size=3), max_size=12), max_size=12))
def test_an_id_is_new_exactly_once(batches: list[list[str]]) -> None:
    seen, known = SeenIds(), set[str]()
    for batch in batches:
        expected = []
        for name in batch:
            expected.append(name not in known)
            known.add(name)
        assert seen.add(pa.array(batch, pa.string())).tolist() == expected
    assert len(seen) == len(known)


def test_many_ids_are_remembered_in_few_bytes() -> None:
    seen = SeenIds()
    for start in range(0, 200_000, 10_000):
        ids = pa.array([f"document-{number}" for number in range(start, start + 10_000)])
        assert seen.add(ids).all()

    assert not seen.add(pa.array(["document-0", "document-99999", "document-199999"])).any()
    assert sum(first.nbytes + second.nbytes for first, second in seen._runs) == 16 * 200_000
