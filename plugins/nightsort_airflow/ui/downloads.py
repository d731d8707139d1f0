"""The rejects and the predictions of a night as CSV or Parquet, streamed, so that memory stays flat."""

from __future__ import annotations

import asyncio
import io
import re
import threading
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from starlette.responses import PlainTextResponse, StreamingResponse

from nightsort.exports import EXPORT_SCHEMA, ROWS_PER_GROUP
from nightsort.tables.run_summaries import find_run
from nightsort_airflow.ui.database import DOWNLOAD_SECONDS
from nightsort_airflow.ui.guard import USER
from nightsort_airflow.ui.site import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send
    from typing_extensions import LiteralString

    from nightsort_airflow.ui.site import Site

_AT_ONCE: Final = threading.BoundedSemaphore(2)
"""Downloads that run at the same time: each keeps a connection and a thread for as long as it takes."""

_WHAT: Final = {
    "predictions": ("classified", "failed"),
    "rejects": ("rejected",),
}
_TYPES: Final = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}
_ROWS_AT_ONCE: Final = 20_000

# A spreadsheet would run a text that begins like a formula.
_HARMLESS: Final = "CASE WHEN {0} ~ '^[=+@\t\r-]' THEN '''' || {0} ELSE {0} END AS {0}"
_ASKED: Final = """
    FROM nightsort.predictions
    WHERE classifier = current_setting('nightsort.classifier')
      AND run_key = current_setting('nightsort.run_key')
      AND status = ANY(current_setting('nightsort.statuses')::text[])
"""
_CSV: Final[dict[str, LiteralString]] = {
    "rejects": (
        f"COPY (SELECT {_HARMLESS.format('document_id')}, reason, batch, line {_ASKED}) TO STDOUT CSV HEADER"
    ),
    "predictions": (
        f"COPY (SELECT {_HARMLESS.format('document_id')}, status, {_HARMLESS.format('label')}, score, "
        "array_to_json(labels) AS labels, array_to_json(scores) AS scores, "
        "array_to_json(accepted) AS accepted, "
        f"reason, version, batch, line, loaded_at {_ASKED}) TO STDOUT CSV HEADER"
    ),
}
_PARQUET: Final[LiteralString] = f"SELECT {', '.join(EXPORT_SCHEMA.names)} {_ASKED}"


def download(request: Request) -> Response:
    """Answer with a file of a night."""
    site: Site = request.app.state.site
    name, run_key = request.path_params["classifier"], request.path_params["run_key"]
    what, suffix = request.path_params["what"], request.path_params["suffix"]
    if what not in _WHAT or suffix not in _TYPES:
        raise NotFoundError(what)
    site.require(request.scope[USER], name)
    conn_id = site.connection_of(name)
    with site.reading(conn_id) as connection:
        if find_run(connection, name, run_key) is None:
            raise NotFoundError(run_key)
    headers = {"Content-Disposition": f'attachment; filename="{_file_name(name, run_key, what, suffix)}"'}
    if request.method == "HEAD":
        return PlainTextResponse("", headers=headers, media_type=_TYPES[suffix])
    if not _AT_ONCE.acquire(blocking=False):
        text = "Two downloads are under way. Try again when one of them is done."
        return PlainTextResponse(text, 503, {"Retry-After": "30"})
    try:
        connection = site.tables.open(conn_id, DOWNLOAD_SECONDS)
        try:
            _ask_for(connection, name, run_key, _WHAT[what])
        except BaseException:
            connection.close()
            raise
    except BaseException:
        _AT_ONCE.release()
        raise
    chunks = _csv(connection, what) if suffix == "csv" else _parquet(connection)
    return _Download(chunks, connection, headers=headers, media_type=_TYPES[suffix])


class _Download(StreamingResponse):
    """
    A file on its way. At the end, however it comes, connection and place are free again.

    :param chunks: the file.
    :param connection: where it is read from.
    :param settings: as for every response.
    """

    def __init__(self, chunks: Iterator[bytes], connection: psycopg.Connection[Any], **settings: Any) -> None:
        super().__init__(chunks, **settings)
        self._connection = connection

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Not in the generator: where the reader is gone before the first chunk, it never begins.
        try:
            # A reader who takes nothing would keep the place for ever.
            await asyncio.wait_for(super().__call__(scope, receive, send), DOWNLOAD_SECONDS)
        finally:
            self._connection.close()
            _AT_ONCE.release()


def _ask_for(
    connection: psycopg.Connection[Any], classifier: str, run_key: str, statuses: tuple[str, ...]
) -> None:
    """Bind the values of the statement: COPY itself takes no parameters."""
    values = {"classifier": classifier, "run_key": run_key, "statuses": f"{{{','.join(statuses)}}}"}
    for name, value in values.items():
        connection.execute("SELECT set_config(%s, %s, false)", (f"nightsort.{name}", value))


def _csv(connection: psycopg.Connection[Any], what: str) -> Iterator[bytes]:
    waiting = bytearray()
    with connection.cursor().copy(_CSV[what]) as copy:
        for row in copy:
            waiting += row
            if len(waiting) > 64_000:
                yield bytes(waiting)
                waiting.clear()
    if waiting:
        yield bytes(waiting)


def _parquet(connection: psycopg.Connection[Any]) -> Iterator[bytes]:
    written = io.BytesIO()
    # Without Arrow's own schema in it, readers see plain strings, as in exported files.
    with (
        connection.cursor("download") as cursor,
        pq.ParquetWriter(written, EXPORT_SCHEMA, compression="zstd", store_schema=False) as writer,
    ):
        cursor.execute(_PARQUET)
        group: list[pa.RecordBatch] = []
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            group.append(_batch(rows))
            if sum(map(len, group)) >= ROWS_PER_GROUP:
                writer.write_table(pa.Table.from_batches(group))
                group = []
                yield _taken(written)
        if group:
            writer.write_table(pa.Table.from_batches(group))
    yield _taken(written)


def _batch(rows: list[tuple[Any, ...]]) -> pa.RecordBatch:
    columns = zip(*rows, strict=True)
    plain = [
        field.type.value_type if pa.types.is_dictionary(field.type) else field.type for field in EXPORT_SCHEMA
    ]
    arrays = [
        pa.array(values, kind).cast(field.type)
        for values, kind, field in zip(columns, plain, EXPORT_SCHEMA, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=EXPORT_SCHEMA)


def _taken(written: io.BytesIO) -> bytes:
    """Return what was written since the last time."""
    chunk = written.getvalue()
    written.seek(0)
    written.truncate()
    return chunk


def _file_name(*parts: str) -> str:
    *names, suffix = (re.sub(r"[^A-Za-z0-9._-]+", "_", part) for part in parts)
    return f"{'-'.join(names)}.{suffix}"
