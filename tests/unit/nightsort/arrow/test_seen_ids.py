"""A repeated id is told from a new one, wherever the ids that came before are kept."""

from __future__ import annotations

import tempfile
import tracemalloc
from typing import IO, TYPE_CHECKING, Any

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


def memory_of(seen: SeenIds, end: int) -> int:
    """Add that many new ids; return by how many bytes the memory in use grew."""
    tracemalloc.start()
    try:
        for start in range(0, end, 1_000):
            assert seen.add(numbered(start, start + 1_000)).all()
        in_use, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return in_use


def test_many_ids_are_remembered_in_few_bytes() -> None:
    with SeenIds() as seen:
        assert memory_of(seen, 200_000) < 17 * 200_000
        assert not seen.add(pa.array(["document-0", "document-99999", "document-199999"])).any()


def test_what_is_in_memory_does_not_grow_with_the_ids() -> None:
    with SeenIds(in_memory=10_000) as few, SeenIds(in_memory=10_000) as many:
        assert memory_of(many, 100_000) < memory_of(few, 20_000) + 200_000
        for start in range(0, 100_000, 25_000):
            assert not many.add(numbered(start, start + 25_000)).any()
        assert many.add(numbered(100_000, 101_000)).all()
        assert len(many) == 101_000


def test_nothing_is_left_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[IO[bytes]] = []
    temporary_file = tempfile.TemporaryFile

    def kept(**options: Any) -> IO[bytes]:
        opened.append(temporary_file(dir=tmp_path, **options))
        return opened[-1]

    monkeypatch.setattr("tempfile.TemporaryFile", kept)
    with SeenIds(in_memory=10) as seen:
        seen.add(numbered(0, 100))
        assert [file.closed for file in opened] == [False]
    assert list(tmp_path.iterdir()) == []
    assert opened[0].closed
