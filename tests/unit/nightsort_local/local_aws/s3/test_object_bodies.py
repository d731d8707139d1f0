"""Bodies in files are bytes: they can be cut, joined and read at will, and their files go with them."""

from __future__ import annotations

import gc
import hashlib
import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nightsort_local.local_aws.s3.object_bodies import BodyFolder, joined

if TYPE_CHECKING:
    from pathlib import Path

NUMBERS = st.one_of(st.none(), st.integers(-40, 40))


@pytest.fixture
def folder(tmp_path: Path) -> BodyFolder:
    return BodyFolder(tmp_path, min_file_size=0)


def names(folder: BodyFolder) -> list[str]:
    return sorted(path.name for path in folder.path.iterdir())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    parts=st.lists(st.binary(max_size=12), min_size=1, max_size=4),
    cuts=st.lists(st.tuples(NUMBERS, NUMBERS), max_size=3),
)
def test_cut_and_joined_bodies_are_what_bytes_would_be(
    folder: BodyFolder, parts: list[bytes], cuts: list[tuple[int | None, int | None]]
) -> None:
    body, expected = joined([folder.receive(io.BytesIO(part)) for part in parts]), b"".join(parts)
    for start, stop in cuts:
        body, expected = body[start:stop], expected[start:stop]
    assert bytes(body) == expected
    assert len(body) == len(expected)
    assert bool(body) == bool(expected)
    assert body.md5 == hashlib.md5(expected, usedforsecurity=False).hexdigest()


def test_a_body_cannot_be_cut_with_gaps(folder: BodyFolder) -> None:
    with pytest.raises(ValueError, match="only be sliced with step 1"):
        folder.receive(io.BytesIO(b"abc"))[::2]


def test_a_long_body_comes_in_pieces(folder: BodyFolder) -> None:
    data = bytes(range(256)) * 10_000
    pieces = list(folder.receive(io.BytesIO(data)))
    assert len(pieces) > 1
    assert b"".join(pieces) == data


class TestFiles:
    def test_a_file_that_a_body_has_stays(self, folder: BodyFolder) -> None:
        body = folder.receive(io.BytesIO(b"abc"))
        part = body[1:]
        del body
        gc.collect()
        folder.remove_unused()
        assert bytes(part) == b"bc"

    def test_a_file_goes_with_its_last_body(self, folder: BodyFolder) -> None:
        kept = folder.receive(io.BytesIO(b"kept"))
        gone = folder.receive(io.BytesIO(b"gone"))
        assert len(names(folder)) == 2
        del gone
        gc.collect()
        assert names(folder) == [kept.segments[0].file.path.name]

    def test_what_a_killed_process_left_can_be_removed(self, folder: BodyFolder) -> None:
        kept = folder.receive(io.BytesIO(b"kept"))
        (folder.path / "left").write_bytes(b"left")
        folder.remove_unused()
        assert names(folder) == [kept.segments[0].file.path.name]

    def test_a_body_is_found_by_the_names_of_its_files(self, folder: BodyFolder) -> None:
        body = joined([folder.receive(io.BytesIO(part)) for part in (b"abc", b"def")])[2:5]
        parts = [(part.file.path.name, part.start, part.length) for part in body.segments]
        assert bytes(BodyFolder(folder.path, min_file_size=0).body(parts)) == b"cde"
