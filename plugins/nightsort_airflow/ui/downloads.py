"""The rejects and the predictions of a night as CSV or Parquet, streamed, so that memory stays flat."""

from __future__ import annotations

import asyncio
import re
import threading
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import PlainTextResponse, StreamingResponse

from nightsort.exports import EXPORT_SCHEMA, ROWS_PER_GROUP
from nightsort.tables.row_streams import REJECT_COLUMNS, csv_rows, parquet_rows
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

    from nightsort_airflow.ui.site import Site

_AT_ONCE: Final = threading.BoundedSemaphore(2)
"""Downloads that run at the same time: each keeps a connection and a thread for as long as it takes."""

_WHAT: Final = ("predictions", "rejects")
_TYPES: Final = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}


def download(request: Request) -> Response:
    """Answer with a file of a night."""
    site: Site = request.app.state.site
    name, run_key = request.path_params["classifier"], request.path_params["run_key"]
    what, suffix = request.path_params["what"], request.path_params["suffix"]
    if what not in _WHAT or suffix not in _TYPES:
        raise NotFoundError
    site.require(request.scope[USER], name)
    conn_id = site.connection_of(name)
    with site.reading(conn_id) as connection:
        found = find_run(connection, name, run_key)
    if found is None:
        raise site.missing("night", name)
    headers = {"Content-Disposition": f'attachment; filename="{_file_name(name, run_key, what, suffix)}"'}
    if request.method == "HEAD":
        return PlainTextResponse("", headers=headers, media_type=_TYPES[suffix])
    if not _AT_ONCE.acquire(blocking=False):
        text = "Two downloads are under way. Try again when one of them is done."
        return PlainTextResponse(text, 503, {"Retry-After": "30"})
    try:
        connection = site.open(conn_id, DOWNLOAD_SECONDS)
    except BaseException:
        _AT_ONCE.release()
        raise
    chunks = _chunks(connection, name, run_key, rejects=what == "rejects", suffix=suffix)
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


def _chunks(
    connection: psycopg.Connection[Any], classifier: str, run_key: str, *, rejects: bool, suffix: str
) -> Iterator[bytes]:
    """Return the rows of a run as an export has them."""
    if suffix == "csv":
        columns = REJECT_COLUMNS if rejects else EXPORT_SCHEMA.names
        return csv_rows(connection, classifier, run_key, columns, rejects=rejects)
    return parquet_rows(
        connection, classifier, run_key, EXPORT_SCHEMA, rows_per_group=ROWS_PER_GROUP, rejects=rejects
    )


def _file_name(*parts: str) -> str:
    *names, suffix = (re.sub(r"[^A-Za-z0-9._-]+", "_", part) for part in parts)
    return f"{'-'.join(names)}.{suffix}"
