"""Plain access follows the environment and knows no databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nightsort.storage import plain_access

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
