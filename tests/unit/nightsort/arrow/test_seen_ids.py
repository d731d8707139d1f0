"""A repeated id is told from a new one, wherever the ids that came before are kept."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightsort.arrow import hashing, seen_ids
from nightsort.arrow.seen_ids import SeenIds

if TYPE_CHECKING:
    from pathlib import Path

    from nightsort.arrow.columns import Column
    from nightsort.arrow.hashing import Hashes

BATCHES = st.lists(st.lists(st.sampled_from("abcdefghij") | st.text(max_size=3), max_size=12), max_size=12)


def check_against_a_set(seen: SeenIds, batches: list[list[str]]) -> None:
    known = set[str]()
    for batch in batches:
        expected = []
        for name in batch:
            expected.append(name not in known)
            known.add(name)
        assert seen.add(pa.array(batch, pa.string())).tolist() == expected
    assert len(seen) == len(known)


def numbered(start: int, end: int) -> Column:
    return pa.array([f"document-{number}" for number in range(start, end)])


@given(BATCHES)
def test_an_id_is_new_exactly_once(batches: list[list[str]]) -> None:
    with SeenIds() as seen:
        check_against_a_set(seen, batches)


# A file of its own and 32 MB of filter in each example, thousands of ids in none: 100 take 1 s.
@given(BATCHES, st.integers(0, 9))
def test_an_id_is_new_exactly_once_where_most_are_on_disk(batches: list[list[str]], in_memory: int) -> None:
    with SeenIds(in_memory) as seen:
        check_against_a_set(seen, batches)


@pytest.mark.parametrize("in_memory", [0, 3, 1_000])
@given(batches=BATCHES)
def test_ids_that_share_a_hash_are_told_apart_by_the_other(in_memory: int, batches: list[list[str]]) -> None:
    """Both hashes count, in memory and on disk: each alone may be the same for two ids."""

    def poor(ids: Column) -> tuple[Hashes, Hashes]:
        first, second = hashing.hash_texts(ids)
        return first % np.uint64(3) << np.uint64(62), second

    with pytest.MonkeyPatch.context() as patch, SeenIds(in_memory) as seen:
        patch.setattr(seen_ids, "hash_texts", poor)
        check_against_a_set(seen, batches)


def test_many_ids_are_remembered_in_few_bytes() -> None:
    with SeenIds() as seen:
        for start in range(0, 200_000, 10_000):
            assert seen.add(numbered(start, start + 10_000)).all()

        assert not seen.add(pa.array(["document-0", "document-99999", "document-199999"])).any()
        assert sum(first.nbytes + second.nbytes for first, second in seen._runs) == 16 * 200_000


def test_what_is_in_memory_does_not_grow_with_the_ids() -> None:
    with SeenIds(in_memory=10_000) as seen:
        for start in range(0, 100_000, 1_000):
            assert seen.add(numbered(start, start + 1_000)).all()
            assert sum(len(first) for first, _ in seen._runs) <= 10_000
        for start in range(0, 100_000, 25_000):
            assert not seen.add(numbered(start, start + 25_000)).any()
        assert seen.add(numbered(100_000, 101_000)).all()
        assert len(seen) == 101_000


def test_nothing_is_left_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with SeenIds(in_memory=10) as seen:
        seen.add(numbered(0, 100))
        assert seen._on_disk is not None
    assert list(tmp_path.iterdir()) == []
    assert seen._on_disk._file.closed


def test_an_id_is_looked_up_by_one_read_however_many_went_to_disk_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reads: list[int] = []
    pread = os.pread

    def counted(file: int, size: int, offset: int) -> bytes:
        reads.append(size)
        return pread(file, size, offset)

    with SeenIds(in_memory=10) as seen:
        for start in range(0, 1_000, 50):
            seen.add(numbered(start, start + 50))
        monkeypatch.setattr("os.pread", counted)

        assert not seen.add(numbered(500, 501)).any()
        assert len(reads) == 1
