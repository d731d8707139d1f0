"""Plain access follows the environment and knows no databases; files and texts are uploaded whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nightsort.storage import StorageError, open_path, plain_access, upload, upload_texts

if TYPE_CHECKING:
    from pathlib import Path


def test_local_paths_and_file_uris_are_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("content")

    for uri in (f"{tmp_path}/x", f"file://{tmp_path}/x"):
        assert plain_access().path(uri).read_text() == "content"


def test_s3_uris_are_s3_paths() -> None:
    path = plain_access().path("s3://bucket/folder/key")

    assert (path.protocol, path.path) == ("s3", "bucket/folder/key")
    assert path.fs.config_kwargs == {"max_pool_connections": 32}


def test_there_are_no_databases() -> None:
    assert plain_access().connect is None


@pytest.mark.parametrize("scheme", ["", "file://"])
@pytest.mark.parametrize("move", [False, True])
def test_a_file_arrives_in_a_new_folder(tmp_path: Path, scheme: str, move: bool) -> None:
    (tmp_path / "local").write_bytes(b"content")

    upload(tmp_path / "local", f"{scheme}{tmp_path}/a/b/target", plain_access(), move=move)

    assert (tmp_path / "a" / "b" / "target").read_bytes() == b"content"
    assert (tmp_path / "local").exists() is not move


def test_a_file_takes_the_place_of_another(tmp_path: Path) -> None:
    (tmp_path / "local").write_bytes(b"new")
    (tmp_path / "target").write_bytes(b"old and longer")

    upload(tmp_path / "local", f"{tmp_path}/target", plain_access())

    assert (tmp_path / "target").read_bytes() == b"new"


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_each_text_is_a_file_of_its_name(tmp_path: Path, scheme: str) -> None:
    texts = {f"name-{number}": b"x" * number for number in range(3)}

    upload_texts(texts.items(), f"{scheme}{tmp_path}/a/b/", plain_access())

    assert {path.name: path.read_bytes() for path in (tmp_path / "a" / "b").iterdir()} == texts


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1/secret",
        "local:///etc/passwd",
        "memory://x",
        "data:text/plain,x",
        "simplecache::http://127.0.0.1/secret",
        "ftp://host/x",
        "S3://bucket/x",
        "s3:/bucket/x",
    ],
)
def test_nothing_but_s3_and_local_files_is_opened(uri: str) -> None:
    with pytest.raises(StorageError, match="cannot be opened; use s3://"):
        plain_access().path(uri)


@pytest.mark.parametrize("uri", ["/etc/passwd", "file:///etc/passwd", "etc/passwd"])
def test_local_files_are_opened_only_where_that_is_allowed(uri: str) -> None:
    with pytest.raises(StorageError, match="the spec names places on S3 only"):
        open_path(uri, {}, local=False)


def test_a_key_is_what_is_written_whatever_s3fs_reads_into_it() -> None:
    for key in ("a?versionId=1.csv", "a::b", "a#b", "a%20b", "?versionId=x?versionId=y", "a/ b/"):
        fs, path = plain_access().file(f"s3://bucket/{key}")
        assert path == f"bucket/{key}"
        assert fs.split_path(path) == ("bucket", key, None)
