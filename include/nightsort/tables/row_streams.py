"""Stream the rows of a run out of ``predictions``, as CSV or as a Parquet file, in bounded memory."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from psycopg import sql
from psycopg.rows import tuple_row

from nightsort.results.join import RESULT_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    import psycopg

REJECT_COLUMNS: Final = ("document_id", "reason", "batch", "line")
"""Columns of rejects as CSV: the others are empty."""

_ROWS_AT_ONCE: Final = 20_000
_BYTES_AT_ONCE: Final = 64_000
_LISTS: Final = ("labels", "scores", "accepted")

# A spreadsheet would run a text of others that begins like a formula.
_OF_OTHERS: Final = ("document_id", "label")
_HARMLESS: Final = sql.SQL("CASE WHEN {0} ~ '^[=+@\t\r-]' THEN '''' || {0} ELSE {0} END AS {0}")


def csv_rows(
    conn: psycopg.Connection[Any],
    classifier: str,
    run_key: str,
    columns: Sequence[str],
    *,
    rejects: bool = False,
) -> Generator[bytes, None, None]:
    """Stream the rows of a run as CSV in UTF-8, with a header, made harmless for spreadsheets.

    Lists are JSON. The rows are in no order: sorting ten million takes minutes.

    :param conn: the database; it is busy until the stream is read or closed.
    :param classifier: name of the spec.
    :param run_key: the run.
    :param columns: of ``predictions``.
    :param rejects: its rejects, otherwise all other rows.
    """
    chosen = sql.SQL(", ").join(_as_csv(name).format(sql.Identifier(name)) for name in columns)
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv, HEADER)").format(_rows(chosen, rejects))
    waiting = bytearray()
    with conn.cursor() as cursor, cursor.copy(statement, (classifier, run_key)) as copy:
        for block in copy:
            waiting += block
            if len(waiting) > _BYTES_AT_ONCE:
                yield bytes(waiting)
                waiting.clear()
    yield bytes(waiting)


def parquet_rows(
    conn: psycopg.Connection[Any],
    classifier: str,
    run_key: str,
    schema: pa.Schema,
    *,
    rows_per_group: int,
    rejects: bool = False,
) -> Generator[bytes, None, None]:
    """Stream the rows of a run as a Parquet file, exactly, in no order.

    :param conn: the database; it is busy until the stream is read or closed.
    :param classifier: name of the spec.
    :param run_key: the run.
    :param schema: columns of ``predictions``.
    :param rows_per_group: rows of a row group, of which one is in memory.
    :param rejects: its rejects, otherwise all other rows.
    """
    file = _Pieces()
    sink: Any = file  # The stubs know no class of our own.
    # Without Arrow's own schema in it, readers see plain strings, as in exported files.
    with pq.ParquetWriter(sink, schema, compression="zstd", store_schema=False) as writer:
        group: list[pa.RecordBatch] = []
        rows = _rows(_columns(schema), rejects)
        for batch in _record_batches(conn, rows, (classifier, run_key), schema):
            group.append(batch)
            if sum(map(len, group)) >= rows_per_group:
                writer.write_table(pa.Table.from_batches(group))
                group = []
                yield file.taken()
        if group:
            writer.write_table(pa.Table.from_batches(group))
    yield file.taken()


def batch_rows(
    conn: psycopg.Connection[Any], classifier: str, run_key: str, batch: str
) -> Generator[pa.RecordBatch, None, None]:
    """Stream the rows of a batch with :data:`~nightsort.results.join.RESULT_SCHEMA`.

    :param conn: the database.
    :param classifier: name of the spec.
    :param run_key: the run.
    :param batch: name of the batch.
    """
    rows = sql.SQL(
        "SELECT {} FROM nightsort.predictions WHERE classifier = %s AND run_key = %s AND batch = %s"
    ).format(_columns(RESULT_SCHEMA))
    return _record_batches(conn, rows, (classifier, run_key, batch), RESULT_SCHEMA)


def _record_batches(
    conn: psycopg.Connection[Any], rows: sql.Composed, parameters: tuple[str, ...], schema: pa.Schema
) -> Generator[pa.RecordBatch, None, None]:
    with (
        conn.transaction(),
        conn.cursor("nightsort_rows", row_factory=tuple_row, binary=True) as cursor,
    ):
        cursor.execute(rows, parameters)
        while found := cursor.fetchmany(_ROWS_AT_ONCE):
            arrays = [
                pa.array(values, field.type)
                for values, field in zip(zip(*found, strict=True), schema, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _as_csv(column: str) -> sql.SQL:
    if column in _LISTS:
        return sql.SQL("to_jsonb({0}) AS {0}")
    return _HARMLESS if column in _OF_OTHERS else sql.SQL("{}")


def _columns(schema: pa.Schema) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, schema.names))


def _rows(columns: sql.Composed, rejects: bool) -> sql.Composed:
    return sql.SQL(
        "SELECT {} FROM nightsort.predictions WHERE classifier = %s AND run_key = %s AND status {} 'rejected'"
    ).format(columns, sql.SQL("=" if rejects else "<>"))


class _Pieces(io.RawIOBase):
    """A file whose content is taken away while it is written."""

    def __init__(self) -> None:
        super().__init__()
        self._content = bytearray()
        self._before = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._before + len(self._content)

    def write(self, content: Any) -> int:
        self._content += content
        return len(content)

    def taken(self) -> bytes:
        """Return what was written since the last call."""
        content, self._content = bytes(self._content), bytearray()
        self._before += len(content)
        return content
