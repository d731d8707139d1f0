"""Which objects a URI means, in which order, and what becomes of damaged ones."""

from __future__ import annotations

import gzip
import os
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from include.nightsort.access import plain_access
from include.nightsort.sources.object_streams import open_file
from include.nightsort.sources.source_files import SourceError, SourceFile, list_files

if TYPE_CHECKING:
    from pathlib import Path


def names(uri: str) -> list[str]:
    return [file.name for file in list_files(uri, plain_access())]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (
        "b.csv",
        "a.csv",
        "c.txt",
        "sub/a.csv",
        "sub/deep/d.csv",
        "_SUCCESS",
        ".hidden/x.csv",
        "sub/_x",
    ):
        file = tmp_path / "in" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return tmp_path / "in"


def test_a_prefix_means_all_below_it_in_the_order_of_their_names(folder: Path) -> None:
    assert names(f"{folder}/") == ["a.csv", "b.csv", "c.txt", "sub/a.csv", "sub/deep/d.csv"]
    assert names(f"file://{folder}/sub/") == ["a.csv", "deep/d.csv"]


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        ("*.csv", ["a.csv", "b.csv"]),
        ("?.csv", ["a.csv", "b.csv"]),
        ("[b-z].*", ["b.csv", "c.txt"]),
        ("*/*.csv", ["sub/a.csv"]),
        ("**/*.csv", ["a.csv", "b.csv", "sub/a.csv", "sub/deep/d.csv"]),
        ("*", ["a.csv", "b.csv", "c.txt"]),
        ("*.json", []),
    ],
)
def test_a_glob_means_what_it_matches(folder: Path, glob: str, expected: list[str]) -> None:
    assert names(f"{folder}/{glob}") == expected


def test_a_file_is_named_by_its_base_name(folder: Path) -> None:
    assert list_files(f"{folder}/sub/a.csv", plain_access()) == [SourceFile(f"{folder}/sub/a.csv", "a.csv")]


def test_what_is_listed_can_be_opened(folder: Path) -> None:
    for file in list_files(f"{folder}/", plain_access()):
        with open_file(file, plain_access()) as stream:
            assert stream.read().decode() == file.name


def test_a_prefix_without_files_is_empty(tmp_path: Path) -> None:
    assert names(f"{tmp_path}/nothing/") == []
    assert names(f"{tmp_path}/nothing/*.csv") == []


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"x\.csv does not exist; mend the URI"):
        names(f"{tmp_path}/x.csv")


def test_a_folder_without_slash_is_an_error_that_asks_for_one(folder: Path) -> None:
    with pytest.raises(SourceError, match="is a folder; end it with /"):
        names(f"{folder}/sub")


def test_a_name_that_is_no_text_is_an_error_that_asks_for_another(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.csv")).touch()

    with pytest.raises(SourceError, match=r"holds a file whose name is not UTF-8, .caf\\udce9.*; rename"):
        names(f"{tmp_path}/")


def test_a_relative_path_is_good_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)

    assert names("in/sub/") == ["a.csv", "deep/d.csv"]
    assert names("in/*.csv") == ["a.csv", "b.csv"]


def packed(name: str, data: bytes) -> bytes:
    if name.endswith(".gz"):
        return gzip.compress(data)
    return bytes(pa.Codec("zstd").compress(data))


@pytest.mark.parametrize("name", ["x.csv.gz", "x.csv.zst", "x.csv.ZSTD"])
def test_compressed_files_are_unpacked_by_their_names(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(packed(name, b"first,") + packed(name, b"second"))

    with open_file(SourceFile(f"{tmp_path}/{name}", name), plain_access()) as stream:
        assert stream.read() + stream.read() == b"first,second"


@pytest.mark.parametrize("name", ["x.csv.gz", "x.csv.zst"])
@pytest.mark.parametrize("damage", ["cut off", "something else"])
def test_a_damaged_compressed_file_is_an_error_that_names_it(tmp_path: Path, name: str, damage: str) -> None:
    data = packed(name, bytes(range(256)) * 400)[:-9] if damage == "cut off" else b"id,text\n1,a\n"
    (tmp_path / name).write_bytes(data)

    file = SourceFile(f"{tmp_path}/{name}", name)
    with pytest.raises(SourceError, match="is cut off or is no"), open_file(file, plain_access()) as stream:
        stream.read()


def test_a_file_that_vanished_since_it_was_listed_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(SourceError, match="was listed but is gone"),
        open_file(SourceFile(f"{tmp_path}/x", "x"), plain_access()),
    ):
        pass
