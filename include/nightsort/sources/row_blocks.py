"""What every reader of a format gives: columns of bytes, as they stood in the source."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nightsort.comprehend.limits import MAX_DOCUMENT_BYTES
from nightsort.sources.source_files import CHUNK_BYTES, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import IO

    from nightsort.arrow.columns import Column

Rows = npt.NDArray[np.int64]

MAX_ROW_BYTES = 4 * MAX_DOCUMENT_BYTES
"""A row may be this long before it is taken for damaged: the largest document, all quotes doubled, and its
columns."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_ENOUGH_ROWS: Final = 4_096

TOO_LONG = f"no end within {MAX_ROW_BYTES // 1_000_000} MB"


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be read.

    :param row: its number in the file, from 0.
    :param detail: what is wrong with it, without any of its text.
    :param reason: a key of :data:`nightsort.sources.rejects.REASONS`.
    :param document_id: its id, where that could be read.
    """

    row: int
    detail: str
    reason: str = "unreadable_row"
    document_id: str | None = None


@dataclass(frozen=True)
class RawDocuments:
    """Some rows of one file, in the file's order.

    :param file: the file's name, or a column of names where each row is a file of its own.
    :param rows: the row's number in the file, from 0.
    :param texts: the text of each row, as bytes, or as text where it is known to be UTF-8.
    :param ids: the id of each row, likewise; ``None`` where the source has no id column.
    :param labels: a cell of labels per row (binary), or a list of labels per row (texts or binary);
        ``None`` without labels.
    :param bad: rows of the same stretch of the file that cannot be read, by number.
    """

    file: str | Column
    rows: Rows
    texts: Column
    ids: Column | None = None
    labels: Column | None = None
    bad: list[BadRow] = field(default_factory=list)

    @property
    def kinds(self) -> list[Any]:
        """The types of the texts, ids and labels."""
        return [None if column is None else column.type for column in (self.texts, self.ids, self.labels)]

    @classmethod
    def only_bad(cls, file: str, *bad: BadRow) -> RawDocuments:
        """Return a stretch of rows none of which can be read."""
        return cls(file, np.empty(0, dtype=np.int64), pa.array([], pa.binary()), bad=list(bad))


RawStream = Generator[RawDocuments, None, None]


def coalesce_small_blocks(stream: RawStream) -> RawStream:
    """Join the rows of small files: all that follows takes as long for ten rows as for thousands."""
    waiting: list[RawDocuments] = []
    rows = size = 0
    with closing(stream):
        for some in stream:
            if waiting and (some.bad or some.kinds != waiting[0].kinds):
                yield _joined(waiting)
                waiting, rows, size = [], 0, 0
            waiting.append(some)
            rows += len(some.rows)
            size += some.texts.nbytes
            if some.bad or rows >= _ENOUGH_ROWS or size >= CHUNK_BYTES // 2:
                yield _joined(waiting)
                waiting, rows, size = [], 0, 0
    if waiting:
        yield _joined(waiting)


def _joined(some: list[RawDocuments]) -> RawDocuments:
    if len(some) == 1:
        return some[0]
    files = [
        pa.repeat(pa.scalar(raw.file), len(raw.rows)) if isinstance(raw.file, str) else raw.file
        for raw in some
    ]
    columns = zip(*((raw.texts, raw.ids, raw.labels) for raw in some), strict=True)
    texts, ids, labels = (None if of[0] is None else pa.concat_arrays(of) for of in columns)
    return RawDocuments(
        pa.concat_arrays(files), np.concatenate([raw.rows for raw in some]), texts, ids, labels
    )


@dataclass(frozen=True)
class ColumnSelection:
    """The columns that a reader picks.

    :param text: the column of the text.
    :param id: the column of the id, or ``None``.
    :param label: the column of the label(s), or ``None``.
    """

    text: str
    id: str | None = None
    label: str | None = None

    @property
    def names(self) -> list[str]:
        """The columns' names."""
        return [name for name in (self.text, self.id, self.label) if name is not None]

    def check(self, present: Iterable[str], where: str) -> None:
        """Check that a file or query has the columns.

        :raises SourceError: one is missing (the text names those that exist) or is there twice.
        """
        existing = list(present)
        for name in self.names:
            if name not in existing:
                listed = ", ".join(existing) or "none"
                raise SourceError(
                    f'{where} has no column "{name}"; its columns are: {listed}. Name the right one '
                    "in the spec (text_column, label_column, id_column), or say header: false"
                )
            if existing.count(name) > 1:
                raise SourceError(
                    f'{where} has {existing.count(name)} columns "{name}"; give each its own name'
                )


@dataclass(frozen=True)
class Stretch:
    """Whole rows, as bytes, or one row that cannot be read (``detail`` says why)."""

    data: bytes
    detail: str | None = None


def stretches(
    stream: IO[bytes], find_rows: Callable[[bytes, bool], tuple[list[Stretch], int]]
) -> Iterator[Stretch]:
    """Cut a stream into stretches of whole rows, holding one chunk, or one row where a row is longer.

    A row without an end within :data:`MAX_ROW_BYTES` is given up: its first line is a bad stretch, and
    reading goes on behind it, so that one forgotten quote does not swallow the rest of the file. A byte
    order mark is dropped.

    :param find_rows: gets bytes that begin with a row and whether the stream ends with them; gives the
        whole rows in them and how many bytes those take.
    """
    pending = stream.read(CHUNK_BYTES).removeprefix(BYTE_ORDER_MARK)
    at_end = False
    while not at_end:
        chunk = stream.read(CHUNK_BYTES)
        at_end = not chunk
        pending += chunk
        found, taken = find_rows(pending, at_end)
        yield from found
        pending = pending[taken:]
        while len(pending) > MAX_ROW_BYTES:
            line_end = pending.find(b"\n") + 1
            yield Stretch(b"", f"{TOO_LONG} (a quote that is never closed?)" if line_end else TOO_LONG)
            pending = pending[line_end:] if line_end else _after_next_line(stream)
            found, taken = find_rows(pending, False)
            yield from found
            pending = pending[taken:]


def _after_next_line(stream: IO[bytes]) -> bytes:
    while chunk := stream.read(CHUNK_BYTES):
        if b"\n" in chunk:
            return chunk[chunk.index(b"\n") + 1 :]
    return b""


def lines(pending: bytes, at_end: bool) -> tuple[list[Stretch], int]:
    """Find the whole lines of some bytes (for :func:`stretches`); the last one needs no line feed."""
    end = len(pending) if at_end else pending.rfind(b"\n") + 1
    return ([Stretch(pending[:end])] if end else []), end
