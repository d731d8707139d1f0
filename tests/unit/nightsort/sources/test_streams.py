"""Objects are streams of bytes, unpacked, and damaged ones are named."""

from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from nightsort.sources import streams as object_streams
from nightsort.sources.source_files import SourceError, SourceFile, list_files
from nightsort.sources.streams import open_file, open_for_seeking
from nightsort.storage import plain_access


def test_what_is_listed_can_be_opened(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("a.csv", "sub/b.csv"):
        (tmp_path / name).write_text(name)

    for file in list_files(f"{tmp_path}/", plain_access()):
        with open_file(file, plain_access()) as stream:
            assert stream.read().decode() == file.name


def packed(name: str, data: bytes) -> bytes:
    match Path(name).suffix.lower():
        case ".gz":
            return gzip.compress(data)
        case ".bz2":
            return bz2.compress(data)
        case ".xz":
            return lzma.compress(data)
    return bytes(pa.Codec("zstd").compress(data))


@pytest.mark.parametrize("name", ["x.csv.gz", "x.csv.zst", "x.csv.ZSTD", "x.csv.bz2", "x.csv.xz"])
def test_compressed_files_are_unpacked_by_their_names(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(packed(name, b"first,") + packed(name, b"second"))

    with open_file(SourceFile(f"{tmp_path}/{name}", name), plain_access()) as stream:
        assert stream.read() + stream.read() == b"first,second"


@pytest.mark.parametrize("name", ["x.csv.gz", "x.csv.zst", "x.csv.bz2", "x.csv.xz"])
@pytest.mark.parametrize("damage", ["cut off", "something else"])
def test_a_damaged_compressed_file_is_an_error_that_names_it(tmp_path: Path, name: str, damage: str) -> None:
    data = packed(name, bytes(range(256)) * 400)[:-9] if damage == "cut off" else b"id,text\n1,a\n"
    (tmp_path / name).write_bytes(data)

    file = SourceFile(f"{tmp_path}/{name}", name)
    with pytest.raises(SourceError, match="is truncated or not a"), open_file(file, plain_access()) as stream:
        stream.read()


@pytest.mark.parametrize("kind", [".gz", ".zst", ".xz"])
def test_compressed_files_are_known_without_their_suffix_too(tmp_path: Path, kind: str) -> None:
    (tmp_path / "x.csv").write_bytes(packed(kind, b"first,") + packed(kind, b"second"))

    with open_file(SourceFile(f"{tmp_path}/x.csv", "x.csv"), plain_access()) as stream:
        assert stream.read() == b"first,second"


@pytest.mark.parametrize("name", ["x", "x.gz", "x.zst", "x.bz2", "x.xz"])
def test_a_large_file_comes_whole_in_pieces(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = np.random.default_rng(5).bytes(300_000)
    for module, setting, size in (
        (object_streams, "PART_BYTES", 50_000),
        (object_streams, "CHUNK_BYTES", 20_000),
    ):
        monkeypatch.setattr(module, setting, size)
    halves = data[:90_000], data[90_000:]
    (tmp_path / name).write_bytes(data if name == "x" else b"".join(packed(name, half) for half in halves))

    with open_file(SourceFile(f"{tmp_path}/{name}", name), plain_access()) as stream:
        pieces = list(iter(lambda: stream.read(20_000), b""))

    assert b"".join(pieces) == data
    assert max(map(len, pieces)) <= 20_000


@pytest.mark.parametrize("name", ["x.gz", "x.zst", "x.bz2", "x.xz"])
def test_a_file_that_unpacks_out_of_all_proportion_is_given_up(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_streams, "MOST_UNPACKED_BYTES", 100_000)
    monkeypatch.setattr(object_streams, "CHUNK_BYTES", 20_000)
    (tmp_path / name).write_bytes(packed(name, bytes(99_000)))
    (tmp_path / f"large{name}").write_bytes(packed(name, bytes(1_000_000)))
    small, large = list_files(f"{tmp_path}/*{name}", plain_access())[::-1]

    with open_file(small, plain_access()) as stream:
        assert stream.read() == bytes(99_000)
    with (
        pytest.raises(SourceError, match=r"unpacks to more than .* no file of documents packs 500 times"),
        open_file(large, plain_access()) as stream,
    ):
        stream.read()


def test_xz_takes_no_more_memory_than_its_strongest_setting_needs(tmp_path: Path) -> None:
    (tmp_path / "strong.xz").write_bytes(lzma.compress(b"one", preset=9 | lzma.PRESET_EXTREME) + bytes(8))
    greedy = bytearray(lzma.compress(b"two", lzma.FORMAT_ALONE))
    greedy[1:5] = b"\xff\xff\xff\xff"
    (tmp_path / "greedy.xz").write_bytes(greedy)

    with open_file(SourceFile(f"{tmp_path}/strong.xz", "strong.xz"), plain_access()) as stream:
        assert stream.read() == b"one"
    with (
        pytest.raises(SourceError, match=r"greedy\.xz is truncated or not a xz file"),
        open_file(SourceFile(f"{tmp_path}/greedy.xz", "greedy.xz"), plain_access()) as stream,
    ):
        stream.read()


def test_small_and_large_files_can_be_read_in_any_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_streams, "BUFFER_BYTES", 10)
    for name, size in (("a", 3), ("b", 30), ("c", 0), ("d", 5)):
        (tmp_path / name).write_bytes(bytes(range(size)))

    found = {}
    for file, stream in open_for_seeking(list_files(f"{tmp_path}/", plain_access()), plain_access()):
        stream.seek(2)
        found[file.name] = stream.read()

    assert found == {name: bytes(range(2, size)) for name, size in (("a", 3), ("b", 30), ("c", 0), ("d", 5))}


def test_a_file_that_vanished_since_it_was_listed_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(SourceError, match="was listed but is gone"),
        open_file(SourceFile(f"{tmp_path}/x", "x"), plain_access()),
    ):
        pass
