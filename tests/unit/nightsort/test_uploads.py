"""Local files and texts arrive whole where they should."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nightsort.storage import plain_access
from nightsort.uploads import upload, upload_texts

if TYPE_CHECKING:
    from pathlib import Path


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
