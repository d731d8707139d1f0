"""Which objects a URI means, in which order, and what becomes of damaged ones."""

from __future__ import annotations

import os
from datetime import date
from typing import TYPE_CHECKING

import pytest

from nightsort.classifier_spec.source import LabelledSource, Source
from nightsort.sources.source_files import SourceError, SourceFile, list_files, source_of_day
from nightsort.sources.streams import open_file
from nightsort.storage import plain_access

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


def test_a_prefix_without_files_is_empty(tmp_path: Path) -> None:
    assert names(f"{tmp_path}/nothing/") == []
    assert names(f"{tmp_path}/nothing/*.csv") == []


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"x\.csv does not exist; correct the URI"):
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


def test_links_are_read_and_pipes_are_not(folder: Path) -> None:
    (folder / "link.csv").symlink_to("a.csv")
    (folder / "linked").symlink_to("sub")
    assert names(f"{folder}/*") == ["a.csv", "b.csv", "c.txt", "link.csv"]

    os.mkfifo(folder / "pipe")
    with pytest.raises(SourceError, match="pipe is a pipe, a device or a link to nowhere; read plain files"):
        names(f"{folder}/")


def test_sizes_are_those_of_the_listing(folder: Path) -> None:
    assert [file.size for file in list_files(f"{folder}/", plain_access())] == [5, 5, 5, 9, 14]
    assert [file.size for file in list_files(f"{folder}/sub/*", plain_access())] == [9]
    assert [file.size for file in list_files(f"{folder}/a.csv", plain_access())] == [5]


def test_a_query_of_a_day() -> None:
    source = Source(sql="SELECT * FROM t WHERE day = '{day}';", conn_id="db", id_column="id")

    assert source_of_day(source, date(2026, 1, 2)).sql == "SELECT * FROM t WHERE day = '2026-01-02'"


def test_a_source_with_a_day_asks_for_one() -> None:
    with pytest.raises(SourceError, match="no day was given"):
        source_of_day(Source(uri="s3://bucket/{day}/", format="lines"), None)


def test_a_source_without_a_day_is_the_same_every_day() -> None:
    source = Source(uri="s3://bucket/x/", format="lines")

    assert source_of_day(source, date(2026, 1, 2)) == source
    assert source_of_day(source, None) == source


def test_the_day_is_rendered_in_a_labelled_and_an_incoming_uri() -> None:
    labelled = LabelledSource(uri="s3://bucket/until-{day}.csv", format="csv")
    incoming = Source(uri="s3://bucket/incoming/{day}/", format="jsonl", id_column="id")

    assert source_of_day(labelled, date(2026, 11, 8)).uri == "s3://bucket/until-2026-11-08.csv"
    assert source_of_day(incoming, date(2026, 11, 8)).uri == "s3://bucket/incoming/2026-11-08/"


def test_a_uri_in_place_of_the_sources_own_is_rendered_too() -> None:
    source = Source(uri="s3://bucket/x/", format="lines")

    assert source_of_day(source, date(2026, 1, 2), "s3://b/{day}/").uri == "s3://b/2026-01-02/"
    with pytest.raises(SourceError, match="no day was given"):
        source_of_day(source, None, "s3://b/{day}/")


def test_any_format_of_a_day_is_rendered() -> None:
    source = Source(uri="s3://bucket/{day:%Y/%m/%d}/{{x}}.csv", format="csv")
    query = Source(sql="SELECT '{{}}' FROM t_{day:%Y%m%d}", conn_id="db", id_column="id")

    assert source_of_day(source, date(2026, 1, 2)).uri == "s3://bucket/2026/01/02/{x}.csv"
    assert source_of_day(query, date(2026, 1, 2)).sql == "SELECT '{}' FROM t_20260102"
    assert source_of_day(Source(uri="a/{{x}}/", format="csv"), None).uri == "a/{x}/"


def test_names_begin_behind_the_folder_of_all_days(folder: Path) -> None:
    def named(uri: str, below: str) -> list[str]:
        return [file.name for file in list_files(uri, plain_access(), named_below=below)]

    assert named(f"{folder}/sub/", f"{folder}/") == ["sub/a.csv", "sub/deep/d.csv"]
    assert named(f"{folder}/sub/*.csv", f"{folder}/") == ["sub/a.csv"]
    assert named(f"{folder}/sub/a.csv", f"{folder}/") == ["sub/a.csv"]
    assert named(f"{folder}/sub/a.csv", f"file://{folder}/sub/deep/") == [f"{folder}/sub/a.csv"]


@pytest.mark.parametrize(
    "name",
    ["a#b.csv", "a%20b.csv", "a b.csv", "a@b.csv", "a*b.csv", "a?b.csv", "a[1].csv", "a::b.csv", "{a}.csv"],
)
def test_whatever_a_file_is_called_it_is_listed_and_read(tmp_path: Path, name: str) -> None:
    for part in ("x", f"in {name}"):
        (tmp_path / part).mkdir()
        (tmp_path / part / name).write_bytes(b"content")

    for uri in (f"{tmp_path}/x/", f"{tmp_path}/in*/*"):
        files = list_files(uri, plain_access())
        assert [file.name.rsplit("/")[-1] for file in files] == [name]
        with open_file(files[0], plain_access()) as stream:
            assert stream.read() == b"content"


def test_a_bracket_that_is_part_of_a_name_is_an_error_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "a[1].csv").touch()

    with pytest.raises(SourceError, match=r"a\[1\]\.csv exists, but \[ begins a set.*write \[\[\]"):
        names(f"{tmp_path}/a[1].csv")
    assert names(f"{tmp_path}/a[[]1].csv") == ["a[1].csv"]
