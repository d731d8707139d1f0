"""The rows of a query are read in their order; a row of another type costs only itself."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from nightsort.sources import sql_query
from nightsort.sources.row_blocks import ColumnSelection
from nightsort.sources.sql_query import read_query

if TYPE_CHECKING:
    import pytest


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


def test_a_driver_with_cursors_on_the_server_is_asked_for_one() -> None:
    class Cursor:
        description = (("id",), ("text",))

        def __init__(self, name: str) -> None:
            self.name = name
            self.left = [[(Decimal(1), "a")], []]

        def execute(self, sql: str) -> None:
            assert sql == "SELECT 1"

        def fetchmany(self, count: int) -> list[tuple[Any, ...]]:
            assert count == sql_query.QUERY_ROWS
            return self.left.pop(0)

        def close(self) -> None:
            names.append(self.name)

    class Connection:
        def cursor(self, *, name: str) -> Cursor:
            return Cursor(name)

    names: list[str] = []
    (part,) = read_query(Connection(), "SELECT 1", ColumnSelection("text", "id"))

    assert part.ids is not None
    assert part.ids.to_pylist() == [b"1"]
    assert names == ["nightsort_documents"]
