"""The rows of an SQL query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa

from nightsort.sources.labels import as_labels
from nightsort.sources.read_only import query_errors, read_only_cursor
from nightsort.sources.row_blocks import BadRow, ColumnSelection, RawRows
from nightsort.sources.source_files import CHUNK_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nightsort.arrow.columns import Column
    from nightsort.sources.row_blocks import RowNumbers

QUERY_ROWS = 2_000
QUERY_NAME = "query"
"""Stands in place of the file's name where documents come from a query."""

ColumnPositions: TypeAlias = dict[str, int]
"""The position of each selected column in the rows of a query, by its name."""


def read_query(connection: Any, sql: str, selection: ColumnSelection) -> Iterator[RawRows]:
    """Read the rows of a query, which can change nothing, through a cursor on the server where there is one.

    :param connection: an open DBAPI connection of psycopg 3 or SQLite.
    :raises SourceError: the query lacks a selected column, is wrong or would write, or the driver is another.
    """
    cursor = read_only_cursor(connection)
    try:
        with query_errors():
            cursor.execute(sql)
            # A cursor on the server describes its columns only after rows were fetched.
            records = cursor.fetchmany(QUERY_ROWS)
        names = [column[0] for column in cursor.description or ()]
        selection.check(names, "the query")
        positions = {name: names.index(name) for name in selection.names}
        number = 0
        while records:
            rows = np.arange(number, number + len(records))
            raw = _by_columns(records, rows, positions, selection)
            if raw is None:
                raw = _row_by_row(records, number, positions, selection)
            number += len(records)
            mean = max(raw.texts.nbytes // len(records), 1)
            yield raw
            with query_errors():
                records = cursor.fetchmany(min(QUERY_ROWS, max(CHUNK_BYTES // mean, 1)))
    finally:
        cursor.close()


def _by_columns(
    records: Sequence[Sequence[Any]], rows: RowNumbers, positions: ColumnPositions, selection: ColumnSelection
) -> RawRows | None:
    """Return the rows by whole columns, or ``None`` where a column holds something else than texts."""
    values = list(zip(*records, strict=True))
    try:
        columns: dict[str, Column] = {name: pa.array(values[at]) for name, at in positions.items()}
    except (pa.ArrowException, ValueError, OverflowError):
        return None
    for name, column in columns.items():
        if name == selection.id and pa.types.is_integer(column.type):
            columns[name] = column.cast(pa.string())
        elif name == selection.label and column.type == pa.list_(pa.string()):
            continue
        elif column.type != pa.string():
            return None
    return RawRows.from_columns(QUERY_NAME, rows, columns, selection)


def _row_by_row(
    records: Sequence[Sequence[Any]], number: int, positions: ColumnPositions, selection: ColumnSelection
) -> RawRows:
    rows: list[int] = []
    texts: list[bytes] = []
    ids: list[bytes] = []
    labels: list[list[str]] = []
    bad: list[BadRow] = []
    for row, record in enumerate(records, number):
        values = {name: record[at] for name, at in positions.items()}
        text = _as_bytes(values[selection.text])
        cell = values.get(selection.label or "", "")
        names = as_labels(cell, selection.label_delimiter)
        # Ids come in many types (integers, UUIDs, dates); each has one way to be written.
        identity = values.get(selection.id or "")
        document_id = "" if identity is None else str(identity)
        if text is None or names is None:
            column = selection.text if text is None else str(selection.label)
            kind = type(values[column]).__name__
            detail = f"column {positions[column] + 1} is of type {kind}; cast it to text"
            bad.append(BadRow(row, detail, document_id=document_id or None))
            continue
        rows.append(row)
        texts.append(text)
        labels.append(names)
        ids.append(document_id.encode())
    return RawRows(
        file=QUERY_NAME,
        rows=np.array(rows, dtype=np.int64),
        texts=pa.array(texts, pa.binary()),
        ids=None if selection.id is None else pa.array(ids, pa.binary()),
        labels=None if selection.label is None else pa.array(labels, pa.list_(pa.string())),
        bad=bad,
    )


def _as_bytes(value: object) -> bytes | None:
    match value:
        case None:
            return b""
        case str():
            return value.encode(errors="surrogatepass")
        case bytes() | bytearray() | memoryview():
            return bytes(value)
    return None
