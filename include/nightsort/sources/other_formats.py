"""Parquet, one document per line, one document per file, and rows of a query."""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nightsort.arrow.columns import places_of
from nightsort.comprehend.limits import MAX_DOCUMENT_BYTES
from nightsort.sources.fetching import PART_BYTES
from nightsort.sources.json_lines import as_labels
from nightsort.sources.raw_documents import BadRow, RawDocuments, Wanted, lines, stretches
from nightsort.sources.source_files import CHUNK_BYTES, SourceError
from nightsort.sources.streams import is_damage, open_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nightsort.arrow.columns import Column
    from nightsort.sources.source_files import SourceFile
    from nightsort.storage import Access

PARQUET_ROWS = 8_192
QUERY_ROWS = 2_000
FILES_PER_BATCH = 512
QUERY_NAME = "query"
"""What stands for the file where documents come from a query."""


def read_parquet(stream: IO[bytes], *, file: str, where: str, wanted: Wanted) -> Iterator[RawDocuments]:
    """Read a Parquet file, row group by row group.

    :param where: the file's URI, for errors.
    :raises SourceError: it is no Parquet file or is damaged, or a wanted column is missing or is no text.
    """
    if not stream.read(1):
        return
    stream.seek(0)
    with _damage_named(where):
        # A row group may be as large as the file: it is read in pieces, and none of them is kept.
        parquet = pq.ParquetFile(stream, buffer_size=PART_BYTES, pre_buffer=False)
        wanted.check(parquet.schema_arrow.names, where)
        number = 0
        rows = _rows_at_once(parquet.metadata)
        for batch in parquet.iter_batches(rows, columns=wanted.names, use_threads=False):
            columns = {name: batch.column(name) for name in wanted.names}
            yield RawDocuments(
                file=file,
                rows=np.arange(number, number + len(batch)),
                texts=_text_column(columns[wanted.text], f"{where}: column {wanted.text}", numbers=False),
                ids=None
                if wanted.id is None
                else _text_column(columns[wanted.id], f"{where}: column {wanted.id}"),
                labels=None
                if wanted.label is None
                else _label_column(columns[wanted.label], f"{where}: column {wanted.label}"),
            )
            number += len(batch)


def _rows_at_once(metadata: pq.FileMetaData) -> int:
    """Return how many rows are few megabytes, in the row group with the largest ones."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    largest = max((group.total_byte_size // max(group.num_rows, 1) for group in groups), default=0)
    return min(PARQUET_ROWS, max(CHUNK_BYTES // max(largest, 1), 1))


@contextmanager
def _damage_named(where: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if not is_damage(error):
            raise
        what = (str(error).splitlines() or ["no reason given"])[0]
        raise SourceError(f"{where} is no Parquet file, or is damaged ({what}); upload it again") from None


def _text_column(column: Column, where: str, *, numbers: bool = True) -> Column:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_null(kind) or (numbers and pa.types.is_integer(kind)):
        return column.cast(pa.string()).cast(pa.binary())
    binary = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    if not binary and not text:
        raise SourceError(
            f"{where} has the type {kind}; it must be text{' or whole numbers' if numbers else ''}"
        )
    if kind is not column.type:
        column = column.cast(kind)
    return column.cast(pa.binary())


def _label_column(column: Column, where: str) -> Column:
    kind = column.type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        return _text_column(column, where)
    labels = _text_column(column.flatten(), where)
    lengths = column.value_lengths().fill_null(0)
    offsets = np.concatenate(([0], np.cumsum(lengths.to_numpy(zero_copy_only=False))))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), labels)


def read_lines(stream: IO[bytes], *, file: str) -> Iterator[RawDocuments]:
    """Read one document per line; a line ends with a line feed, with or without carriage return before it."""
    number = 0
    for stretch in stretches(stream, lines):
        if stretch.detail is not None:
            yield RawDocuments.only_bad(file, BadRow(number, stretch.detail, "too_large"))
            number += 1
            continue
        ends = places_of(np.frombuffer(stretch.data, dtype=np.uint8) == ord("\n")) + 1
        if not stretch.data.endswith(b"\n"):
            ends = np.append(ends, len(stretch.data))
        # The line ends stay on the texts: cleaning cuts them off with the other white space.
        offsets = pa.array(np.concatenate(([0], ends)), pa.int32()).buffers()[1]
        texts = pa.BinaryArray.from_buffers(
            pa.binary(), len(ends), [None, offsets, pa.py_buffer(stretch.data)]
        )
        yield RawDocuments(file, np.arange(number, number + len(ends)), texts)
        number += len(ends)


def read_files(files: Sequence[SourceFile], access: Access, *, labelled: bool) -> Iterator[RawDocuments]:
    """Read one document per file, a few at once and in order: its name is its id, its folder its label."""
    together: list[tuple[str, bytes]] = []
    size = 0
    # Packed, the largest document may be a little larger, and no sensible packer makes it twice as large.
    with closing(open_files(files, access, most=2 * (MAX_DOCUMENT_BYTES + 1))) as opened:
        for file, stream in opened:
            data = _document(stream)
            if data is None:
                detail = f"more than {MAX_DOCUMENT_BYTES // 1_000_000} MB"
                yield RawDocuments.only_bad(file.name, BadRow(0, detail, "too_large"))
                continue
            together.append((file.name, data))
            size += len(data)
            if size > CHUNK_BYTES or len(together) == FILES_PER_BATCH:
                yield _as_documents(together, labelled=labelled)
                together, size = [], 0
    if together:
        yield _as_documents(together, labelled=labelled)


def _document(stream: IO[bytes]) -> bytes | None:
    """Return all there is, or ``None`` if that is more than a document may have."""
    data = b""
    while len(data) <= MAX_DOCUMENT_BYTES and (more := stream.read(CHUNK_BYTES)):
        data = data + more if data else more
    return data if len(data) <= MAX_DOCUMENT_BYTES else None


def _as_documents(together: list[tuple[str, bytes]], *, labelled: bool) -> RawDocuments:
    names = [name for name, _ in together]
    folders = [PurePosixPath(name).parent.name for name in names]
    column = pa.array(names, pa.string())
    return RawDocuments(
        file=column,
        rows=np.zeros(len(together), dtype=np.int64),
        texts=pa.array([data for _, data in together], pa.binary()),
        ids=column.cast(pa.binary()),
        labels=pa.array(folders, pa.string()).cast(pa.binary()) if labelled else None,
    )


def read_query(connection: Any, sql: str, *, wanted: Wanted, delimiter: str | None) -> Iterator[RawDocuments]:
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
        wanted.check(names, "the query")
        places = _Places(
            text=names.index(wanted.text),
            id=None if wanted.id is None else names.index(wanted.id),
            label=None if wanted.label is None else names.index(wanted.label),
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
