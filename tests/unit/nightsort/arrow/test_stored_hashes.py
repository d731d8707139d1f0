"""What is written to a file of hashes is found there, and nothing else."""

from __future__ import annotations

import tempfile

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nightsort.arrow.stored_hashes import StoredHashes

# Few values, so that they are equal, and such as stand at the borders of the index.
HASHES = st.sampled_from([0, 1, 2**52 - 1, 2**52, 2**63, 2**64 - 1]) | st.integers(0, 2**64 - 1)
RUNS = st.lists(st.lists(st.tuples(HASHES, HASHES), unique=True, max_size=12), min_size=1, max_size=3)


@given(RUNS, st.lists(st.tuples(HASHES, HASHES), max_size=12), st.data())
def test_each_pair_is_found_in_the_runs_that_hold_it(
    runs: list[list[tuple[int, int]]], others: list[tuple[int, int]], data: st.DataObject
) -> None:
    with tempfile.TemporaryFile() as file:
        stored = []
        for run in runs:
            pairs = np.array(sorted(run), np.uint64).reshape(-1, 2)
            stored.append(StoredHashes(file, pairs[:, 0], pairs[:, 1]))
        held = [pair for run in runs for pair in run]
        wanted = sorted(
            others + data.draw(st.lists(st.sampled_from(held), max_size=12) if held else st.just([]))
        )
        columns = np.array(wanted, np.uint64).reshape(-1, 2)
        for run, there in zip(map(sorted, runs), stored, strict=True):
            assert len(there) == len(run)
            assert there.find(columns[:, 0], columns[:, 1]).tolist() == [
                run.index(pair) if pair in run else -1 for pair in wanted
            ]


def test_many_pairs_are_found_at_once() -> None:
    """More than are looked for one by one."""
    first, second = np.random.default_rng(1).integers(0, 2**64, (2, 5_000), np.uint64)
    first.sort()
    with tempfile.TemporaryFile() as file:
        stored = StoredHashes(file, first[::2], second[::2])

        assert stored.find(first, second).tolist() == [
            place // 2 if place % 2 == 0 else -1 for place in range(5_000)
        ]
