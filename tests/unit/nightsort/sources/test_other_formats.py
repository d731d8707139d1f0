"""Parquet, lines, files and queries give raw rows in their order."""

from __future__ import annotations

import io
import sqlite3
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightsort.sources import other_formats
from nightsort.sources.other_formats import read_files, read_lines, read_parquet, read_query
from nightsort.sources.raw_documents import Wanted
from nightsort.sources.source_files import SourceError, list_files
from nightsort.storage import plain_access

if TYPE_CHECKING:
    from pathlib import Path


def test_rows_of_parquet_are_numbered_through_all_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_formats, "PARQUET_ROWS", 3)
    file = io.BytesIO()
    pq.write_table(pa.table({"text": [f"t{n}" for n in range(10)]}), file, row_group_size=4)
    file.seek(0)

    parts = list(read_parquet(file, file="x", where="s3://b/x", wanted=Wanted("text")))

    assert [row for part in parts for row in part.rows.tolist()] == list(range(10))
    assert [text for part in parts for text in part.texts.to_pylist()] == [
        f"t{n}".encode() for n in range(10)
    ]


def test_large_texts_of_parquet_come_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_formats, "CHUNK_BYTES", 5_000)
    file = io.BytesIO()
    texts = [np.random.default_rng(n).bytes(1_000) for n in range(20)]
    pq.write_table(pa.table({"text": texts}), file)
    file.seek(0)

    parts = list(read_parquet(file, file="x", where="s3://b/x", wanted=Wanted("text")))

    assert max(len(part.rows) for part in parts) <= 5
    assert [text for part in parts for text in part.texts.to_pylist()] == texts


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["a", "b"]).dictionary_encode(),
        pa.array([b"a", b"b"]),
        pa.array(["a", "b"], pa.large_string()),
    ],
)
def test_texts_of_parquet_come_in_several_types(column: Any) -> None:
    file = io.BytesIO()
    pq.write_table(pa.table({"text": column}), file)
    file.seek(0)

    (part,) = read_parquet(file, file="x", where="s3://b/x", wanted=Wanted("text"))

    assert part.texts.to_pylist() == [b"a", b"b"]


def parquet_file(compression: str) -> bytes:
    file = io.BytesIO()
    columns = {"id": range(40), "text": [f"text {n}" for n in range(40)], "label": [["a", "b"]] * 40}
    pq.write_table(pa.table(columns), file, row_group_size=15, compression=compression)
    return file.getvalue()


PARQUET_FILES = [parquet_file("none"), parquet_file("snappy")]


# 200 damaged files: 1 s.
@settings(max_examples=200)
@given(
    st.sampled_from(PARQUET_FILES),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=3),
    st.integers(0, 3_000),
)
def test_whatever_is_wrong_with_a_parquet_file_it_is_read_or_named(
    good: bytes, damage: list[tuple[float, int]], cut: int
) -> None:
    data = bytearray(good[: len(good) - cut // 10] if cut > 2_000 else good)
    for place, value in damage:
        data[int(place * len(data))] = value
    wanted = Wanted("text", "id", "label")
    parts = []
    problem = ""
    try:
        parts += read_parquet(io.BytesIO(bytes(data)), file="x", where="s3://b/x", wanted=wanted)
    except SourceError as error:
        problem = str(error)
    assert problem.startswith("s3://b/x") or not problem
    assert "text 1" not in problem
    rows = [row for part in parts for row in part.rows.tolist()]
    assert rows == list(range(len(rows)))


def test_an_error_of_the_storage_is_not_taken_for_damage() -> None:
    class Lost(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise ConnectionResetError(104, "reset by peer")

    with pytest.raises(ConnectionResetError):
        list(read_parquet(Lost(b"x"), file="x", where="s3://b/x", wanted=Wanted("text")))

    class Failing(io.BytesIO):
        def seek(self, offset: int, whence: int = 0) -> int:
            if offset:
                raise OSError(5, "Input/output error")
            return super().seek(offset, whence)

    with pytest.raises(OSError, match="Input/output"):
        list(read_parquet(Failing(PARQUET_FILES[0]), file="x", where="s3://b/x", wanted=Wanted("text")))


def test_a_last_line_needs_no_line_end() -> None:
    (part,) = read_lines(io.BytesIO(b"a\nb"), file="x")

    assert [text.strip() for text in part.texts.to_pylist()] == [b"a", b"b"]


def test_many_files_come_in_the_order_of_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_formats, "FILES_PER_BATCH", 7)
    for number in range(50):
        (tmp_path / f"{number:02d}.txt").write_text(f"text {number}")

    parts = list(read_files(list_files(f"{tmp_path}/", plain_access()), plain_access(), labelled=False))

    assert [text.decode() for part in parts for text in part.texts.to_pylist()] == [
        f"text {n}" for n in range(50)
    ]
    assert max(len(part.rows) for part in parts) == 7


def rows(*records: tuple[Any, ...], connection: Any = None) -> Any:
    connection = connection or sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (id, text, label)")
    connection.executemany("INSERT INTO t VALUES (?, ?, ?)", records)
    wanted = Wanted("text", "id", "label")
    return list(read_query(connection, "SELECT * FROM t ORDER BY rowid", wanted=wanted, delimiter="|"))


def test_rows_of_a_query_come_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_formats, "QUERY_ROWS", 2)

    parts = rows((1, "a", "x|y"), ("k", b"b", "x"), (None, None, None))

    assert [part.ids.to_pylist() for part in parts] == [[b"1", b"k"], [b""]]
    assert [part.texts.to_pylist() for part in parts] == [[b"a", b"b"], [b""]]
    assert [part.labels.to_pylist() for part in parts] == [[["x", "y"], ["x"]], [[""]]]
    assert [part.rows.tolist() for part in parts] == [[0, 1], [2]]


def test_large_rows_of_a_query_are_fetched_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_formats, "QUERY_ROWS", 8)
    monkeypatch.setattr(other_formats, "CHUNK_BYTES", 5_000)

    parts = rows(*((number, "x" * 2_000, "a") for number in range(20)))

    assert [len(part.rows) for part in parts] == [8, 2, 2, 2, 2, 2, 2]
    assert [row for part in parts for row in part.rows.tolist()] == list(range(20))


def test_a_row_of_another_type_costs_only_itself() -> None:
    (part,) = rows((1, "a", "x"), (2, 1.5, "x"), (3, "c", 1.5))

    assert part.texts.to_pylist() == [b"a"]
    assert [(bad.row, bad.document_id, bad.detail) for bad in part.bad] == [
        (1, "2", "column 2 is of type float; cast it to text"),
        (2, "3", "column 3 is of type float; cast it to text"),
    ]


def test_a_driver_with_cursors_on_the_server_is_asked_for_one() -> None:
    class Cursor:
        description = (("id",), ("text",))

        def __init__(self, name: str) -> None:
            self.name = name
            self.left = [[(Decimal(1), "a")], []]

        def execute(self, sql: str) -> None:
            assert sql == "SELECT 1"

        def fetchmany(self, count: int) -> list[tuple[Any, ...]]:
            assert count == other_formats.QUERY_ROWS
            return self.left.pop(0)

        def close(self) -> None:
            names.append(self.name)

    class Connection:
        def cursor(self, *, name: str) -> Cursor:
            return Cursor(name)

    names: list[str] = []
    (part,) = read_query(Connection(), "SELECT 1", wanted=Wanted("text", "id"), delimiter=None)

    assert part.ids is not None
    assert part.ids.to_pylist() == [b"1"]
    assert names == ["nightsort_documents"]
