"""What a manifest promises: each place of the input belongs to one document; other files are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from upath import UPath

from nightsort.arrow.manifest_schema import MANIFEST_SCHEMA
from nightsort.batches.manifest import Manifest, ManifestError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def write(
    path: Path, files: list[str], lines: Sequence[int | None], ids: list[str | None] | None = None
) -> UPath:
    if ids is None:
        ids = [f"doc-{n}" for n in range(len(files))]
    columns = [
        pa.array(files, pa.string()).dictionary_encode(),
        pa.array(lines, pa.int64()),
        pa.array(ids, pa.string()),
    ]
    pq.write_table(pa.table(columns, schema=MANIFEST_SCHEMA), path, row_group_size=3)
    return UPath(path)


def places(manifest: Manifest, *asked: tuple[str, int | None]) -> list[int]:
    files = pa.array([file for file, _ in asked], pa.string())
    lines = pa.array([line for _, line in asked], pa.int64())
    return [int(place) for place in manifest.positions(files, lines)]


def test_one_file_with_a_document_per_line(tmp_path: Path) -> None:
    manifest = Manifest.read(write(tmp_path / "m.parquet", ["a.txt"] * 10, list(range(10))))
    assert len(manifest) == 10
    assert manifest.document_ids.to_pylist()[7] == "doc-7"
    assert places(manifest, ("a.txt", 0), ("a.txt", 9), ("a.txt", 3)) == [0, 9, 3]
    assert places(manifest, ("a.txt", 10), ("b.txt", 0), ("a.txt", None), ("", 0)) == [-1, -1, -1, -1]


def test_one_file_per_document_with_and_without_line(tmp_path: Path) -> None:
    files = [f"f{n}.txt" for n in range(10)]
    manifest = Manifest.read(write(tmp_path / "m.parquet", files, [0] * 10))
    assert places(manifest, ("f3.txt", None), ("f9.txt", 0)) == [3, 9]
    assert places(manifest, ("f3.txt", 1), ("f10.txt", None)) == [-1, -1]


def test_several_files_with_several_lines(tmp_path: Path) -> None:
    files = ["a"] * 4 + ["b"] + ["c"] * 5
    manifest = Manifest.read(write(tmp_path / "m.parquet", files, [0, 1, 2, 3, 0, 0, 1, 2, 3, 4]))
    assert places(manifest, ("a", 3), ("b", 0), ("b", None), ("c", 4)) == [3, 4, 4, 9]
    assert places(manifest, ("a", 4), ("b", 1), ("c", None)) == [-1, -1, -1]


def test_an_empty_manifest_knows_no_place(tmp_path: Path) -> None:
    manifest = Manifest.read(write(tmp_path / "m.parquet", [], []))
    assert len(manifest) == 0
    assert places(manifest, ("a", 0)) == [-1]


@pytest.mark.parametrize(
    ("files", "lines"),
    [
        (["a", "a"], [0, 2]),
        (["a", "a"], [1, 2]),
        (["a", "a"], [0, 0]),
        (["a", "a"], [1, 0]),
        (["a", "b", "a"], [0, 0, 0]),
        (["a", "a", "a", "a"], [0, 1, 2, 2]),
    ],
)
def test_lines_that_do_not_count_up_are_refused(tmp_path: Path, files: list[str], lines: list[int]) -> None:
    with pytest.raises(ManifestError, match=r"m\.parquet: its lines do not count up.*Run prepare_batches"):
        Manifest.read(write(tmp_path / "m.parquet", files, lines))


def test_a_row_without_line_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="empty values"):
        Manifest.read(write(tmp_path / "m.parquet", ["a"], [None], ["x"]))


def test_a_forgotten_document_keeps_its_place_and_has_no_id(tmp_path: Path) -> None:
    manifest = Manifest.read(write(tmp_path / "m.parquet", ["a"] * 3, [0, 1, 2], ["x", None, "z"]))
    assert manifest.vacant.tolist() == [False, True, False]
    assert (len(manifest), manifest.number_vacant) == (3, 1)
    assert places(manifest, ("a", 0), ("a", 1), ("a", 2)) == [0, 1, 2]


@pytest.mark.parametrize("content", [b"", b"id,line\n", b"PAR1 and no more PAR1"])
def test_what_is_no_parquet_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.parquet"
    path.write_bytes(content)
    with pytest.raises(ManifestError, match="not a manifest"):
        Manifest.read(UPath(path))


def test_parquet_with_other_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.parquet"
    pq.write_table(pa.table({"file": ["a"], "document_id": ["x"]}), path)
    with pytest.raises(ManifestError, match="not a manifest"):
        Manifest.read(UPath(path))


# 100 damaged files: 0.5 s.
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=3))
def test_whatever_is_damaged_it_is_a_manifest_or_refused(
    tmp_path: Path, damage: list[tuple[float, int]]
) -> None:
    path = write(tmp_path / "m.parquet", ["a.txt"] * 10, list(range(10)))
    data = bytearray(path.read_bytes())
    for place, value in damage:
        data[int(place * len(data))] = value
    path.write_bytes(bytes(data))
    problem = ""
    try:
        Manifest.read(path)
    except ManifestError as error:
        problem = str(error)
    assert not problem or problem.endswith("Run prepare_batches again")
