"""A hash of a stream is new exactly once, and has the number that it had first."""

from __future__ import annotations

import tempfile
import tracemalloc
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightsort.arrow.hash_numbers import HashNumbers, HashSet
from nightsort.arrow.hashing import hash_texts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nightsort.arrow.hashing import Hashes

BATCHES = st.lists(st.lists(st.sampled_from("abcdefghij") | st.text(max_size=3), max_size=12), max_size=12)
# Few values, so that they are equal, and such as stand at the borders of the index.
HASHES = st.sampled_from([0, 1, 2**54 - 1, 2**54, 2**63, 2**64 - 1]) | st.integers(0, 2**64 - 1)
RUNS = st.lists(st.lists(st.tuples(HASHES, HASHES), unique=True, max_size=12), min_size=1, max_size=3)


def hashes_of(names: list[str]) -> tuple[Hashes, Hashes]:
    return hash_texts(pa.array(names, pa.string()))


def check_against_a_set(
    seen: HashSet,
    batches: list[list[str]],
    hashes: Callable[[list[str]], tuple[Hashes, Hashes]] = hashes_of,
) -> None:
    known = set[str]()
    for batch in batches:
        expected = []
        for name in batch:
            expected.append(name not in known)
            known.add(name)
        assert seen.add(*hashes(batch)).tolist() == expected
    assert len(seen) == len(known)


def numbered(start: int, end: int) -> tuple[Hashes, Hashes]:
    return hashes_of([f"document-{number}" for number in range(start, end)])


@given(BATCHES)
def test_an_id_is_new_exactly_once(batches: list[list[str]]) -> None:
    with HashSet() as seen:
        check_against_a_set(seen, batches)


# A file of its own and 16 MB of filter in each example, thousands of ids in none: 100 take 1 s.
@given(BATCHES, st.integers(0, 9))
def test_an_id_is_new_exactly_once_where_most_are_on_disk(batches: list[list[str]], in_memory: int) -> None:
    with HashSet(in_memory) as seen:
        check_against_a_set(seen, batches)


@pytest.mark.parametrize("in_memory", [0, 3, 1_000])
@given(batches=BATCHES)
def test_pairs_that_share_a_hash_are_told_apart_by_the_other(
    in_memory: int, batches: list[list[str]]
) -> None:
    """Both hashes count, in memory and on disk: each alone may be the same for two ids."""

    def poor(names: list[str]) -> tuple[Hashes, Hashes]:
        first, second = hashes_of(names)
        return first % np.uint64(3) << np.uint64(62), second

    with HashSet(in_memory) as seen:
        check_against_a_set(seen, batches, poor)


def memory_of(seen: HashSet, pairs: int) -> int:
    """Return the bytes that remain in use after so many pairs."""
    first, second = np.random.default_rng(1).integers(0, 2**64, (2, pairs), np.uint64)
    tracemalloc.start()
    try:
        for start in range(0, pairs, 1_000):
            assert seen.add(first[start : start + 1_000], second[start : start + 1_000]).all()
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert not seen.add(first, second).any()
    return used


def test_many_pairs_are_kept_in_few_bytes() -> None:
    with HashSet() as seen:
        assert memory_of(seen, 130_000) < 50 * 130_000


def test_memory_does_not_grow_with_the_pairs() -> None:
    with HashSet(in_memory=10_000) as few, HashSet(in_memory=10_000) as many:
        assert memory_of(many, 200_000) < memory_of(few, 20_000) + 200_000


def test_nothing_is_left_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[IO[bytes]] = []
    temporary_file = tempfile.TemporaryFile

    def kept(**options: Any) -> IO[bytes]:
        opened.append(temporary_file(**{**options, "dir": tmp_path}))
        return opened[-1]

    monkeypatch.setattr("tempfile.TemporaryFile", kept)
    with HashSet(in_memory=10) as seen:
        seen.add(*numbered(0, 100))
        assert not seen.add(*numbered(0, 100)).any()
        assert opened
        assert not any(file.closed for file in opened)
    assert list(tmp_path.iterdir()) == []
    assert all(file.closed for file in opened)


@given(RUNS, st.integers(1, 12))
def test_each_pair_has_the_number_that_it_had_first(
    runs: list[list[tuple[int, int]]], in_memory: int
) -> None:
    known: dict[tuple[int, int], int] = {}
    with HashNumbers(in_memory) as numbers:
        for run in runs:
            pairs = np.array(run, np.uint64).reshape(-1, 2)
            found = numbers.find(pairs[:, 0], pairs[:, 1]).tolist()
            assert found == [known.get(pair, -1) for pair in run]
            for pair in run:
                known.setdefault(pair, len(known))
            numbered = numbers.number(pairs[:, 0], pairs[:, 1]).tolist()
            assert numbered == [known[pair] for pair in run]
        assert numbers.next == len(known)


@given(RUNS, st.integers(1, 12))
def test_numbers_can_be_given(runs: list[list[tuple[int, int]]], in_memory: int) -> None:
    known: dict[tuple[int, int], int] = {}
    place = 0
    with HashNumbers(in_memory) as numbers:
        for run in runs:
            pairs = np.array(run, np.uint64).reshape(-1, 2)
            numbers.number(pairs[:, 0], pairs[:, 1], np.arange(place, place + len(run)))
            for pair in run:
                known.setdefault(pair, place)
                place += 1
        for pair, number in known.items():
            assert numbers.find(*(np.array([half], np.uint64) for half in pair)).tolist() == [number]
