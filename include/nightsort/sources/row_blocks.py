"""Raw rows, as every format's reader yields them, and the blocks of bytes in which text formats are read."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nightsort.arrow.columns import true_indices
from nightsort.comprehend.limits import MAX_DOCUMENT_BYTES
from nightsort.sources.missing_columns import NAME_THE_RIGHT_ONE, missing_column
from nightsort.sources.source_files import CHUNK_BYTES, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import IO

    from nightsort.arrow.columns import Column, TextColumn

RowNumbers = npt.NDArray[np.int64]

MAX_ROW_BYTES = 4 * MAX_DOCUMENT_BYTES
"""A longer row counts as damaged. This holds the largest document, all quotes doubled, and its columns."""

_LINE_FEED = 0x0A
_CARRIAGE_RETURN = 0x0D

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

MAX_LINES_AT_ONCE = 32_768
"""Rows of a few bytes take much more memory once they are parsed."""

TOO_LONG = f"no end within {MAX_ROW_BYTES // 1_000_000} MB"


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be read.

    :param row: its number in the file, from 0.
    :param detail: what is wrong with it, without any of its text.
    :param reason: a key of :data:`nightsort.sources.rejects.REASONS`.
    :param document_id: its id, where that could be read.
    :param labels: its labels, likewise.
    """

    row: int
    detail: str
    reason: str = "unreadable_row"
    document_id: str | None = None
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class ColumnSelection:
    """The columns that a reader picks, and how it finds them.

    :param text: the column of the text.
    :param id: the column of the id, or ``None``.
    :param label: the column of the label(s), or ``None``.
    :param header: CSV and TSV: the columns' names by position; ``None``: the first row holds them.
    :param label_delimiter: JSON Lines and SQL: splits a label that is a text where others are lists;
        ``None``: the text is one label.
    :param delimiter: CSV: the character between two fields; ``None``: the format's own.
    :param escape: CSV and TSV: the character that escapes a quote; ``None``: quotes are doubled.
    :param encoding: how a file that is one document writes characters.
    """

    text: str
    id: str | None = None
    label: str | None = None
    header: tuple[str, ...] | None = None
    label_delimiter: str | None = None
    delimiter: str | None = None
    escape: str | None = None
    encoding: str = "utf-8"

    @property
    def names(self) -> list[str]:
        """The columns' names."""
        return [name for name in (self.text, self.id, self.label) if name is not None]

    def check(self, present: Iterable[str], where: str, remedy: str = NAME_THE_RIGHT_ONE) -> None:
        """Check that a file or query has the columns.

        :param present: the names of the columns that it has.
        :param where: its URI, for errors.
        :param remedy: what to do about a missing column.
        :raises SourceError: a column is missing, or is there twice.
        """
        existing = list(present)
        for name in self.names:
            if name not in existing:
                raise SourceError(missing_column(where, name, existing, remedy))
            if existing.count(name) > 1:
                raise SourceError(
                    f'{where} has {existing.count(name)} columns "{name}"; give each its own name'
                )


@dataclass(frozen=True)
class RawRows:
    """Rows of one file in the file's order, before anything is cleaned or checked.

    :param file: the file's name, or a column of names where each row is a file of its own.
    :param rows: the row's number in the file, from 0; shape ``(n,)``.
    :param texts: the text of each row, as bytes, or as text where it is known to be UTF-8.
    :param ids: the id of each row, likewise; ``None`` where the source has no id column.
    :param labels: a cell of labels per row (binary), or a list of labels per row (texts or binary);
        ``None`` without labels.
    :param bad: rows of the same part of the file that cannot be read.
    """

    file: str | pa.StringArray
    rows: RowNumbers
    texts: TextColumn
    ids: TextColumn | None = None
    labels: Column | None = None
    bad: list[BadRow] = field(default_factory=list)

    @classmethod
    def from_columns(
        cls,
        file: str,
        rows: RowNumbers,
        columns: Mapping[str, Column],
        selection: ColumnSelection,
        bad: Iterable[BadRow] = (),
    ) -> RawRows:
        """Build raw rows from columns by name."""
        ids = None if selection.id is None else columns[selection.id]
        labels = None if selection.label is None else columns[selection.label]
        return cls(file, rows, columns[selection.text], ids, labels, list(bad))

    @classmethod
    def only_bad(cls, file: str, *bad: BadRow) -> RawRows:
        """Build raw rows of which none can be read."""
        return cls(file, np.empty(0, dtype=np.int64), pa.array([], pa.binary()), bad=list(bad))

    def __len__(self) -> int:
        return len(self.rows)

    def parts(self) -> Iterator[RawRows]:
        """Yield the rows in parts that are not too long; those with bad rows among them are short."""
        if len(self) <= MAX_LINES_AT_ONCE or self.bad or not isinstance(self.file, str):
            yield self
            return
        for start in range(0, len(self), MAX_LINES_AT_ONCE):
            some = slice(start, start + MAX_LINES_AT_ONCE)
            yield replace(
                self,
                rows=self.rows[some],
                texts=self.texts[some],
                ids=None if self.ids is None else self.ids[some],
                labels=None if self.labels is None else self.labels[some],
            )

    @property
    def types(self) -> list[Any]:
        """The Arrow types of the texts, ids and labels."""
        return [None if column is None else column.type for column in (self.texts, self.ids, self.labels)]

    @property
    def files(self) -> pa.StringArray:
        """The file of each row."""
        return pa.repeat(pa.scalar(self.file), len(self)) if isinstance(self.file, str) else self.file


@dataclass(frozen=True)
class RowBlock:
    """Whole rows, as bytes, or one row that cannot be read (``detail`` says why)."""

    data: bytes
    detail: str | None = None


def split_into_row_blocks(
    stream: IO[bytes], find_rows: Callable[[bytes, bool], tuple[list[RowBlock], int]]
) -> Iterator[RowBlock]:
    """Split a stream into blocks of whole rows; memory holds one chunk, or one row where a row is longer.

    A row without an end within :data:`MAX_ROW_BYTES` is given up: its first line becomes a bad block, and
    reading continues behind it, so that one forgotten quote does not swallow the rest of the file. A byte
    order mark is dropped.

    :param find_rows: takes bytes that begin with a row, and whether the stream ends with them; returns
        the whole rows in them and how many bytes those take.
    :returns: the blocks, in the stream's order.
    """
    pending = stream.read(CHUNK_BYTES).removeprefix(BYTE_ORDER_MARK)
    at_end = False
    while not at_end:
        chunk = stream.read(CHUNK_BYTES)
        at_end = not chunk
        pending += chunk
        while len(part := some_lines(pending)) < len(pending):
            found, taken = find_rows(part, False)
            if not taken:
                break
            yield from found
            pending = pending[taken:]
        found, taken = find_rows(pending, at_end)
        yield from found
        pending = pending[taken:]
        while len(pending) > MAX_ROW_BYTES:
            line_end = pending.find(b"\n") + 1
            yield RowBlock(b"", f"{TOO_LONG} (a quote that is never closed?)" if line_end else TOO_LONG)
            pending = pending[line_end:] if line_end else _after_next_line(stream)
            found, taken = find_rows(pending, False)
            yield from found
            pending = pending[taken:]


def some_lines(pending: bytes) -> bytes:
    """Return not too many lines of these, or all."""
    ends = np.frombuffer(pending, np.uint8) == (_LINE_FEED if b"\n" in pending else _CARRIAGE_RETURN)
    if np.count_nonzero(ends) <= MAX_LINES_AT_ONCE:
        return pending
    return pending[: int(true_indices(ends)[MAX_LINES_AT_ONCE - 1]) + 1]


def _after_next_line(stream: IO[bytes]) -> bytes:
    while chunk := stream.read(CHUNK_BYTES):
        if b"\n" in chunk:
            return chunk[chunk.index(b"\n") + 1 :]
    return b""


def find_lines(pending: bytes, at_end: bool) -> tuple[list[RowBlock], int]:
    """Find whole lines, for :func:`split_into_row_blocks`; the last one needs no line feed."""
    end = len(pending) if at_end else pending.rfind(b"\n") + 1
    return ([RowBlock(pending[:end])] if end else []), end
