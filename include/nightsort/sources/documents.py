"""Documents: what a source holds, cleaned, as a stream of record batches.

Every record of a source is either in the stream or in the log of rejects, once; the order is that of the
files' names and, in a file, of its rows. One object is read at a time and once.
"""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import dataclass
from operator import itemgetter
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nightsort.arrow.prefetch import prefetch
from nightsort.arrow.seen_ids import SeenIds
from nightsort.comprehend.limits import MAX_DOCUMENT_ID_BYTES
from nightsort.sources.cleaning import (
    BLANK,
    GOOD,
    INVALID_UTF8,
    REASON_OF_FATE,
    TOO_LARGE,
    clean_texts,
)
from nightsort.sources.csv_rows import DELIMITERS, read_delimited
from nightsort.sources.json_lines import read_json_lines
from nightsort.sources.labels import LabelReader
from nightsort.sources.parquet import read_parquet
from nightsort.sources.rejects import REASONS
from nightsort.sources.row_blocks import ColumnSelection, coalesce_small_blocks
from nightsort.sources.source_files import SourceError, list_files
from nightsort.sources.sql_query import read_query
from nightsort.sources.streams import open_files, open_for_seeking
from nightsort.sources.text_files import read_files, read_lines

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from datetime import date

    import numpy.typing as npt

    from nightsort.arrow.columns import Column
    from nightsort.classifier_spec.source import Source
    from nightsort.sources.rejects import RejectLog
    from nightsort.sources.row_blocks import RawDocuments, RawStream
    from nightsort.sources.source_files import SourceFile
    from nightsort.storage import Access, Progress

log = logging.getLogger(__name__)

_COLUMNS: Final[dict[str, pa.DataType]] = {
    "document_id": pa.string(),
    "text": pa.string(),
    "file": pa.string(),
    "row": pa.int64(),
}

SCHEMA: Final = pa.schema(_COLUMNS)
"""The columns of documents without labels."""

LABELLED_SCHEMA: Final = SCHEMA.insert(2, pa.field("labels", pa.list_(pa.string())))
"""The columns of documents with labels."""

_REASONS: Final = tuple(REASONS)


def read_documents(
    source: Source,
    access: Access,
    *,
    mode: str,
    label_delimiter: str | None,
    day: date | None,
    rejects: RejectLog,
    uri: str | None = None,
    progress: Progress | None = None,
) -> Iterator[pa.RecordBatch]:
    """Read, clean and check the documents of a source.

    :param mode: ``MULTI_CLASS`` or ``MULTI_LABEL``; matters to labelled sources only.
    :param label_delimiter: joins the labels of a cell in ``MULTI_LABEL``.
    :param day: renders ``{day}``.
    :param rejects: takes every document that cannot be used, with the reason.
    :param uri: read this (same format, same columns) in place of the source's own URI.
    :param progress: called after each batch with the documents read so far.
    :returns: batches of :data:`SCHEMA`, or :data:`LABELLED_SCHEMA` for a labelled source; none where
        there are no documents.
    :raises SourceError: the source cannot be read as its spec says.
    """
    source = _of_day(source, day, uri)
    seen = 0
    for finished in prefetch(_finished(source, access, mode, label_delimiter)):
        seen += finished.records
        for reject in finished.rejects:
            rejects.add(**reject)
        if finished.batch is not None and len(finished.batch):
            yield finished.batch
        if progress is not None:
            progress("reading documents", seen)


@dataclass(frozen=True)
class _Finished:
    """What became of some records: documents, and rejects as :meth:`RejectLog.add` takes them."""

    records: int
    batch: pa.RecordBatch | None
    rejects: list[dict[str, Any]]


def _finished(
    source: Source, access: Access, mode: str, delimiter: str | None
) -> Generator[_Finished, None, None]:
    raw_documents = _raw_documents(source, access, None if mode == "MULTI_CLASS" else delimiter)
    # One thread reads and parses, one cleans, and the caller's uses what they make.
    with SeenIds() as seen, closing(prefetch(coalesce_small_blocks(raw_documents))) as stream:
        finish = _Finish(source, mode, delimiter, seen)
        for raw in stream:
            yield finish(raw)


def _of_day(source: Source, day: date | None, uri: str | None) -> Source:
    if uri is None:
        try:
            return source.at(day)
        except ValueError as error:
            raise SourceError(str(error)) from None
    if source.uri is None:
        raise SourceError(
            f"{uri} cannot take the place of a query; give the spec's source a uri and a format"
        )
    return source.model_copy(update={"uri": uri}).at(day)


def _raw_documents(source: Source, access: Access, delimiter: str | None) -> RawStream:
    label_column = getattr(source, "label_column", None)
    selection = ColumnSelection(source.text_column, source.id_column, label_column)
    if source.sql is not None:
        if access.connect is None or source.conn_id is None:
            raise SourceError("sources by sql need a database connection, and there is none here; use uri")
        with access.connect(source.conn_id) as connection:
            yield from read_query(connection, source.sql, selection=selection, delimiter=delimiter)
        return
    files = list_files(source.uri or "", access)
    log.info("%s: %d files", source.uri, len(files))
    if source.format == "files":
        yield from read_files(files, access, labelled=source.labelled)
        return
    parquet = source.format == "parquet"
    if parquet and (packed := next((file for file in files if file.compression), None)):
        raise SourceError(f"{packed.uri}: Parquet compresses by itself; store it unpacked")
    with closing(open_for_seeking(files, access) if parquet else open_files(files, access)) as opened:
        for file, stream in opened:
            yield from _read_file(file, stream, source, selection, delimiter)


def _read_file(
    file: SourceFile, stream: IO[bytes], source: Source, selection: ColumnSelection, delimiter: str | None
) -> Iterator[RawDocuments]:
    match source.format:
        case "csv" | "tsv":
            return read_delimited(
                stream,
                file=file.name,
                where=file.uri,
                delimiter=DELIMITERS[source.format],
                selection=selection,
                columns=None if source.header else source.columns,
            )
        case "jsonl":
            return read_json_lines(
                stream, file=file.name, where=file.uri, selection=selection, delimiter=delimiter
            )
        case "parquet":
            return read_parquet(stream, file=file.name, where=file.uri, selection=selection)
        case "lines":
            return read_lines(stream, file=file.name)
    raise SourceError(f"{file.uri}: {source.format} is no format that can be read file by file")


class _Finish:
    """Turns raw rows into documents: ids, cleaned texts, labels; what cannot be used is rejected."""

    def __init__(self, source: Source, mode: str, delimiter: str | None, seen: SeenIds) -> None:
        self._named_by_file = source.format == "files"
        self._labels = LabelReader(mode, delimiter) if source.labelled else None
        # Ids made of file and row cannot be double, but names of files can once they are cleaned; in labelled
        # data an id only serves to find a reject.
        given = source.id_column is not None or self._named_by_file
        self._seen = seen if given and not source.labelled else None

    def __call__(self, raw: RawDocuments) -> _Finished:
        fates = _Fates(len(raw.rows))
        records = len(raw.rows) + len(raw.bad)
        if not len(raw.rows):
            return _Finished(records, None, self._rejects(raw, None, None, fates))
        ids = self._ids(raw, fates)
        cleaned = clean_texts(raw.texts)
        for fate, reason in REASON_OF_FATE.items():
            fates.reject(cleaned.fates == fate, reason)
        labels = None
        if self._labels is not None:
            labels, unusable = self._labels.read(raw.labels)
            for reason, rows in unusable.items():
                fates.reject(rows, reason)
        if self._seen is not None:
            # Of equal ids the first usable document wins: a blank one before it takes nothing away.
            usable = np.flatnonzero(fates.usable)
            again = np.zeros(len(raw.rows), dtype=bool)
            again[usable] = ~self._seen.add(ids.take(pa.array(usable)))
            fates.reject(again, "duplicate_id")
        file = pa.repeat(pa.scalar(raw.file), len(raw.rows)) if isinstance(raw.file, str) else raw.file
        columns = [ids, cleaned.texts, *([] if labels is None else [labels]), file, pa.array(raw.rows)]
        batch = pa.RecordBatch.from_arrays(columns, schema=SCHEMA if labels is None else LABELLED_SCHEMA)
        if not fates.usable.all():
            batch = batch.filter(pa.array(fates.usable))
        return _Finished(records, batch, self._rejects(raw, ids, file, fates))

    def _ids(self, raw: RawDocuments, fates: _Fates) -> Column:
        """Return the ids, made of file and row where the source gives none that can be used."""
        if raw.ids is None:
            return _places(raw)
        named = clean_texts(raw.ids, max_bytes=MAX_DOCUMENT_ID_BYTES)
        unusable = named.fates != GOOD
        if not unusable.any():
            return named.texts
        fates.reject(named.fates == INVALID_UTF8, "invalid_utf8")
        fates.reject(named.fates == BLANK, "missing_id")
        fates.reject(named.fates == TOO_LARGE, "id_too_long")
        return pc.if_else(pa.array(unusable), _places(raw), named.texts)

    def _rejects(self, raw: RawDocuments, ids: Column, file: Column, fates: _Fates) -> list[dict[str, Any]]:
        """Return the rejects in the order of their rows."""
        rejects: list[dict[str, Any]] = []
        for bad in raw.bad:
            name = str(raw.file)
            rejects.append(
                {
                    "document_id": bad.document_id or (name if self._named_by_file else f"{name}:{bad.row}"),
                    "file": name,
                    "row": bad.row,
                    "reason": bad.reason,
                    "detail": bad.detail,
                }
            )
        rejects += (
            {
                "document_id": ids[place].as_py(),
                "file": file[place].as_py(),
                "row": int(raw.rows[place]),
                "reason": fates.reason(place),
            }
            for place in np.flatnonzero(~fates.usable).tolist()
        )
        return sorted(rejects, key=itemgetter("row")) if raw.bad else rejects


class _Fates:
    """For each row the first reason to reject it, or none."""

    def __init__(self, rows: int) -> None:
        self._codes = np.zeros(rows, dtype=np.int8)

    @property
    def usable(self) -> npt.NDArray[np.bool_]:
        return np.equal(self._codes, 0)

    def reject(self, rows: npt.NDArray[np.bool_], reason: str) -> None:
        self._codes[rows & (self._codes == 0)] = _REASONS.index(reason) + 1

    def reason(self, row: int) -> str:
        return _REASONS[int(self._codes[row]) - 1]


def _places(raw: RawDocuments) -> Column:
    file: Column = pa.scalar(raw.file) if isinstance(raw.file, str) else raw.file
    return pc.binary_join_element_wise(file, pa.array(raw.rows).cast(pa.string()), ":")
