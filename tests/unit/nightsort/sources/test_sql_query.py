"""The rows of a query are read in their order; a row of another type costs only itself."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest

from nightsort.sources import sql_query
from nightsort.sources.row_blocks import ColumnSelection
from nightsort.sources.source_files import SourceError
from nightsort.sources.sql_query import read_query

if TYPE_CHECKING:
    from pathlib import Path


def rows(*records: tuple[Any, ...], connection: Any = None) -> Any:
    connection = connection or sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (id, text, label)")
    connection.executemany("INSERT INTO t VALUES (?, ?, ?)", records)
    selection = ColumnSelection("text", "id", "label", label_delimiter="|")
    return list(read_query(connection, "SELECT * FROM t ORDER BY rowid", selection))


def test_rows_of_a_query_come_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_query, "QUERY_ROWS", 2)

    parts = rows((1, "a", "x|y"), ("k", b"b", "x"), (None, None, None))

    assert [part.ids.to_pylist() for part in parts] == [[b"1", b"k"], [b""]]
    assert [part.texts.to_pylist() for part in parts] == [[b"a", b"b"], [b""]]
    assert [part.labels.to_pylist() for part in parts] == [[["x", "y"], ["x"]], [[""]]]
    assert [part.rows.tolist() for part in parts] == [[0, 1], [2]]


def test_large_rows_of_a_query_are_fetched_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_query, "QUERY_ROWS", 8)
    monkeypatch.setattr(sql_query, "CHUNK_BYTES", 5_000)

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


def test_a_sum_over_groups_and_a_recursion_are_reading(tmp_path: Path) -> None:
    connection = tickets_in(tmp_path)
    query = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) "
        "SELECT i AS id, group_concat(text) AS text FROM n, t GROUP BY i"
    )

    (part,) = read_query(connection, query, ColumnSelection("text", "id"))

    assert part.ids is not None
    assert part.ids.to_pylist() == ["1", "2", "3"]


@pytest.mark.parametrize(
    "query",
    [
        "DROP TABLE t",
        "DELETE FROM t RETURNING id, text",
        "UPDATE t SET text = 'other' RETURNING id, text",
        "INSERT INTO t VALUES (2, 'b') RETURNING id, text",
        "CREATE TABLE copied AS SELECT * FROM t",
        "VACUUM INTO '{folder}/copied.db'",
        "ATTACH '{folder}/other.db' AS other",
        "PRAGMA user_version = 7",
        "PRAGMA writable_schema = ON",
        "COMMIT",
    ],
)
def test_a_query_that_would_write_changes_nothing_in_sqlite(query: str, tmp_path: Path) -> None:
    connection = tickets_in(tmp_path)
    before = (tmp_path / "tickets.db").read_bytes()

    with pytest.raises(SourceError, match=r"authoriz.*; a source may only read"):
        list(read_query(connection, query.format(folder=tmp_path), ColumnSelection("text", "id")))

    connection.commit()
    assert (tmp_path / "tickets.db").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["tickets.db"]


def tickets_in(folder: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(folder / "tickets.db")
    connection.execute("CREATE TABLE t (id, text)")
    connection.execute("INSERT INTO t VALUES (1, 'a')")
    connection.commit()
    return connection


def test_a_driver_that_cannot_be_kept_from_writing_is_refused() -> None:
    with pytest.raises(
        SourceError, match=r"uses unittest; export the rows to files .*, or copy them to Postgr"
    ):
        list(read_query(Mock(), "SELECT 1", ColumnSelection("text", "id")))


def test_psycopg_2_is_refused_with_its_own_remedy() -> None:
    psycopg2 = pytest.importorskip("psycopg2.extensions")
    connection = psycopg2.connection.__new__(psycopg2.connection)

    with pytest.raises(SourceError, match="uses psycopg2; install psycopg 3 and SQLAlchemy 2"):
        list(read_query(connection, "SELECT 1", ColumnSelection("text", "id")))
