"""A file that is no text, or plainly of another format, is refused by name, with the remedy."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import sqlite3
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.orc as orc
import pyarrow.parquet as pq
import pytest

from nightsort.classifier_spec.source import Source
from nightsort.sources.file_kinds import kind_of
from nightsort.sources.source_files import SourceError
from tests.unit.nightsort.document_reading import read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TABLE = pa.table({"text": [f"secret {n}" for n in range(9)], "label": ["a"] * 9})


def in_memory(write: Callable[[Any], object]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, "secret " * 40)
    return file.getvalue()


def tarred(kind: int = tarfile.PAX_FORMAT) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=kind) as archive:
        member = tarfile.TarInfo("documents/1.txt")
        member.size = 600
        archive.addfile(member, io.BytesIO(b"secret " * 100))
    return file.getvalue()


def sqlite_file() -> bytes:
    with sqlite3.connect(":memory:") as connection:
        connection.execute("CREATE TABLE t (text)")
        return connection.serialize()


REAL: dict[str, tuple[bytes, str, str]] = {
    "zip": (zipped("a.csv"), "a zip archive", "unpack it"),
    "empty zip": (zipped(), "a zip archive", "unpack it"),
    "xlsx": (
        zipped("[Content_Types].xml", "_rels/.rels", "xl/workbook.xml"),
        "an Excel workbook (xlsx)",
        "save its table as CSV",
    ),
    "xlsx of another writer": (zipped("docProps/app.xml", "xl/theme/theme1.xml"), "an Excel", "as CSV"),
    "docx": (zipped("[Content_Types].xml", "word/document.xml"), "a Word document", "extract its text"),
    "ods": (
        zipped("mimetypeapplication/vnd.oasis.opendocument.spreadsheet"),
        "a LibreOffice spreadsheet",
        "as CSV",
    ),
    "xls": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504),
        "an old Microsoft Office file",
        "save it as CSV",
    ),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\nsecret", "a PDF file", "extract its text"),
    "rtf": (b"{\\rtf1\\ansi secret}", "an RTF document", "extract its text"),
    "png": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "a PNG image", "it holds no text"),
    "jpeg": (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", "a JPEG image", "it holds no text"),
    "gif": (b"GIF89a\x01\x00\x01\x00\x80", "a GIF image", "it holds no text"),
    "tiff": (b"II*\x00\x08\x00\x00\x00", "a TIFF image", "it holds no text"),
    "tiff, big endian": (b"MM\x00*\x00\x00\x00\x08", "a TIFF image", "it holds no text"),
    "webp": (b"RIFF\x24\x00\x00\x00WEBPVP8 ", "a WebP image", "it holds no text"),
    "bmp": (b"BM\x36\x00\x0c\x00\x00\x00\x00\x00\x36", "a BMP image", "it holds no text"),
    "heic": (b"\x00\x00\x00\x18ftypheic", "a HEIF or AVIF image", "it holds no text"),
    "mp4": (b"\x00\x00\x00\x18ftypmp42", "a video or sound file", "it holds no text"),
    "wav": (b"RIFF\x24\x00\x00\x00WAVEfmt ", "a video or sound file", "it holds no text"),
    "tar": (tarred(), "a tar archive", "unpack it"),
    "tar of GNU": (tarred(tarfile.GNU_FORMAT), "a tar archive", "unpack it"),
    "7z": (b"7z\xbc\xaf\x27\x1c\x00\x04", "a 7z archive", "unpack it"),
    "rar": (b"Rar!\x1a\x07\x01\x00", "a RAR archive", "unpack it"),
    "gzip": (gzip.compress(b"secret"), "packed twice (gzip)", "pack it once only"),
    "zstd": (bytes(pa.compress(b"secret", "zstd")), "packed twice (zstd)", "pack it once only"),
    "xz": (lzma.compress(b"secret"), "packed twice (xz)", "pack it once only"),
    "bzip2": (bz2.compress(b"secret"), "packed twice (bzip2)", "pack it once only"),
    "lz4": (bytes(pa.compress(b"secret", "lz4")), "LZ4 data", "pack it with gzip or zstd"),
    "parquet": (in_memory(lambda file: pq.write_table(TABLE, file)), "a Parquet file", "format: parquet"),
    "orc": (in_memory(lambda file: orc.write_table(TABLE, file)), "an ORC file", "store it as Parquet"),
    "feather": (in_memory(lambda file: feather.write_feather(TABLE, file)), "an Arrow", "as Parquet"),
    "avro": (b"Obj\x01\x04\x14avro.codec", "an Avro file", "as Parquet or JSON Lines"),
    "sqlite": (sqlite_file(), "an SQLite database", "export its rows as CSV"),
    "numpy": (in_memory(lambda file: np.save(file, np.arange(3))), "a NumPy array", "export its rows"),
    "pickle": (pickle.dumps({"secret": 1}), "a Python pickle", "export its rows"),
    "program": (b"\x7fELF\x02\x01\x01\x00", "a program", "it holds no text"),
    "pgp": (b"-----BEGIN PGP MESSAGE-----\n\nsecret", "an encrypted file", "decrypt it"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS", "the file itself"),
    "other": (bytes(range(32)) * 40 + bytes(200), "a binary file", "store plain text"),
}


def packed_once_more(data: bytes, name: str) -> bytes:
    """What is unpacked on reading comes to the check only when it is packed twice."""
    return gzip.compress(data) if name in ("gzip", "zstd", "xz", "bzip2") else data


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "lines"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_what_is_no_text_is_an_error_with_its_name_and_the_remedy(
    tmp_path: Path, name: str, kind: Any, suffix: str
) -> None:
    data, looks_like, remedy = REAL[name]
    data = packed_once_more(data, name)
    path = tmp_path / f"data{suffix}"
    path.write_bytes(gzip.compress(data) if suffix else data)
    if suffix and name in ("gzip", "zstd", "xz", "bzip2"):
        looks_like = "packed twice (gzip)"

    with pytest.raises(SourceError) as caught:
        read(Source(uri=str(path), format=kind), tmp_path)

    message = str(caught.value)
    assert message.startswith(f"{path} looks like ")
    assert looks_like in message
    assert remedy in message
    assert "secret" not in message


@pytest.mark.parametrize("name", REAL)
def test_a_document_that_is_no_text_costs_only_itself(tmp_path: Path, name: str) -> None:
    data, looks_like, remedy = REAL[name]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "1").write_bytes(packed_once_more(data, name))
    (tmp_path / "in" / "2").write_text("fine")

    found = read(Source(uri=f"{tmp_path}/in/", format="files"), tmp_path)

    assert found.texts == ["fine"]
    assert found.reasons == [("1", 0, "not_text")]
    assert looks_like in found.rejects[0]["detail"]
    assert remedy in found.rejects[0]["detail"]


@pytest.mark.parametrize("name", [name for name in REAL if name != "parquet"])
def test_what_is_no_parquet_is_named(tmp_path: Path, name: str) -> None:
    data, looks_like, _ = REAL[name]
    (tmp_path / "x").write_bytes(data)

    with pytest.raises(SourceError, match=r"is not a Parquet file|compresses by itself") as caught:
        read(Source(uri=f"{tmp_path}/x", format="parquet"), tmp_path)

    packed = name in ("gzip", "zstd", "xz", "bzip2")
    assert name == "other" or ("compresses by itself" if packed else looks_like) in str(caught.value)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"text,label\na,b\n", "looks like text; say which format it has"),
        ("Größe,label\n".encode(), "looks like text"),
        (b'{"text": "a"}\n', "looks like JSON; say  format: jsonl"),
        (b'[\n  {"text": "a"}\n]', "looks like JSON"),
        (b"<html><body>Access denied</body></html>", "looks like a page of HTML"),
    ],
)
def test_text_where_parquet_was_declared_is_named(tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "x").write_bytes(data)

    with pytest.raises(SourceError, match="is not a Parquet file") as caught:
        read(Source(uri=f"{tmp_path}/x", format="parquet"), tmp_path)

    assert says in str(caught.value)


JSON = [
    b'{"text": "a", "label": "b"}\n{"text": "c", "label": "d"}\n',
    b'[{"text": "a"}, {"text": "b"}]',
    b'[\n  {\n    "text": "a"\n  }\n]\n',
    b'  {\n "text": "a"}',
    json.dumps([{"text": "word " * 3_000}]).encode(),
]


@pytest.mark.parametrize("kind", ["csv", "tsv"])
@pytest.mark.parametrize("data", JSON)
def test_json_where_rows_were_declared_is_named(tmp_path: Path, kind: Any, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)

    with pytest.raises(SourceError, match="looks like JSON; say  format: jsonl  in the spec"):
        read(Source(uri=f"{tmp_path}/x", format=kind), tmp_path)


@pytest.mark.parametrize(
    "data",
    [
        b"text,label\r\nsecret,b\r\n",
        b"secret one\nsecret two\n" * 9_000,
        b"---\ntext: secret\n",
        b'[\n "secret",\n "b"\n]\n',
        b'"secret"\n"b"\n',
    ],
)
def test_text_where_json_was_declared_is_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)

    with pytest.raises(SourceError, match="x looks like text without a JSON object; say which") as caught:
        read(Source(uri=f"{tmp_path}/x", format="jsonl"), tmp_path)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "rejects"),
    [
        (b"", 0),
        (b"\n \n", 0),
        (b"[\n]\n[ ]\n", 0),
        (b"damaged\n", 1),
        (b'damaged\nand more\n{"text": "a"}\n', 2),
    ],
)
def test_damaged_lines_of_json_cost_only_themselves(tmp_path: Path, data: bytes, rejects: int) -> None:
    (tmp_path / "x").write_bytes(data)

    assert len(read(Source(uri=f"{tmp_path}/x", format="jsonl"), tmp_path).rejects) == rejects


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "lines"])
@pytest.mark.parametrize(
    "data",
    [
        b"<!DOCTYPE html>\n<html>\n<body>Please log in</body>\n</html>\n",
        b'\n<HTML lang="en">\n',
        b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>',
    ],
)
def test_a_page_in_place_of_the_data_is_named(tmp_path: Path, kind: Any, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)

    with pytest.raises(SourceError, match="looks like a page of HTML or XML"):
        read(Source(uri=f"{tmp_path}/x", format=kind), tmp_path)


def test_pages_are_documents_where_each_has_a_file_or_a_line(tmp_path: Path) -> None:
    page = "<!DOCTYPE html><html><body>My order is late</body></html>"
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "1").write_text(page)

    assert read(Source(uri=f"{tmp_path}/in/1", format="lines"), tmp_path).texts == [page]
    assert read(Source(uri=f"{tmp_path}/in/", format="files"), tmp_path).texts == [page]


@pytest.mark.parametrize(
    "text",
    [
        "PK is short for primary key",
        "GIF89a is a format",
        "RIFFs and WEBPs",
        "BM is a brand",
        "MZ 900 does not print",
        "ORC files cannot be opened",
        "The ftyp box is broken",
        "PAR1 is not installed",
        "Obj is null",
        "7z cannot be opened",
        "Rar! it does not work",
        "x" * 257 + "ustar",
        "Salted__ nuts",
        "ID3 tags are lost",
        "{\\rtf",
        "[urgent] please call",
        "{name} is missing",
        "<b>bold</b>",
        "‰PNG",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_a_text_that_begins_like_another_kind_is_a_text(tmp_path: Path, text: str, encoding: str) -> None:
    data = text.encode(encoding)
    (tmp_path / "x").write_bytes(data)

    assert kind_of(data) is None
    assert read(Source(uri=f"{tmp_path}/x", format="lines", encoding=encoding), tmp_path).texts == [text]


def test_a_tar_in_gzip_whose_name_says_so_is_named(tmp_path: Path) -> None:
    (tmp_path / "export.tar.gz").write_bytes(gzip.compress(tarred()))

    with pytest.raises(SourceError, match=r"export\.tar\.gz looks like a tar archive"):
        read(Source(uri=f"{tmp_path}/export.tar.gz", format="lines"), tmp_path)


def test_a_zero_byte_here_and_there_is_a_blank(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"one\x00two\n" + b"a line without\n" * 20 + b"three\x00\n")

    found = read(Source(uri=f"{tmp_path}/x", format="lines"), tmp_path)

    assert found.texts[0] == "one two"
    assert found.texts[-1] == "three"
