"""Objects are fetched in parts and ahead, each byte once, and what changes meanwhile is an error."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING, Any

import pytest
from upath import UPath

from nightsort.sources import streams
from nightsort.sources.source_files import SourceError, SourceFile, list_files
from nightsort.sources.streams import fetch
from nightsort.storage import Access, plain_access

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PART_BYTES", 10)
    monkeypatch.setattr(streams, "BUFFER_BYTES", 40)


def written(folder: Path, *contents: bytes) -> list[SourceFile]:
    for number, content in enumerate(contents):
        (folder / f"{number:03}").write_bytes(content)
    return list_files(f"{folder}/", plain_access())


def fetched(files: list[SourceFile], **options: Any) -> dict[str, list[bytes]]:
    return {file.name: list(parts) for file, parts in fetch(files, plain_access(), **options)}


def test_each_object_comes_whole_and_in_its_order(tmp_path: Path) -> None:
    sizes = [0, 1, 10, 11, 95, 3, 0, 40]
    data = [bytes(itertools.islice(itertools.cycle(range(251)), size)) for size in sizes]

    found = fetched(written(tmp_path, *data))

    assert [b"".join(parts) for parts in found.values()] == data
    assert max(len(part) for parts in found.values() for part in parts) == 10


def test_no_more_of_an_object_is_read_than_is_asked_for(tmp_path: Path) -> None:
    found = fetched(written(tmp_path, b"x" * 95, b"y" * 3), limit=25)

    assert [b"".join(parts) for parts in found.values()] == [b"x" * 25, b"y" * 3]


def test_an_object_of_unknown_size_is_read_up_to_the_limit(tmp_path: Path) -> None:
    written(tmp_path, b"x" * 95)

    assert fetched([SourceFile(f"{tmp_path}/000", "000")], limit=50) == {"000": [b"x" * 50]}


def test_what_comes_next_is_fetched_while_something_is_used(tmp_path: Path) -> None:
    """All but the first wait for one another: only a reader that fetches ahead gets through."""
    files = written(tmp_path, *[b"x"] * 4)
    together = threading.Barrier(3, timeout=240)

    def path(uri: str) -> UPath:
        if not uri.endswith("000"):
            together.wait()
        return UPath(uri)

    assert [file.name for file, _ in fetch(files, Access(path))] == ["000", "001", "002", "003"]


def test_what_is_on_its_way_is_bounded(tmp_path: Path) -> None:
    files = written(tmp_path, *[b"x" * 10] * 20)
    asked = []

    def path(uri: str) -> UPath:
        asked.append(uri)
        return UPath(uri)

    reading = fetch(files, Access(path))
    next(reading)
    reading.close()

    assert len(asked) <= 5


@pytest.mark.parametrize(
    ("size", "change"), [(5, "gone"), (5, "shorter"), (5, "longer"), (95, "gone"), (95, "shorter")]
)
def test_an_object_that_is_not_what_was_listed_is_an_error(tmp_path: Path, size: int, change: str) -> None:
    files = written(tmp_path, b"x" * size)
    file = tmp_path / "000"
    if change == "gone":
        file.unlink()
    else:
        file.write_bytes(b"x" * (size - 1 if change == "shorter" else size + 1))

    with pytest.raises(SourceError, match=r"000 was listed but (is gone|has changed); do not change"):
        fetched(files)
