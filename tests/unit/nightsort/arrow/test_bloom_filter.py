"""What was added is never ruled out, and nearly all that was not is."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nightsort.arrow.bloom_filter import BloomFilter

PAIRS = st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1)), unique=True, max_size=50)


# Of two times four words, so that most pairs share theirs.
@given(st.lists(PAIRS, max_size=4))
def test_what_was_added_may_be_there(parts: list[list[tuple[int, int]]]) -> None:
    pairs = BloomFilter(3)
    known = set[tuple[int, int]]()
    for part in parts:
        first, second = np.array(sorted(part), np.uint64).reshape(-1, 2).T
        flags = pairs.add(first, second).tolist()
        assert all(flag for flag, pair in zip(flags, sorted(part), strict=True) if pair in known)
        known.update(part)
        every = np.array(list(known), np.uint64).reshape(-1, 2)
        assert pairs.may_hold(every[:, 0], every[:, 1]).all()


def test_one_in_290_others_may_be_there_at_13_bits_each() -> None:
    pairs = BloomFilter(12)
    random = np.random.default_rng(1)
    first, second = random.integers(0, 2**64, (2, 2**18 // 13), np.uint64)
    first.sort()
    assert pairs.add(first, second).mean() < 1 / 290
    others = random.integers(0, 2**64, (2, 1_000_000), np.uint64)
    assert 1 / 330 < pairs.may_hold(*others).mean() < 1 / 230
