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
    from collections.abc import Generator

    import psycopg

SCHEMA: Final = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("classifier", "run_key", "batch")),
        pa.field("day", pa.date32()),
        pa.field("version", pa.string()),
        *RESULT_SCHEMA,
        pa.field("loaded_at", pa.timestamp("us", tz="UTC")),
    ]
)
"""Columns of both formats: those of ``predictions``."""

ROWS_AT_ONCE: Final = 20_000

_LISTS: Final = ("labels", "scores", "accepted")


def csv_rows(
    conn: psycopg.Connection[Any], classifier: str, run_key: str, *, rejects: bool = False
) -> Generator[bytes, None, None]:
    """Stream the rows of a run as CSV in UTF-8, with a header. Lists are JSON.

    :param conn: the database; it is busy until the stream is read or closed.
    :param classifier: name of the spec.
    :param run_key: the run.
    :param rejects: its rejects, otherwise all other rows.
    """
    columns = sql.SQL(", ").join(
        sql.SQL("to_jsonb({0}) AS {0}" if name in _LISTS else "{}").format(sql.Identifier(name))
        for name in SCHEMA.names
    )
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv, HEADER)").format(_rows(columns, rejects))
    with conn.cursor() as cursor, cursor.copy(statement, (classifier, run_key)) as copy:
        for block in copy:
            yield bytes(block)


def parquet_rows(
    conn: psycopg.Connection[Any], classifier: str, run_key: str, *, rejects: bool = False
) -> Generator[bytes, None, None]:
    """Stream the rows of a run as a Parquet file.

    :param conn: the database; it is busy until the stream is read or closed.
    :param classifier: name of the spec.
    :param run_key: the run.
    :param rejects: its rejects, otherwise all other rows.
    """
    file = _Pieces()
    sink: Any = file  # The stubs know no class of our own.
    with pq.ParquetWriter(sink, SCHEMA, compression="zstd") as writer:
        rows = _rows(_columns(SCHEMA), rejects)
        for batch in _record_batches(conn, rows, (classifier, run_key), SCHEMA):
            writer.write_batch(batch)
            yield file.taken()
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
        while found := cursor.fetchmany(ROWS_AT_ONCE):
            arrays = [
                pa.array(values, field.type)
                for values, field in zip(zip(*found, strict=True), schema, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _columns(schema: pa.Schema) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, schema.names))


def _rows(columns: sql.Composed, rejects: bool) -> sql.Composed:
    return sql.SQL(
        "SELECT {} FROM nightsort.predictions WHERE classifier = %s AND run_key = %s AND status {} 'rejected'"
        " ORDER BY batch, line"
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
