"""Every record of a source is a document or a reject, in every format."""

from __future__ import annotations

import gzip
import json
import sqlite3
import uuid
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nightsort.classifier_spec.source import FORMATS, LabelledSource, Source
from nightsort.sources import documents
from nightsort.sources.documents import (
    LABELLED_SCHEMA,
    READERS,
    SCHEMA,
    join_small_blocks,
    read_documents,
)
from nightsort.sources.rejects import RejectLog
from nightsort.sources.row_blocks import BadRow, RawRows
from nightsort.sources.source_files import SourceError
from nightsort.storage import Access, plain_access
from tests.unit.nightsort.document_reading import read

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path


def test_every_format_of_the_spec_has_a_reader() -> None:
    assert set(READERS) == set(FORMATS)


def test_csv_with_ids(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(
        b"id,text,other\nT-1,hello,1\nT-2,  \n,nameless,3\nT-4,\xff,4\nT-5,last,5\n"
    )

    found = read(Source(uri=f"{tmp_path}/x.csv", format="csv", id_column="id"), tmp_path)

    assert [(d["document_id"], d["text"], d["row"]) for d in found.documents] == [
        ("T-1", "hello", 0),
        ("T-5", "last", 4),
    ]
    assert found.reasons == [
        ("x.csv", 1, "unreadable_row"),
        ("x.csv", 2, "missing_id"),
        ("x.csv", 3, "invalid_utf8"),
    ]
    assert [reject["document_id"] for reject in found.rejects] == ["x.csv:1", "x.csv:2", "T-4"]


def test_tsv_without_header(tmp_path: Path) -> None:
    (tmp_path / "x.tsv").write_text('a\tone, "two"\nb\t"three\tfour"\n')
    source = LabelledSource(uri=f"{tmp_path}/x.tsv", format="tsv", header=False, columns=("label", "text"))

    found = read(source, tmp_path)

    assert [(d["labels"], d["text"]) for d in found.documents] == [
        (["a"], 'one, "two"'),
        (["b"], "three four"),
    ]


def test_without_an_id_column_documents_are_named_by_file_and_row(tmp_path: Path) -> None:
    for name in ("a/x.csv", "b/x.csv"):
        (tmp_path / "in" / name).parent.mkdir(parents=True)
        (tmp_path / "in" / name).write_text("text\none\ntwo\n")

    found = read(Source(uri=f"{tmp_path}/in/", format="csv"), tmp_path)

    assert [d["document_id"] for d in found.documents] == ["a/x.csv:0", "a/x.csv:1", "b/x.csv:0", "b/x.csv:1"]


def test_of_documents_with_one_id_the_first_that_can_be_used_wins(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text('id,text\nA," "\nB,first\nA,usable\n')
    (tmp_path / "2.csv").write_text("id,text\nB,again\n A ,again\nC,new\n")

    found = read(Source(uri=f"{tmp_path}/*.csv", format="csv", id_column="id"), tmp_path)

    assert [(d["document_id"], d["text"]) for d in found.documents] == [
        ("B", "first"),
        ("A", "usable"),
        ("C", "new"),
    ]
    assert found.reasons == [
        ("1.csv", 0, "blank"),
        ("2.csv", 0, "duplicate_id"),
        ("2.csv", 1, "duplicate_id"),
    ]


def test_labelled_documents_may_share_an_id(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("id,label,text\nA,x,one\nA,y,two\n")

    found = read(LabelledSource(uri=f"{tmp_path}/x.csv", format="csv", id_column="id"), tmp_path)

    assert found.texts == ["one", "two"]


def test_an_id_longer_than_the_tables_can_index_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(f"id,text\n{'x' * 1_001},a\n{'x' * 1_000},b\n")

    found = read(Source(uri=f"{tmp_path}/x.csv", format="csv", id_column="id"), tmp_path)

    assert found.texts == ["b"]
    assert found.reasons == [("x.csv", 0, "id_too_long")]


def test_json_lines(tmp_path: Path) -> None:
    lines = [{"key": 1, "body": "a\nb"}, {"key": "k2", "body": "\u2028c"}, {"key": 1, "body": "d"}]
    data = "\n".join(map(json.dumps, lines)).encode() + b'\n{"key": "k3", "body": "\xff"}\n'
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress(data))

    found = read(
        Source(uri=f"{tmp_path}/", format="jsonl", id_column="key", text_column="body"), tmp_path / ".."
    )

    assert [(d["document_id"], d["text"]) for d in found.documents] == [("1", "a b"), ("k2", "c")]
    assert found.reasons == [("x.jsonl.gz", 2, "duplicate_id"), ("x.jsonl.gz", 3, "invalid_utf8")]


@pytest.mark.parametrize("large", [False, True])
def test_parquet(tmp_path: Path, large: bool) -> None:
    text = pa.large_string() if large else pa.string()
    labels = pa.large_list(text) if large else pa.list_(text)
    table = pa.table(
        {
            "id": pa.array([10, 11, 12, None]),
            "text": pa.array(["one", None, "three", "four"], text),
            "label": pa.array([["a", "b"], ["a"], None, ["b"]], labels),
        }
    )
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=2)
    source = LabelledSource(uri=f"{tmp_path}/x.parquet", format="parquet", id_column="id")

    found = read(source, tmp_path, mode="MULTI_LABEL", delimiter="|")

    assert [(d["document_id"], d["labels"], d["row"]) for d in found.documents] == [("10", ["a", "b"], 0)]
    assert found.reasons == [
        ("x.parquet", 1, "blank"),
        ("x.parquet", 2, "no_label"),
        ("x.parquet", 3, "missing_id"),
    ]


def test_parquet_with_dictionaries(tmp_path: Path) -> None:
    table = pa.table({"text": pa.array(["one", "two"]), "label": pa.array(["a", "b"]).dictionary_encode()})
    pq.write_table(table, tmp_path / "x.parquet")

    found = read(LabelledSource(uri=f"{tmp_path}/x.parquet", format="parquet"), tmp_path)

    assert [d["labels"] for d in found.documents] == [["a"], ["b"]]


def test_lines(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes('one\r\n\ntwo, "three"\u0085x\rlast'.encode())

    found = read(Source(uri=f"{tmp_path}/x.txt", format="lines"), tmp_path)

    assert [(d["document_id"], d["text"]) for d in found.documents] == [
        ("x.txt:0", "one"),
        ("x.txt:2", 'two, "three" x last'),
    ]
    assert found.reasons == [("x.txt", 1, "blank")]


def test_files_are_named_by_their_path_and_labelled_by_their_folder(tmp_path: Path) -> None:
    for name, data in {"billing/1.txt": b"pay\nme", "bug/1.txt": b"", "0.txt": b"no folder"}.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(data)

    labelled = read(LabelledSource(uri=f"{tmp_path}/in/", format="files"), tmp_path)
    incoming = read(Source(uri=f"{tmp_path}/in/", format="files"), tmp_path)

    assert [(d["document_id"], d["text"], d["labels"]) for d in labelled.documents] == [
        ("billing/1.txt", "pay me", ["billing"])
    ]
    assert labelled.reasons == [("0.txt", 0, "no_label"), ("bug/1.txt", 0, "blank")]
    assert [d["document_id"] for d in incoming.documents] == ["0.txt", "billing/1.txt"]
    assert [reject["document_id"] for reject in incoming.rejects] == ["bug/1.txt"]


def test_files_whose_names_are_the_same_once_they_are_cleaned_are_no_two_documents(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a\nb.txt", "a b.txt", "a\tb.txt"):
        (tmp_path / "in" / name).write_text(f"text of {name!r}")

    found = read(Source(uri=f"{tmp_path}/in/", format="files"), tmp_path)

    assert [(d["document_id"], d["file"]) for d in found.documents] == [("a b.txt", "a\tb.txt")]
    assert found.reasons == [("a\nb.txt", 0, "duplicate_id"), ("a b.txt", 0, "duplicate_id")]


def test_a_file_larger_than_a_document_may_be_is_rejected_unread(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "large.txt").write_bytes(b"x" * 10_000_001)
    (tmp_path / "in" / "largest.txt").write_bytes(b"x" * 10_000_000)

    found = read(Source(uri=f"{tmp_path}/in/", format="files"), tmp_path)

    assert [d["document_id"] for d in found.documents] == ["largest.txt"]
    assert found.reasons == [("large.txt", 0, "too_large")]


@contextmanager
def tickets(conn_id: str) -> Iterator[sqlite3.Connection]:
    assert conn_id == "tickets_db"
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE tickets (id, body, label, day)")
    rows: list[tuple[Any, ...]] = [(n, f"ticket {n}", "ab"[n % 2], "2026-11-18") for n in range(5_000)]
    rows += [("x", None, "a", "2026-11-18"), ("y", 5, "a", "2026-11-18"), ("z", "old", "a", "2026-11-17")]
    connection.executemany("INSERT INTO tickets VALUES (?, ?, ?, ?)", rows)
    yield connection
    connection.close()


def test_a_query(tmp_path: Path) -> None:
    source = LabelledSource(
        sql="SELECT id, body, label FROM tickets WHERE day = '{day}' ORDER BY rowid",
        conn_id="tickets_db",
        id_column="id",
        text_column="body",
    )

    found = read(source, tmp_path, day=date(2026, 11, 18), access=Access(plain_access().path, tickets))

    assert found.texts == [f"ticket {n}" for n in range(5_000)]
    assert found.documents[4_999]["labels"] == ["b"]
    assert [(r["document_id"], r["reason"]) for r in found.rejects] == [
        ("x", "blank"),
        ("y", "unreadable_row"),
    ]


def test_a_query_without_the_column_names_those_it_has(tmp_path: Path) -> None:
    source = Source(sql="SELECT id, body FROM tickets", conn_id="tickets_db", id_column="id")

    with pytest.raises(SourceError, match='no column "text"; its columns are: id, body'):
        read(source, tmp_path, access=Access(plain_access().path, tickets))


def test_a_query_needs_a_connection(tmp_path: Path) -> None:
    source = Source(sql="SELECT 1", conn_id="db", id_column="id")

    with pytest.raises(SourceError, match="needs a database connection"):
        read(source, tmp_path)


def test_another_uri_can_take_the_place_of_the_specs(tmp_path: Path) -> None:
    (tmp_path / "2026-11-18.csv").write_text("text\nother\n")
    source = Source(uri="s3://bucket/{day}/", format="csv")

    found = read(source, tmp_path, day=date(2026, 11, 18), uri=f"{tmp_path}/{{day}}.csv")

    assert found.texts == ["other"]


def test_a_query_has_no_uri_to_replace(tmp_path: Path) -> None:
    source = Source(sql="SELECT 1", conn_id="db", id_column="id")

    with pytest.raises(SourceError, match="cannot take the place of a query"):
        read(source, tmp_path, uri="s3://bucket/x/")


def test_a_source_of_a_day_asks_for_the_day(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no day was given"):
        read(Source(uri=f"{tmp_path}/{{day}}.csv", format="csv"), tmp_path)


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet", "lines"])
@pytest.mark.parametrize("name", ["x", "x.gz", "x.zst"])
def test_an_empty_file_holds_no_documents(tmp_path: Path, kind: Any, name: str) -> None:
    if kind == "parquet" and name != "x":
        name = "y"
    (tmp_path / name).write_bytes(
        b"" if "." not in name else gzip.compress(b"") if "gz" in name else ZSTD_OF_NOTHING
    )

    found = read(Source(uri=f"{tmp_path}/{name}", format=kind), tmp_path)

    assert (found.documents, found.rejects) == ([], [])


ZSTD_OF_NOTHING = bytes(pa.Codec("zstd").compress(b""))


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "lines", "files"])
def test_an_empty_prefix_holds_no_documents(tmp_path: Path, kind: Any) -> None:
    found = read(Source(uri=f"{tmp_path}/none/", format=kind), tmp_path)

    assert (found.documents, found.rejects) == ([], [])


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("x.parquet", b"no parquet at all", "is not a Parquet file: it looks like text"),
        ("x.parquet", b"PAR1 with nothing behind it", "is not a Parquet file, or is damaged"),
        ("x.parquet.gz", gzip.compress(b"PAR1", mtime=0), "compresses by itself"),
    ],
)
def test_a_file_that_is_no_parquet_is_an_error(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(data)

    with pytest.raises(SourceError, match=says):
        read(Source(uri=f"{tmp_path}/{name}", format="parquet"), tmp_path)


def test_a_parquet_text_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": [1.5]}), tmp_path / "x.parquet")

    with pytest.raises(SourceError, match="has the type double; it must be text"):
        read(Source(uri=f"{tmp_path}/x.parquet", format="parquet"), tmp_path)


def test_a_source_that_is_made_of_rejects_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "MOST_REJECTS", 100)
    (tmp_path / "good.txt").write_text("one\n" * 150 + " \n" * 101)
    (tmp_path / "bad.txt").write_text("one\n" * 100 + " \n" * 101)

    assert len(read(Source(uri=f"{tmp_path}/good.txt", format="lines"), tmp_path).rejects) == 101
    with pytest.raises(SourceError) as caught:
        read(Source(uri=f"{tmp_path}/bad.txt", format="lines"), tmp_path)

    assert "101 of the first 201 documents cannot be used, 101 of them as blank" in str(caught.value)
    assert str(caught.value).endswith("The last of them is in bad.txt")


def test_batches_have_the_promised_columns(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("label,text\na,one\n")

    for source, schema in (
        (Source(uri=f"{tmp_path}/x.csv", format="csv"), SCHEMA),
        (LabelledSource(uri=f"{tmp_path}/x.csv", format="csv"), LABELLED_SCHEMA),
    ):
        with RejectLog(tmp_path / "r") as rejects:
            batches = list(
                read_documents(
                    source,
                    plain_access(),
                    mode="MULTI_CLASS",
                    label_delimiter=None,
                    day=None,
                    rejects=rejects,
                )
            )
        assert [batch.schema for batch in batches] == [schema]


def test_progress_counts_every_record(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("text\none\n \ntwo\nx,y\n")
    told: list[tuple[str, int]] = []

    with RejectLog(tmp_path / "r") as rejects:
        for _ in read_documents(
            Source(uri=f"{tmp_path}/x.csv", format="csv"),
            plain_access(),
            mode="MULTI_CLASS",
            label_delimiter=None,
            day=None,
            rejects=rejects,
            progress=lambda what, count: told.append((what, count)),
        ):
            pass

    assert told == [("reading documents", 4)]


def test_a_reader_that_stops_early_leaves_nothing_open(tmp_path: Path) -> None:
    closed = []

    @contextmanager
    def noting(conn_id: str) -> Iterator[sqlite3.Connection]:
        try:
            with tickets(conn_id) as connection:
                yield connection
        finally:
            closed.append(conn_id)

    source = Source(
        sql="SELECT id, body FROM tickets", conn_id="tickets_db", id_column="id", text_column="body"
    )
    with RejectLog(tmp_path / "r") as rejects:
        stream = read_documents(
            source,
            Access(plain_access().path, noting),
            mode="MULTI_CLASS",
            label_delimiter=None,
            day=None,
            rejects=rejects,
        )
        next(stream)
        stream.close()  # type: ignore[attr-defined]

    assert closed == ["tickets_db"]


def packed(data: bytes, name: str) -> bytes:
    if name.endswith(".gz"):
        return gzip.compress(data)
    return bytes(pa.Codec("zstd").compress(data)) if name.endswith(".zst") else data


PACKED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\x00")


# 40 files of each kind and packing: 3 s in all. How rows end is tried out in depth where each format is read.
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.binary(max_size=200) | st.text('a",\n\r|{}[]:\x00é', max_size=100).map(str.encode),
    cut=st.none() | st.integers(1, 12),
)
@pytest.mark.parametrize("name", ["in/x", "in/x.gz", "in/x.zst"])
@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "lines", "files", "parquet"])
def test_whatever_the_bytes_each_row_is_a_document_or_a_reject_or_the_file_is_named(
    tmp_path: Path, kind: Any, name: str, data: bytes, cut: int | None
) -> None:
    marker = uuid.uuid4().hex
    content = data.replace(b"a", marker.encode())
    if kind == "jsonl":
        content = b'{"text": "first"}\n' + content
    (tmp_path / "in").mkdir(exist_ok=True)
    stored = packed(content, name)
    stored = stored[:-cut] if cut else stored
    (tmp_path / name).write_bytes(stored)
    keys: dict[str, Any] = {"header": False, "columns": ("text", "label")} if kind in ("csv", "tsv") else {}
    uri = f"{tmp_path}/in/" if kind == "files" else f"{tmp_path}/{name}"

    problem = ""
    try:
        found = read(Source(uri=uri, format=kind, **keys), tmp_path)
    except SourceError as error:
        problem = str(error)
    (tmp_path / name).unlink()

    if problem:
        damaged = (cut and name != "in/x") or stored.startswith(PACKED)
        assert kind == "parquet" or damaged or " looks like " in problem or "delimiter" in problem
        assert str(tmp_path / name) in problem
        assert marker not in problem
        return
    rows = sorted([d["row"] for d in found.documents] + [r["row"] for r in found.rejects])
    assert rows == list(range(len(rows)))
    assert marker not in json.dumps(found.rejects)
    if kind == "lines" and not content.startswith((b"\xff\xfe", b"\xfe\xff")) and b"\x00" not in content:
        text = content[:-cut] if cut and name == "in/x" else content if stored else b""
        text = text.removeprefix(b"\xef\xbb\xbf")
        assert len(rows) == text.count(b"\n") + (bool(text) and not text.endswith(b"\n"))


def raw_rows(file: str, *texts: str, row: int = 0) -> RawRows:
    return RawRows(file, np.arange(row, row + len(texts)), pa.array(texts))


def test_rows_of_small_files_are_joined_in_their_order() -> None:
    bad = RawRows.only_bad("c", BadRow(0, "damaged"))
    binary = RawRows("e", np.arange(1), pa.array([b"6"]))

    def stream() -> Generator[RawRows, None, None]:
        yield from (
            raw_rows("a", "1", "2"),
            raw_rows("b", "3"),
            bad,
            raw_rows("c", "4", row=1),
            raw_rows("d", "5"),
            binary,
        )

    found = list(join_small_blocks(stream()))

    assert [len(rows) for rows in found] == [3, 0, 2, 1]
    assert found[0].files.to_pylist() == ["a", "a", "b"]
    assert found[0].texts.to_pylist() == ["1", "2", "3"]
    assert found[0].rows.tolist() == [0, 1, 0]
    assert found[1] is bad
    assert found[2].rows.tolist() == [1, 0]
    assert found[3] is binary


def test_joined_rows_are_not_more_than_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "_ENOUGH_ROWS", 3)

    found = join_small_blocks(raw_rows(str(number), "text") for number in range(8))

    assert [len(rows) for rows in found] == [3, 3, 2]
