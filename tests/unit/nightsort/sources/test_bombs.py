"""A small file never takes much memory: it is read in pieces, or given up by name."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nightsort.arrow.columns import from_numpy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PEAK_MB = 400
"""Reading anything takes some 250 MB, a third of it for the libraries."""

READ = """
import json, sys
from pathlib import Path
from nightsort.classifier_spec.source import LabelledSource, Source
from nightsort.errors import NightsortError
from nightsort.sources.documents import read_documents
from nightsort.sources.rejects import RejectLog
from nightsort.storage import plain_access

keys = json.loads(sys.argv[1])
source = (LabelledSource if keys.pop("labelled", False) else Source)(**keys)
documents, problem = 0, ""
with RejectLog(Path(sys.argv[2])) as rejects:
    try:
        for batch in read_documents(
            source, plain_access(), day=None, rejects=rejects, mode="MULTI_LABEL", label_delimiter="|"
        ):
            documents += len(batch)
    except NightsortError as error:
        problem = str(error)
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(json.dumps([documents, rejects.counts, problem, int(peak.split()[1]) // 1024]))
"""


@dataclass(frozen=True)
class Bomb:
    """A file, and what becomes of it: an error with these words, or these documents and rejects."""

    format: str
    write: Callable[[Path], object]
    problem: str = ""
    documents: int = 0
    rejects: dict[str, int] = field(default_factory=dict)
    keys: dict[str, Any] = field(default_factory=dict)
    name: str = "x"


def repeated(piece: bytes, times: int, pack: Callable[[bytes], bytes] = bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(pack(piece * times))


def zstd(data: bytes) -> bytes:
    return bytes(pa.compress(data, "zstd"))


def in_parts(data: bytes, times: int, pack: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    """Many packed streams one after the other unpack to one text; making them takes no memory."""
    return lambda path: path.write_bytes(pack(data) * times)


def greedy_xz(data: bytes) -> bytes:
    """A header that asks for 4 GB to unpack what follows."""
    packed = bytearray(lzma.compress(data, lzma.FORMAT_ALONE))
    packed[1:5] = b"\xff\xff\xff\xff"
    return bytes(packed)


def parquet(table: Callable[[], Any], **settings: Any) -> Callable[[Path], object]:
    return lambda path: pq.write_table(table(), path, **settings)


def same_texts(count: int) -> Callable[[], Any]:
    dictionary = pa.array(["x" * 1_000_000])
    indices = from_numpy(np.zeros(count, np.int32))
    return lambda: pa.table({"text": pa.DictionaryArray.from_arrays(indices, dictionary)})


def many_labels(count: int) -> Callable[[], Any]:
    labels = pa.ListArray.from_arrays(
        pa.array([0, count], pa.int32()), pa.array(["a"]).take(from_numpy(np.zeros(count, np.int32)))
    )
    return lambda: pa.table({"text": ["one"], "label": labels})


def large_label(labels: int, rows: int) -> Callable[[], Any]:
    values = pa.DictionaryArray.from_arrays(
        from_numpy(np.zeros(labels * rows, np.int32)), pa.array(["x" * 1_000_000])
    )
    offsets = from_numpy(np.arange(rows + 1, dtype=np.int32) * labels)
    return lambda: pa.table({"text": ["one"] * rows, "label": pa.ListArray.from_arrays(offsets, values)})


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", b"text\n" + b"a\n" * 5_000_000)


MB = 1_000_000
LABELS = {"labelled": True}
BOMBS = {
    "lines of nothing, zstd": Bomb("lines", repeated(b"\n", 9 * MB, zstd), "as blank", name="x.zst"),
    "lines of nothing, gzip": Bomb("lines", in_parts(b"\n" * MB, 9, gzip.compress), "as blank"),
    "lines of nothing, bzip2": Bomb("lines", in_parts(b"\n" * MB, 9, bz2.compress), "as blank"),
    "lines of nothing, xz": Bomb("lines", in_parts(b"\n" * MB, 9, lzma.compress), "as blank"),
    "lines of nothing": Bomb("lines", repeated(b"\n", 9 * MB), "as blank"),
    "carriage returns": Bomb(
        "csv", repeated(b"a,\r", 3 * MB), "as blank", keys={"header": False, "columns": ["id", "text"]}
    ),
    "a line of 2 GB, gzip": Bomb("lines", in_parts(bytes(MB), 2_000, gzip.compress), "looks like a binary"),
    "a line of 2 GB of blanks": Bomb(
        "lines", in_parts(b" " * MB, 2_000, zstd), "packs 500 times", name="x.zst"
    ),
    "lines of blanks, bzip2": Bomb(
        "lines", in_parts((b" " * 99 + b"\n") * 9_000, 400, bz2.compress), "packs 500 times"
    ),
    "xz that asks for 4 GB": Bomb("lines", repeated(b"one\n", 9, greedy_xz), "limit", name="x.xz"),
    "a document of 2 GB": Bomb("files", in_parts(b"x" * MB, 2_000, zstd), rejects={"too_large": 1}),
    "csv of empty rows": Bomb(
        "csv", lambda path: path.write_bytes(b"text,b\n" + b",\n" * 4 * MB), "as blank"
    ),
    "csv of damaged rows": Bomb(
        "csv", lambda path: path.write_bytes(b"text,b\n" + b"a\n" * 4 * MB), "as unreadable_row"
    ),
    "csv of quotes": Bomb(
        "csv", lambda path: path.write_bytes(b"text,b\n" + b'"' * 60 * MB), rejects={"unreadable_row": 1}
    ),
    "csv of open quotes": Bomb(
        "csv", lambda path: path.write_bytes(b"text,b\n" + b'"a,b\n' * 2 * MB), "as unreadable_row"
    ),
    "csv with five million columns": Bomb("csv", repeated(b"a,", 5 * MB), "columns"),
    "csv with one row of 39 MB": Bomb(
        "csv",
        lambda path: path.write_bytes(b"text,b\n" + b"x" * 39 * MB + b",c\nfine,d\n"),
        documents=1,
        rejects={"too_large": 1},
    ),
    "csv with one row of 390 MB": Bomb(
        "csv",
        lambda path: path.write_bytes(b"text,b\n" + b"x" * 390 * MB + b",c\nfine,d\n"),
        documents=1,
        rejects={"unreadable_row": 1},
    ),
    "json of empty objects": Bomb("jsonl", repeated(b"{}\n", 4 * MB), "as blank"),
    "json of damaged lines": Bomb("jsonl", repeated(b"{x\n", 4 * MB), "as unreadable_row"),
    "json of empty objects on one line": Bomb("jsonl", repeated(b"{}", 4 * MB), "as blank"),
    "json that is deep": Bomb(
        "jsonl",
        lambda path: path.write_bytes(b'{"text": "one"}\n' + b"[" * 30 * MB + b"\n"),
        documents=1,
        rejects={"unreadable_row": 1},
    ),
    "json whose objects are deep": Bomb(
        "jsonl",
        lambda path: path.write_bytes(b'{"text": "one"}\n' + b'{"a":' * 6 * MB + b"\n"),
        documents=1,
        rejects={"unreadable_row": 1},
    ),
    "json that is wide": Bomb(
        "jsonl",
        lambda path: path.write_bytes(
            b'{"text": "one"}\n{"text": "two"' + b"".join(b',"%d":1' % n for n in range(3 * MB)) + b"}\n"
        ),
        documents=2,
    ),
    "parquet that repeats a text": Bomb("parquet", parquet(same_texts(1_000)), "packs 500 times"),
    "parquet that repeats a text more often": Bomb("parquet", parquet(same_texts(3_000)), "packs 500 times"),
    "parquet that repeats a text, without Arrow's schema": Bomb(
        "parquet", parquet(same_texts(1_000), store_schema=False), "packs 500 times"
    ),
    "parquet with a page of 300 MB": Bomb(
        "parquet",
        parquet(lambda: pa.table({"text": ["x" * MB] * 300}), use_dictionary=False, compression="zstd"),
        "packs 500 times",
    ),
    "parquet that repeats a text as a delta": Bomb(
        "parquet",
        parquet(
            lambda: pa.table({"text": ["x" * MB] * 1_000}),
            use_dictionary=False,
            column_encoding={"text": "DELTA_BYTE_ARRAY"},
            compression="none",
        ),
        "packs 500 times",
    ),
    "parquet that repeats a text as a packed delta": Bomb(
        "parquet",
        parquet(
            lambda: pa.table({"text": ["x" * 10 * MB] * 100}),
            use_dictionary=False,
            column_encoding={"text": "DELTA_BYTE_ARRAY"},
            compression="zstd",
        ),
        "packs 500 times",
    ),
    "parquet that repeats a label in lists": Bomb(
        "parquet", parquet(large_label(1_000, 20)), "has a label of 1,000,000 bytes", keys=LABELS
    ),
    "parquet packed by brotli": Bomb(
        "parquet", parquet(same_texts(1_000), compression="brotli"), "packs 500 times"
    ),
    "parquet packed by lz4": Bomb(
        "parquet", parquet(same_texts(1_000), compression="lz4"), "packs 500 times"
    ),
    "gzip in gzip": Bomb(
        "lines", lambda path: path.write_bytes(gzip.compress(gzip.compress(b"\n" * 50 * MB))), "packed twice"
    ),
    "zip": Bomb("csv", zipped, "unpack it, and store the files in it"),
    "tsv of empty rows": Bomb(
        "tsv", lambda path: path.write_bytes(b"text\tb\n" + b"\t\n" * 4 * MB), "as blank"
    ),
    "tsv with five million columns": Bomb("tsv", repeated(b"a\t", 5 * MB), "columns"),
    "utf-16 of empty lines": Bomb(
        "lines",
        in_parts("\n".encode("utf-16-le") * MB, 9, gzip.compress),
        "as blank",
        keys={"encoding": "utf-16-le"},
    ),
    "parquet of nothing": Bomb(
        "parquet", parquet(lambda: pa.table({"text": pa.nulls(9 * MB, pa.string())})), "as blank"
    ),
    "parquet with ten million labels": Bomb(
        "parquet", parquet(many_labels(10 * MB)), "labels a document", keys=LABELS
    ),
    "csv with ten million labels": Bomb(
        "csv",
        lambda path: path.write_bytes(b"text,label\none," + b"a|" * 10 * MB + b"\ntwo,b\n"),
        documents=1,
        rejects={"too_many_labels": 1},
        keys=LABELS,
    ),
    "csv with three million different labels": Bomb(
        "csv",
        lambda path: path.write_bytes(
            b"text,label\none," + b"|".join(b"%d" % n for n in range(3 * MB)) + b"\n"
        ),
        rejects={"too_many_labels": 1},
        keys=LABELS,
    ),
    "json with ten million labels": Bomb(
        "jsonl",
        lambda path: path.write_bytes(
            b'{"text": "one", "label": ["a"' + b',"a"' * 9 * MB + b']}\n{"text": "two", "label": ["b"]}\n'
        ),
        documents=1,
        rejects={"unreadable_row": 1},
        keys=LABELS,
    ),
}


# Each takes seconds, and a process of its own, whose peak no other reading hides.
@pytest.mark.slow
@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_small_file_takes_little_memory(tmp_path: Path, bomb: Bomb) -> None:
    (tmp_path / "in").mkdir()
    bomb.write(tmp_path / "in" / bomb.name)
    keys = {"uri": f"{tmp_path}/in/", "format": bomb.format, **bomb.keys}

    done = subprocess.run(
        [sys.executable, "-c", READ, json.dumps(keys), str(tmp_path / "rejects.jsonl")],
        capture_output=True,
        text=True,
        check=True,
    )

    documents, rejects, problem, peak = json.loads(done.stdout)
    print(f"{sum(file.stat().st_size for file in (tmp_path / 'in').iterdir()):,} bytes: {peak} MB")
    assert peak < PEAK_MB
    assert bomb.problem in problem
    if not bomb.problem:
        assert (documents, rejects, problem) == (bomb.documents, bomb.rejects, "")
    assert (tmp_path / "rejects.jsonl").stat().st_size < 400 * MB
