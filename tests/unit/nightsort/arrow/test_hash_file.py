"""A pair of hashes in a file has the number with which it was added first, sorted or not."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nightsort.arrow import hash_file
from nightsort.arrow.hash_file import HashFile, Records

# Few values, so that they are equal, and such as stand at the borders of regions.
HALVES = st.sampled_from([0, 1, 2**53 - 1, 2**53, 2**63, 2**64 - 1])
RUNS = st.lists(st.lists(st.tuples(HALVES, HALVES), min_size=1, max_size=20), max_size=4)


def sorted_records(pairs: list[tuple[int, int]], number: int) -> Records:
    numbered = [(*pair, number + place) for place, pair in enumerate(pairs)]
    return np.array(sorted(numbered, key=lambda record: record[0]), np.uint64).reshape(-1, 3)


@given(RUNS, st.lists(st.tuples(HALVES, HALVES), max_size=9), st.integers(1, 4), st.sampled_from([0, 1, 99]))
def test_the_same_as_a_dict(
    runs: list[list[tuple[int, int]]], asked: list[tuple[int, int]], step: int, read_per_sorted: int
) -> None:
    expected: dict[tuple[int, int], int] = {}
    asked = sorted(asked)
    first, second = np.array(asked, np.uint64).reshape(-1, 2).T
    file = HashFile()
    with (
        patch.object(hash_file, "_STEP", step),
        patch.object(hash_file, "_READ_WHILE_ONE_IS_SORTED", read_per_sorted),
    ):
        for run in runs:
            number = len(expected)
            for place, pair in enumerate(run):
                expected.setdefault(pair, 100 * number + place)
            file.add(sorted_records(run, 100 * number))
            assert file.find(first, second).tolist() == [expected.get(pair, -1) for pair in asked]
        file.sort()
        found = file.find(first, second).tolist()
        file.close()
    assert found == [expected.get(pair, -1) for pair in asked]


def test_ten_thousand_pairs_that_are_added_in_a_hundred_parts() -> None:
    first, second = np.random.default_rng(1).integers(0, 2**64, (2, 10_000), np.uint64)
    numbers = np.arange(10_000)
    file = HashFile()
    for start in range(0, 10_000, 100):
        rows = start + np.argsort(first[start : start + 100])
        file.add(np.stack((first, second, numbers.astype(np.uint64)), axis=1)[rows])
    order = np.argsort(first)
    for _ in range(2):
        assert file.find(first[order], second[order]).tolist() == order.tolist()
        assert (file.find(first[order], second[order] ^ np.uint64(1)) == -1).all()
        file.sort()
    file.close()
