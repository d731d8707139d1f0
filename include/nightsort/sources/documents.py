"""Documents: what a source holds, cleaned, as a stream of record batches.

Every record of a source is either in the stream or in the log of rejects, once; the order is that of the
files' names and, in a file, of its rows. Objects are read sequentially, each exactly once.
"""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nightsort.arrow.hash_numbers import HashSet
from nightsort.arrow.hashing import hash_texts
from nightsort.arrow.prefetch import prefetch
from nightsort.classifier_spec.source import LabelledSource
from nightsort.comprehend.limits import MAX_DOCUMENT_ID_BYTES
from nightsort.sources.augmented_manifest import TEXT_KEY, read_manifests
from nightsort.sources.cleaning import (
    BLANK,
    GOOD,
    INVALID_UTF8,
    REASON_OF_STATUS,
    TOO_LARGE,
    clean_label,
    clean_texts,
)
from nightsort.sources.csv_rows import read_csv
from nightsort.sources.json_lines import read_json_lines
from nightsort.sources.labels import LabelReader
from nightsort.sources.parquet import read_parquet
from nightsort.sources.places import place_named
from nightsort.sources.rejects import MAX_LABELS_OF_REJECT, REASONS
from nightsort.sources.row_blocks import ColumnSelection, RawRows
from nightsort.sources.source_files import CHUNK_BYTES, SourceError, list_files, source_of_day
from nightsort.sources.sql_query import read_query
from nightsort.sources.streams import open_files, open_for_seeking
from nightsort.sources.text_files import MAX_FILE_BYTES, read_files, read_lines
from nightsort.sources.text_streams import as_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from datetime import date

    import numpy.typing as npt

    from nightsort.arrow.columns import Column
    from nightsort.classifier_spec.source import Format, Source
    from nightsort.sources.rejects import RejectLog
    from nightsort.sources.source_files import SourceFile
    from nightsort.sources.streams import OpenedFile
    from nightsort.storage import Access, Progress

    RawStream: TypeAlias = Generator[RawRows, None, None]

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

_ENOUGH_ROWS: Final = 4_096

_AHEAD: Final = 2
"""So many batches are made in advance, so that this goes on while the look-up of texts works on as many."""

MOST_REJECTS: Final = 1_000_000
"""Above this, a source of which most is rejected is given up."""


def read_documents(
    source: Source,
    access: Access,
    *,
    day: date | None,
    rejects: RejectLog,
    mode: str = "MULTI_CLASS",
    label_delimiter: str | None = None,
    uri: str | None = None,
    named_below: str | None = None,
    on_files: Callable[[int], None] | None = None,
    progress: Progress | None = None,
) -> Iterator[pa.RecordBatch]:
    """Read, clean and check the documents of a source.

    :param day: stands in the URI or the query, where these have a day.
    :param rejects: takes every document that cannot be used, with the reason.
    :param mode: ``MULTI_CLASS`` or ``MULTI_LABEL``; matters to labelled sources only, as the next one.
    :param label_delimiter: joins the labels of a cell in ``MULTI_LABEL``.
    :param uri: read this (same format, same columns) in place of the source's own URI.
    :param named_below: the folder that the names of files begin behind, see
        :func:`~nightsort.sources.source_files.list_files`.
    :param on_files: called once with the number of files; never for a query.
    :param progress: called after each batch with the documents read so far.
    :returns: batches of :data:`SCHEMA`, or :data:`LABELLED_SCHEMA` for a labelled source; none where
        there are no documents.
    :raises SourceError: the source cannot be read as its spec says.
    """
    source = source_of_day(source, day, uri)
    selection = ColumnSelection(
        text=source.text_column,
        id=source.id_column,
        label=getattr(source, "label_column", None),
        header=None if source.header else source.columns,
        label_delimiter=None if mode == "MULTI_CLASS" else label_delimiter,
        delimiter=source.delimiter,
        escape=source.escape,
        encoding=source.encoding,
    )
    if isinstance(source, LabelledSource) and source.attribute is not None:
        selection = replace(selection, text=TEXT_KEY, label=source.attribute)
    # One thread reads and parses, one validates, and the caller's thread uses the documents.
    raw_rows = prefetch(join_small_blocks(_read_raw_rows(source, selection, access, named_below, on_files)))
    seen = 0
    for validated in prefetch(_validate(raw_rows, source, selection, mode), _AHEAD):
        seen += validated.records
        for reject in validated.rejects:
            rejects.add(**reject)
        _check_rejects(rejects, seen, validated)
        if validated.batch is not None and len(validated.batch):
            yield validated.batch
        if progress is not None:
            progress("reading documents", seen)
    if rejects.counts["invalid_utf8"] * 2 > seen:
        log.warning("Most of %s rows cannot be read: %s", f"{seen:,}", REASONS["invalid_utf8"])


def _check_rejects(rejects: RejectLog, seen: int, last: _ValidatedRows) -> None:
    """Check that the source is not made of rejects, millions of them.

    :param seen: the documents and rejects so far.
    :param last: the rows that were read last.
    """
    if rejects.total <= MOST_REJECTS or rejects.total * 2 <= seen or not last.rejects:
        return
    reason, count = rejects.counts.most_common(1)[0]
    raise SourceError(
        f"{rejects.total:,} of the first {seen:,} documents cannot be used, {count:,} of them as {reason}: "
        f"{REASONS[reason]} The last of them is in {last.rejects[-1]['file']}"
    )


@dataclass(frozen=True)
class _Reader:
    """How files of a format are opened, and read.

    :param read: takes opened files and a selection of columns; also the access if ``refers``.
    :param open: opens the files.
    :param refers: a row may name an object with the text.
    """

    read: Callable[..., Iterator[RawRows]]
    open: Callable[[Sequence[SourceFile], Access], Generator[OpenedFile, None, None]] = open_files
    refers: bool = False


READERS: Final[dict[Format, _Reader]] = {
    "csv": _Reader(read_csv),
    "tsv": _Reader(partial(read_csv, delimiter="\t")),
    "jsonl": _Reader(read_json_lines),
    "parquet": _Reader(read_parquet, open_for_seeking),
    "augmented_manifest": _Reader(read_manifests, refers=True),
    "lines": _Reader(lambda opened, _: read_lines(opened)),
    "files": _Reader(
        lambda opened, selection: read_files(
            opened, labelled=selection.label is not None, encoding=selection.encoding
        ),
        partial(open_files, limit=MAX_FILE_BYTES),
    ),
}
"""A new format is a file with its reader, a line here, and one in :data:`classifier_spec.source.Format`."""


def _read_raw_rows(
    source: Source,
    selection: ColumnSelection,
    access: Access,
    named_below: str | None,
    on_files: Callable[[int], None] | None,
) -> RawStream:
    """Yield the rows of a source as its format's reader finds them."""
    if source.uri is None or source.format is None:
        if access.connect is None or source.conn_id is None or source.sql is None:
            raise SourceError(
                "a source by sql needs a database connection, which is not available here; use uri"
            )
        with access.connect(source.conn_id) as connection:
            yield from read_query(connection, source.sql, selection)
        return
    with place_named(source.uri, "labelled.uri" if source.labelled else "incoming.uri"):
        files = list_files(source.uri, access, named_below=named_below)
    log.info("%s: files: %d", source.uri, len(files))
    if on_files is not None:
        on_files(len(files))
    reader = READERS[source.format]
    with closing(reader.open(files, access)) as opened:
        # A document per file is judged alone, where it is read; Parquet is no text.
        each_alone = source.format in ("files", "parquet")
        texts = opened if each_alone else as_texts(opened, source.format, source.encoding)
        yield from reader.read(texts, selection, *([access] if reader.refers else []))


def join_small_blocks(raw_rows: RawStream) -> RawStream:
    """Join the rows of small files, since a step costs the same for ten rows as for thousands.

    :param raw_rows: closed at the end.
    """
    waiting: list[RawRows] = []
    count = size = 0
    with closing(raw_rows):
        for raw in raw_rows:
            if waiting and (raw.bad or raw.types != waiting[0].types):
                yield _joined(waiting)
                waiting, count, size = [], 0, 0
            waiting.append(raw)
            count += len(raw)
            size += raw.texts.nbytes
            if raw.bad or count >= _ENOUGH_ROWS or size >= CHUNK_BYTES // 2:
                yield _joined(waiting)
                waiting, count, size = [], 0, 0
    if waiting:
        yield _joined(waiting)


def _joined(waiting: list[RawRows]) -> RawRows:
    if len(waiting) == 1:
        return waiting[0]
    columns = zip(*((raw.texts, raw.ids, raw.labels) for raw in waiting), strict=True)
    joined: list[Column] = [None if parts[0] is None else pa.concat_arrays(parts) for parts in columns]
    files = pa.concat_arrays([raw.files for raw in waiting])
    return RawRows(files, np.concatenate([raw.rows for raw in waiting]), *joined)


def _validate(
    raw_rows: RawStream, source: Source, selection: ColumnSelection, mode: str
) -> Generator[_ValidatedRows, None, None]:
    with HashSet() as seen, closing(raw_rows):
        validator = _RowValidator(source, selection, mode, seen)
        for raw in raw_rows:
            for part in raw.parts():
                yield validator.validate(part)


@dataclass(frozen=True)
class _ValidatedRows:
    """The documents among some records, and the rejects, as :meth:`RejectLog.add` takes them."""

    records: int
    batch: pa.RecordBatch | None
    rejects: list[dict[str, Any]]


class _RowValidator:
    """Makes documents of raw rows: ids, cleaned texts, labels; rejects what cannot be used."""

    def __init__(self, source: Source, selection: ColumnSelection, mode: str, seen: HashSet) -> None:
        self._named_by_file = source.format == "files"
        labelled = selection.label is not None
        self._labels = LabelReader(mode, selection.label_delimiter) if labelled else None
        # Ids made of file and row are unique, but names of files may not be once they are cleaned; in
        # labelled data an id only serves to find a reject.
        has_ids = selection.id is not None or self._named_by_file
        self._seen = seen if has_ids and not labelled else None

    def validate(self, raw: RawRows) -> _ValidatedRows:
        """Separate the documents from the rejects."""
        reasons = _RejectReasons(len(raw))
        records = len(raw) + len(raw.bad)
        if not len(raw):
            return _ValidatedRows(records, None, self._rejects(raw, None, None, reasons))
        ids = self._ids(raw, reasons)
        cleaned = clean_texts(raw.texts)
        for status, reason in REASON_OF_STATUS.items():
            reasons.reject(cleaned.status == status, reason)
        columns = [ids, cleaned.texts, raw.files, pa.array(raw.rows)]
        schema = SCHEMA
        labels = None
        if self._labels is not None:
            labels, unusable = self._labels.read(raw.labels)
            for reason, rows in unusable.items():
                reasons.reject(rows, reason)
            columns.insert(2, labels)
            schema = LABELLED_SCHEMA
        if self._seen is not None:
            # Of equal ids the first usable document wins: a blank one before it does not count.
            usable = np.flatnonzero(reasons.usable)
            duplicate = np.zeros(len(raw), dtype=bool)
            duplicate[usable] = ~self._seen.add(*hash_texts(ids.take(pa.array(usable))))
            reasons.reject(duplicate, "duplicate_id")
        batch = pa.RecordBatch.from_arrays(columns, schema=schema)
        if not reasons.usable.all():
            batch = batch.filter(pa.array(reasons.usable))
        return _ValidatedRows(records, batch, self._rejects(raw, ids, labels, reasons))

    def _ids(self, raw: RawRows, reasons: _RejectReasons) -> Column:
        """Return the ids, made of file and row where the source has none that can be used."""
        if raw.ids is None:
            return _ids_from_rows(raw)
        cleaned = clean_texts(raw.ids, max_bytes=MAX_DOCUMENT_ID_BYTES)
        unusable = cleaned.status != GOOD
        if not unusable.any():
            return cleaned.texts
        reasons.reject(cleaned.status == INVALID_UTF8, "invalid_utf8")
        reasons.reject(cleaned.status == BLANK, "missing_id")
        reasons.reject(cleaned.status == TOO_LARGE, "id_too_long")
        return pc.if_else(pa.array(unusable), _ids_from_rows(raw), cleaned.texts)

    def _rejects(
        self, raw: RawRows, ids: Column, labels: Column, reasons: _RejectReasons
    ) -> list[dict[str, Any]]:
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
                    "labels": tuple(filter(None, map(clean_label, bad.labels))),
                }
            )
        rejects += (
            {
                "document_id": ids[index].as_py(),
                "file": raw.file if isinstance(raw.file, str) else raw.file[index].as_py(),
                "row": int(raw.rows[index]),
                "reason": reasons[index],
                "labels": () if labels is None else labels[index].values[:MAX_LABELS_OF_REJECT].to_pylist(),
            }
            for index in np.flatnonzero(~reasons.usable).tolist()
        )
        return sorted(rejects, key=itemgetter("row")) if raw.bad else rejects


class _RejectReasons:
    """For each row the first reason to reject it, or none."""

    def __init__(self, rows: int) -> None:
        self._codes = np.zeros(rows, dtype=np.int8)

    @property
    def usable(self) -> npt.NDArray[np.bool_]:
        return np.equal(self._codes, 0)

    def reject(self, rows: npt.NDArray[np.bool_], reason: str) -> None:
        self._codes[rows & (self._codes == 0)] = _REASONS.index(reason) + 1

    def __getitem__(self, row: int) -> str:
        return _REASONS[int(self._codes[row]) - 1]


def _ids_from_rows(raw: RawRows) -> Column:
    """Return ``<file>:<row>`` for each row."""
    file: Column = pa.scalar(raw.file) if isinstance(raw.file, str) else raw.file
    return pc.binary_join_element_wise(file, pa.array(raw.rows).cast(pa.string()), ":")
