"""The rows of an SQL query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from nightsort.sources.json_lines import as_labels
from nightsort.sources.row_blocks import BadRow, ColumnSelection, RawDocuments
from nightsort.sources.source_files import CHUNK_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

QUERY_ROWS = 2_000
QUERY_NAME = "query"
"""What stands for the file where documents come from a query."""


def read_query(
    connection: Any, sql: str, *, selection: ColumnSelection, delimiter: str | None
) -> Iterator[RawDocuments]:
    """Read the rows of a query, through a cursor on the server where the driver has one.

    :param connection: an open DBAPI connection.
    :param delimiter: splits a label that is a text where others are lists; ``None``: it is one label.
    :raises SourceError: the query has no such columns.
    """
    cursor = _cursor(connection)
    try:
        cursor.execute(sql)
        # A cursor on the server describes its columns only once rows were fetched.
        records = cursor.fetchmany(QUERY_ROWS)
        names = [column[0] for column in cursor.description or ()]
        selection.check(names, "the query")
        places = _Places(
            text=names.index(selection.text),
            id=None if selection.id is None else names.index(selection.id),
            label=None if selection.label is None else names.index(selection.label),
        )
        number = 0
        while records:
            some = _together(records, number, places) or _singly(records, number, places, delimiter)
            number += len(records)
            mean = max(some.texts.nbytes // len(records), 1)
            yield some
            records = cursor.fetchmany(min(QUERY_ROWS, max(CHUNK_BYTES // mean, 1)))
    finally:
        cursor.close()


def _cursor(connection: Any) -> Any:
    try:
        return connection.cursor(name="nightsort_documents")
    except TypeError:  # a driver that knows no named cursors, such as sqlite3
        return connection.cursor()


@dataclass(frozen=True)
class _Places:
    text: int
    id: int | None
    label: int | None


def _together(records: Sequence[Sequence[Any]], number: int, places: _Places) -> RawDocuments | None:
    """Return the rows by whole columns, or ``None`` where one holds something else than texts."""
    columns = list(zip(*records, strict=True))
    try:
        texts = pa.array(columns[places.text])
        ids = None if places.id is None else pa.array(columns[places.id])
        labels = None if places.label is None else pa.array(columns[places.label])
    except (pa.ArrowException, ValueError, OverflowError):
        return None
    if ids is not None and pa.types.is_integer(ids.type):
        ids = ids.cast(pa.string())
    kinds = [column.type for column in (texts, ids, labels) if column is not None]
    if labels is not None and labels.type == pa.list_(pa.string()):
        kinds.pop()
    if any(kind != pa.string() for kind in kinds):
        return None
    return RawDocuments(QUERY_NAME, np.arange(number, number + len(records)), texts, ids, labels)


def _singly(
    records: Sequence[Sequence[Any]], number: int, places: _Places, delimiter: str | None
) -> RawDocuments:
    text, identity, label = places.text, places.id, places.label
    rows: list[int] = []
    texts: list[bytes] = []
    ids: list[bytes] = []
    labels: list[list[str]] = []
    bad: list[BadRow] = []
    for row, record in enumerate(records, number):
        content = _as_bytes(record[text])
        names = as_labels(record[label], delimiter) if label is not None else []
        # Ids come in many types (integers, UUIDs, dates); each has one way to be written.
        document_id = "" if identity is None or record[identity] is None else str(record[identity])
        if content is None or names is None:
            column = text if content is None or label is None else label
            detail = f"column {column + 1} is of type {type(record[column]).__name__}; cast it to text"
            bad.append(BadRow(row, detail, document_id=document_id or None))
            continue
        rows.append(row)
        texts.append(content)
        labels.append(names)
        ids.append(document_id.encode())
    return RawDocuments(
        file=QUERY_NAME,
        rows=np.array(rows, dtype=np.int64),
        texts=pa.array(texts, pa.binary()),
        ids=None if identity is None else pa.array(ids, pa.binary()),
        labels=None if label is None else pa.array(labels, pa.list_(pa.string())),
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
