"""A pair of hashes has the row with which it was added first, and no other pair has one."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from nightsort.arrow import hash_file, hash_index
from nightsort.arrow.hash_index import HashIndex
from nightsort.arrow.hashing import hash_texts

if TYPE_CHECKING:
    from nightsort.arrow.hashing import Hashes

# Few values, so that they are equal, and such as stand at the borders of regions.
HALVES = st.sampled_from([0, 1, 2**56 - 1, 2**56, 2**63, 2**64 - 1])
PAIRS = st.lists(st.tuples(HALVES, HALVES), max_size=40)


def columns(pairs: list[tuple[int, int]]) -> tuple[Hashes, Hashes]:
    values = np.array(pairs, np.uint64).reshape(-1, 2)
    return values[:, 0].copy(), values[:, 1].copy()


@given(st.lists(PAIRS, max_size=4), PAIRS, st.integers(1, 20), st.integers(1, 4))
def test_the_same_as_a_dict(
    blocks: list[list[tuple[int, int]]], asked: list[tuple[int, int]], in_memory: int, step: int
) -> None:
    expected: dict[tuple[int, int], int] = {}
    with (
        patch.object(hash_index, "_IN_MEMORY", in_memory),
        patch.object(hash_file, "_STEP", step),
        TemporaryDirectory() as folder,
        HashIndex(Path(folder)) as index,
    ):
        number = 0
        for block in blocks:
            index.add(*columns(block), np.arange(number, number + len(block)))
            for pair in block:
                expected.setdefault(pair, number)
                number += 1
        found = [index.find(*columns(asked)).tolist() for _ in range(2)]
    assert found == [[expected.get(pair, -1) for pair in asked]] * 2


def test_a_hundred_thousand_texts_in_blocks(tmp_path: Path) -> None:
    def hashes(start: int, end: int) -> tuple[Hashes, Hashes]:
        return hash_texts(pa.array([f"text {number}" for number in range(start, end)]))

    with HashIndex(tmp_path) as index:
        for start in range(0, 100_000, 10_000):
            index.add(*hashes(start, start + 10_000), np.arange(start, start + 10_000))
        found = index.find(*hashes(95_000, 105_000))

    assert found.tolist() == [*range(95_000, 100_000), *[-1] * 5_000]
    assert not list(tmp_path.iterdir())
